using System;
using Contrapose.Core;
using UnityEngine;
using UnityEngine.Events;

namespace Contrapose.Unity
{
    /// <summary>A touch between the player and the partner, in Unity's world.</summary>
    [Serializable]
    public struct Touch
    {
        /// <summary>Joints of the wire, 0 to 21; 20 and 21 are the left and the right hand.</summary>
        public int playerJoint, partnerJoint;

        public Vector3 point;

        /// <summary>Metres a second at which the two come together.</summary>
        public float closingSpeed;
    }

    [Serializable]
    public sealed class TouchEvent : UnityEvent<Touch> { }

    /// <summary>Tells touches ahead of time, for animation and sound, and shakes the controller of a hand that is
    /// about to be touched: a motor needs some time to be felt.</summary>
    [AddComponentMenu("Contrapose/Contact events")]
    public sealed class ContactEvents : MonoBehaviour
    {
        [Tooltip("The session whose touches are told.")]
        public ContraposeSession session;

        [Tooltip("Seconds ahead of a touch at which Coming is raised.")]
        [Range(0, 0.5f)]
        public float lead = 0.15f;

        [Tooltip("Shakes the controller of a hand that is touched, where XR is there.")]
        public bool isHaptic = true;

        [Tooltip("Seconds ahead of a touch at which the controller's motor is started: 0.02 for voice coils, up to 0.1 for spinning weights. At most lead.")]
        [Range(0, 0.2f)]
        public float motorLead = 0.04f;

        public TouchEvent onComing = new TouchEvent();
        public TouchEvent onBegan = new TouchEvent();
        public TouchEvent onEnded = new TouchEvent();

        ContactSchedule heard;

        void OnValidate() => motorLead = Mathf.Min(motorLead, lead);

        void OnDisable() => Listen(null);

        void Update()
        {
            Listen(session == null || session.Live == null ? null : session.Live.Contacts);
            if (heard == null) return;
            heard.LeadSeconds = lead;
            heard.NearSeconds = motorLead;
        }

        void Listen(ContactSchedule contacts)
        {
            if (heard == contacts) return;
            if (heard != null)
            {
                heard.Coming -= OnComing;
                heard.Near -= OnNear;
                heard.Began -= OnBegan;
                heard.Ended -= OnEnded;
            }
            heard = contacts;
            if (heard == null) return;
            heard.Coming += OnComing;
            heard.Near += OnNear;
            heard.Began += OnBegan;
            heard.Ended += OnEnded;
        }

        void OnComing(Contact contact) => onComing.Invoke(Seen(contact));

        void OnNear(Contact contact)
        {
            if (isHaptic) Haptics.Pulse(contact.PlayerJoint, contact.ClosingSpeed, motorLead);
        }

        void OnBegan(Contact contact) => onBegan.Invoke(Seen(contact));

        void OnEnded(Contact contact) => onEnded.Invoke(Seen(contact));

        Touch Seen(Contact contact) => new Touch
        {
            playerJoint = contact.PlayerJoint,
            partnerJoint = contact.PartnerJoint,
            point = session.transform.TransformPoint(Axes.ToUnity(contact.Point.X, contact.Point.Y, contact.Point.Z).ToVector()),
            closingSpeed = contact.ClosingSpeed,
        };
    }
}
