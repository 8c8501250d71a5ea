using UnityEngine;

namespace Contrapose.Unity
{
    /// <summary>Stands a humanoid whose bones were placed for a flat floor on ground that is not flat: each foot goes up
    /// or down by what lies under it, the hips follow the lower foot, and the legs bend. Feet keep their turns.</summary>
    sealed class UnevenGround
    {
        /// <summary>Metres over and under the floor where ground is looked for.</summary>
        const float Reach = 0.6f;

        /// <summary>Seconds in which a foot follows an edge under it.</summary>
        const float Lag = 0.08f;

        /// <summary>Part of a leg's length that it is stretched to at most.</summary>
        const float Straight = 0.999f;

        /// <summary>Part of a thigh by which a knee is taken to point ahead, which decides where a straight leg bends.</summary>
        const float Forwards = 0.1f;

        /// <summary>Hip, knee and ankle of each side: joints of the wire.</summary>
        static readonly int[][] Legs = { new[] { 1, 4, 7 }, new[] { 2, 5, 8 } };

        readonly float[] rises = new float[2];
        bool hasBegun;

        /// <param name="origin">of the world that the bones were placed in; its height is that of the flat floor</param>
        /// <param name="layers">of the ground</param>
        /// <param name="seconds">since the last call</param>
        public void Stand(HumanoidRest rest, Transform origin, int layers, float seconds)
        {
            var floor = origin.position.y;
            var faces = origin.rotation * rest.Rig.World(0).ToQuaternion() * Vector3.forward;
            var part = hasBegun ? 1 - Mathf.Exp(-seconds / Lag) : 1;
            hasBegun = true;
            for (var side = 0; side < 2; side++)
                rises[side] += part * (Rise(rest.Bones[Legs[side][2]].position, floor, layers) - rises[side]);
            var lower = Mathf.Min(rises[0], rises[1]);
            rest.Bones[0].position += lower * Vector3.up;
            for (var side = 0; side < 2; side++)
                if (rises[side] > lower) Lift(rest, Legs[side], rises[side] - lower, faces);
        }

        static float Rise(Vector3 foot, float floor, int layers)
        {
            var from = new Vector3(foot.x, floor + Reach, foot.z);
            return Physics.Raycast(from, Vector3.down, out var hit, 2 * Reach, layers) ? hit.point.y - floor : 0;
        }

        /// <summary>Bends a leg so that its ankle is so much higher; the knee goes on the way that it
        /// points.</summary>
        static void Lift(HumanoidRest rest, int[] leg, float rise, Vector3 faces)
        {
            Transform upper = rest.Bones[leg[0]], lower = rest.Bones[leg[1]], foot = rest.Bones[leg[2]];
            Vector3 hip = upper.position, knee = lower.position, ankle = foot.position;
            var turn = foot.rotation;
            float thigh = Vector3.Distance(hip, knee), shin = Vector3.Distance(knee, ankle);
            var way = ankle + rise * Vector3.up - hip;
            var ahead = way.normalized;
            var far = Mathf.Clamp(way.magnitude, Mathf.Abs(thigh - shin) + 1e-3f, Straight * (thigh + shin));
            var along = (thigh * thigh - shin * shin + far * far) / (2 * far);
            var aside = Mathf.Sqrt(Mathf.Max(thigh * thigh - along * along, 0));
            var bent = Vector3.ProjectOnPlane(knee - hip + Forwards * thigh * faces, ahead);
            var wanted = hip + along * ahead + aside * bent.normalized;
            upper.rotation = Quaternion.FromToRotation(knee - hip, wanted - hip) * upper.rotation;
            lower.rotation = Quaternion.FromToRotation(foot.position - lower.position, hip + far * ahead - lower.position) * lower.rotation;
            foot.rotation = turn;
        }
    }
}
