using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Contrapose.Core;
using Contrapose.Unity;
using Contrapose.V1;
using NUnit.Framework;
using UnityEngine;

namespace Contrapose.Tests
{
    public class PartnerTests
    {
        [Test]
        public void Any_humanoid_is_posed_as_Python_poses_it()
        {
            var rigs = 0;
            var compared = 0;
            Model model = null;
            var pose = new BodyFrame();
            foreach (var words in Vectors.Lines("rigs.txt"))
                switch (words[0])
                {
                    case "rig":
                        model = new Model(words[1]);
                        rigs++;
                        break;
                    case "skeleton":
                        model.Skeleton.RestOffsets.Set(Numbers(words, 1).Select(n => (float)n).ToArray());
                        break;
                    case "origin":
                        model.Origin.SetPositionAndRotation(Place(words, 1), Turned(words, 4));
                        break;
                    case "bone":
                        model.AddBone(words[1], words[2], Place(words, 3), Turned(words, 6));
                        break;
                    case "pose":
                        var n = Numbers(words, 1);
                        for (var i = 0; i < 88; i++) pose.Rotations[i] = (float)n[i];
                        for (var i = 0; i < 3; i++) pose.Translation[i] = (float)n[88 + i];
                        for (var i = 0; i < 10; i++) pose.Curls[i] = (float)n[91 + i];
                        pose.HasCurls = true;
                        model.Drive(pose);
                        break;
                    case "want":
                        Compare(words, model.Bones[words[1]]);
                        compared++;
                        break;
                }
            Assert.AreEqual(6, rigs);
            Assert.Greater(compared, 1000);
        }

        static void Compare(string[] words, Transform bone)
        {
            Assert.Less(Vector3.Distance(Place(words, 2), bone.position), 1e-4, words[1]);
            Quaternion want = Turned(words, 5), made = bone.rotation;
            var sign = want.x * made.x + want.y * made.y + want.z * made.z + want.w * made.w < 0 ? -1 : 1;
            double x = want.x - sign * made.x, y = want.y - sign * made.y, z = want.z - sign * made.z, w = want.w - sign * made.w;
            Assert.Less(2 * Math.Sqrt(x * x + y * y + z * z + w * w), 1e-4, words[1] + ", radians");
        }

        [Test]
        public void Fingers_of_which_a_pose_says_nothing_are_left_alone()
        {
            Model model = null;
            foreach (var words in Vectors.Lines("rigs.txt"))
            {
                if (words[0] == "rig" && model != null) break;
                if (words[0] == "rig") model = new Model(words[1]);
                else if (words[0] == "skeleton") model.Skeleton.RestOffsets.Set(Numbers(words, 1).Select(n => (float)n).ToArray());
                else if (words[0] == "bone") model.AddBone(words[1], words[2], Place(words, 3), Turned(words, 6));
            }
            var finger = model.Bones["LeftIndexProximal"];
            finger.localRotation = Quaternion.Euler(1, 2, 3);
            var pose = new BodyFrame();
            model.Drive(pose);
            Assert.Less(Vector3.Distance(Quaternion.Euler(1, 2, 3) * Vector3.one, finger.localRotation * Vector3.one), 1e-6);
            pose.HasCurls = true;
            model.Drive(pose);
            Assert.Less(Vector3.Distance(Vector3.one, finger.localRotation * Vector3.one), 1e-5, "a curl of 0 is the T pose");
        }

        [Test]
        public void An_avatar_without_a_bone_that_it_must_have_is_named()
        {
            var model = new Model("legless");
            model.AddBone("Hips", "-", Vector3.up, Quaternion.identity);
            var problem = Assert.Throws<ArgumentException>(() => model.Drive(new BodyFrame()));
            Assert.IsTrue(problem.Message.Contains("legless") && problem.Message.Contains("LeftUpperLeg"), problem.Message);
        }

        [Test]
        public void A_thing_that_is_no_humanoid_is_named()
        {
            var animator = new GameObject("box").AddComponent<Animator>();
            var problem = Assert.Throws<ArgumentException>(() => new HumanoidRest(animator));
            Assert.IsTrue(problem.Message.Contains("box") && problem.Message.Contains("Humanoid"), problem.Message);
        }

        static double[] Numbers(string[] words, int first) =>
            words.Skip(first).Select(word => double.Parse(word, CultureInfo.InvariantCulture)).ToArray();

        static Vector3 Place(string[] words, int first)
        {
            var n = Numbers(words, first);
            return new Vector3((float)n[0], (float)n[1], (float)n[2]);
        }

        static Quaternion Turned(string[] words, int first)
        {
            var n = Numbers(words, first);
            return new Quaternion((float)n[0], (float)n[1], (float)n[2], (float)n[3]);
        }

        /// <summary>A hierarchy of transforms with an avatar, as a model's import makes it.</summary>
        sealed class Model
        {
            public readonly Dictionary<string, Transform> Bones = new Dictionary<string, Transform>();
            public readonly Skeleton Skeleton = new Skeleton();
            public readonly Transform Origin = new GameObject("origin").transform;
            readonly GameObject root;
            readonly List<SkeletonBone> skeleton = new List<SkeletonBone>();
            readonly List<HumanBone> human = new List<HumanBone>();
            HumanoidRest rest;

            public Model(string name) => root = new GameObject(name);

            public void AddBone(string name, string parent, Vector3 place, Quaternion turn)
            {
                var bone = new GameObject("bone " + name).transform;
                bone.SetParent(parent == "-" ? root.transform : Bones[parent], false);
                bone.localPosition = place;
                bone.localRotation = turn;
                Bones[name] = bone;
                skeleton.Add(new SkeletonBone { name = bone.name, position = place, rotation = turn, scale = Vector3.one });
                var trait = HumanTrait.BoneName[(int)Enum.Parse(typeof(HumanBodyBones), name)];
                human.Add(new HumanBone { boneName = bone.name, humanName = trait });
            }

            /// <summary>As PartnerDriver does it.</summary>
            public void Drive(BodyFrame pose)
            {
                rest ??= new HumanoidRest(Animated());
                rest.Rig.Drive(pose, Skeleton);
                PartnerDriver.Place(rest, Origin);
            }

            Animator Animated()
            {
                var animator = root.AddComponent<Animator>();
                var description = new HumanDescription { human = human.ToArray(), skeleton = skeleton.ToArray() };
                animator.avatar = AvatarBuilder.BuildHumanAvatar(root, description);
                return animator;
            }
        }
    }
}
