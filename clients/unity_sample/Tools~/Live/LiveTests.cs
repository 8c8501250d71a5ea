// Against real servers: run by Tools~/csharp.py, which starts them and sets CONTRAPOSE_SERVER and the like.
// Not part of the package: Unity's Test Runner has no server.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Net.Http;
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

        static string Address(string name)
        {
            var address = Environment.GetEnvironmentVariable("CONTRAPOSE_" + name);
            if (string.IsNullOrEmpty(address)) Assert.Ignore("CONTRAPOSE_" + name + " is not set: Tools~/csharp.py test --live sets it");
            return address;
        }

        [TestCase("WEBSOCKET")]
        [TestCase("GRPC")]
        public void A_standing_player_gets_every_frame_in_time(string door)
        {
            var address = Address(door);
            using var session = new InteractionSession(() => Transports.Create(address, "", null, Http2));
            session.Header.ClientName = "csharp";
            session.Start(Now);
            var seconds = double.Parse(Environment.GetEnvironmentVariable("CONTRAPOSE_SECONDS") ?? "20");
            var pose = new BodyFrame();
            Play(session, pose, () => session.Plan.Shown >= 10 * seconds, seconds + 20);
            Assert.AreEqual(SessionPhase.Running, session.Phase, session.Trouble);
            Assert.GreaterOrEqual(session.Plan.Shown, 10 * seconds, session.Phase + " " + session.Trouble);
            Assert.AreEqual(0, session.Plan.Late);
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
            var address = Address("WEBSOCKET");
            using var session = new InteractionSession(() => Transports.Create(address));
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

        [Test]
        public void A_session_goes_on_at_another_server_when_its_own_is_killed()
        {
            var addresses = new[] { Address("FIRST"), Address("SECOND") };
            var marker = Address("KILL_FILE");
            var at = 0;
            using var session = new InteractionSession(() => Transports.Create(addresses[Math.Min(at++, 1)]));
            session.Start(Now);
            var pose = new BodyFrame();
            Play(session, pose, () => session.Plan.Shown >= 40, 40);
            Assert.AreEqual(SessionPhase.Running, session.Phase, session.Trouble);
            System.IO.File.WriteAllText(marker, "kill it now");
            var until = session.Plan.Shown + 80;
            var step = Play(session, pose, () => session.Plan.Shown >= until && session.Resumed == 1, 60);
            Assert.AreEqual(1, session.Resumed, session.Phase + " " + session.Trouble);
            Assert.Less(step, 0.05, "metres between two ticks");
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
        static HttpMessageHandler Http2() => new PriorKnowledge(new HttpClientHandler());

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
