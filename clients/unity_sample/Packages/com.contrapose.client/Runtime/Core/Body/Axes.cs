namespace Contrapose.Core
{
    /// <summary>A place in Unity's axes (left-handed, Y up, metres) without UnityEngine.</summary>
    public struct Point
    {
        public float X, Y, Z;

        public Point(float x, float y, float z)
        {
            X = x;
            Y = y;
            Z = z;
        }

        public static Point operator +(Point a, Point b) => new Point(a.X + b.X, a.Y + b.Y, a.Z + b.Z);

        public static Point operator -(Point a, Point b) => new Point(a.X - b.X, a.Y - b.Y, a.Z - b.Z);

        public static Point operator *(float scale, Point a) => new Point(scale * a.X, scale * a.Y, scale * a.Z);
    }

    /// <summary>A unit quaternion. a * b turns by b first.</summary>
    public struct Turn
    {
        public float X, Y, Z, W;

        public static readonly Turn Identity = new Turn(0, 0, 0, 1);

        public Turn(float x, float y, float z, float w)
        {
            X = x;
            Y = y;
            Z = z;
            W = w;
        }

        public Turn Inverse => new Turn(-X, -Y, -Z, W);

        public static Turn operator *(Turn a, Turn b) => new Turn(
            a.W * b.X + a.X * b.W + a.Y * b.Z - a.Z * b.Y,
            a.W * b.Y - a.X * b.Z + a.Y * b.W + a.Z * b.X,
            a.W * b.Z + a.X * b.Y - a.Y * b.X + a.Z * b.W,
            a.W * b.W - a.X * b.X - a.Y * b.Y - a.Z * b.Z);

        public static Point operator *(Turn turn, Point p)
        {
            float cx = turn.Y * p.Z - turn.Z * p.Y, cy = turn.Z * p.X - turn.X * p.Z, cz = turn.X * p.Y - turn.Y * p.X;
            return new Point(
                p.X + 2 * (turn.W * cx + turn.Y * cz - turn.Z * cy),
                p.Y + 2 * (turn.W * cy + turn.Z * cx - turn.X * cz),
                p.Z + 2 * (turn.W * cz + turn.X * cy - turn.Y * cx));
        }
    }

    /// <summary>Between the wire's axes (right-handed, +X to the left of one who faces +Z) and Unity's
    /// (left-handed, +X to the right): X is mirrored.</summary>
    public static class Axes
    {
        public static Point ToUnity(float x, float y, float z) => new Point(-x, y, z);

        public static Turn ToUnity(float x, float y, float z, float w) => new Turn(x, -y, -z, w);

        public static Point ToWire(Point p) => new Point(-p.X, p.Y, p.Z);

        public static Turn ToWire(Turn q) => new Turn(q.X, -q.Y, -q.Z, q.W);
    }
}
