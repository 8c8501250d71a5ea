using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Contrapose.Core
{
    /// <summary>Reads the protobuf wire format from bytes that may be anybody's.</summary>
    public ref struct WireReader
    {
        /// <summary>How deep messages may lie within messages; ours reach five.</summary>
        public const int MaxDepth = 16;

        static readonly UTF8Encoding Utf8 = new UTF8Encoding(false, true);

        ReadOnlySpan<byte> rest;
        readonly int depth;

        public WireReader(ReadOnlySpan<byte> bytes, int depth = 0)
        {
            rest = bytes;
            this.depth = depth;
        }

        public bool IsAtEnd => rest.IsEmpty;

        /// <summary>The next field's number and wire type; false at the end.</summary>
        public bool Next(out int field, out int type)
        {
            field = type = 0;
            if (rest.IsEmpty) return false;
            var tag = Varint();
            if (tag > uint.MaxValue || tag >> 3 == 0) throw new WireException("a field number is out of range");
            field = (int)(tag >> 3);
            type = (int)(tag & 7);
            return true;
        }

        public ulong Varint()
        {
            ulong value = 0;
            for (var shift = 0; shift < 70; shift += 7)
            {
                if (rest.IsEmpty) throw new WireException("a number is cut off");
                var part = rest[0];
                rest = rest.Slice(1);
                if (shift < 64) value |= (ulong)(part & 0x7f) << shift;
                if (part < 0x80) return value;
            }
            throw new WireException("a number is longer than 64 bits");
        }

        public float Float() => MemoryMarshal.Read<float>(Take(4));

        public double Double() => MemoryMarshal.Read<double>(Take(8));

        /// <summary>Bytes with their length before them.</summary>
        public ReadOnlySpan<byte> Block()
        {
            var length = Varint();
            if (length > (ulong)rest.Length) throw new WireException("a field reaches over the end");
            return Take((int)length);
        }

        /// <summary>A message within this one.</summary>
        public WireReader Inner()
        {
            if (depth + 1 > MaxDepth) throw new WireException("messages lie too deep within each other");
            return new WireReader(Block(), depth + 1);
        }

        /// <summary>A text; the one that is known, if it is the same, so that nothing is allocated.</summary>
        public string Text(string known)
        {
            var block = Block();
            if (IsSame(block, known)) return known;
            try
            {
                return Utf8.GetString(block);
            }
            catch (ArgumentException)
            {
                throw new WireException("a text is not UTF-8");
            }
        }

        /// <summary>Past a field that is not known.</summary>
        public void Skip(int type)
        {
            switch (type)
            {
                case 0: Varint(); break;
                case 1: Take(8); break;
                case 2: Block(); break;
                case 5: Take(4); break;
                default: throw new WireException("wire type " + type + " is not in use");
            }
        }

        ReadOnlySpan<byte> Take(int length)
        {
            if (length > rest.Length) throw new WireException("a field is cut off");
            var taken = rest.Slice(0, length);
            rest = rest.Slice(length);
            return taken;
        }

        static bool IsSame(ReadOnlySpan<byte> block, string known)
        {
            if (block.Length > 256 || known.Length > block.Length) return false;
            Span<byte> bytes = stackalloc byte[3 * 256];
            var length = Encoding.UTF8.GetBytes(known, bytes);
            return block.SequenceEqual(bytes.Slice(0, length));
        }
    }
}
