using Contrapose.Core;
using Contrapose.V1;
using UnityEngine;

namespace Contrapose.Unity
{
    /// <summary>The player is a Humanoid avatar, however it is moved: by animation, physics or XR.</summary>
    [AddComponentMenu("Contrapose/Player: Humanoid")]
    public sealed class HumanoidPlayer : PlayerSource
    {
        [Tooltip("The player's avatar; its rig must be a Humanoid.")]
        public Animator animator;

        HumanoidRest rest;

        void OnEnable() => rest = new HumanoidRest(animator);

        public override bool Fill(PlayerPose pose, Transform origin)
        {
            if (rest == null) return false;
            var humanoid = pose.SetHumanoid();
            humanoid.Space = HumanoidSpace.World;
            var home = Quaternion.Inverse(origin.rotation);
            for (var joint = 0; joint < BodyFrame.JointCount; joint++)
            {
                if (!rest.Rig.IsPresent(joint)) continue;
                var turn = rest.Rig.Normalised(joint, (home * rest.Bones[joint].rotation).ToTurn());
                humanoid.Bones.Add((uint)HumanoidRig.Bones[joint]);
                humanoid.Rotations.Add(turn);
            }
            humanoid.HipsPosition.Add(origin.InverseTransformPoint(rest.Bones[0].position).ToPoint());
            return true;
        }
    }
}
