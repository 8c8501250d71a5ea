using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Contrapose.Core
{
    /// <summary>Writes the protobuf wire format into one array that grows and is used again.</summary>
    public sealed class WireWriter
    {
        byte[] bytes = new byte[1024];
        int count;

        /// <summary>What was written since the last <see cref="Clear"/>; valid until the next write.</summary>
        public ReadOnlySpan<byte> Written => new ReadOnlySpan<byte>(bytes, 0, count);

        public ArraySegment<byte> Segment => new ArraySegment<byte>(bytes, 0, count);

        public void Clear() => count = 0;

        public void Varint(ulong value)
        {
            Room(10);
            while (value >= 0x80)
            {
                bytes[count++] = (byte)(value | 0x80);
                value >>= 7;
            }
            bytes[count++] = (byte)value;
        }

        public void Float(float value) => Raw(MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref value, 1)));

        public void Double(double value) => Raw(MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref value, 1)));

        public void Text(string value)
        {
            var length = Encoding.UTF8.GetByteCount(value);
            Varint((ulong)length);
            Room(length);
            Encoding.UTF8.GetBytes(value, 0, value.Length, bytes, count);
            count += length;
        }

        /// <summary>Bytes as they are. All platforms of Unity are little-endian, as the wire is.</summary>
        public void Raw(ReadOnlySpan<byte> value)
        {
            Room(value.Length);
            value.CopyTo(new Span<byte>(bytes, count, value.Length));
            count += value.Length;
        }

        public void Message(IMessage message)
        {
            Varint((ulong)message.ByteCount());
            message.WriteTo(this);
        }

        void Room(int more)
        {
            if (count + more > bytes.Length) Array.Resize(ref bytes, Math.Max(2 * bytes.Length, count + more));
        }
    }

    /// <summary>How many bytes values take.</summary>
    public static class WireSize
    {
        public static int Varint(ulong value)
        {
            var size = 1;
            while (value >= 0x80)
            {
                size++;
                value >>= 7;
            }
            return size;
        }

        public static int Text(string value) => Block(Encoding.UTF8.GetByteCount(value));

        public static int Message(IMessage message) => Block(message.ByteCount());

        public static int Varints(ReadOnlySpan<uint> values)
        {
            var size = 0;
            foreach (var value in values) size += Varint(value);
            return size;
        }

        /// <summary>Negative values take ten bytes.</summary>
        public static int Varints(ReadOnlySpan<int> values)
        {
            var size = 0;
            foreach (var value in values) size += Varint(unchecked((ulong)value));
            return size;
        }

        public static int Varints<T>(ReadOnlySpan<T> values) where T : unmanaged, Enum =>
            Varints(MemoryMarshal.Cast<T, int>(values));

        /// <summary>A length, and so many bytes.</summary>
        public static int Block(int length) => Varint((ulong)length) + length;
    }
}
