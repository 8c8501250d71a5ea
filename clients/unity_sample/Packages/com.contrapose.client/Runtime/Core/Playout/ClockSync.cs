using System;

namespace Contrapose.Core
{
    /// <summary>Estimates the session's clock from pings, by NTP's rule: of the newest samples the one with the
    /// shortest round trip counts, because its error is at most half of that round trip. All times in seconds.</summary>
    public sealed class ClockSync
    {
        const int Samples = 16;

        readonly double[] roundTrips = new double[Samples];
        readonly double[] offsets = new double[Samples];
        int count;
        int next;
        double guess;

        /// <summary>Whether the first pose has left, with which the session's clock begins.</summary>
        public bool HasBegun { get; private set; }

        /// <summary>Whether the server has said what its clock shows; before, it is a guess.</summary>
        public bool IsTold => count > 0;

        /// <summary>Session time = local time + offset.</summary>
        public double Offset
        {
            get
            {
                if (!HasBegun) throw new InvalidOperationException("the session's clock begins with the first pose; send one");
                if (count == 0) return guess;
                var best = 0;
                for (var i = 1; i < count; i++)
                    if (roundTrips[i] < roundTrips[best]) best = i;
                return offsets[best];
            }
        }

        /// <summary>Shortest round trip of the newest samples; 0 before the first.</summary>
        public double RoundTrip
        {
            get
            {
                var least = count == 0 ? 0 : double.MaxValue;
                for (var i = 0; i < count; i++) least = Math.Min(least, roundTrips[i]);
                return least;
            }
        }

        /// <summary>The first pose leaves now: until a pong says better, this is where the session begins.</summary>
        public void Begin(double now)
        {
            HasBegun = true;
            guess = -now;
        }

        /// <summary>Another server tells the time from now on: until it does, the old time is a guess.</summary>
        public void CarryOn()
        {
            if (HasBegun) guess = Offset;
            count = next = 0;
        }

        /// <summary>Everything as it was at first.</summary>
        public void Reset()
        {
            HasBegun = false;
            count = next = 0;
        }

        public void Add(double sent, double received, double sessionTime)
        {
            roundTrips[next] = received - sent;
            offsets[next] = sessionTime - (sent + received) / 2;
            next = (next + 1) % Samples;
            count = Math.Min(count + 1, Samples);
        }

        public double SessionTime(double now) => now + Offset;

        public double LocalTime(double sessionTime) => sessionTime - Offset;
    }
}
