using System;
using System.Collections.Generic;
using System.Linq;
using Contrapose.Core;
using Contrapose.V1;
using NUnit.Framework;

namespace Contrapose.Tests
{
    public class MessageTests
    {
        [Test]
        public void What_Python_wrote_is_read_and_written_back_byte_by_byte()
        {
            var known = new Dictionary<string, IMessage>();
            var counts = new Dictionary<string, int>();
            var writer = new WireWriter();
            foreach (var (name, bytes) in Vectors.Blocks("messages.bin"))
            {
                if (!known.TryGetValue(name, out var message)) known[name] = message = Made(name);
                message.ReadFrom(new WireReader(bytes));
                writer.Clear();
                message.WriteTo(writer);
                Assert.AreEqual(bytes.Length, message.ByteCount(), name);
                Assert.IsTrue(writer.Written.SequenceEqual(bytes), $"{name} number {counts.GetValueOrDefault(name)} is not the same bytes");
                counts[name] = counts.GetValueOrDefault(name) + 1;
            }
            var all = typeof(PlayerPose).Assembly.GetTypes().Where(type => typeof(IMessage).IsAssignableFrom(type) && type.IsClass);
            foreach (var type in all) Assert.GreaterOrEqual(counts.GetValueOrDefault(type.Name), 500, type.Name);
        }

        [Test]
        public void Bytes_that_were_changed_end_in_a_message_or_in_one_kind_of_exception()
        {
            var random = new Random(20261201);
            var refused = 0;
            var seen = new Dictionary<string, int>();
            foreach (var (name, bytes) in Vectors.Blocks("messages.bin"))
            {
                seen[name] = seen.GetValueOrDefault(name) + 1;
                if (bytes.Length == 0 || seen[name] > 50) continue;
                var message = Made(name);
                for (var repeat = 0; repeat < 20; repeat++)
                {
                    var before = GC.GetAllocatedBytesForCurrentThread();
                    try
                    {
                        message.ReadFrom(new WireReader(Changed(bytes, random)));
                    }
                    catch (WireException)
                    {
                        refused++;
                    }
                    Assert.Less(GC.GetAllocatedBytesForCurrentThread() - before, 4_000_000, name);
                }
            }
            Assert.Greater(refused, 100);
        }

        static byte[] Changed(byte[] bytes, Random random)
        {
            var length = random.Next(4) == 0 ? random.Next(bytes.Length) : bytes.Length;
            var changed = bytes.AsSpan(0, length).ToArray();
            for (var i = random.Next(1, 6); i > 0 && length > 0; i--) changed[random.Next(length)] = (byte)random.Next(256);
            return changed;
        }

        [Test]
        public void A_list_without_end_is_refused()
        {
            var writer = new WireWriter();
            for (var i = 0; i < 100_000; i++)
            {
                writer.Varint(26); // FrameChunk.frames, empty
                writer.Varint(0);
            }
            var bytes = writer.Written.ToArray();
            Assert.Throws<WireException>(() => new FrameChunk().ReadFrom(bytes));
        }

        [Test]
        public void A_field_that_is_not_known_is_skipped()
        {
            var writer = new WireWriter();
            writer.Varint(1000 << 3 | 2);
            writer.Text("from a newer server");
            writer.Varint(1 << 3);
            writer.Varint(7);
            var chunk = new FrameChunk();
            chunk.ReadFrom(writer.Written);
            Assert.AreEqual(7UL, chunk.FirstFrameIndex);
        }

        [Test]
        public void Reading_and_writing_again_and_again_allocates_nothing()
        {
            var bytes = Chunk();
            var chunk = new StreamInteractionResponse();
            var writer = new WireWriter();
            void Once()
            {
                chunk.ReadFrom(bytes);
                writer.Clear();
                chunk.WriteTo(writer);
            }
            Assert.AreEqual(0L, Allocated.Least(Once));
        }

        static byte[] Chunk()
        {
            var response = new StreamInteractionResponse();
            var chunk = response.SetFrames();
            for (var i = 0; i < 20; i++)
            {
                var frame = chunk.Frames.Add();
                frame.TimeCode = i / 10.0;
                frame.SetPartner().Rotations.Set(new float[88]);
                frame.Partner.RootTranslation.Set(new float[3]);
            }
            var writer = new WireWriter();
            response.WriteTo(writer);
            return writer.Written.ToArray();
        }

        static IMessage Made(string name)
        {
            var type = typeof(PlayerPose).Assembly.GetType("Contrapose.V1." + name);
            Assert.IsNotNull(type, name + " has no class");
            return (IMessage)Activator.CreateInstance(type);
        }
    }
}
