// Against real servers: run by Tools~/csharp.py, which starts them and sets CONTRAPOSE_ONE and the like.
// Not part of the package: Unity's Test Runner has no server.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Net.Http;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Threading;
using Contrapose.Core;
using Contrapose.V1;
using NUnit.Framework;

namespace Contrapose.Tests
{
    public class LiveTests
    {
        static readonly Stopwatch Watch = Stopwatch.StartNew();

        static double Now => Watch.Elapsed.TotalSeconds;

        static string Setting(string name)
        {
            var value = Environment.GetEnvironmentVariable("CONTRAPOSE_" + name);
            if (string.IsNullOrEmpty(value)) Assert.Ignore("CONTRAPOSE_" + name + " is not set: Tools~/csharp.py test --live sets it");
            return value;
        }

        /// <summary>Has something done to a server, or a server started: see live_servers in csharp.py.</summary>
        static void Order(string what) => System.IO.File.WriteAllText(System.IO.Path.Combine(Setting("ORDERS"), what), "");

        static ITransport Door(string address, string token = "") => Door(address, token, Root(address, "ROOT"));

        static ITransport Door(string address, string token, X509Certificate2 root) =>
            Transports.Create(address, token, root, () => Http2(root));

        /// <summary>What signed the server's certificate; null: the address is not encrypted.</summary>
        static X509Certificate2 Root(string address, string which) =>
            new Uri(address).Scheme.EndsWith("s") ? new X509Certificate2(System.IO.File.ReadAllBytes(Setting(which))) : null;

        [TestCase("ONE")]
        [TestCase("ONE_GRPC")]
        public void A_standing_player_gets_every_frame_in_time(string door)
        {
            var address = Setting(door);
            using var session = new InteractionSession(() => Door(address));
            session.Header.ClientName = "csharp";
            session.Start(Now);
            var seconds = double.Parse(Environment.GetEnvironmentVariable("CONTRAPOSE_SECONDS") ?? "20");
            var pose = new BodyFrame();
            Play(session, pose, () => session.Plan.Shown >= 10 * seconds, seconds + 20);
            Assert.AreEqual(SessionPhase.Running, session.Phase, session.Trouble);
            Assert.GreaterOrEqual(session.Plan.Shown, 10 * seconds, session.Phase + " " + session.Trouble);
            Assert.AreEqual(0, session.Plan.Late);
            Assert.Greater(session.ReactionMs, 0);
            Assert.IsTrue(pose.HasCurls && pose.Curls.Max() > 0.1f, "no hand is straight for long");
            Assert.Greater(Math.Abs(pose.Translation[1]), 0.5, "the partner stands on the floor");
            session.End(Now);
            Until(session, () => session.Phase == SessionPhase.Ended, 10);
            Assert.AreEqual(SessionPhase.Ended, session.Phase);
            Assert.AreEqual(0, session.TroubleStatus, session.Trouble);
            Assert.Greater(session.Summary.FramesSent, 10 * seconds);
        }

        [Test]
        public void A_pose_that_is_none_is_refused_with_the_servers_words()
        {
            var address = Setting("ONE");
            using var session = new InteractionSession(() => Door(address));
            session.Start(Now);
            Until(session, () => session.Phase == SessionPhase.Running, 20);
            var pose = session.NextPose(Now).SetBody();
            pose.Rotations.Set(new float[88]);
            pose.RootTranslation.Set(new float[3]);
            session.SendPose();
            Until(session, () => session.Phase == SessionPhase.Refused, 10);
            Assert.AreEqual(SessionPhase.Refused, session.Phase);
            Assert.AreEqual(Statuses.InvalidArgument, session.TroubleStatus);
            Assert.IsTrue(session.Trouble.Contains("pose.body.rotations"), session.Trouble);
            Assert.AreEqual("BAD_POSE", session.Reason);
        }

        [TestCase("FIRST", "SECOND")]
        [TestCase("THIRD_GRPC", "SECOND_GRPC")]
        public void A_session_goes_on_at_another_server_when_its_own_is_killed(string own, string other)
        {
            using var session = Playing(own, other);
            Order(Name(own) + ".kill");
            GoesOn(session);
        }

