using System;
using Contrapose.V1;

namespace Contrapose.Core
{
    public enum SessionPhase
    {
        /// <summary>Not started.</summary>
        Idle,

        /// <summary>A connection is being opened, for a new session or to resume one.</summary>
        Connecting,

        /// <summary>The server has accepted: poses go out, plans come in.</summary>
        Running,

        /// <summary>The server is loading, full or gone: the next attempt comes at RetryAt.</summary>
        Waiting,

        /// <summary>The end was asked for; the summary is awaited.</summary>
        Ending,

        /// <summary>Over, in good order or by the server.</summary>
        Ended,

        /// <summary>The server will not have it, and asking again would not help; see Trouble.</summary>
        Refused,
    }

    /// <summary>One live session: connects, keeps the clock, sends poses, buffers plans, and comes back by itself
    /// when a connection or a server is lost. Owns no thread and no clock: call <see cref="Update"/> once a frame
    /// with a monotonic time in seconds, always from the same thread.</summary>
    public sealed class InteractionSession : IDisposable
    {
        const int QuickPings = 5;
        const double QuickPingSeconds = 0.1, PingSeconds = 1;

        /// <summary>The server speaks at least once a second.</summary>
        const double SilenceSeconds = 5;

        /// <summary>Until a server that takes the connection has said anything.</summary>
        const double OpeningSeconds = 10;

        const double FirstRetrySeconds = 0.5, LastRetrySeconds = 8;

        readonly Func<ITransport> connect;
        readonly SessionHeader wanted = new SessionHeader();
        readonly StreamInteractionRequest request = new StreamInteractionRequest();
        readonly StreamInteractionRequest pose = new StreamInteractionRequest();
        readonly StreamInteractionRequest ping = new StreamInteractionRequest();
        readonly StreamError error = new StreamError();
        readonly StreamInteractionResponse response = new StreamInteractionResponse();
        readonly WireWriter writer = new WireWriter();
        ITransport transport;
        bool hasSentHeader;
        bool isResuming;
        bool isEnding;
        bool hasError;
        ulong sequence;
        ulong pings;
        double firstPoseAt;
        double lastTimeCode;
        double nextPing;
        double lastHeard;
        double drainSeconds;
        int attempts;

        /// <param name="connect">makes the transport of each attempt; see <see cref="Transports"/></param>
        public InteractionSession(Func<ITransport> connect)
        {
            this.connect = connect;
            Playhead = new Playhead(Plan);
        }

        public SessionPhase Phase { get; private set; }

        /// <summary>Why it waits, ended or was refused, for people; empty while all is well.</summary>
        public string Trouble { get; private set; } = "";

        /// <summary>gRPC's number of the last trouble; 0: none; -1: the connection broke.</summary>
        public int TroubleStatus { get; private set; }

        /// <summary>The server's word for the last trouble, for programs: "BAD_POSE"; empty: none was given.</summary>
        public string Reason { get; private set; } = "";

        /// <summary>When the next attempt comes, on the clock that Update is given.</summary>
        public double RetryAt { get; private set; }

        public readonly ClockSync Clock = new ClockSync();
        public readonly PlanBuffer Plan = new PlanBuffer();
        public readonly Playhead Playhead;
        public readonly ContactSchedule Contacts = new ContactSchedule();
        public readonly SessionAccepted Accepted = new SessionAccepted();
        public readonly SessionStatus Status = new SessionStatus();
        public readonly SessionSummary Summary = new SessionSummary();

        /// <summary>Milliseconds, on the server, from the newest pose that a plan was made of to its first frames; 0: not
        /// told yet.</summary>
        public float ReactionMs { get; private set; }

        /// <summary>What the session is opened with; change it before Start.</summary>
        public SessionHeader Header => wanted;

        /// <summary>Times that a session was taken up again after a loss.</summary>
        public int Resumed { get; private set; }

        /// <summary>Raised by Update, on the caller's thread.</summary>
        public event Action<SessionPhase> PhaseChanged;

        /// <summary>A notice, a change of quality, a target that was reached, ... The event is used again: read it
        /// at once.</summary>
        public event Action<SessionEvent> EventArrived;

        /// <summary>The player is about something else, or the partner's answer is further on. The intent is used
        /// again: read it at once.</summary>
        public event Action<Intent> IntentChanged;

        /// <summary>The partner answers this if <see cref="Confirm"/> is called within a second (Respond.Ask). The offer is
        /// used again: read it at once.</summary>
        public event Action<Offer> Offered;

        /// <summary>Opens a new session.</summary>
        public void Start(double now)
        {
            if (Phase != SessionPhase.Idle && Phase != SessionPhase.Ended && Phase != SessionPhase.Refused)
                throw new InvalidOperationException("the session is " + Phase + "; end it before it is started again");
            Fresh();
            attempts = 0;
            Resumed = 0;
            Open(now);
        }

