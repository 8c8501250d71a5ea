using System;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Tasks;
using Contrapose.Core;
using Contrapose.V1;
using UnityEngine;
using UnityEngine.Events;

namespace Contrapose.Unity
{
    [Serializable]
    public sealed class TextEvent : UnityEvent<string> { }

    [Serializable]
    public sealed class IntentEvent : UnityEvent<Intent> { }

    [Serializable]
    public sealed class OfferEvent : UnityEvent<Offer> { }

    /// <summary>One live session with a Contrapose server: sends the player, receives the partner. It connects when
    /// it is enabled, comes back by itself after a loss, and closes when it is disabled. This object's position
    /// and heading are the origin of the session's world.</summary>
    [AddComponentMenu("Contrapose/Session")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(-100)]
    public sealed class ContraposeSession : MonoBehaviour
    {
        [Header("Server")]
        [Tooltip("ws://HOST:PORT (plain) or wss://HOST:PORT (TLS), as `contrapose serve` prints it. http:// and https:// are gRPC and need GrpcHandler to be set by script.")]
        public string address = "ws://127.0.0.1:50052";

        [Tooltip("What `contrapose token new NAME` printed; empty if the server asks for none.")]
        public string token = "";

        [Tooltip("A root certificate of your own (PEM), as `contrapose certs dev` makes it; none: the system's are trusted.")]
        public TextAsset rootCertificate;

        [Header("Player")]
        [Tooltip("Where the player's pose comes from.")]
        public PlayerSource player;

        [Tooltip("Poses sent in a second. The engine answers ten times a second; more make trackers smoother.")]
        [Range(10, 60)]
        public int posesPerSecond = 30;

        [Header("Partner")]
        [Tooltip("What the two do, in a few words: \"they shake hands\". Empty: the partner goes by the player's motion alone.")]
        [TextArea(1, 3)]
        public string words = "";

        [Tooltip("How lively the partner moves; 1 is as the network made it.")]
        [Range(0.5f, 1.5f)]
        public float energy = 1;

        [Tooltip("Whether the partner may touch the player.")]
        public bool allowContact = true;

        [Tooltip("Metres around the player's body that the partner stays out of.")]
        [Range(0, 5)]
        public float personalSpace;

        [Tooltip("Whether the partner takes a hand that the player offers, returns a wave, ...: by itself, never, or when Confirm is called within a second of onOffer.")]
        public Responding respond = Responding.Always;

        [Tooltip("What the partner may answer.")]
        public AnsweredKinds kinds = AnsweredKinds.Everything;

        [Header("Events")]
        [Tooltip("The server has accepted the session.")]
        public UnityEvent onAccepted = new UnityEvent();

        [Tooltip("The server has given up quality to keep time, or is back to full quality; the text says which.")]
        public TextEvent onQuality = new TextEvent();

        [Tooltip("The player is about something else (right_hand, wave, nothing, ...), or the partner's answer is further on.")]
        public IntentEvent onIntent = new IntentEvent();

        [Tooltip("Respond is Ask, and the player is about something that the partner could answer: call Confirm within a second if it is to.")]
        public OfferEvent onOffer = new OfferEvent();

        [Tooltip("The connection or the server was lost; the session tries to come back.")]
        public TextEvent onLost = new TextEvent();

        [Tooltip("The session goes on after a loss.")]
        public UnityEvent onResumed = new UnityEvent();

        [Tooltip("The session is over, or was refused; the text says why.")]
        public TextEvent onEnded = new TextEvent();

        [Tooltip("A T pose was measured, and the session begins anew with it. If the server does not take it for a T, onEnded says what to change.")]
        public UnityEvent onCalibrated = new UnityEvent();

        double nextPose;
        double calibrateAt = double.PositiveInfinity;
        bool isChanged;
        int resumed;
        ulong offered;

        /// <summary>The session itself: plan, clock, contacts, status. Null while disabled.</summary>
        public InteractionSession Live { get; private set; }

        /// <summary>What the player is about; null: not known, or the server does not tell.</summary>
        public Intent Intent => Live != null && Live.Status.HasIntent ? Live.Status.Intent : null;