        [Test]
        public void A_server_that_drains_says_so_and_another_goes_on()
        {
            using var session = Playing("FOURTH", "SECOND");
            var drains = "";
            session.EventArrived += told => drains += told.Kind == SessionEventKind.Draining ? told.Text : "";
            var troubles = Troubles(session);
            Order("fourth.stop");
            GoesOn(session);
            Assert.IsTrue(drains.Length > 0, "no event said that the server drains");
            Assert.IsTrue(troubles.Contains($"{Statuses.Unavailable} DRAINING the server is going away; try another"), string.Join(", ", troubles));
        }

        [TestCase("GUARDED")]
        [TestCase("GUARDED_GRPC")]
        public void A_wrong_token_is_refused_and_said(string door)
        {
            var address = Setting(door);
            foreach (var (token, says) in new[] { ("", "token"), ("guessed", "token") })
            {
                using var session = new InteractionSession(() => Door(address, token));
                session.Start(Now);
                Until(session, () => session.Phase == SessionPhase.Refused, 20);
                Assert.AreEqual(SessionPhase.Refused, session.Phase, session.Trouble);
                Assert.AreEqual(Statuses.Unauthenticated, session.TroubleStatus);
                Assert.IsTrue(session.Trouble.Contains(says), session.Trouble);
            }
        }

        [TestCase("GUARDED")]
        [TestCase("GUARDED_GRPC")]
        public void A_root_of_ones_own_is_trusted_and_no_other(string door)
        {
            var (address, token) = (Setting(door), Setting("TOKEN"));
            foreach (var root in new[] { null, Root(address, "OTHER_ROOT") })
            {
                using var stranger = new InteractionSession(() => Door(address, token, root));
                stranger.Start(Now);
                Until(stranger, () => stranger.Phase == SessionPhase.Waiting, 20);
                Assert.AreEqual(SessionPhase.Waiting, stranger.Phase);
                Assert.IsTrue(stranger.Trouble.Contains("certificate"), stranger.Trouble);
                var asked = Assert.Throws<AggregateException>(() => _ = ServerQuestion.AskAsync(Setting("GUARDED"), token, root).Result);
                Assert.IsTrue(asked.GetBaseException().Message.Contains("certificate"), asked.GetBaseException().Message);
            }
            using var known = new InteractionSession(() => Door(address, token));
            known.Start(Now);
            Until(known, () => known.Phase == SessionPhase.Running, 20);
            Assert.AreEqual(SessionPhase.Running, known.Phase, known.Trouble);
        }

        [TestCase("GUARDED")]
        [TestCase("GUARDED_GRPC")]
        public void A_full_server_is_asked_again_when_it_says_and_lets_in_when_there_is_room(string door)
        {
            var (address, token) = (Setting(door), Setting("TOKEN"));
            using var first = new InteractionSession(() => Door(address, token));
            first.Start(Now);
            Until(first, () => first.Phase == SessionPhase.Running, 20);
            Assert.AreEqual(SessionPhase.Running, first.Phase, first.Trouble);
            using var second = new InteractionSession(() => Door(address, token));
            second.Start(Now);
            Until(second, () => second.Phase == SessionPhase.Waiting, 20);
            Assert.AreEqual(SessionPhase.Waiting, second.Phase, second.Trouble);
            Assert.AreEqual(Statuses.ResourceExhausted, second.TroubleStatus);
            Assert.IsTrue(second.Trouble.Contains("session"), second.Trouble);
            Assert.Greater(second.RetryAt, Now);
            first.Dispose();
            Until(second, () => second.Phase == SessionPhase.Running, 30);
            Assert.AreEqual(SessionPhase.Running, second.Phase, second.Trouble);
        }

        [Test]
        public void A_server_that_loads_is_waited_for()
        {
            var address = Setting("LATE");
            Order("late.start");
            Assert.IsTrue(Listens(new Uri(address), 60), "the server does not begin");
            using var session = new InteractionSession(() => Door(address));
            var troubles = Troubles(session);
            session.Start(Now);
            Until(session, () => session.Phase == SessionPhase.Running, 60);
            Assert.AreEqual(SessionPhase.Running, session.Phase, session.Trouble);
            Assert.IsTrue(troubles.Contains($"{Statuses.Unavailable} NOT_READY the bundle is still loading; try again"), string.Join(", ", troubles));
            Assert.AreEqual("", session.Trouble);
        }

