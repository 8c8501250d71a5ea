using Contrapose.Core;
using Contrapose.V1;
using UnityEngine;

namespace Contrapose.Unity
{
    /// <summary>The player is a headset and two hands (3), these and a belt (4), or these and both feet (6); the server
    /// makes a whole body of them. Give the transforms that your rig moves. Without a calibration the height tells the
    /// player's size, and devices are taken to be held as OpenXR says; belt and feet can be worn anyhow, so they need
    /// <see cref="ContraposeSession.Calibrate"/> while the player stands in a T.</summary>
    [AddComponentMenu("Contrapose/Player: Trackers")]
    public sealed class TrackedPlayer : PlayerSource
    {
        const float LeastHeight = 1.0f, MostHeight = 2.3f;

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
        [Range(LeastHeight, MostHeight)]
        public float height = 1.72f;

        [Tooltip("Whether height holds where a T pose was measured, too; off: the height of the headset tells it.")]
        public bool isHeightGiven;

        [Tooltip("Height of the floor over the session's origin, metres.")]
        [Range(-100, 100)]
        public float floorHeight;

        readonly TrackerSet tPose = new TrackerSet();

        /// <summary>Whether a T pose was measured, which every session from then on is opened with.</summary>
        public bool HasTPose => tPose.Trackers.Count > 0;

        void OnValidate()
        {
            height = Mathf.Clamp(height, LeastHeight, MostHeight);
            floorHeight = Mathf.Clamp(floorHeight, -100, 100);
        }

        public override void Describe(SessionHeader header)
        {
            var calibration = header.SetCalibration();
            calibration.Axes = DeviceAxes.Unity;
            calibration.FloorHeight = floorHeight;
            if (!HasTPose)
            {
                calibration.SetSize().Height = height;
                return;
            }
            var measured = calibration.SetTPose();
            if (isHeightGiven) measured.Height = height;
            var trackers = measured.SetTrackers().Trackers;
            for (var i = 0; i < tPose.Trackers.Count; i++)
            {
                var tracker = trackers.Add();
                tracker.Role = tPose.Trackers[i].Role;
                tracker.Position.Set(tPose.Trackers[i].Position.Span);
                tracker.Rotation.Set(tPose.Trackers[i].Rotation.Span);
            }
        }

        /// <summary>Keeps where all devices are now: the player stands in a T, looks ahead, palms down. False, and
        /// nothing changes, if the headset or a hand is not there. The server says whether it is a T.</summary>
        public bool MeasureTPose(Transform origin)
        {
            if (!IsThere(head) || !IsThere(leftHand) || !IsThere(rightHand)) return false;
            tPose.Clear();
            AddAll(tPose.Trackers, origin);
            return true;
        }

        /// <summary>The next session goes by the height again.</summary>
        public void ForgetTPose() => tPose.Clear();

        public override bool Fill(PlayerPose pose, Transform origin)
        {
            if (head == null) return false;
            AddAll(pose.SetTrackers().Trackers, origin);
            return true;
        }

        void AddAll(WireList<Tracker> trackers, Transform origin)
        {
            Add(trackers, TrackerRole.Head, head, origin);
            Add(trackers, TrackerRole.LeftHand, leftHand, origin);
            Add(trackers, TrackerRole.RightHand, rightHand, origin);
            Add(trackers, TrackerRole.Hips, hips, origin);
            Add(trackers, TrackerRole.LeftFoot, leftFoot, origin);
            Add(trackers, TrackerRole.RightFoot, rightFoot, origin);
        }

        static bool IsThere(Transform device) => device != null && device.gameObject.activeInHierarchy;

        static void Add(WireList<Tracker> trackers, TrackerRole role, Transform device, Transform origin)
        {
            if (!IsThere(device)) return;
            var tracker = trackers.Add();
            tracker.Role = role;
            tracker.Position.Add(Axes.ToWire(origin.InverseTransformPoint(device.position).ToPoint()));
            tracker.Rotation.Add(Axes.ToWire((Quaternion.Inverse(origin.rotation) * device.rotation).ToTurn()));
        }
    }
}
