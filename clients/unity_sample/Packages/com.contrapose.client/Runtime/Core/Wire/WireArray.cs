using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace Contrapose.Core
{
    /// <summary>Numbers of a message, in an array that grows and is used again.</summary>
    public sealed class WireArray<T> where T : unmanaged
    {
        T[] items = Array.Empty<T>();

        public int Count { get; private set; }

        public ReadOnlySpan<T> Span => new ReadOnlySpan<T>(items, 0, Count);

        public T this[int index] => Span[index];

        public void Clear() => Count = 0;

        public void Add(T value)
        {
            Room(Count + 1);
            items[Count++] = value;
        }

        public void Set(ReadOnlySpan<T> values)
        {
            Room(values.Length);
            values.CopyTo(items);
            Count = values.Length;
        }

        /// <summary>Adds values from their bytes, little-endian.</summary>
        internal void AddRaw(ReadOnlySpan<byte> bytes)
        {
            var values = MemoryMarshal.Cast<byte, T>(bytes);
            if (MemoryMarshal.AsBytes(values).Length != bytes.Length)
                throw new WireException("an array of numbers is cut off");
            Room(Count + values.Length);
            values.CopyTo(new Span<T>(items, Count, values.Length));
            Count += values.Length;
        }

        void Room(int count)
        {
            if (count > items.Length) Array.Resize(ref items, Math.Max(count, 2 * items.Length));
        }
    }

    static class WireLimit
    {
        /// <summary>More items than any message of ours has.</summary>
        const int MaxCount = 1024;

        internal static void Check(int count)
        {
            if (count == MaxCount) throw new WireException("a list has over " + MaxCount + " items");
        }
    }

    /// <summary>Messages within a message; objects that were made once are used again.</summary>
    public sealed class WireList<T> where T : class, IMessage, new()
    {
        readonly List<T> items = new List<T>();

        public int Count { get; private set; }

        public T this[int index] =>
            index < Count ? items[index] : throw new ArgumentOutOfRangeException(nameof(index));

        public void Clear() => Count = 0;

        /// <summary>One more, empty.</summary>
        public T Add()
        {
            WireLimit.Check(Count);
            if (Count == items.Count) items.Add(new T());
            var item = items[Count++];
            item.Clear();
            return item;
        }
    }

    /// <summary>Texts of a message.</summary>
    public sealed class WireTexts
    {
        readonly List<string> items = new List<string>();

        public int Count { get; private set; }

        public string this[int index] =>
            index < Count ? items[index] : throw new ArgumentOutOfRangeException(nameof(index));

        public void Clear() => Count = 0;

        public void Add(string value)
        {
            Known();
            items[Count++] = value;
        }

        /// <summary>What the next text was in the message before.</summary>
        internal string Known()
        {
            WireLimit.Check(Count);
            if (Count == items.Count) items.Add("");
            return items[Count];
        }
    }
}
