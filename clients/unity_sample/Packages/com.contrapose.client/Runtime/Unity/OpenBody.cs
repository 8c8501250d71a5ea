using System;
using System.Collections.Generic;
using Contrapose.Core;
using UnityEngine;

namespace Contrapose.Unity
{
    /// <summary>The open body as a skinned Humanoid, made at run time from Resources/Contrapose/body.bytes, which
    /// Tools~/assets.py writes: an avatar for those who have none at hand.</summary>
    public static class OpenBody
    {
        const int Joints = HumanoidRig.JointCount;

        /// <summary>Of the wire's joints.</summary>
        static readonly string[] Names =
        {
            "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
            "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
            "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
        };

        /// <summary>In the order of curls.</summary>
        static readonly string[] FingerNames = { "thumb", "index", "middle", "ring", "pinky" };

        /// <summary>A new body that stands in a T pose with its feet on the origin.</summary>
        /// <exception cref="InvalidOperationException">body.bytes is not in the project, or of another version.</exception>
        public static Animator Create(string name, Material material)
        {
            var asset = Resources.Load<TextAsset>("Contrapose/body");
            if (asset == null) throw new InvalidOperationException("Resources/Contrapose/body.bytes is missing: reinstall the package");
            var data = new Reader(asset.bytes);
            var places = data.Points(Joints);
            var straight = data.Turns(Fingers.JointCount);
            var root = new GameObject(name);
            var bones = Bones(root.transform, places);
            var skin = new GameObject("skin").AddComponent<SkinnedMeshRenderer>();
            skin.transform.SetParent(root.transform, false);
            skin.sharedMesh = Skin(data, places);
            skin.bones = bones;
            skin.rootBone = bones[0];
            skin.updateWhenOffscreen = true;
            skin.sharedMaterial = material;
            var animator = root.AddComponent<Animator>();
            animator.avatar = AvatarBuilder.BuildHumanAvatar(root, Description(root, bones, straight));
            animator.applyRootMotion = false;
            return animator;
        }

        static Transform[] Bones(Transform root, Vector3[] places)
        {
            var bones = new Transform[Joints];
            for (var joint = 0; joint < Joints; joint++)
            {
                var parent = HumanoidRig.Parents[joint];
                bones[joint] = new GameObject(Name(joint)).transform;
                bones[joint].SetParent(parent < 0 ? root : bones[parent], false);
                bones[joint].localPosition = parent < 0 ? places[joint] : places[joint] - places[parent];
            }
            return bones;
        }

        static string Name(int joint)
        {
            if (joint < Names.Length) return Names[joint];
            var finger = joint - Names.Length;
            var side = finger < Fingers.JointCount / 2 ? "left_" : "right_";
            return side + FingerNames[finger / 3 % FingerNames.Length] + (finger % 3 + 1);
        }

        static Mesh Skin(Reader data, Vector3[] places)
        {
            var count = data.Number();
            var mesh = new Mesh { vertices = data.Points(count), triangles = data.Triangles(data.Number()) };
            mesh.boneWeights = data.Weights(count);
            var bindposes = new Matrix4x4[Joints];
            for (var joint = 0; joint < Joints; joint++) bindposes[joint] = Matrix4x4.Translate(-places[joint]);
            mesh.bindposes = bindposes;
            mesh.RecalculateNormals();
            mesh.RecalculateBounds();
            return mesh;
        }

        /// <summary>The avatar's T pose has straight fingers; those of the mesh are a little bent.</summary>
        static HumanDescription Description(GameObject root, Transform[] bones, Quaternion[] straight)
        {
            var skeleton = new List<SkeletonBone> { Bone(root.transform, Quaternion.identity) };
            var human = new List<HumanBone>();
            var names = HumanTrait.BoneName; // of fingers with spaces: "Left Thumb Proximal"
            for (var joint = 0; joint < Joints; joint++)
            {
                skeleton.Add(Bone(bones[joint], joint < Names.Length ? Quaternion.identity : straight[joint - Names.Length]));
                var limit = new HumanLimit { useDefaultValues = true };
                human.Add(new HumanBone { boneName = bones[joint].name, humanName = names[HumanoidRig.Bones[joint]], limit = limit });
            }
            return new HumanDescription
            {
                skeleton = skeleton.ToArray(),
                human = human.ToArray(),
                upperArmTwist = 0.5f,
                lowerArmTwist = 0.5f,
                upperLegTwist = 0.5f,
                lowerLegTwist = 0.5f,
                armStretch = 0.05f,
                legStretch = 0.05f,
            };
        }

        static SkeletonBone Bone(Transform bone, Quaternion turn) => new SkeletonBone
        {
            name = bone.name,
            position = bone.localPosition,
            rotation = turn,
            scale = bone.localScale,
        };

        /// <summary>Reads body.bytes: "CPB2", then little-endian numbers, in Unity's axes.</summary>
        sealed class Reader
        {
            readonly byte[] bytes;
            int at = 4;

            public Reader(byte[] bytes)
            {
                this.bytes = bytes;
                if (bytes.Length < 4 || bytes[0] != 'C' || bytes[1] != 'P' || bytes[2] != 'B' || bytes[3] != '2')
                    throw new InvalidOperationException("Resources/Contrapose/body.bytes is of another version: reinstall the package");
            }

            public int Number() => BitConverter.ToInt32(bytes, (at += 4) - 4);

            /// <summary>Tenths of a millimetre in 16 bits each.</summary>
            public Vector3[] Points(int count)
            {
                var points = new Vector3[count];
                for (var i = 0; i < count; i++) points[i] = new Vector3(Short() / 10000f, Short() / 10000f, Short() / 10000f);
                return points;
            }

            public Quaternion[] Turns(int count)
            {
                var turns = new Quaternion[count];
                for (var i = 0; i < count; i++) turns[i] = new Quaternion(Single(), Single(), Single(), Single());
                return turns;
            }

            public int[] Triangles(int count)
            {
                var corners = new int[3 * count];
                for (var i = 0; i < corners.Length; i++) corners[i] = (ushort)Short();
                return corners;
            }

            /// <summary>Four bones and four weights of 255 in all.</summary>
            public BoneWeight[] Weights(int count)
            {
                var weights = new BoneWeight[count];
                for (var i = 0; i < count; i++, at += 8)
                    weights[i] = new BoneWeight
                    {
                        boneIndex0 = bytes[at],
                        boneIndex1 = bytes[at + 1],
                        boneIndex2 = bytes[at + 2],
                        boneIndex3 = bytes[at + 3],
                        weight0 = bytes[at + 4] / 255f,
                        weight1 = bytes[at + 5] / 255f,
                        weight2 = bytes[at + 6] / 255f,
                        weight3 = bytes[at + 7] / 255f,
                    };
                return weights;
            }

            float Single() => BitConverter.ToSingle(bytes, (at += 4) - 4);

            short Short() => BitConverter.ToInt16(bytes, (at += 2) - 2);
        }
    }
}
