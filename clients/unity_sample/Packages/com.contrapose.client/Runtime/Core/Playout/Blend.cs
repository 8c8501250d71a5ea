using System;

namespace Contrapose.Core
{
    /// <summary>Poses between poses. Rotations take the shortest arc and stay of length 1. Fingers of which one of the
    /// poses knows nothing are those of the pose that is on its way to.</summary>
    public static class Blend
    {
        /// <summary>Straight from one pose (part 0) to another (part 1).</summary>
        public static void Linear(BodyFrame from, BodyFrame to, float part, BodyFrame result)
        {
            for (var i = 0; i < 3; i++)
                result.Translation[i] = (1 - part) * from.Translation[i] + part * to.Translation[i];
            for (var at = 0; at < result.Rotations.Length; at += 4)
            {
                var sign = Dot(from.Rotations, to.Rotations, at) < 0 ? -1f : 1f;
                for (var i = at; i < at + 4; i++)
                    result.Rotations[i] = sign * (1 - part) * from.Rotations[i] + part * to.Rotations[i];
                Normalise(result.Rotations, at);
            }
            LinearCurls(from, to, part, result);
        }

        static void LinearCurls(BodyFrame from, BodyFrame to, float part, BodyFrame result)
        {
            if (!from.HasCurls) part = 1;
            for (var i = 0; i < Fingers.Curls; i++) result.Curls[i] = (1 - part) * from.Curls[i] + part * to.Curls[i];
            result.HasCurls = to.HasCurls;
        }

        /// <summary>On the smooth curve (Catmull-Rom) through four frames of equal distance, between the second
        /// (part 0) and the third (part 1): velocity runs through, where straight lines would show the ten
        /// corners a second.</summary>
        public static void Smooth(BodyFrame before, BodyFrame from, BodyFrame to, BodyFrame after, float part, BodyFrame result)
        {
            var w = Weights(part);
            for (var i = 0; i < 3; i++)
                result.Translation[i] = w.Item1 * before.Translation[i] + w.Item2 * from.Translation[i]
                    + w.Item3 * to.Translation[i] + w.Item4 * after.Translation[i];
            for (var at = 0; at < result.Rotations.Length; at += 4)
            {
                var a = Sign(before.Rotations, from.Rotations, at) * w.Item1;
                var c = Sign(to.Rotations, from.Rotations, at) * w.Item3;
                var d = Sign(after.Rotations, from.Rotations, at) * w.Item4;
                for (var i = at; i < at + 4; i++)
                    result.Rotations[i] = a * before.Rotations[i] + w.Item2 * from.Rotations[i]
                        + c * to.Rotations[i] + d * after.Rotations[i];
                Normalise(result.Rotations, at);
            }
            LinearCurls(from, to, part, result);
        }

        static (float, float, float, float) Weights(float t)
        {
            float squared = t * t, cubed = squared * t;
            return (
                0.5f * (-t + 2 * squared - cubed),
                0.5f * (2 - 5 * squared + 3 * cubed),
                0.5f * (t + 4 * squared - 3 * cubed),
                0.5f * (-squared + cubed));
        }

        static float Sign(float[] a, float[] b, int at) => Dot(a, b, at) < 0 ? -1f : 1f;

        static float Dot(float[] a, float[] b, int at) =>
            a[at] * b[at] + a[at + 1] * b[at + 1] + a[at + 2] * b[at + 2] + a[at + 3] * b[at + 3];

        internal static void Normalise(float[] values, int at)
        {
            var length = MathF.Sqrt(Dot(values, values, at));
            if (length < 1e-6f)
            {
                values[at] = values[at + 1] = values[at + 2] = 0;
                values[at + 3] = length = 1;
            }
            for (var i = at; i < at + 4; i++) values[i] /= length;
        }
    }

    /// <summary>How far one pose is off another, joint by joint.</summary>
    public sealed class PoseOffset
    {
        readonly float[] translation = new float[3];
        readonly Turn[] turns = new Turn[BodyFrame.JointCount];
        readonly float[] curls = new float[Fingers.Curls];

        /// <summary>What brings `from` to `to`.</summary>
        public void Between(BodyFrame from, BodyFrame to)
        {
            for (var i = 0; i < 3; i++) translation[i] = to.Translation[i] - from.Translation[i];
            for (var joint = 0; joint < turns.Length; joint++)
                turns[joint] = to.Turn(joint) * from.Turn(joint).Inverse;
            var isKnown = from.HasCurls && to.HasCurls;
            for (var i = 0; i < curls.Length; i++) curls[i] = isKnown ? to.Curls[i] - from.Curls[i] : 0;
        }

        /// <summary>Adds a part of it, 0 to 1, to a pose.</summary>
        public void Apply(BodyFrame pose, float part)
        {
            for (var i = 0; i < 3; i++) pose.Translation[i] += part * translation[i];
            for (var joint = 0; joint < turns.Length; joint++)
            {
                var turn = turns[joint];
                var sign = turn.W < 0 ? -part : part;
                var some = new Turn(sign * turn.X, sign * turn.Y, sign * turn.Z, 1 - part + sign * turn.W);
                pose.SetTurn(joint, some * pose.Turn(joint));
                Blend.Normalise(pose.Rotations, 4 * joint);
            }
            for (var i = 0; i < curls.Length; i++) pose.Curls[i] += part * curls[i];
        }
    }
}
