using System;

namespace Contrapose.Core
{
    /// <summary>What a curl turns in the three joints of a finger. A curl is 0, straight, to 1, closed; ten are two
    /// hands: the left, then the right, of each thumb, index, middle, ring and little finger. Numbers are those of
    /// the engine (engine/body/fingers.py); the tests compare both.</summary>
    public static class Fingers
    {
        /// <summary>Curls of both hands.</summary>
        public const int Curls = 10;

        /// <summary>Joints of both hands, in the order of curls, three a finger from the knuckle on.</summary>
        public const int JointCount = 3 * Curls;

        /// <summary>UnityEngine.HumanBodyBones of the first of them: LeftThumbProximal. The others follow in the same
        /// order.</summary>
        public const int FirstBone = 24;

        /// <summary>Degrees: turns of a left hand's joints from straight to closed as rotation vectors, in the wire's
        /// axes of the T pose. A right hand's are mirrored.</summary>
        static readonly float[] Closing =
        {
            16.5f, 9.3f, -10.8f, 23.3f, 33.1f, -11.6f, 22.9f, 49.0f, -6.6f,
            5.6f, 3.6f, -84.8f, 11.0f, 0.0f, -104.4f, 6.3f, 0.0f, -59.7f,
            0.9f, 0.6f, -85.0f, 1.8f, 0.0f, -105.0f, 1.0f, 0.0f, -60.0f,
            -3.7f, -2.4f, -84.9f, -7.3f, 0.0f, -104.7f, -4.2f, 0.0f, -59.9f,
            -8.3f, -5.5f, -84.6f, -16.4f, 0.0f, -103.7f, -9.4f, 0.0f, -59.3f,
        };

        /// <summary>How a finger joint (0 to 29) is turned against the bone before it, in Unity's axes of the T pose.</summary>
        public static Turn Bent(int joint, float curl)
        {
            var at = 3 * (joint % (JointCount / 2));
            var side = joint < JointCount / 2 ? 1f : -1f;
            float x = Closing[at], y = side * Closing[at + 1], z = side * Closing[at + 2];
            var degrees = MathF.Sqrt(x * x + y * y + z * z);
            var half = 0.5f * curl * degrees * (MathF.PI / 180);
            var along = MathF.Sin(half) / degrees;
            return Axes.ToUnity(along * x, along * y, along * z, MathF.Cos(half));
        }
    }
}
