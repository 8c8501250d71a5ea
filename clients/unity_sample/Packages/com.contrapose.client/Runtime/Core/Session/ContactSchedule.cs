using System;
using System.Collections.Generic;
using Contrapose.V1;

namespace Contrapose.Core
{
    /// <summary>A touch that is planned, in the wire's axes.</summary>
    public struct Contact
    {
        public ulong Id;
        public int PlayerJoint, PartnerJoint;

        /// <summary>First and last frame on the session's clock.</summary>
        public long Start, End;

        /// <summary>Metres a second at which the skins come together.</summary>
        public float ClosingSpeed;

        /// <summary>World position between the skins, metres.</summary>
        public Point Point;
    }

    /// <summary>The touches of the newest plan, told ahead of time: each twice before it begins (in time for an
    /// animation, and for a motor), once when it begins and once when it ends. A touch that a later plan leaves out
    /// ends, if it had begun, and is forgotten, if it had not.</summary>
    public sealed class ContactSchedule
    {
        enum Told { Nothing, Ahead, Near, Begun }

        struct Entry
        {
            public Contact Contact;
            public Told Told;
            public bool IsPlanned;
        }

        readonly List<Entry> entries = new List<Entry>();

        /// <summary>Seconds before its beginning at which a touch is told.</summary>
        public double LeadSeconds { get; set; } = 0.15;

        /// <summary>Seconds before its beginning at which it is told again; never before the first time.</summary>
        public double NearSeconds { get; set; } = 0.05;

        public event Action<Contact> Coming;
        public event Action<Contact> Near;
        public event Action<Contact> Began;
        public event Action<Contact> Ended;

        public int Count => entries.Count;

        public Contact this[int index] => entries[index].Contact;

        public void Clear() => entries.Clear();

        /// <summary>All touches of a new plan, in place of those of the one before.</summary>
        public void Replace(WireList<ContactEvent> planned)
        {
            for (var i = 0; i < entries.Count; i++) Mark(i, false);
            for (var i = 0; i < planned.Count; i++) Put(planned[i]);
            for (var i = entries.Count - 1; i >= 0; i--)
                if (!entries[i].IsPlanned && entries[i].Told != Told.Begun) entries.RemoveAt(i);
        }

        /// <summary>Tells what is due at a moment of the session's clock, as it is seen: playout delay included.</summary>
        public void Update(double sessionTime, double frameRate, double playoutDelay)
        {
            var seen = sessionTime - playoutDelay;
            for (var i = entries.Count - 1; i >= 0; i--)
            {
                var entry = entries[i];
                var left = entry.Contact.Start / frameRate - seen;
                if (!entry.IsPlanned || seen >= (entry.Contact.End + 1) / frameRate)
                {
                    entries.RemoveAt(i);
                    if (entry.Told == Told.Begun) Ended?.Invoke(entry.Contact);
                    continue;
                }
                if (left <= LeadSeconds) Tell(i, Told.Ahead, Coming);
                if (left <= NearSeconds) Tell(i, Told.Near, Near);
                if (left <= 0) Tell(i, Told.Begun, Began);
            }
        }

        /// <summary>Once, and after all that comes before it.</summary>
        void Tell(int at, Told what, Action<Contact> said)
        {
            var entry = entries[at];
            if (entry.Told != what - 1) return;
            entry.Told = what;
            entries[at] = entry;
            said?.Invoke(entry.Contact);
        }

        void Mark(int at, bool isPlanned)
        {
            var entry = entries[at];
            entry.IsPlanned = isPlanned;
            entries[at] = entry;
        }

        void Put(ContactEvent planned)
        {
            var at = entries.Count;
            for (var i = 0; i < entries.Count; i++)
                if (entries[i].Contact.Id == planned.ContactId) at = i;
            if (at == entries.Count) entries.Add(new Entry());
            var entry = entries[at];
            entry.IsPlanned = true;
            entry.Contact.Id = planned.ContactId;
            entry.Contact.PlayerJoint = (int)planned.PlayerJoint;
            entry.Contact.PartnerJoint = (int)planned.PartnerJoint;
            entry.Contact.Start = (long)planned.StartFrameIndex;
            entry.Contact.End = (long)planned.EndFrameIndex;
            entry.Contact.ClosingSpeed = planned.ClosingSpeed;
            if (planned.Point.Count == 3)
                entry.Contact.Point = new Point(planned.Point[0], planned.Point[1], planned.Point[2]);
            entries[at] = entry;
        }
    }
}
