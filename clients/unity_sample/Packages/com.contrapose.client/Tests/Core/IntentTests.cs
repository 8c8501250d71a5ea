using System;
using System.Collections.Generic;
using System.Linq;
using Contrapose.Core;
using Contrapose.V1;
using NUnit.Framework;

namespace Contrapose.Tests
{
    public class IntentTests
    {
        [Test]
        public void The_intent_is_told_when_it_changes_and_not_with_every_status()
        {
            var line = new Line();
            var session = Running(line);
            var told = new List<string>();
            session.IntentChanged += intent => told.Add(intent.Kind + " " + intent.Phase);
            line.Say(Told("nothing", IntentPhase.Unspecified));
            line.Say(Told("nothing", IntentPhase.Unspecified));
            line.Say(Told("right_hand", IntentPhase.Offered));
            line.Say(Untold());
            line.Say(Told("right_hand", IntentPhase.Offered));
            line.Say(Told("right_hand", IntentPhase.Coming));
            session.Update(0.1);
            Assert.AreEqual("nothing Unspecified, right_hand Offered, right_hand Offered, right_hand Coming", string.Join(", ", told));
            Assert.AreEqual(0.75f, session.Status.Intent.Probabilities[1]);
        }

        [Test]
        public void An_offer_is_told_and_confirmed_by_its_number()
        {
            var line = new Line();
            var session = Running(line);
            session.Offered += offer => session.Confirm(offer.OfferId);
            var response = new StreamInteractionResponse();
            var asked = response.SetEvent();
            asked.Kind = SessionEventKind.Offer;
            var put = asked.SetOffer();
            put.OfferId = 7;
            put.Kind = "wave";
            put.UntilFrameIndex = 40;
            line.Say(response);
            session.Update(0.1);
            Assert.AreEqual(7UL, line.Controls().Single().Confirm);
        }

        [Test]
        public void A_session_that_begins_anew_responds_as_it_was_last_told_to()
        {
            var line = new Line();
            var session = Running(line);
            var control = session.NextControl();
            control.Respond = Answers.Respond(Responding.Ask, AnsweredKinds.Bow);
            Answers.Put(AnsweredKinds.Bow, control.SetKinds());
            session.SendControl();
            line.Closing = new Closing(-1, "cut");
            session.Update(0.2);
            Assert.AreEqual(SessionPhase.Waiting, session.Phase);
            line.Closing = null;
            session.Update(session.RetryAt);
            session.Update(session.RetryAt + 0.1);
            var header = line.Sent.Last(each => each.Part == StreamInteractionRequest.PartCase.Header).Header;
            Assert.AreEqual(Respond.Ask, header.Respond);
            Assert.AreEqual("bow", header.Kinds.Names[0]);
            Assert.AreEqual(1, header.Kinds.Names.Count);
        }

        [TestCase(Responding.Always, AnsweredKinds.Everything, Respond.Always, "")]
        [TestCase(Responding.Ask, AnsweredKinds.RightHand | AnsweredKinds.Wave, Respond.Ask, "right_hand wave")]
        [TestCase(Responding.Never, AnsweredKinds.Bow, Respond.Never, "bow")]
        [TestCase(Responding.Always, AnsweredKinds.Nothing, Respond.Never, "")]
        public void Settings_are_words_of_the_wire(Responding responding, AnsweredKinds kinds, Respond respond, string names)
        {
            var put = new Kinds();
            Answers.Put(kinds, put);
            Assert.AreEqual(respond, Answers.Respond(responding, kinds));
            Assert.AreEqual(names, string.Join(" ", Enumerable.Range(0, put.Names.Count).Select(i => put.Names[i])));
        }

        [Test]
        public void Each_kind_has_a_name_of_its_own()
        {
            var names = new HashSet<string>();
            var kinds = ((AnsweredKinds[])Enum.GetValues(typeof(AnsweredKinds))).Where(kind => kind > 0).ToList();
            foreach (var kind in kinds)
            {
                var put = new Kinds();
                Answers.Put(kind, put);
                Assert.AreEqual(1, put.Names.Count, kind.ToString());
                Assert.AreEqual(kind.ToString().ToLowerInvariant(), put.Names[0].Replace("_", ""));
                names.Add(put.Names[0]);
            }
            Assert.AreEqual(kinds.Count, names.Count);
        }

        [Test]
        public void Reading_statuses_again_and_again_allocates_nothing()
        {
            var writer = new WireWriter();
            Told("right_hand", IntentPhase.Met).WriteTo(writer);
            var bytes = writer.Written.ToArray();
            var response = new StreamInteractionResponse();
            Assert.AreEqual(0L, Allocated.Least(() => response.ReadFrom(bytes)));
        }

        static StreamInteractionResponse Told(string kind, IntentPhase phase)
        {
            var response = new StreamInteractionResponse();
            var intent = response.SetStatus().SetIntent();
            intent.Kind = kind;
            intent.Phase = phase;
            intent.Kinds.Add("nothing");
            intent.Kinds.Add("right_hand");
            intent.Probabilities.Set(new[] { 0.25f, 0.75f });
            return response;
        }

        /// <summary>A status without an intent.</summary>
        static StreamInteractionResponse Untold()
        {
            var response = new StreamInteractionResponse();
            response.SetStatus();
            return response;
        }

        static InteractionSession Running(Line line)
        {
            var session = new InteractionSession(() => line);
            session.Start(0);
            var response = new StreamInteractionResponse();
            response.SetAccepted().FrameRate = 10;
            session.Update(0);
            line.Say(response);
            session.Update(0.05);
            Assert.AreEqual(SessionPhase.Running, session.Phase);
            return session;
        }

        /// <summary>A connection whose other end is the test.</summary>
        sealed class Line : ITransport
        {
            readonly Queue<byte[]> waiting = new Queue<byte[]>();

            public readonly List<StreamInteractionRequest> Sent = new List<StreamInteractionRequest>();

            public Closing Closing { get; set; }

            public bool IsOpen => Closing == null;

            public void Say(IMessage message)
            {
                var writer = new WireWriter();
                message.WriteTo(writer);
                waiting.Enqueue(writer.Written.ToArray());
            }

            public IEnumerable<SessionControl> Controls() =>
                Sent.Where(each => each.Part == StreamInteractionRequest.PartCase.Control).Select(each => each.Control);

            public void Connect() { }

            public void CloseSending() { }

            public void Dispose() { }

            public bool Send(ReadOnlySpan<byte> message)
            {
                var request = new StreamInteractionRequest();
                request.ReadFrom(message);
                Sent.Add(request);
                return true;
            }

            public bool TryReceive(out ReadOnlyMemory<byte> message)
            {
                message = waiting.Count > 0 ? waiting.Dequeue() : default;
                return message.Length > 0;
            }
        }
    }
}
