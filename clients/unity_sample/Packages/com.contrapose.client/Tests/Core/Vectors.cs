using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using NUnit.Framework;

namespace Contrapose.Tests
{
    /// <summary>Files that Python wrote for these tests, in the folder CONTRAPOSE_VECTORS.</summary>
    static class Vectors
    {
        public static string Path(string name)
        {
            var folder = Environment.GetEnvironmentVariable("CONTRAPOSE_VECTORS");
            if (string.IsNullOrEmpty(folder)) Assert.Ignore("CONTRAPOSE_VECTORS is not set: Tools~/csharp.py test sets it");
            return System.IO.Path.Combine(folder, name);
        }

        /// <summary>Named blocks of bytes: a length (4 bytes, little-endian) before each name and each block.</summary>
        public static IEnumerable<(string Name, byte[] Bytes)> Blocks(string name)
        {
            var bytes = Bytes(name);
            for (var at = 0; at < bytes.Length;)
            {
                var text = Encoding.UTF8.GetString(Block(bytes, ref at));
                yield return (text, Block(bytes, ref at));
            }
        }

        /// <summary>The words of each line.</summary>
        public static IEnumerable<string[]> Lines(string name)
        {
            foreach (var line in Encoding.UTF8.GetString(Bytes(name)).Split('\n'))
                if (line != "") yield return line.Split(' ');
        }

        static byte[] Bytes(string name)
        {
            using var stream = File.OpenRead(Path(name));
            var bytes = new byte[stream.Length];
            for (var at = 0; at < bytes.Length;) at += stream.Read(bytes, at, bytes.Length - at);
            return bytes;
        }

        static byte[] Block(byte[] bytes, ref int at)
        {
            var length = BitConverter.ToInt32(bytes, at);
            var block = new byte[length];
            Buffer.BlockCopy(bytes, at + 4, block, 0, length);
            at += 4 + length;
            return block;
        }
    }
}
