using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using Contrapose.Core;
using Contrapose.Unity;
using Contrapose.V1;
using NUnit.Framework;
using UnityEngine;

namespace Contrapose.Tests
{
    /// <summary>The behaviours in the player loop of Tools~/Stubs, with a server that is an object here: real messages, no
    /// network.</summary>
    public class PlayModeTests
    {
        [TearDown]
        public void Leave()
        {
            Stubs.Player.Exit();
            Stubs.Player.Forget();
        }

        [Test]
        public void A_partner_is_driven_on_show_and_gone_when_Play_mode_ends()
        {
            var server = new FakeServer();
            var (session, driver) = Scene(() => server.Connect());
            Assert.IsFalse(driver.GetComponentsInChildren<Renderer>()[0].enabled, "hidden before the first frame");
            Play(() => session.Live.Plan.Shown > 3);
            Assert.AreEqual(SessionPhase.Running, session.Live.Phase);
            Assert.IsTrue(driver.GetComponentsInChildren<Renderer>()[0].enabled);
            Assert.Greater(server.Poses, 3);
            var hips = driver.GetComponentsInChildren<Transform>().First(each => each.name == "pelvis");
            Assert.AreEqual(0.95, hips.position.y, 0.05, "it stands");
            var fingers = driver.GetComponentsInChildren<Transform>().ToDictionary(each => each.name);
            Vector3 knuckle = fingers["right_middle1"].position, joint = fingers["right_middle2"].position;
            var down = 0.5 * 85 * Math.PI / 180;
            Assert.AreEqual(-Math.Sin(down), (joint - knuckle).normalized.y, 0.02, "half bent, from straight fingers on");
            Stubs.Player.Exit();
            Assert.IsTrue(server.IsClosed);
        }

        [Test]
        public void Play_mode_can_be_entered_fifty_times_and_leaves_nothing_behind()
        {
            var threads = 0;
            for (var round = 0; round < 50; round++)
            {
                var server = new FakeServer();
                var (session, _) = Scene(() => server.Connect());
                Play(() => session.Live.Phase == SessionPhase.Running);
                Assert.AreEqual(SessionPhase.Running, session.Live.Phase, "round " + round);
                Stubs.Player.Exit();
                Assert.IsTrue(server.IsClosed);
                Assert.AreEqual(0, Stubs.Player.Count);
                Stubs.Player.Forget();
                if (round == 5) threads = Process.GetCurrentProcess().Threads.Count;
            }
            Assert.LessOrEqual(Process.GetCurrentProcess().Threads.Count, threads + 4);
        }

        [Test]
        public void Sockets_that_lead_nowhere_are_closed_too()
        {
            var before = 0;
            for (var round = 0; round < 60; round++)
            {
                var (session, _) = Scene(null, "ws://127.0.0.1:9");
                Play(() => session.Live.Phase == SessionPhase.Waiting);
                Assert.AreEqual(SessionPhase.Waiting, session.Live.Phase);
                Stubs.Player.Exit();
                Stubs.Player.Forget();
                if (round == 30) before = OpenFiles(); // by then everything is loaded that stays open
            }
            Assert.Less(OpenFiles() - before, 15, "files that thirty rounds left open");
        }

