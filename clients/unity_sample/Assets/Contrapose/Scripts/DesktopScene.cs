using Contrapose.Unity;
using UnityEngine;

namespace Contrapose.Samples
{
    /// <summary>A player at a keyboard: W A S D walk, Q and E turn, a mouse button raises that hand to where the mouse is,
    /// 1 to 5 say words. The player is a head and two hands; the server makes a body of them.</summary>
    public sealed class DesktopScene : MonoBehaviour
    {
        const float WalkSpeed = 1.2f, TurnSpeed = 90, EyeHeight = 1.6f, HandSpeed = 3;

        static readonly string[] Words =
        {
            "", "they shake hands", "they dance together", "the partner waves", "they hug",
        };

        [Tooltip("Where the server is, as `contrapose serve` prints it.")]
        public string address = "ws://127.0.0.1:50052";

        [Tooltip("A recording to play in place of the keyboard; none: the keyboard.")]
        public TextAsset recording;

        ContraposeSession session;
        Transform body, head, left, right;
        Camera eye;

        void Start()
        {
            Stage.Build();
            eye = Stage.Eye(new Vector3(2.2f, 1.7f, -1.6f), new Vector3(0, 1, 0.5f));
            session = Stage.Session("Session", address);
            session.player = recording == null ? (PlayerSource)Tracked() : Recorded();
            session.gameObject.AddComponent<ContraposeHud>().session = session;
            session.gameObject.AddComponent<ContactEvents>().session = session;
            session.gameObject.SetActive(true);
            Stage.Partner(session);
        }

        RecordedPlayer Recorded()
        {
            var player = session.gameObject.AddComponent<RecordedPlayer>();
            player.recording = recording;
            return player;
        }

        TrackedPlayer Tracked()
        {
            body = new GameObject("Player").transform;
            head = Part("Head", 0.22f, new Vector3(0, EyeHeight, 0));
            left = Part("Left hand", 0.1f, AtRest(-1));
            right = Part("Right hand", 0.1f, AtRest(1));
            var player = session.gameObject.AddComponent<TrackedPlayer>();
            player.head = head;
            player.leftHand = left;
            player.rightHand = right;
            return player;
        }

        Transform Part(string name, float size, Vector3 place)
        {
            var part = new GameObject(name).transform;
            part.SetParent(body, false);
            part.localPosition = place;
            var ball = GameObject.CreatePrimitive(PrimitiveType.Sphere);
            ball.GetComponent<MeshRenderer>().sharedMaterial = Stage.Paint(Stage.PlayerColor);
            ball.transform.SetParent(part, false);
            ball.transform.localScale = size * Vector3.one;
            return part;
        }

        static Vector3 AtRest(float side) => new Vector3(0.22f * side, 0.85f, 0.05f);

        void Update()
        {
            for (var digit = 1; digit <= Words.Length; digit++)
                if (Keys.IsDigit(digit)) session.SetWords(Words[digit - 1]);
            if (body == null) return;
            var step = Time.deltaTime * WalkSpeed;
            body.Translate(new Vector3(Keys.Sideways * step, 0, Keys.Ahead * step));
            body.Rotate(0, Keys.Turn * TurnSpeed * Time.deltaTime, 0);
            Raise(left, -1, Keys.IsMouseDown(false));
            Raise(right, 1, Keys.IsMouseDown(true));
        }

        /// <summary>A hand goes to in front of the mouse, or back to the side; never quicker than a hand goes.</summary>
        void Raise(Transform hand, float side, bool isRaised)
        {
            var mouse = Keys.Mouse;
            var reached = new Vector3(0.6f * (mouse.x - 0.5f) + 0.12f * side, 0.8f + mouse.y, 0.55f);
            var goal = isRaised ? reached : AtRest(side);
            var way = goal - hand.localPosition;
            var most = HandSpeed * Time.deltaTime;
            hand.localPosition += way.magnitude > most ? most * way.normalized : way;
        }
    }
}