        [Test]
        public void What_a_server_knows_is_told_without_a_session()
        {
            var (address, token) = (Setting("GUARDED"), Setting("TOKEN"));
            var root = Root(address, "ROOT");
            var info = ServerQuestion.AskAsync(address, token, root).Result;
            Assert.AreEqual("starter", info.Bundle);
            Assert.Greater(info.Kinds.Count, 20);
            Assert.AreEqual(22, info.Skeleton.JointNames.Count);
            var refused = Assert.Throws<AggregateException>(() => _ = ServerQuestion.AskAsync(address, "", root).Result).GetBaseException();
            Assert.IsTrue(refused is InvalidOperationException && refused.Message.Contains("token"), refused.Message);
            var nobody = Assert.Throws<AggregateException>(() => _ = ServerQuestion.AskAsync("ws://127.0.0.1:9").Result).GetBaseException();
            Assert.IsFalse(nobody is InvalidOperationException, nobody.Message);
            var none = Assert.Throws<AggregateException>(() => _ = ServerQuestion.AskAsync("http://127.0.0.1:50051").Result).GetBaseException();
            Assert.IsTrue(none is ArgumentException && none.Message.Contains("ws://"), none.Message);
        }

        [TestCase(3)]
        [TestCase(6)]
        public void A_T_pose_is_understood_and_one_that_is_none_is_named(int devices)
        {
            var address = Setting("ONE");
            using var session = new InteractionSession(() => Door(address));
            StretchArms(session.Header, devices, 0.72f);
            session.Start(Now);
            Until(session, () => session.Phase == SessionPhase.Running, 20);
            Assert.AreEqual(SessionPhase.Running, session.Phase, session.Trouble);
            Assert.Greater(session.Accepted.PlayerSkeleton.Betas.Span.ToArray().Max(Math.Abs), 0.01, "a shape was measured");
            using var folded = new InteractionSession(() => Door(address));
            StretchArms(folded.Header, devices, 0.2f);
            folded.Start(Now);
            Until(folded, () => folded.Phase == SessionPhase.Refused, 20);
            Assert.AreEqual(SessionPhase.Refused, folded.Phase);
            Assert.IsTrue(folded.Trouble.Contains("stretch both arms out"), folded.Trouble);
        }

        /// <summary>Devices of one who stands in a T, in the wire's axes; hands are `reach` beside the middle.</summary>
        static void StretchArms(SessionHeader header, int devices, float reach)
        {
            var calibration = header.SetCalibration();
            calibration.Axes = DeviceAxes.Unity;
            var trackers = calibration.SetTPose().SetTrackers().Trackers;
            var places = new[]
            {
                (TrackerRole.Head, new[] { 0, 1.6f, 0.1f }),
                (TrackerRole.LeftHand, new[] { reach, 1.4f, 0 }),
                (TrackerRole.RightHand, new[] { -reach, 1.4f, 0 }),
                (TrackerRole.Hips, new[] { 0, 0.95f, 0.1f }),
                (TrackerRole.LeftFoot, new[] { 0.1f, 0.1f, 0.05f }),
                (TrackerRole.RightFoot, new[] { -0.1f, 0.1f, 0.05f }),
            };
            foreach (var (role, place) in places.Take(devices))
            {
                var tracker = trackers.Add();
                tracker.Role = role;
                tracker.Position.Set(place);
                tracker.Rotation.Set(new[] { 0, 0, 0, 1f });
            }
        }

        static string Name(string door) => door.Replace("_GRPC", "").ToLowerInvariant();

        /// <summary>A session that has played for four seconds at its own server, and knows another.</summary>
        static InteractionSession Playing(string own, string other)
        {
            var addresses = new[] { Setting(own), Setting(other) };
            var at = 0;
            var session = new InteractionSession(() => Door(addresses[Math.Min(at++, 1)]));
            session.Start(Now);
            Play(session, new BodyFrame(), () => session.Plan.Shown >= 40, 40);
            Assert.AreEqual(SessionPhase.Running, session.Phase, session.Trouble);
            return session;
        }

