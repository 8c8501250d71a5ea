using System;
using Contrapose.Core;
using Contrapose.Unity;
using Contrapose.V1;
using NUnit.Framework;
using UnityEngine;

namespace Contrapose.Tests
{
    public class PlayerTests
    {
        [Test]
        public void Devices_are_sent_in_the_wires_axes_from_the_sessions_origin()
        {
            var origin = new GameObject("origin").transform;
            origin.SetPositionAndRotation(new Vector3(3, 0, 1), Quaternion.Euler(0, 90, 0));
            var player = new GameObject("player").AddComponent<TrackedPlayer>();
            player.head = Device(origin, new Vector3(0.2f, 1.6f, 0.5f), Quaternion.Euler(0, 30, 0));
            player.leftHand = Device(origin, new Vector3(-0.3f, 1, 0.4f), Quaternion.identity);
            var pose = new PlayerPose();
            Assert.IsTrue(player.Fill(pose, origin));
            Assert.AreEqual(2, pose.Trackers.Trackers.Count, "a hand that is not given is not sent");
            var head = pose.Trackers.Trackers[0];
            Assert.AreEqual(TrackerRole.Head, head.Role);
            Equal(new[] { -0.2f, 1.6f, 0.5f }, head.Position.Span.ToArray());
            var half = 15 * Math.PI / 180;
            Equal(new[] { 0, -(float)Math.Sin(half), 0, (float)Math.Cos(half) }, head.Rotation.Span.ToArray());
        }

        [Test]
        public void A_player_without_a_head_is_not_sent()
        {
            var player = new GameObject("player").AddComponent<TrackedPlayer>();
            Assert.IsFalse(player.Fill(new PlayerPose(), new GameObject("origin").transform));
        }

        static Transform Device(Transform origin, Vector3 place, Quaternion turn)
        {
            var device = new GameObject("device").transform;
            device.SetPositionAndRotation(origin.TransformPoint(place), origin.rotation * turn);
            return device;
        }

        static void Equal(float[] expected, float[] actual)
        {
            Assert.AreEqual(expected.Length, actual.Length);
            for (var i = 0; i < expected.Length; i++) Assert.AreEqual(expected[i], actual[i], 1e-5, "number " + i);
        }
    }
}
