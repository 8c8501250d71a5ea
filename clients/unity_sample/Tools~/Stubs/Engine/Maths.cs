// Written from the pages of docs.unity3d.com/ScriptReference that stand beside each type; only what is used.
using System;

namespace UnityEngine
{
    /// Mathf
    public static class Mathf
    {
        public const float Deg2Rad = (float)(Math.PI / 180);
        public const float Rad2Deg = (float)(180 / Math.PI);

        public static float Clamp(float value, float min, float max) => value < min ? min : value > max ? max : value;

        public static float Clamp01(float value) => Clamp(value, 0, 1);

        public static float Max(float a, float b) => a > b ? a : b;

        public static float Min(float a, float b) => a < b ? a : b;

        public static float Abs(float a) => Math.Abs(a);

        public static float Sin(float a) => MathF.Sin(a);

        public static float Cos(float a) => MathF.Cos(a);

        public static float Exp(float power) => MathF.Exp(power);

        public static float Sqrt(float a) => MathF.Sqrt(a);
    }

    /// Vector2
    [Serializable]
    public struct Vector2
    {
        public float x, y;

        public Vector2(float x, float y)
        {
            this.x = x;
            this.y = y;
        }

        public static Vector2 zero => new Vector2(0, 0);
    }

    /// Vector3
    [Serializable]
    public struct Vector3
    {
        public float x, y, z;

        public Vector3(float x, float y, float z)
        {
            this.x = x;
            this.y = y;
            this.z = z;
        }

        public static Vector3 zero => new Vector3(0, 0, 0);
        public static Vector3 one => new Vector3(1, 1, 1);
        public static Vector3 up => new Vector3(0, 1, 0);
        public static Vector3 down => new Vector3(0, -1, 0);
        public static Vector3 forward => new Vector3(0, 0, 1);
        public static Vector3 right => new Vector3(1, 0, 0);

        public float magnitude => MathF.Sqrt(x * x + y * y + z * z);
        public Vector3 normalized => magnitude > 1e-5f ? this * (1 / magnitude) : zero;

        public static Vector3 operator +(Vector3 a, Vector3 b) => new Vector3(a.x + b.x, a.y + b.y, a.z + b.z);

        public static Vector3 operator -(Vector3 a, Vector3 b) => new Vector3(a.x - b.x, a.y - b.y, a.z - b.z);

        public static Vector3 operator -(Vector3 a) => new Vector3(-a.x, -a.y, -a.z);

        public static Vector3 operator *(Vector3 a, float d) => new Vector3(a.x * d, a.y * d, a.z * d);

        public static Vector3 operator *(float d, Vector3 a) => a * d;

        public static Vector3 Scale(Vector3 a, Vector3 b) => new Vector3(a.x * b.x, a.y * b.y, a.z * b.z);

        public static Vector3 Lerp(Vector3 a, Vector3 b, float t) => a + Mathf.Clamp01(t) * (b - a);

        public static float Distance(Vector3 a, Vector3 b) => (a - b).magnitude;

        public static float Dot(Vector3 a, Vector3 b) => a.x * b.x + a.y * b.y + a.z * b.z;

        public static Vector3 Cross(Vector3 a, Vector3 b) =>
            new Vector3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);

        /// Vector3.ProjectOnPlane: without what is along a normal.
        public static Vector3 ProjectOnPlane(Vector3 vector, Vector3 planeNormal)
        {
            var square = Dot(planeNormal, planeNormal);
            return square < 1e-10f ? vector : vector - Dot(vector, planeNormal) / square * planeNormal;
        }

