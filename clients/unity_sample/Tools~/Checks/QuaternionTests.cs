using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using NUnit.Framework;
using UnityEngine;

namespace Contrapose.Tests
{
    /// <summary>Our declaration of UnityEngine.Quaternion turns things as Unity's does: every test of a pose stands on it.</summary>
    public class QuaternionTests
    {
        [Test]
        public void Turns_are_those_that_scipy_makes()
        {
            var counts = new Dictionary<string, int>();
            foreach (var words in Vectors.Lines("quaternions.txt"))
            {
                var n = words.Skip(1).Select(word => float.Parse(word, CultureInfo.InvariantCulture)).ToArray();
                counts[words[0]] = counts.GetValueOrDefault(words[0]) + 1;
                switch (words[0])
                {
                    case "euler": Same(Turn(n, 3), Quaternion.Euler(n[0], n[1], n[2]), words[0]); break;
                    case "about": Same(Turn(n, 4), Quaternion.AngleAxis(n[0], Way(n, 1)), words[0]); break;
                    case "product": Same(Turn(n, 8), Turn(n, 0) * Turn(n, 4), words[0]); break;
                    case "inverse": Same(Turn(n, 4), Quaternion.Inverse(Turn(n, 0)), words[0]); break;
                    case "turned": Assert.Less(Vector3.Distance(Way(n, 7), Turn(n, 0) * Way(n, 4)), 1e-5, words[0]); break;
                    case "between": Same(Turn(n, 6), Quaternion.FromToRotation(Way(n, 0), Way(n, 3)), words[0]); break;
                    case "look": Same(Turn(n, 3), Quaternion.LookRotation(Way(n, 0)), words[0]); break;
                    default: Assert.Fail(words[0]); break;
                }
            }
            Assert.AreEqual(7, counts.Count);
            Assert.IsTrue(counts.Values.All(count => count == 50));
        }

        /// <summary>By hand, in left-handed axes: a turn about Y goes from ahead to the right, one about X from ahead
        /// down, one about Z from the right up.</summary>
        [TestCase(0, 90, 0, 0, 0, 1, 1, 0, 0)]
        [TestCase(90, 0, 0, 0, 0, 1, 0, -1, 0)]
        [TestCase(0, 0, 90, 1, 0, 0, 0, 1, 0)]
        [TestCase(90, 90, 0, 0, 1, 0, 1, 0, 0)]
        public void A_quarter_turn_goes_where_Unity_says(float x, float y, float z, float fromX, float fromY, float fromZ, float toX, float toY, float toZ)
        {
            var made = Quaternion.Euler(x, y, z) * new Vector3(fromX, fromY, fromZ);
            Assert.Less(Vector3.Distance(new Vector3(toX, toY, toZ), made), 1e-6, made.ToString());
        }

        [Test]
        public void The_shortest_way_back_is_half_a_turn()
        {
            foreach (var way in new[] { Vector3.right, Vector3.up, Vector3.forward })
                Assert.Less(Vector3.Distance(-way, Quaternion.FromToRotation(way, -way) * way), 1e-5);
        }

        static Quaternion Turn(float[] n, int at) => new Quaternion(n[at], n[at + 1], n[at + 2], n[at + 3]);

        static Vector3 Way(float[] n, int at) => new Vector3(n[at], n[at + 1], n[at + 2]);

        static void Same(Quaternion want, Quaternion made, string what)
        {
            var sign = want.x * made.x + want.y * made.y + want.z * made.z + want.w * made.w < 0 ? -1 : 1;
            float x = want.x - sign * made.x, y = want.y - sign * made.y, z = want.z - sign * made.z, w = want.w - sign * made.w;
            Assert.Less(Math.Sqrt(x * x + y * y + z * z + w * w), 1e-5, what);
        }
    }
}
