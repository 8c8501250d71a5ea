using System;
using Contrapose.V1;

namespace Contrapose.Core
{
    /// <summary>A whole pose in the wire's axes: right-handed, Y up, metres.</summary>
    public sealed class BodyFrame
    {
        public const int JointCount = 22;

        /// <summary>88 numbers: 22 unit quaternions x, y, z, w, relative to the parent joint, root first.</summary>
        public readonly float[] Rotations = new float[4 * JointCount];

        /// <summary>x, y, z in metres; not where the pelvis is, see <see cref="BodyPose.RootTranslation"/>.</summary>
        public readonly float[] Translation = new float[3];

        /// <summary>10 numbers: how the fingers are bent, see <see cref="Fingers"/>.</summary>
        public readonly float[] Curls = new float[Fingers.Curls];

        /// <summary>Whether anything is known of the fingers.</summary>
        public bool HasCurls;

        public BodyFrame()
        {
            for (var joint = 0; joint < JointCount; joint++) Rotations[4 * joint + 3] = 1;
        }

        /// <summary>Rotation of a joint relative to its parent.</summary>
        public Turn Turn(int joint) => new Turn(
            Rotations[4 * joint], Rotations[4 * joint + 1], Rotations[4 * joint + 2], Rotations[4 * joint + 3]);

        public void SetTurn(int joint, Turn turn)
        {
            Rotations[4 * joint] = turn.X;
            Rotations[4 * joint + 1] = turn.Y;
            Rotations[4 * joint + 2] = turn.Z;
            Rotations[4 * joint + 3] = turn.W;
        }

        public void Set(BodyFrame other)
        {
            Array.Copy(other.Rotations, Rotations, Rotations.Length);
            Array.Copy(other.Translation, Translation, Translation.Length);
            Array.Copy(other.Curls, Curls, Curls.Length);
            HasCurls = other.HasCurls;
        }

        /// <summary>False, and nothing changes, if the pose has another number of joints.</summary>
        public bool TrySet(BodyPose pose)
        {
            if (pose.Rotations.Count != Rotations.Length || pose.RootTranslation.Count != 3) return false;
            pose.Rotations.Span.CopyTo(Rotations);
            pose.RootTranslation.Span.CopyTo(Translation);
            HasCurls = pose.Curls.Count == Curls.Length;
            if (HasCurls) pose.Curls.Span.CopyTo(Curls);
            return true;
        }
    }

    /// <summary>One frame of the plan, and when it came.</summary>
    public sealed class PlanFrame
    {
        public readonly BodyFrame Partner = new BodyFrame();

        /// <summary>The player as planned; to be shown in mode FollowPlan alone.</summary>
        public readonly BodyFrame Player = new BodyFrame();

        public long Index = -1;
        public FrameQuality Quality;
        public uint Revision;

        /// <summary>Number of the denoised window; neighbours with different numbers have a seam between them.</summary>
        public uint Window;

        /// <summary>Session time, in seconds, at which this index was first heard of.</summary>
        public double Arrived;

        /// <summary>It was not there when its time came; an older pose is shown in its place.</summary>
        public bool IsLate;

        public void Set(PlanFrame other)
        {
            Partner.Set(other.Partner);
            Player.Set(other.Player);
            Index = other.Index;
            Quality = other.Quality;
            Revision = other.Revision;
            Window = other.Window;
            Arrived = other.Arrived;
            IsLate = other.IsLate;
        }
    }
}