        public override string ToString() => $"({x}, {y}, {z})";
    }

    /// Vector4
    [Serializable]
    public struct Vector4
    {
        public float x, y, z, w;
    }

    /// Quaternion
    [Serializable]
    public struct Quaternion
    {
        public float x, y, z, w;

        public Quaternion(float x, float y, float z, float w)
        {
            this.x = x;
            this.y = y;
            this.z = z;
            this.w = w;
        }

        public static Quaternion identity => new Quaternion(0, 0, 0, 1);

        public Quaternion normalized
        {
            get
            {
                var length = MathF.Sqrt(x * x + y * y + z * z + w * w);
                return length < 1e-6f ? identity : new Quaternion(x / length, y / length, z / length, w / length);
            }
        }

        /// Quaternion.Inverse: of a unit quaternion.
        public static Quaternion Inverse(Quaternion q) => new Quaternion(-q.x, -q.y, -q.z, q.w);

        /// Quaternion.Euler: z first, then x, then y; degrees.
        public static Quaternion Euler(float x, float y, float z) =>
            AngleAxis(y, Vector3.up) * AngleAxis(x, Vector3.right) * AngleAxis(z, Vector3.forward);

        /// Quaternion.AngleAxis: degrees.
        public static Quaternion AngleAxis(float angle, Vector3 axis)
        {
            var half = 0.5f * angle * Mathf.Deg2Rad;
            var v = MathF.Sin(half) * axis.normalized;
            return new Quaternion(v.x, v.y, v.z, MathF.Cos(half));
        }

        /// Quaternion.FromToRotation: the shortest way.
        public static Quaternion FromToRotation(Vector3 from, Vector3 to)
        {
            Vector3 a = from.normalized, b = to.normalized;
            var w = 1 + Vector3.Dot(a, b);
            if (w < 1e-6f)
            {
                var axis = MathF.Abs(a.x) < 0.9f ? Vector3.Cross(a, Vector3.right) : Vector3.Cross(a, Vector3.up);
                return AngleAxis(180, axis);
            }
            var v = Vector3.Cross(a, b);
            var length = MathF.Sqrt(Vector3.Dot(v, v) + w * w);
            return new Quaternion(v.x / length, v.y / length, v.z / length, w / length);
        }

        /// Quaternion.LookRotation with up = +Y.
        public static Quaternion LookRotation(Vector3 forward)
        {
            var yaw = MathF.Atan2(forward.x, forward.z) * Mathf.Rad2Deg;
            var pitch = -MathF.Asin(Mathf.Clamp(forward.normalized.y, -1, 1)) * Mathf.Rad2Deg;
            return Euler(pitch, yaw, 0);
        }

        /// Quaternion.eulerAngles: 0 to 360 degrees; here the heading alone is right, for upright things.
        public Vector3 eulerAngles
        {
            get
            {
                var ahead = this * Vector3.forward;
                var yaw = MathF.Atan2(ahead.x, ahead.z) * Mathf.Rad2Deg;
                return new Vector3(0, yaw < 0 ? yaw + 360 : yaw, 0);
            }
        }

        public static Quaternion operator *(Quaternion a, Quaternion b) => new Quaternion(
            a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
            a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
            a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w,
            a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z);

        public static Vector3 operator *(Quaternion q, Vector3 v)
        {
            var u = new Vector3(q.x, q.y, q.z);
            var t = 2 * Vector3.Cross(u, v);
            return v + q.w * t + Vector3.Cross(u, t);
        }

        public override string ToString() => $"({x}, {y}, {z}, {w})";
    }

    /// Matrix4x4
    [Serializable]
    public struct Matrix4x4
    {
        public float m00, m01, m02, m03, m10, m11, m12, m13, m20, m21, m22, m23, m30, m31, m32, m33;

        public static Matrix4x4 Translate(Vector3 v) => new Matrix4x4
        {
            m00 = 1, m11 = 1, m22 = 1, m33 = 1, m03 = v.x, m13 = v.y, m23 = v.z,
        };
    }

    /// Color
    [Serializable]
    public struct Color
    {
        public float r, g, b, a;

        public Color(float r, float g, float b, float a = 1)
        {
            this.r = r;
            this.g = g;
            this.b = b;
            this.a = a;
        }
    }

    /// Rect
    public struct Rect
    {
        public float x, y, width, height;

        public Rect(float x, float y, float width, float height)
        {
            this.x = x;
            this.y = y;
            this.width = width;
            this.height = height;
        }
    }

    /// LayerMask
    [Serializable]
    public struct LayerMask
    {
        public int value;
    }
}