        /// <summary>Sends a pose: fill what this returns, then call <see cref="SendPose"/>. Null while nothing can
        /// be sent.</summary>
        public PlayerPose NextPose(double now)
        {
            if (Phase != SessionPhase.Running) return null;
            if (!Clock.HasBegun)
            {
                Clock.Begin(now);
                firstPoseAt = now;
                nextPing = now;
            }
            var next = pose.SetPose();
            lastTimeCode = Math.Max(now - firstPoseAt, sequence == 0 ? 0 : lastTimeCode + 1e-4);
            next.Sequence = ++sequence;
            next.TimeCode = lastTimeCode;
            return next;
        }

        public void SendPose() => Send(pose);

        /// <summary>Changes settings while it runs: fill what this returns, then call <see cref="SendControl"/>.
        /// Null while nothing can be sent.</summary>
        public SessionControl NextControl() => Phase == SessionPhase.Running ? request.SetControl() : null;

        public void SendControl()
        {
            if (request.Part != StreamInteractionRequest.PartCase.Control)
                throw new InvalidOperationException("call NextControl first");
            Remember(request.Control);
            Send(request);
        }

        /// <summary>Has an offer answered; if it does not stand any more, a notice says so.</summary>
        public void Confirm(ulong offerId)
        {
            var control = NextControl();
            if (control == null) return;
            control.Confirm = offerId;
            SendControl();
        }

        /// <summary>Says that no more poses come; the server answers with a summary and ends.</summary>
        public void End(double now)
        {
            if (Phase != SessionPhase.Running)
            {
                Close(SessionPhase.Ended, 0, "");
                return;
            }
            request.SetEnd();
            Send(request);
            transport.CloseSending();
            isEnding = true;
            lastHeard = now;
            Become(SessionPhase.Ending);
        }

        /// <summary>Ends at once, without waiting for the server.</summary>
        public void Dispose() => Close(SessionPhase.Ended, 0, "");

        /// <summary>Reads what has come, sends what is due, tries again what failed. Call it once a frame.</summary>
        public void Update(double now)
        {
            if (Phase == SessionPhase.Waiting && now >= RetryAt) Open(now);
            if (transport == null) return;
            if (!hasSentHeader && transport.IsOpen) SendHeader(now);
            while (transport != null && transport.TryReceive(out var message)) Take(message.Span, now);
            if (transport == null) return;
            if (transport.Closing != null) Lost(transport.Closing, now);
            else if (now - lastHeard > (Phase == SessionPhase.Connecting ? OpeningSeconds : SilenceSeconds))
                Lost(new Closing(-1, "the server has fallen silent"), now);
            else if (Phase == SessionPhase.Running) Keep(now);
        }

        void Keep(double now)
        {
            if (Clock.HasBegun && now >= nextPing)
            {
                var next = ping.SetPing();
                next.PingId = ++pings;
                next.ClientTime = now;
                nextPing = now + (pings < QuickPings ? QuickPingSeconds : PingSeconds);
                Send(ping);
            }
            if (!Plan.HasBegun && Plan.HasFrames && Clock.IsTold) Plan.Begin(Clock.SessionTime(now));
        }

        // ---------------------------------------------------------------------------------- connections
        void Fresh()
        {
            Clock.Reset();
            Plan.Reset();
            Playhead.Reset();
            Contacts.Clear();
            Status.Clear();
            Accepted.Clear();
            Summary.Clear();
            sequence = pings = 0;
            lastTimeCode = drainSeconds = ReactionMs = 0;
            isResuming = isEnding = false;
        }

        void Open(double now)
        {
            transport = connect();
            hasSentHeader = hasError = false;
            lastHeard = now;
            transport.Connect();
            Become(SessionPhase.Connecting);
        }

        void SendHeader(double now)
        {
            hasSentHeader = true;
            var header = request.SetHeader();
            if (isResuming)
            {
                header.ResumeToken.Set(Status.ResumeToken.Span);
                header.ClientName = wanted.ClientName;
                header.ClientVersion = wanted.ClientVersion;
                Send(request);
                return;
            }
            Copy(wanted, header);
            Send(request);
        }

        /// <summary>What a session that begins anew, after a loss without a token, is to be opened with.</summary>
        void Remember(SessionControl control)
        {
            if (control.Text != null) wanted.Text = control.Text;
            if (control.AllowContact.HasValue) wanted.AllowContact = control.AllowContact;
            if (control.ZoneRadius.HasValue) wanted.ZoneRadius = control.ZoneRadius;
            if (control.Energy.HasValue) wanted.Energy = control.Energy;
            if (control.Mode != SessionMode.Unspecified) wanted.Mode = control.Mode;
            if (control.Respond != Respond.Unspecified) wanted.Respond = control.Respond;
            if (control.HasKinds) Copy(control.Kinds, wanted.SetKinds());
        }

        void Send(StreamInteractionRequest message)
        {
            writer.Clear();
            message.WriteTo(writer);
            transport?.Send(writer.Written);
        }

