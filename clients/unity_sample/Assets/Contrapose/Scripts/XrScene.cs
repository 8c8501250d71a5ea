using Contrapose.Unity;
using UnityEngine;
#if CONTRAPOSE_XR
using UnityEngine.XR;
#endif

namespace Contrapose.Samples
{
    /// <summary>A headset and two controllers or hands: the partner stands before the player at life size. Switch an XR
    /// provider on (Project Settings, XR Plug-in Management, OpenXR); without one the scene waits for it. Press A (or X)
    /// and stretch both arms out to the sides: three seconds later the player is measured.</summary>
    public sealed class XrScene : MonoBehaviour
    {
        [Tooltip("Where the server is; for a headset the address of the computer that runs it, wss:// if it has TLS.")]
        public string address = "ws://127.0.0.1:50052";

        [Tooltip("Token of the server; empty: none.")]
        public string token = "";

        [Tooltip("Root certificate (PEM) of a server with a certificate of its own; none: the system's.")]
        public TextAsset rootCertificate;

        [Tooltip("The player's height in metres, with bare feet.")]
        [Range(1.0f, 2.3f)]
        public float height = 1.72f;

        [Tooltip("Trackers on belt and feet that a rig of yours moves; none: headset and hands alone.")]
        public Transform hips, leftFoot, rightFoot;

        Transform head, left, right;
        ContraposeSession session;

        void Start()
        {
            Stage.Build();
            head = Stage.Eye(new Vector3(0, 1.6f, 0), new Vector3(0, 1.6f, 1)).transform;
            left = Hand("Left hand");
            right = Hand("Right hand");
            session = Stage.Session("Session", address);
            session.token = token;
            session.rootCertificate = rootCertificate;
            var player = session.gameObject.AddComponent<TrackedPlayer>();
            player.head = head;
            player.leftHand = left;
            player.rightHand = right;
            player.hips = hips;
            player.leftFoot = leftFoot;
            player.rightFoot = rightFoot;
            player.height = height;
            session.player = player;
            session.gameObject.AddComponent<ContactEvents>().session = session;
            session.gameObject.SetActive(true);
            Stage.Partner(session);
        }

        static Transform Hand(string name)
        {
            var ball = GameObject.CreatePrimitive(PrimitiveType.Sphere);
            ball.name = name;
            ball.GetComponent<MeshRenderer>().sharedMaterial = Stage.Paint(Stage.PlayerColor);
            ball.transform.localScale = 0.08f * Vector3.one;
            return ball.transform;
        }

        void Update()
        {
#if CONTRAPOSE_XR
            Follow(head, XRNode.Head);
            Follow(left, XRNode.LeftHand);
            Follow(right, XRNode.RightHand);
            var isDown = IsDown(XRNode.LeftHand) || IsDown(XRNode.RightHand);
            if (isDown && !isPressed) session.CalibrateIn(ToStretch);
            isPressed = isDown;
#endif
        }

#if CONTRAPOSE_XR
        /// <summary>Seconds to stretch the arms in.</summary>
        const float ToStretch = 3;

        bool isPressed;

        static bool IsDown(XRNode node) =>
            InputDevices.GetDeviceAtXRNode(node).TryGetFeatureValue(CommonUsages.primaryButton, out var isDown) && isDown;

        static void Follow(Transform part, XRNode node)
        {
            var device = InputDevices.GetDeviceAtXRNode(node);
            if (device.TryGetFeatureValue(CommonUsages.devicePosition, out var place)) part.localPosition = place;
            if (device.TryGetFeatureValue(CommonUsages.deviceRotation, out var turn)) part.localRotation = turn;
        }
#endif
    }
}
