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

        [TestCase(3)]
        [TestCase(4)]
        [TestCase(6)]
        public void A_T_pose_of_all_devices_is_what_the_next_session_is_opened_with(int count)
        {
            var origin = new GameObject("origin").transform;
            origin.SetPositionAndRotation(new Vector3(3, 0, 1), Quaternion.Euler(0, 90, 0));
            var player = InATPose(origin, count);
            player.floorHeight = 0.1f;
            var header = new SessionHeader();
            player.Describe(header);
            Assert.AreEqual(Calibration.HowCase.Size, header.Calibration.How, "nothing was measured yet");
            Assert.AreEqual(1.72f, header.Calibration.Size.Height);
            Assert.IsTrue(player.MeasureTPose(origin));
            header.Clear();
            player.Describe(header);
            Assert.AreEqual(Calibration.HowCase.TPose, header.Calibration.How);
            Assert.AreEqual(DeviceAxes.Unity, header.Calibration.Axes);
            Assert.AreEqual(0.1f, header.Calibration.FloorHeight);
            Assert.IsNull(header.Calibration.TPose.Height, "the headset tells it");
            var trackers = header.Calibration.TPose.Trackers.Trackers;
            Assert.AreEqual(count, trackers.Count);
            var left = trackers[1];
            Assert.AreEqual(TrackerRole.LeftHand, left.Role);
            Equal(new[] { 0.8f, 1.4f, 0 }, left.Position.Span.ToArray());
            Equal(new[] { 0, 0, 0, 1f }, left.Rotation.Span.ToArray());
            player.isHeightGiven = true;
            player.height = 1.6f;
            header.Clear();
            player.Describe(header);
            Assert.AreEqual(1.6f, header.Calibration.TPose.Height);
            player.ForgetTPose();
            header.Clear();
            player.Describe(header);
            Assert.AreEqual(Calibration.HowCase.Size, header.Calibration.How);
        }

        [Test]
        public void A_T_pose_without_a_hand_is_not_measured()
        {
            var origin = new GameObject("origin").transform;
            var player = InATPose(origin, 3);
            player.rightHand.gameObject.SetActive(false);
            Assert.IsFalse(player.MeasureTPose(origin));
            Assert.IsFalse(player.HasTPose);
        }

        static TrackedPlayer InATPose(Transform origin, int count)
        {
            var player = new GameObject("player").AddComponent<TrackedPlayer>();
            player.head = Device(origin, new Vector3(0, 1.6f, 0.1f), Quaternion.identity);
            player.leftHand = Device(origin, new Vector3(-0.8f, 1.4f, 0), Quaternion.identity);
            player.rightHand = Device(origin, new Vector3(0.8f, 1.4f, 0), Quaternion.identity);
            if (count > 3) player.hips = Device(origin, new Vector3(0, 0.95f, 0.1f), Quaternion.Euler(0, 20, 0));
            if (count > 4) player.leftFoot = Device(origin, new Vector3(-0.1f, 0.1f, 0.05f), Quaternion.Euler(30, 0, 0));
            if (count > 5) player.rightFoot = Device(origin, new Vector3(0.1f, 0.1f, 0.05f), Quaternion.Euler(30, 0, 0));
            return player;
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
