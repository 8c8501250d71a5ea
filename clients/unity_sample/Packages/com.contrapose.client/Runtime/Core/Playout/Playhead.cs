using System;

namespace Contrapose.Core
{
    /// <summary>The partner at any moment, for displays that are quicker than the plan: between frames on a smooth
    /// curve, and without a jump when a revision changes frames that are in view.</summary>
    public sealed class Playhead
    {
        /// <summary>Seconds in which a pose that was on show passes into one that a revision put in its place.</summary>
        const double BlendSeconds = 0.15;

        readonly PlanBuffer plan;
        readonly BodyFrame before = new BodyFrame(), from = new BodyFrame(), to = new BodyFrame(), after = new BodyFrame();
        readonly BodyFrame last = new BodyFrame();
        readonly PoseOffset offset = new PoseOffset();
        bool hasShown;
        bool hasLast;
        bool wasMissing;
        long seenIndex = -1;
        uint seenRevision;
        double offsetSince = double.NegativeInfinity;

        public Playhead(PlanBuffer plan) => this.plan = plan;

        /// <summary>The newest frame that was shown; null before the first.</summary>
        public PlanFrame Shown { get; private set; }

        public void Reset()
        {
            hasShown = hasLast = wasMissing = false;
            Shown = null;
            seenIndex = -1;
            offsetSince = double.NegativeInfinity;
        }

        /// <summary>Sets the partner of a moment of the session's clock; moments must not go back. False as long
        /// as there is nothing to show.</summary>
        public bool TrySample(double sessionTime, BodyFrame partner)
        {
            Advance(sessionTime);
            if (!hasShown) return false;
            if (!plan.TryPeek(0, to)) to.Set(from);
            if (!plan.TryPeek(1, after)) after.Set(to);
            var part = (sessionTime - plan.Due(plan.NextIndex - 1)) * plan.FrameRate;
            Blend.Smooth(before, from, to, after, (float)Math.Min(Math.Max(part, 0), 1), partner);
            PassOver(sessionTime, partner);
            last.Set(partner);
            hasLast = true;
            return true;
        }

        void Advance(double sessionTime)
        {
            while (plan.HasBegun && plan.Due(plan.NextIndex) <= sessionTime)
            {
                var frame = plan.Show();
                if (frame == null) continue;
                before.Set(hasShown ? from : frame.Partner);
                from.Set(frame.Partner);
                hasShown = true;
                Shown = frame;
            }
        }

        /// <summary>When a revision has changed the frame that comes next, or one has come where there was none,
        /// what was on show is off the new curve: that offset is kept, and fades.</summary>
        void PassOver(double sessionTime, BodyFrame partner)
        {
            var next = plan.Find(plan.NextIndex);
            var revision = next == null ? seenRevision : next.Revision;
            var isRevised = seenIndex == plan.NextIndex && revision != seenRevision;
            var isBack = wasMissing && (next != null || seenIndex != plan.NextIndex);
            seenIndex = plan.NextIndex;
            seenRevision = revision;
            wasMissing = next == null;
            if ((isRevised || isBack) && hasLast)
            {
                offset.Between(partner, last);
                offsetSince = sessionTime;
            }
            var part = (sessionTime - offsetSince) / BlendSeconds;
            if (part < 1) offset.Apply(partner, (float)(1 - part * part * (3 - 2 * part)));
        }
    }
}
