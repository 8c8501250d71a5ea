using System;
using Contrapose.V1;

namespace Contrapose.Core
{
    /// <summary>Between the 22 joints of the wire with 30 finger joints behind them, and the bones of any humanoid. Bones
    /// may rest in any rotation, and chest, upper chest, neck, shoulders, toes and fingers may be missing: a missing
    /// bone's turn goes to what hangs on it, as VRM 1.0 has it. Axes are Unity's. Knows no Transform.</summary>
    public sealed class HumanoidRig
    {
        /// <summary>Joints of the wire, and of fingers.</summary>
        public const int JointCount = BodyFrame.JointCount + Fingers.JointCount;

        /// <summary>UnityEngine.HumanBodyBones of each joint.</summary>
        public static readonly int[] Bones = WithFingers(
            new[] { 0, 1, 2, 7, 3, 4, 8, 5, 6, 54, 19, 20, 9, 11, 12, 10, 13, 14, 15, 16, 17, 18 },
            finger => Fingers.FirstBone + finger);

        /// <summary>Parent joint of each joint; -1: the root.</summary>
        public static readonly int[] Parents = WithFingers(
            new[] { -1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19 },
            finger => finger % 3 > 0 ? BodyFrame.JointCount + finger - 1 : finger < Fingers.JointCount / 2 ? LeftWrist : RightWrist);

        const int LeftWrist = 20, RightWrist = 21;

        const int LeftFoot = 10, RightFoot = 11;

        /// <summary>Metres from the joint in front of the ankle down to the sole, at rest.</summary>
        const float UnderToes = 0.027f;

        readonly Turn[] rest = new Turn[JointCount];
        readonly bool[] isPresent = new bool[JointCount];
        readonly Turn[] world = new Turn[JointCount];
        readonly float hipsHeight;
        bool hasFingers;

        /// <param name="rest">world rotation of each joint's bone in a T pose that faces +Z</param>
        /// <param name="isPresent">which joints have a bone; hips, spine, head and limbs must</param>
        /// <param name="hipsHeight">metres from the floor to the hips in that pose</param>
        public HumanoidRig(ReadOnlySpan<Turn> rest, ReadOnlySpan<bool> isPresent, float hipsHeight)
        {
            if (rest.Length != JointCount || isPresent.Length != JointCount)
                throw new ArgumentException($"expected {JointCount} bones");
            if (!(hipsHeight > 0.05f)) throw new ArgumentException("the hips rest " + hipsHeight + " m over the floor; expected a standing T pose");
            rest.CopyTo(this.rest);
            isPresent.CopyTo(this.isPresent);
            this.hipsHeight = hipsHeight;
        }

        /// <summary>Whether the avatar has a joint's bone.</summary>
        public bool IsPresent(int joint) => isPresent[joint];

        /// <summary>Whether the pose that was driven last says how a joint is turned: of fingers it need not.</summary>
        public bool IsDriven(int joint) => isPresent[joint] && (joint < BodyFrame.JointCount || hasFingers);

        /// <summary>World rotation of a joint's bone in the pose that was driven last. Set parents before their
        /// children.</summary>
        public Turn Rotation(int joint) => world[joint] * rest[joint];

        /// <summary>How a joint was turned from the T pose by the pose that was driven last, in the session's world.</summary>
        public Turn World(int joint) => world[joint];

        /// <summary>World place of the hips in the pose that was driven last; metres.</summary>
        public Point Hips { get; private set; }

        /// <summary>Takes a pose from the wire for a body whose joints rest as the skeleton says. The place on the
        /// ground stays, so that hands meet the player's; the height is scaled to the avatar's hips.</summary>
        public void Drive(BodyFrame pose, Skeleton skeleton)
        {
            for (var joint = 0; joint < BodyFrame.JointCount; joint++)
            {
                var q = pose.Turn(joint);
                var local = Axes.ToUnity(q.X, q.Y, q.Z, q.W);
                world[joint] = Parents[joint] < 0 ? local : world[Parents[joint]] * local;
            }
            hasFingers = pose.HasCurls;
            for (var finger = 0; hasFingers && finger < Fingers.JointCount; finger++)
            {
                var joint = BodyFrame.JointCount + finger;
                world[joint] = world[Parents[joint]] * Fingers.Bent(finger, pose.Curls[finger / 3]);
            }
            var offsets = skeleton.RestOffsets.Span;
            var scale = hipsHeight / StandingHeight(offsets);
            Hips = Axes.ToUnity(
                pose.Translation[0] + offsets[0],
                scale * (pose.Translation[1] + offsets[1]),
                pose.Translation[2] + offsets[2]);
        }

        /// <summary>The wire's body in the pose that an avatar is in: its bones' world rotations, as the server
        /// wants them for a pose without a calibration (identity in the T pose), in Unity's axes.</summary>
        public Turn Normalised(int joint, Turn bone) => bone * rest[joint].Inverse;

        static int[] WithFingers(int[] body, Func<int, int> ofFinger)
        {
            var all = new int[JointCount];
            body.CopyTo(all, 0);
            for (var finger = 0; finger < Fingers.JointCount; finger++) all[body.Length + finger] = ofFinger(finger);
            return all;
        }

        /// <summary>Metres from the soles to the pelvis of one who stands.</summary>
        static float StandingHeight(ReadOnlySpan<float> offsets)
        {
            return -Math.Min(Below(offsets, LeftFoot), Below(offsets, RightFoot)) + UnderToes;
        }

        /// <summary>Height of a joint at rest, from the pelvis.</summary>
        static float Below(ReadOnlySpan<float> offsets, int joint)
        {
            var height = 0f;
            for (; joint > 0; joint = Parents[joint]) height += offsets[3 * joint + 1];
            return height;
        }
    }
}