        void Lost(Closing closing, double now)
        {
            transport.Dispose();
            transport = null;
            if (hasError) closing = new Closing((int)error.Code, error.Message);
            Reason = hasError ? error.Reason : "";
            if (isEnding || closing.Status == 0)
            {
                Close(SessionPhase.Ended, closing.Status == 0 || Summary.FramesSent > 0 ? 0 : closing.Status, closing.Message);
                return;
            }
            var canResume = Status.ResumeToken.Count > 0;
            if (isResuming && Statuses.IsFinal(closing.Status))
            {
                Fresh(); // the token is of no use any more
                canResume = false;
            }
            else if (Statuses.IsFinal(closing.Status))
            {
                Close(SessionPhase.Refused, closing.Status, closing.Message);
                return;
            }
            else if (closing.Status == Statuses.Aborted)
            {
                Close(SessionPhase.Ended, closing.Status, closing.Message);
                return;
            }
            if (canResume) isResuming = true;
            else Fresh();
            var wait = Math.Min(FirstRetrySeconds * Math.Pow(2, attempts), LastRetrySeconds);
            attempts++;
            var asked = Math.Max(drainSeconds, hasError ? error.RetryAfter ?? 0 : 0);
            RetryAt = now + (canResume && attempts == 1 && asked == 0 ? 0 : Math.Max(wait, asked));
            drainSeconds = 0;
            Trouble = closing.Message;
            TroubleStatus = closing.Status;
            Become(SessionPhase.Waiting);
        }

        void Close(SessionPhase phase, int status, string message)
        {
            transport?.Dispose();
            transport = null;
            Trouble = message;
            TroubleStatus = status;
            Become(phase);
        }

        void Become(SessionPhase phase)
        {
            if (Phase == phase) return;
            Phase = phase;
            PhaseChanged?.Invoke(phase);
        }

        // ------------------------------------------------------------------------------------- messages
        void Take(ReadOnlySpan<byte> message, double now)
        {
            lastHeard = now;
            try
            {
                response.ReadFrom(message);
            }
            catch (WireException exception)
            {
                Lost(new Closing(Statuses.Internal, "the server sent what is no message: " + exception.Message), now);
                return;
            }
            switch (response.Part)
            {
                case StreamInteractionResponse.PartCase.Accepted: TakeAccepted(response.Accepted); break;
                case StreamInteractionResponse.PartCase.Frames: TakeFrames(response.Frames, now); break;
                case StreamInteractionResponse.PartCase.Pong: TakePong(response.Pong, now); break;
                case StreamInteractionResponse.PartCase.Status: TakeStatus(response.Status); break;
                case StreamInteractionResponse.PartCase.Summary: Copy(response.Summary, Summary); break;
                case StreamInteractionResponse.PartCase.Error:
                    Copy(response.Error, error);
                    hasError = true;
                    break;
                case StreamInteractionResponse.PartCase.Event:
                    if (response.Event.Kind == SessionEventKind.Draining) drainSeconds = response.Event.ReconnectAfter;
                    EventArrived?.Invoke(response.Event);
                    if (response.Event.HasOffer) Offered?.Invoke(response.Event.Offer);
                    break;
            }
        }

        void TakeAccepted(SessionAccepted accepted)
        {
            Copy(accepted, Accepted);
            Trouble = Reason = "";
            TroubleStatus = 0;
            if (isResuming)
            {
                Resumed++;
                Clock.CarryOn();
                pings = 0;
                nextPing = 0;
                if (Plan.Revision > Status.Revision) Plan.EaseIn(); // the last frames are not in the token
            }
            else
            {
                Plan.PlayoutDelay = accepted.PlayoutDelay;
                Plan.FrameRate = accepted.FrameRate > 0 ? accepted.FrameRate : 10;
            }
            isResuming = false;
            Become(SessionPhase.Running);
        }

        void TakeFrames(FrameChunk chunk, double now)
        {
            attempts = 0;
            if (chunk.HasLatency) ReactionMs = chunk.Latency.ReactionMs ?? ReactionMs;
            Plan.Accept(chunk, Clock.HasBegun ? Clock.SessionTime(now) : 0);
            Contacts.Replace(chunk.Contacts);
        }

        void TakeStatus(SessionStatus status)
        {
            var before = Status.HasIntent ? (Status.Intent.Kind, Status.Intent.Phase) : ("", IntentPhase.Unspecified);
            Copy(status, Status);
            if (Status.HasIntent && (Status.Intent.Kind, Status.Intent.Phase) != before) IntentChanged?.Invoke(Status.Intent);
        }

        void TakePong(ClockPong pong, double now)
        {
            if (pong.SessionTime >= 0) Clock.Add(pong.ClientTime, now, pong.SessionTime);
        }

        void Copy(IMessage from, IMessage to)
        {
            writer.Clear();
            from.WriteTo(writer);
            to.ReadFrom(new WireReader(writer.Written));
        }
    }
}
