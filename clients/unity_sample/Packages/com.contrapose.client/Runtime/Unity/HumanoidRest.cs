using System;
using System.Collections.Generic;
using Contrapose.Core;
using UnityEngine;

namespace Contrapose.Unity
{
    /// <summary>The bones of a Humanoid avatar, and how they rest in its T pose.</summary>
    public sealed class HumanoidRest
    {
        /// <summary>What a Humanoid may lack, besides fingers.</summary>
        static readonly HashSet<HumanBodyBones> Optional = new HashSet<HumanBodyBones>
        {
            HumanBodyBones.Chest, HumanBodyBones.UpperChest, HumanBodyBones.Neck, HumanBodyBones.LeftShoulder,
            HumanBodyBones.RightShoulder, HumanBodyBones.LeftToes, HumanBodyBones.RightToes,
        };

        /// <summary>By joint of the rig; null where the avatar has no such bone.</summary>
        public readonly Transform[] Bones = new Transform[HumanoidRig.JointCount];

        public readonly HumanoidRig Rig;

        /// <exception cref="ArgumentException">The avatar is not a Humanoid, or lacks a bone that it must have.</exception>
        public HumanoidRest(Animator animator)
        {
            if (animator == null || animator.avatar == null || !animator.isHuman)
                throw new ArgumentException($"{(animator == null ? "no Animator" : animator.name)}: the rig must be a Humanoid (model's Rig tab, Animation Type)");
            var locals = RestLocals(animator);
            var rest = new Turn[Bones.Length];
            var isPresent = new bool[Bones.Length];
            for (var joint = 0; joint < Bones.Length; joint++)
            {
                var bone = (HumanBodyBones)HumanoidRig.Bones[joint];
                Bones[joint] = animator.GetBoneTransform(bone);
                isPresent[joint] = Bones[joint] != null;
                if (!isPresent[joint] && joint < BodyFrame.JointCount && !Optional.Contains(bone))
                    throw new ArgumentException($"{animator.name}: the avatar has no {bone}");
                rest[joint] = isPresent[joint] ? RestRotation(Bones[joint], animator.transform, locals).ToTurn() : Turn.Identity;
            }
            var hips = RestPosition(Bones[0], animator.transform, locals);
            Rig = new HumanoidRig(rest, isPresent, hips.y);
        }

        /// <summary>What the avatar says of the T pose, by name of transform.</summary>
        static Dictionary<string, SkeletonBone> RestLocals(Animator animator)
        {
            var locals = new Dictionary<string, SkeletonBone>();
            foreach (var bone in animator.avatar.humanDescription.skeleton) locals[bone.name] = bone;
            return locals;
        }

        static Quaternion RestRotation(Transform bone, Transform root, Dictionary<string, SkeletonBone> locals)
        {
            var rotation = Quaternion.identity;
            for (; bone != root; bone = bone.parent)
                rotation = (locals.TryGetValue(bone.name, out var rest) ? rest.rotation : bone.localRotation) * rotation;
            return rotation;
        }

        static Vector3 RestPosition(Transform bone, Transform root, Dictionary<string, SkeletonBone> locals)
        {
            var place = Vector3.zero;
            for (; bone != root; bone = bone.parent)
            {
                var isKnown = locals.TryGetValue(bone.name, out var rest);
                var scaled = Vector3.Scale(isKnown ? rest.scale : bone.localScale, place);
                place = (isKnown ? rest.position : bone.localPosition) + (isKnown ? rest.rotation : bone.localRotation) * scaled;
            }
            return Vector3.Scale(root.lossyScale, place);
        }
    }
}
