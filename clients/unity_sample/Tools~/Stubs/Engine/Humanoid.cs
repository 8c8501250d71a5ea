// Written from the pages of docs.unity3d.com/ScriptReference that stand beside each type; only what is used.
using System;
using System.Collections.Generic;
using System.Linq;

namespace UnityEngine
{
    /// HumanBodyBones
    public enum HumanBodyBones
    {
        Hips, LeftUpperLeg, RightUpperLeg, LeftLowerLeg, RightLowerLeg, LeftFoot, RightFoot, Spine, Chest, Neck, Head,
        LeftShoulder, RightShoulder, LeftUpperArm, RightUpperArm, LeftLowerArm, RightLowerArm, LeftHand, RightHand,
        LeftToes, RightToes, LeftEye, RightEye, Jaw,
        LeftThumbProximal, LeftThumbIntermediate, LeftThumbDistal, LeftIndexProximal, LeftIndexIntermediate, LeftIndexDistal,
        LeftMiddleProximal, LeftMiddleIntermediate, LeftMiddleDistal, LeftRingProximal, LeftRingIntermediate, LeftRingDistal,
        LeftLittleProximal, LeftLittleIntermediate, LeftLittleDistal,
        RightThumbProximal, RightThumbIntermediate, RightThumbDistal, RightIndexProximal, RightIndexIntermediate, RightIndexDistal,
        RightMiddleProximal, RightMiddleIntermediate, RightMiddleDistal, RightRingProximal, RightRingIntermediate, RightRingDistal,
        RightLittleProximal, RightLittleIntermediate, RightLittleDistal,
        UpperChest, LastBone,
    }

    /// HumanTrait
    public static class HumanTrait
    {
        /// HumanTrait.BoneName: in the order of HumanBodyBones; words of fingers have spaces between them.
        public static string[] BoneName => Enumerable.Range(0, (int)HumanBodyBones.LastBone).Select(Spoken).ToArray();

        static string Spoken(int bone)
        {
            var name = ((HumanBodyBones)bone).ToString();
            var isFinger = bone >= (int)HumanBodyBones.LeftThumbProximal && bone <= (int)HumanBodyBones.RightLittleDistal;
            return isFinger ? string.Concat(name.Select((letter, at) => at > 0 && char.IsUpper(letter) ? " " + letter : "" + letter)) : name;
        }
    }

    /// SkeletonBone
    [Serializable]
    public struct SkeletonBone
    {
        public string name;
        public Vector3 position;
        public Quaternion rotation;
        public Vector3 scale;
    }

    /// HumanLimit
    [Serializable]
    public struct HumanLimit
    {
        public bool useDefaultValues { get; set; }
    }

    /// HumanBone
    [Serializable]
    public struct HumanBone
    {
        public HumanLimit limit;
        public string boneName { get; set; }
        public string humanName { get; set; }
    }

    /// HumanDescription
    [Serializable]
    public struct HumanDescription
    {
        public HumanBone[] human;
        public SkeletonBone[] skeleton;
        public float upperArmTwist { get; set; }
        public float lowerArmTwist { get; set; }
        public float upperLegTwist { get; set; }
        public float lowerLegTwist { get; set; }
        public float armStretch { get; set; }
        public float legStretch { get; set; }
        public float feetSpacing { get; set; }
        public bool hasTranslationDoF { get; set; }
    }

    /// Avatar
    public sealed class Avatar : Object
    {
        internal Avatar(HumanDescription description) => humanDescription = description;

        public HumanDescription humanDescription { get; }
        public bool isValid => true;
        public bool isHuman => true;
    }

    /// AvatarBuilder
    public static class AvatarBuilder
    {
        public static Avatar BuildHumanAvatar(GameObject go, HumanDescription description) => new Avatar(description);
    }

    /// Animator
    public sealed class Animator : Behaviour
    {
        Dictionary<string, Transform> byHumanName;

        public Avatar avatar { get; set; }
        public bool isHuman => avatar != null && avatar.isHuman;
        public bool applyRootMotion { get; set; }

        public Transform GetBoneTransform(HumanBodyBones bone)
        {
            byHumanName ??= Found();
            return byHumanName.TryGetValue(HumanTrait.BoneName[(int)bone], out var found) ? found : null;
        }

        Dictionary<string, Transform> Found()
        {
            var all = GetComponentsInChildren<Transform>().ToLookup(each => each.name);
            return avatar.humanDescription.human.Where(each => all.Contains(each.boneName))
                .ToDictionary(each => each.humanName, each => all[each.boneName].First());
        }
    }
}

namespace UnityEngine.XR
{
    /// XR.XRNode
    public enum XRNode { LeftEye, RightEye, CenterEye, Head, LeftHand, RightHand }

    /// XR.InputDevice
    public struct InputDevice
    {
        public bool isValid => false;

        public bool SendHapticImpulse(uint channel, float amplitude, float duration = 1) => false;

        public bool TryGetFeatureValue(InputFeatureUsage<bool> usage, out bool value) => value = false;

        public bool TryGetFeatureValue(InputFeatureUsage<Vector3> usage, out Vector3 value)
        {
            value = Vector3.zero;
            return false;
        }

        public bool TryGetFeatureValue(InputFeatureUsage<Quaternion> usage, out Quaternion value)
        {
            value = Quaternion.identity;
            return false;
        }
    }

    /// XR.InputFeatureUsage<T0>
    public struct InputFeatureUsage<T> { }

    /// XR.CommonUsages
    public static class CommonUsages
    {
        public static InputFeatureUsage<bool> primaryButton;
        public static InputFeatureUsage<Vector3> devicePosition;
        public static InputFeatureUsage<Quaternion> deviceRotation;
    }

    /// XR.InputDevices
    public static class InputDevices
    {
        public static InputDevice GetDeviceAtXRNode(XRNode node) => default;
    }
}
