using Contrapose.Core;
using Contrapose.V1;
using UnityEngine;

namespace Contrapose.Unity
{
    /// <summary>The player is a headset and two hands, and, where there are trackers, hips and feet; the server makes
    /// a whole body of them. Give the transforms that your rig moves.</summary>
    [AddComponentMenu("Contrapose/Player: Trackers")]
    public sealed class TrackedPlayer : PlayerSource
    {
        [Tooltip("The main camera of the rig.")]
        public Transform head;

        [Tooltip("Left controller (grip) or wrist.")]
        public Transform leftHand;

        [Tooltip("Right controller (grip) or wrist.")]
        public Transform rightHand;

        [Tooltip("A tracker on the belt; optional.")]
        public Transform hips;

        [Tooltip("A tracker on the left foot; optional.")]
        public Transform leftFoot;

        [Tooltip("A tracker on the right foot; optional.")]
        public Transform rightFoot;

        [Tooltip("The player's height in metres, with bare feet.")]
        [Range(1.0f, 2.3f)]
        public float height = 1.72f;

        [Tooltip("Height of the floor in the rig's space, metres.")]
        public float floorHeight;

        public override void Describe(SessionHeader header)
        {
            var calibration = header.SetCalibration();
            calibration.SetSize().Height = height;
            calibration.Axes = DeviceAxes.Unity;
            calibration.FloorHeight = floorHeight;
        }

        public override bool Fill(PlayerPose pose, Transform origin)
        {
            if (head == null) return false;
            var trackers = pose.SetTrackers().Trackers;
            Add(trackers, TrackerRole.Head, head, origin);
            Add(trackers, TrackerRole.LeftHand, leftHand, origin);
            Add(trackers, TrackerRole.RightHand, rightHand, origin);
            Add(trackers, TrackerRole.Hips, hips, origin);
            Add(trackers, TrackerRole.LeftFoot, leftFoot, origin);
            Add(trackers, TrackerRole.RightFoot, rightFoot, origin);
            return true;
        }

        static void Add(WireList<Tracker> trackers, TrackerRole role, Transform device, Transform origin)
        {
            if (device == null || !device.gameObject.activeInHierarchy) return;
            var tracker = trackers.Add();
            tracker.Role = role;
            tracker.Position.Add(Axes.ToWire(origin.InverseTransformPoint(device.position).ToPoint()));
            tracker.Rotation.Add(Axes.ToWire((Quaternion.Inverse(origin.rotation) * device.rotation).ToTurn()));
        }
    }
}
