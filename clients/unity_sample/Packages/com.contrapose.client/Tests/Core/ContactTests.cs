using System.Collections.Generic;
using Contrapose.Core;
using Contrapose.V1;
using NUnit.Framework;

namespace Contrapose.Tests
{
    public class ContactTests
    {
        const double FrameRate = 10, Delay = 0.2;

        readonly List<string> told = new List<string>();
        double now;

        [Test]
        public void A_touch_is_told_twice_before_it_begins_and_once_when_it_begins_and_ends()
        {
            var contacts = Listening();
            contacts.Replace(Planned((4, 20, 25)));
            Pass(contacts, 0, 300);
            Assert.AreEqual("coming 4 at 2.05, near 4 at 2.16, began 4 at 2.2, ended 4 at 2.8", string.Join(", ", told));
        }

        [Test]
        public void A_touch_that_a_later_plan_leaves_out_ends_if_it_had_begun_and_is_forgotten_if_not()
        {
            var contacts = Listening();
            contacts.Replace(Planned((4, 20, 40), (5, 24, 40)));
            Pass(contacts, 0, 230);
            contacts.Replace(Planned());
            Pass(contacts, 230, 500);
            Assert.AreEqual("coming 4 at 2.05, near 4 at 2.16, began 4 at 2.2, ended 4 at 2.31", string.Join(", ", told));
            Assert.AreEqual(0, contacts.Count);
        }

        [Test]
        public void A_touch_that_comes_too_late_to_be_told_ahead_is_told_in_order_all_the_same()
        {
            var contacts = Listening();
            Pass(contacts, 0, 230);
            contacts.Replace(Planned((4, 20, 22)));
            Pass(contacts, 230, 300);
            Assert.AreEqual("coming 4 at 2.31, near 4 at 2.31, began 4 at 2.31, ended 4 at 2.5", string.Join(", ", told));
        }

        [Test]
        public void A_touch_is_never_told_near_before_it_is_told_coming()
        {
            var contacts = Listening();
            contacts.LeadSeconds = 0.02;
            contacts.Replace(Planned((4, 20, 20)));
            Pass(contacts, 0, 300);
            Assert.AreEqual("coming 4 at 2.18, near 4 at 2.18, began 4 at 2.2, ended 4 at 2.3", string.Join(", ", told));
        }

        ContactSchedule Listening()
        {
            var contacts = new ContactSchedule { LeadSeconds = 0.15, NearSeconds = 0.04 };
            contacts.Coming += contact => told.Add($"coming {contact.Id} at {now}");
            contacts.Near += contact => told.Add($"near {contact.Id} at {now}");
            contacts.Began += contact => told.Add($"began {contact.Id} at {now}");
            contacts.Ended += contact => told.Add($"ended {contact.Id} at {now}");
            return contacts;
        }

        /// <summary>Each hundredth of a second of the session's clock; what is seen is a delay behind.</summary>
        void Pass(ContactSchedule contacts, int from, int to)
        {
            for (var step = from + 1; step <= to; step++)
            {
                now = step / 100.0;
                contacts.Update(now + 1e-9, FrameRate, Delay);
            }
        }

        static WireList<ContactEvent> Planned(params (ulong Id, ulong Start, ulong End)[] touches)
        {
            var chunk = new FrameChunk();
            foreach (var (id, start, end) in touches)
            {
                var planned = chunk.Contacts.Add();
                planned.ContactId = id;
                planned.StartFrameIndex = start;
                planned.EndFrameIndex = end;
            }
            return chunk.Contacts;
        }
    }
}