        /// <summary>Makes the transport of each attempt in place of what the address asks for.</summary>
        public Func<ITransport> TransportFactory { get; set; }

        /// <summary>Makes a handler that speaks HTTP/2, for addresses of gRPC: () => new YetAnotherHttpHandler { Http2Only = true }.</summary>
        public Func<System.Net.Http.HttpMessageHandler> GrpcHandler { get; set; }

        /// <summary>Seconds on a clock that only goes forward.</summary>
        public static double Now => Time.realtimeSinceStartupAsDouble;

        /// <summary>Seconds on the session's clock; 0 before it has begun.</summary>
        public double SessionTime => Live != null && Live.Clock.HasBegun ? Live.Clock.SessionTime(Now) : 0;

        void OnEnable()
        {
            Live = new InteractionSession(TransportFactory ?? Transport);
            Live.PhaseChanged += OnPhase;
            Live.EventArrived += OnEvent;
            Live.IntentChanged += OnIntent;
            Live.Offered += OnOffered;
            var header = Live.Header;
            header.ClientName = "unity";
            header.ClientVersion = Application.version.Length > 64 ? "" : Application.version;
            header.Text = words;
            header.Energy = energy;
            header.AllowContact = allowContact;
            header.ZoneRadius = personalSpace;
            header.Respond = Answers.Respond(respond, kinds);
            Answers.Put(kinds, header.SetKinds());
            if (player != null) player.Describe(header);
            resumed = 0;
            offered = 0;
            nextPose = 0;
            isChanged = false;
            Live.Start(Now);
        }

        void OnDisable()
        {
            if (Live == null) return;
            Live.PhaseChanged -= OnPhase;
            Live.EventArrived -= OnEvent;
            Live.IntentChanged -= OnIntent;
            Live.Offered -= OnOffered;
            Live.Dispose();
            Live = null;
        }

        void OnValidate()
        {
            energy = Mathf.Clamp(energy, 0.5f, 1.5f);
            personalSpace = Mathf.Clamp(personalSpace, 0, 5);
            isChanged = true;
        }

        void LateUpdate()
        {
            if (Now >= calibrateAt && !Calibrate())
                Debug.LogWarning("Contrapose: nothing was calibrated: headset and both hands must be tracked.", this);
            if (Live == null) return;
            Live.Update(Now);
            if (Live.Phase != SessionPhase.Running) return;
            if (isChanged) SendSettings();
            if (player != null && Now >= nextPose) SendPlayer();
            if (Live.Plan.HasBegun) Live.Contacts.Update(SessionTime, Live.Plan.FrameRate, Live.Plan.PlayoutDelay);
        }

        /// <summary>Measures the T pose that the player of a <see cref="TrackedPlayer"/> stands in now, and begins the
        /// session anew with it. False, and nothing changes, if there is no such player, or its headset or a hand is
        /// not there.</summary>
        public bool Calibrate()
        {
            calibrateAt = double.PositiveInfinity;
            if (!(player is TrackedPlayer tracked) || !tracked.MeasureTPose(transform)) return false;
            Reopen();
            onCalibrated.Invoke();
            return true;
        }

        /// <summary>The same, so many seconds from now: one who has pressed a button still has to stretch the arms.</summary>
        public void CalibrateIn(float seconds) => calibrateAt = Now + seconds;

        /// <summary>Ends the session and begins a new one with all settings as they are now.</summary>
        public void Reopen()
        {
            if (!isActiveAndEnabled) return;
            OnDisable();
            OnEnable();
        }

        /// <summary>What the server is and may do; its kinds are what its bundle was trained to do, with the words for
        /// each. Over ws:// and wss:// alone, and not on WebGL.</summary>
        public Task<GetServerInfoResponse> AskServerAsync() => ServerQuestion.AskAsync(address, token, Root());

        /// <summary>New words for the partner, from the next revision of the plan on; empty: none.</summary>
        public void SetWords(string text)
        {
            words = text;
            isChanged = true;
        }