        static void GoesOn(InteractionSession session)
        {
            var until = session.Plan.Shown + 80;
            var step = Play(session, new BodyFrame(), () => session.Plan.Shown >= until && session.Resumed == 1, 60);
            Assert.AreEqual(1, session.Resumed, session.Phase + " " + session.Trouble);
            Assert.Less(step, 0.05, "metres between two ticks");
        }

        /// <summary>Status, reason and text of whatever goes wrong from now on.</summary>
        static List<string> Troubles(InteractionSession session)
        {
            var troubles = new List<string>();
            session.PhaseChanged += phase =>
            {
                if (phase == SessionPhase.Waiting) troubles.Add($"{session.TroubleStatus} {session.Reason} {session.Trouble}");
            };
            return troubles;
        }

        static bool Listens(Uri address, double atMost)
        {
            for (var ends = Now + atMost; Now < ends; Thread.Sleep(5))
                try
                {
                    using var client = new TcpClient(address.Host, address.Port);
                    return true;
                }
                catch (SocketException)
                {
                    // Not yet.
                }
            return false;
        }

        [Test]
        public void A_server_that_is_not_there_is_asked_again_and_said()
        {
            using var session = new InteractionSession(() => Transports.Create("ws://127.0.0.1:9"));
            session.Start(Now);
            Until(session, () => session.Phase == SessionPhase.Waiting, 10);
            Assert.AreEqual(SessionPhase.Waiting, session.Phase);
            Assert.AreEqual(-1, session.TroubleStatus);
            Assert.IsTrue(session.Trouble.Length > 0);
            Assert.Greater(session.RetryAt, Now - 5);
        }

        /// <summary>Plays at some 90 Hz with a standing player; the largest step of the partner's root.</summary>
        static double Play(InteractionSession session, BodyFrame partner, Func<bool> isDone, double atMost)
        {
            var ends = Now + atMost;
            var nextPose = 0.0;
            double step = 0;
            var last = new float[3];
            var hasLast = false;
            while (!isDone() && Now < ends)
            {
                session.Update(Now);
                if (Now >= nextPose && session.NextPose(Now) is PlayerPose pose)
                {
                    Stand(pose.SetBody());
                    session.SendPose();
                    nextPose = Now + 0.1;
                }
                if (session.Clock.HasBegun && session.Playhead.TrySample(session.Clock.SessionTime(Now), partner))
                {
                    for (var i = 0; i < 3 && hasLast; i++) step = Math.Max(step, Math.Abs(partner.Translation[i] - last[i]));
                    partner.Translation.CopyTo(last, 0);
                    hasLast = true;
                }
                if (session.Phase == SessionPhase.Refused || session.Phase == SessionPhase.Ended) return step;
                Thread.Sleep(11);
            }
            return step;
        }

        static void Until(InteractionSession session, Func<bool> isDone, double atMost)
        {
            for (var ends = Now + atMost; !isDone() && Now < ends; Thread.Sleep(5)) session.Update(Now);
        }

        static void Stand(BodyPose pose)
        {
            var rotations = new float[88];
            for (var i = 3; i < 88; i += 4) rotations[i] = 1;
            pose.Rotations.Set(rotations);
            pose.RootTranslation.Set(new[] { 0f, 1.3f, 0f });
        }

        /// <summary>HTTP/2 without TLS, which has to be known beforehand; .NET 5 has a property for that, which the
        /// references do not know.</summary>
        static HttpMessageHandler Http2(X509Certificate2 root)
        {
            var inner = new HttpClientHandler();
            if (root != null) inner.ServerCertificateCustomValidationCallback = PrivateRoot.Callback(root).Invoke;
            return new PriorKnowledge(inner);
        }

        sealed class PriorKnowledge : DelegatingHandler
        {
            public PriorKnowledge(HttpMessageHandler inner) : base(inner) { }

            protected override System.Threading.Tasks.Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken stop)
            {
                var policy = typeof(HttpRequestMessage).GetProperty("VersionPolicy");
                policy.SetValue(request, Enum.ToObject(policy.PropertyType, 2)); // RequestVersionExact
                return base.SendAsync(request, stop);
            }
        }
    }
}