        static int OpenFiles()
        {
            for (var round = 0; round < 2; round++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
            return System.IO.Directory.Exists("/proc/self/fd") ? System.IO.Directory.GetFiles("/proc/self/fd").Length : 0;
        }

        [Test]
        public void Settings_that_change_while_it_plays_reach_the_server()
        {
            var server = new FakeServer();
            var (session, _) = Scene(() => server.Connect());
            Play(() => session.Live.Phase == SessionPhase.Running);
            session.SetWords("they dance");
            session.GoTo(new Vector3(1, 0, 2), 90);
            Play(() => server.Controls.Count >= 2);
            Assert.AreEqual("they dance", server.Controls.Last(each => each.Text != null).Text);
            var place = server.Controls.First(each => each.HasPlace).Place;
            Assert.AreEqual(-1, place.Position[0], 1e-5, "x is mirrored");
            Assert.AreEqual(2, place.Position[2], 1e-5);
            Assert.AreEqual(-Math.PI / 2, place.Heading.Value, 1e-5);
        }

        [Test]
        public void An_intent_and_an_offer_are_events_and_the_answer_reaches_the_server()
        {
            var server = new FakeServer { Asks = "right_hand" };
            var told = new List<string>();
            var (session, _) = Scene(() => server.Connect(), begin: each =>
            {
                each.respond = Responding.Ask;
                each.kinds = AnsweredKinds.RightHand;
                each.onIntent.AddListener(intent => told.Add(intent.Kind));
                each.onOffer.AddListener(_ => each.ConfirmLast());
            });
            Play(() => server.Controls.Any(each => each.Confirm.HasValue) && told.Count > 0);
            Assert.AreEqual(Respond.Ask, server.LastHeader.Respond);
            Assert.AreEqual("right_hand", server.LastHeader.Kinds.Names[0]);
            Assert.AreEqual(5UL, server.Controls.First(each => each.Confirm.HasValue).Confirm);
            Assert.AreEqual("right_hand", told.Single());
            Assert.AreEqual("right_hand", session.Intent.Kind);
            session.SetRespond(Responding.Never);
            Play(() => server.Controls.Last().Respond == Respond.Never);
            Assert.AreEqual(0, server.Controls.Last().Kinds.Names.Count, "everything is no names");
        }

        [Test]
        public void A_refusal_is_said_and_not_tried_again()
        {
            var server = new FakeServer { Refusal = new Closing(Statuses.Unauthenticated, "the token is not known") };
            var texts = new List<string>();
            var (session, _) = Scene(() => server.Connect(), begin: each => each.onEnded.AddListener(texts.Add));
            Play(() => session.Live.Phase == SessionPhase.Refused);
            Assert.AreEqual("the token is not known", texts.Single());
            Play(() => false, 30);
            Assert.AreEqual(1, server.Connections);
        }

        [TestCase(Statuses.ResourceExhausted)]
        [TestCase(Statuses.Unavailable)]
        public void A_full_or_loading_server_is_asked_again(int status)
        {
            var server = new FakeServer { Refusal = new Closing(status, "come back") };
            var (session, _) = Scene(() => server.Connect());
            Play(() => session.Live.Phase == SessionPhase.Waiting);
            server.Refusal = null;
            Play(() => session.Live.Phase == SessionPhase.Running);
            Assert.AreEqual(SessionPhase.Running, session.Live.Phase);
            Assert.AreEqual(2, server.Connections);
        }

        [Test]
        public void A_session_that_is_cut_goes_on_by_its_token()
        {
            var server = new FakeServer();
            var resumed = 0;
            var (session, _) = Scene(() => server.Connect(), begin: each => each.onResumed.AddListener(() => resumed++));
            Play(() => session.Live.Plan.Shown > 3);
            server.Cut();
            Play(() => resumed == 1);
            Assert.AreEqual(1, resumed);
            Assert.AreEqual("token", System.Text.Encoding.UTF8.GetString(server.LastHeader.ResumeToken.Span.ToArray()));
            Assert.AreEqual("", server.LastHeader.Text, "the token holds the rest");
        }

        [Test]
        public void One_who_is_measured_in_a_T_pose_begins_a_session_with_it()
        {
            var server = new FakeServer();
            var (session, _) = Scene(() => server.Connect(), begin: each =>
            {
                var tracked = each.gameObject.AddComponent<TrackedPlayer>();
                tracked.head = At(0, 1.6f);
                tracked.leftHand = At(-0.8f, 1.4f);
                tracked.rightHand = At(0.8f, 1.4f);
                each.player = tracked;
            });
            var calibrated = 0;
            session.onCalibrated.AddListener(() => calibrated++);
            Play(() => session.Live.Phase == SessionPhase.Running);
            Assert.AreEqual(Calibration.HowCase.Size, server.LastHeader.Calibration.How);
            session.CalibrateIn(0.05f);
            Play(() => calibrated == 1 && session.Live.Phase == SessionPhase.Running);
            Assert.AreEqual(1, calibrated);
            Assert.AreEqual(2, server.Connections);
            Assert.AreEqual(Calibration.HowCase.TPose, server.LastHeader.Calibration.How);
            Assert.AreEqual(3, server.LastHeader.Calibration.TPose.Trackers.Trackers.Count);
            ((TrackedPlayer)session.player).head.gameObject.SetActive(false);
            session.CalibrateIn(0);
            Play(() => false, 3);
            Assert.AreEqual(1, calibrated, "a headset that is not there is not measured");
            Assert.AreEqual(2, server.Connections);
        }

        static Transform At(float x, float y)
        {
            var device = new GameObject("device").transform;
            device.position = new Vector3(x, y, 0);
            return device;
        }

        [Test]
        public void Feet_stand_on_the_ground_that_is_under_each()
        {
            var server = new FakeServer();
            var (session, driver) = Scene(() => server.Connect());
            Play(() => session.Live.Plan.Shown > 3);
            var all = driver.GetComponentsInChildren<Transform>().ToDictionary(each => each.name);
            Transform left = all["left_ankle"], right = all["right_ankle"], knee = all["left_knee"], hips = all["pelvis"];
            Vector3 leftFlat = left.position, rightFlat = right.position, hipsFlat = hips.position;
            var (turn, ahead) = (left.rotation, hips.forward);
            var shin = Vector3.Distance(knee.position, left.position);
            try
            {
                Physics.Ground = (x, z) => x < rightFlat.x - 0.05f == leftFlat.x < rightFlat.x ? 0.1f : -0.15f;
                driver.uneven = new LayerMask { value = 1 };
                Play(() => false, 60);
            }
            finally
            {
                Physics.Ground = null;
            }
            Assert.AreEqual(rightFlat.y - 0.15, right.position.y, 2e-3);
            Assert.AreEqual(leftFlat.y + 0.1, left.position.y, 2e-3);
            Assert.AreEqual(hipsFlat.y - 0.15, hips.position.y, 2e-3, "the hips go with the lower foot");
            Assert.Less(Vector3.Distance(new Vector3(leftFlat.x, 0, leftFlat.z), new Vector3(left.position.x, 0, left.position.z)), 2e-3);
            Assert.AreEqual(shin, Vector3.Distance(knee.position, left.position), 1e-4);
            Assert.Greater(Vector3.Dot(knee.position - 0.5f * (left.position + all["left_hip"].position), ahead), 0.1, "the knee bends ahead");
            Assert.Less(Vector3.Distance(turn * Vector3.forward, left.rotation * Vector3.forward), 1e-4, "a foot keeps its turn");
        }

        [Test]
        public void Driving_four_partners_allocates_nothing()
        {
            var server = new FakeServer();
            var driven = Enumerable.Range(0, 4).Select(_ => Scene(() => server.Connect())).ToList();
            Play(() => driven.All(each => each.Item1.Live.Plan.Shown > 2));
            var poses = driven.Select(each => (each.Item1.Live, Bones: new HumanoidRest(each.Item2.animator), Pose: new BodyFrame())).ToList();
            var now = driven[0].Item1.SessionTime;
            void Once()
            {
                now += 0.001;
                foreach (var (live, rest, pose) in poses)
                {
                    live.Playhead.TrySample(now, pose);
                    rest.Rig.Drive(pose, live.Accepted.PartnerSkeleton);
                    PartnerDriver.Place(rest, driven[0].Item1.transform);
                }
            }
            Assert.AreEqual(0L, Allocated.Least(Once));
        }

        static (ContraposeSession, PartnerDriver) Scene(
            Func<ITransport> transport, string address = "ws://127.0.0.1:1", Action<ContraposeSession> begin = null)
        {
            Resources.Known["Contrapose/body"] = new TextAsset(System.IO.File.ReadAllBytes(Vectors.Path("body.bytes")));
            if (!Stubs.Player.IsPlaying) Stubs.Player.Enter();
            var owner = new GameObject("session");
            owner.SetActive(false);
            var session = owner.AddComponent<ContraposeSession>();
            session.address = address;
            session.TransportFactory = transport;
            var player = owner.AddComponent<RecordedPlayer>();
            player.recording = new TextAsset(System.IO.File.ReadAllBytes(Vectors.Path("player.bytes")));
            session.player = player;
            begin?.Invoke(session);
            owner.SetActive(true);
            var animator = OpenBody.Create("partner", new Material(null));
            animator.gameObject.SetActive(false);
            var driver = animator.gameObject.AddComponent<PartnerDriver>();
            driver.session = session;
            driver.animator = animator;
            animator.gameObject.SetActive(true);
            return (session, driver);
        }

        static void Play(Func<bool> isDone, int frames = 2000)
        {
            for (var frame = 0; frame < frames && !isDone(); frame++)
            {
                Stubs.Player.Frame(1 / 90f);
                System.Threading.Thread.Sleep(5);
            }
        }

        /// <summary>Ten fingers that are half bent.</summary>
        static readonly float[] Half = Enumerable.Repeat(0.5f, 10).ToArray();

        /// <summary>Answers as a server does, on the same thread: accepts, keeps a clock, sends standing plans.</summary>
        sealed class FakeServer
        {
            readonly List<Connection> open = new List<Connection>();

            public Closing Refusal;

            /// <summary>What the player is about, and is offered once; null: nothing is told.</summary>
            public string Asks;

            public int Connections, Poses;
            public readonly List<SessionControl> Controls = new List<SessionControl>();
            public readonly SessionHeader LastHeader = new SessionHeader();

            public bool IsClosed => open.All(each => each.IsDisposed);

            public ITransport Connect()
            {
                Connections++;
                var made = new Connection(this, Refusal);
                open.Add(made);
                return made;
            }

            public void Cut() => open.Last().Closing = new Closing(-1, "cut");

            sealed class Connection : ITransport
            {
                readonly FakeServer server;
                readonly Queue<byte[]> waiting = new Queue<byte[]>();
                readonly StreamInteractionRequest request = new StreamInteractionRequest();
                static readonly Stopwatch Clock = Stopwatch.StartNew();
                double began = -1;
                int sent;
                bool hasAsked;

                public Connection(FakeServer server, Closing refusal)
                {
                    this.server = server;
                    Closing = refusal;
                }

                public bool IsDisposed;

                public bool IsOpen => Closing == null;

                public Closing Closing { get; set; }

                public void Connect() { }

                public void CloseSending() { }

                public void Dispose() => IsDisposed = true;

                public bool Send(ReadOnlySpan<byte> message)
                {
                    request.ReadFrom(message);
                    switch (request.Part)
                    {
                        case StreamInteractionRequest.PartCase.Header:
                            server.LastHeader.ReadFrom(Bytes(request.Header));
                            Accept();
                            break;
                        case StreamInteractionRequest.PartCase.Pose:
                            server.Poses++;
                            if (began < 0) began = Clock.Elapsed.TotalSeconds;
                            break;
                        case StreamInteractionRequest.PartCase.Control:
                            var control = new SessionControl();
                            control.ReadFrom(Bytes(request.Control));
                            server.Controls.Add(control);
                            break;
                        case StreamInteractionRequest.PartCase.Ping:
                            Pong(request.Ping);
                            break;
                    }
                    return true;
                }

                public bool TryReceive(out ReadOnlyMemory<byte> message)
                {
                    if (Closing == null && began >= 0) Plan();
                    message = waiting.Count > 0 ? waiting.Dequeue() : default;
                    return message.Length > 0;
                }

                void Accept()
                {
                    var response = new StreamInteractionResponse();
                    var accepted = response.SetAccepted();
                    accepted.FrameRate = 10;
                    foreach (var (name, bytes) in Vectors.Blocks("skeleton.bin")) accepted.SetPartnerSkeleton().ReadFrom(bytes);
                    Answer(response);
                }

                void Pong(ClockPing ping)
                {
                    var response = new StreamInteractionResponse();
                    var pong = response.SetPong();
                    pong.PingId = ping.PingId;
                    pong.ClientTime = ping.ClientTime;
                    pong.SessionTime = began < 0 ? -1 : Clock.Elapsed.TotalSeconds - began;
                    Answer(response);
                }

                void Plan()
                {
                    var due = (int)((Clock.Elapsed.TotalSeconds - began) * 10) + 20;
                    if (sent >= due) return;
                    var response = new StreamInteractionResponse();
                    var chunk = response.SetFrames();
                    chunk.FirstFrameIndex = (ulong)sent;
                    var still = new float[88];
                    for (var i = 3; i < 88; i += 4) still[i] = 1;
                    for (; sent < due; sent++)
                    {
                        var frame = chunk.Frames.Add();
                        frame.SetPartner().Rotations.Set(still);
                        frame.Partner.Curls.Set(Half);
                        frame.Partner.RootTranslation.Set(new[] { 0f, 1.3f, 1f });
                    }
                    Answer(response);
                    var told = new StreamInteractionResponse();
                    var status = told.SetStatus();
                    status.ResumeToken.Set(new byte[] { (byte)'t', (byte)'o', (byte)'k', (byte)'e', (byte)'n' });
                    if (server.Asks != null) Ask(status.SetIntent());
                    Answer(told);
                }

                void Ask(Intent intent)
                {
                    intent.Kind = server.Asks;
                    intent.Phase = IntentPhase.Offered;
                    if (hasAsked) return;
                    hasAsked = true;
                    var response = new StreamInteractionResponse();
                    var asked = response.SetEvent();
                    asked.Kind = SessionEventKind.Offer;
                    var offer = asked.SetOffer();
                    offer.OfferId = 5;
                    offer.Kind = server.Asks;
                    Answer(response);
                }

                void Answer(IMessage message) => waiting.Enqueue(Bytes(message));

                static byte[] Bytes(IMessage message)
                {
                    var writer = new WireWriter();
                    message.WriteTo(writer);
                    return writer.Written.ToArray();
                }
            }
        }
    }
}
