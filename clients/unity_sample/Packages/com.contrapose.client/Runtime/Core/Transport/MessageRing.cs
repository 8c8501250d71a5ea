using System;
using System.Threading;

namespace Contrapose.Core
{
    /// <summary>Messages between two threads, one that adds and one that takes. The arrays grow to what they once
    /// held and are used again.</summary>
    public sealed class MessageRing
    {
        readonly byte[][] slots;
        readonly int[] lengths;
        int added;
        int taken;

        public MessageRing(int capacity)
        {
            slots = new byte[capacity][];
            lengths = new int[capacity];
            for (var i = 0; i < capacity; i++) slots[i] = new byte[512];
        }

        public bool IsFull => Volatile.Read(ref added) - Volatile.Read(ref taken) == slots.Length;

        public bool IsEmpty => Volatile.Read(ref added) == Volatile.Read(ref taken);

        /// <summary>Adds a copy; false if there is no room.</summary>
        public bool TryAdd(ReadOnlySpan<byte> message)
        {
            if (IsFull) return false;
            var at = (added & int.MaxValue) % slots.Length;
            if (slots[at].Length < message.Length) slots[at] = new byte[Math.Max(message.Length, 2 * slots[at].Length)];
            message.CopyTo(slots[at]);
            lengths[at] = message.Length;
            Volatile.Write(ref added, added + 1);
            return true;
        }

        /// <summary>The oldest message; it stays in its place until <see cref="Drop"/>.</summary>
        public bool TryPeek(out ReadOnlyMemory<byte> message)
        {
            message = default;
            if (IsEmpty) return false;
            var at = (taken & int.MaxValue) % slots.Length;
            message = new ReadOnlyMemory<byte>(slots[at], 0, lengths[at]);
            return true;
        }

        public void Drop() => Volatile.Write(ref taken, taken + 1);
    }
}
