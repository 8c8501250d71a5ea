using Contrapose.Core;
using UnityEngine;

namespace Contrapose.Unity
{
    /// <summary>Core's numbers as Unity's.</summary>
    public static class Convert
    {
        public static Point ToPoint(this Vector3 v) => new Point(v.x, v.y, v.z);

        public static Vector3 ToVector(this Point p) => new Vector3(p.X, p.Y, p.Z);

        public static void Add(this WireArray<float> numbers, Point p)
        {
            numbers.Add(p.X);
            numbers.Add(p.Y);
            numbers.Add(p.Z);
        }

        public static void Add(this WireArray<float> numbers, Turn t)
        {
            numbers.Add(t.X);
            numbers.Add(t.Y);
            numbers.Add(t.Z);
            numbers.Add(t.W);
        }

        public static Turn ToTurn(this Quaternion q) => new Turn(q.x, q.y, q.z, q.w);

        public static Quaternion ToQuaternion(this Turn t) => new Quaternion(t.X, t.Y, t.Z, t.W);
    }
}