        /// <summary>Sends a place to the partner: a point of Unity's world, and where to face (degrees about Y).</summary>
        public void GoTo(Vector3 place, float? heading = null)
        {
            var control = Live?.NextControl();
            if (control == null) return;
            var target = control.SetPlace();
            var at = Axes.ToWire(transform.InverseTransformPoint(place).ToPoint());
            target.Position.Add(at.X);
            target.Position.Add(0);
            target.Position.Add(at.Z);
            if (heading.HasValue) target.Heading = -(heading.Value - transform.eulerAngles.y) * Mathf.Deg2Rad;
            Live.SendControl();
        }

        /// <summary>Asks for a touch: the partner's hand on a joint of the player (0 to 21, in the order of the wire),
        /// so many seconds from now.</summary>
        public void Touch(bool withRightHand, int playerJoint, float inSeconds = 1.5f)
        {
            var control = Live?.NextControl();
            if (control == null) return;
            var contact = control.SetContact();
            contact.PartnerJoint = withRightHand ? 21u : 20u;
            contact.PlayerJoint = (uint)playerJoint;
            contact.FrameIndex = (ulong)Math.Max(0, (SessionTime + inSeconds) * Live.Plan.FrameRate);
            Live.SendControl();
        }

        /// <summary>Whether the partner answers, and what, from now on.</summary>
        public void SetRespond(Responding responding, AnsweredKinds toWhat = AnsweredKinds.Everything)
        {
            respond = responding;
            kinds = toWhat;
            isChanged = true;
        }

        /// <summary>Has the partner answer an offer; if it does not stand any more, the console says so.</summary>
        public void Confirm(ulong offerId) => Live?.Confirm(offerId);

        /// <summary>The same of the newest offer: for a button.</summary>
        public void ConfirmLast()
        {
            if (offered > 0) Confirm(offered);
        }

        /// <summary>Forgets places and touches that were asked for.</summary>
        public void ClearTargets()
        {
            var control = Live?.NextControl();
            if (control == null) return;
            control.ClearTargets = true;
            Live.SendControl();
        }

        ITransport Transport()
        {
#if UNITY_WEBGL && !UNITY_EDITOR
            return new WebGL.WebGlTransport(address, token);
#else
            return Transports.Create(address, token, Root(), GrpcHandler);
#endif
        }

        X509Certificate2 Root() => rootCertificate == null ? null : new X509Certificate2(rootCertificate.bytes);

        void SendSettings()
        {
            var control = Live.NextControl();
            if (control == null) return;
            isChanged = false;
            control.Text = words;
            control.Energy = energy;
            control.AllowContact = allowContact;
            control.ZoneRadius = personalSpace;
            control.Respond = Answers.Respond(respond, kinds);
            Answers.Put(kinds, control.SetKinds());
            Live.SendControl();
        }

        void SendPlayer()
        {
            nextPose = Now + 1.0 / posesPerSecond;
            var pose = Live.NextPose(Now);
            if (pose == null) return;
            if (player.Fill(pose, transform)) Live.SendPose();
        }

        void OnPhase(SessionPhase phase)
        {
            if (phase == SessionPhase.Waiting) onLost.Invoke(Live.Trouble);
            if (phase == SessionPhase.Ended || phase == SessionPhase.Refused) onEnded.Invoke(Live.Trouble);
            if (phase == SessionPhase.Refused) Debug.LogError("Contrapose: " + Live.Trouble, this);
            if (phase != SessionPhase.Running) return;
            if (Live.Resumed > resumed) onResumed.Invoke();
            else onAccepted.Invoke();
            resumed = Live.Resumed;
        }

        void OnIntent(Intent intent) => onIntent.Invoke(intent);

        void OnOffered(Offer offer)
        {
            offered = offer.OfferId;
            onOffer.Invoke(offer);
        }

        void OnEvent(SessionEvent about)
        {
            if (about.Kind == SessionEventKind.Degraded || about.Kind == SessionEventKind.Recovered)
                onQuality.Invoke(about.Text);
            else if (about.Kind == SessionEventKind.Notice)
                Debug.LogWarning("Contrapose: " + about.Text, this);
        }
    }
}
