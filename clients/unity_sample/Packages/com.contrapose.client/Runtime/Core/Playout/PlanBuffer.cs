using System;
using Contrapose.V1;

namespace Contrapose.Core
{
    /// <summary>Plan frames by index; a later revision overwrites what has not been shown. When there is nothing
    /// to show, the last pose is held, and eased out of when frames come again. The rules are those of the Python
    /// client's playout; the tests compare both. Times are seconds on the session's clock.</summary>
    public sealed class PlanBuffer
    {
        /// <summary>Frames in which a partner comes back to the plan, after it had run out.</summary>
        public const int EaseFrames = 5;

        /// <summary>Frames ahead that fit; a plan reaches 100 at most.</summary>
        const int Room = 128;

        readonly PlanFrame[] frames = new PlanFrame[Room];
        readonly bool[] isHere = new bool[Room];
        readonly PlanFrame shown = new PlanFrame();
        readonly PlanFrame easesFrom = new PlanFrame();
        bool hasShown;
        bool isEasing;
        int eased;

        public PlanBuffer()
        {
            for (var i = 0; i < Room; i++) frames[i] = new PlanFrame();
        }

        /// <summary>Seconds behind the session's clock at which frames are shown.</summary>
        public double PlayoutDelay { get; set; }

        public double FrameRate { get; set; } = 10;

        public bool HasBegun { get; private set; }

        /// <summary>The frame that is shown next.</summary>
        public long NextIndex { get; private set; }

        public int Shown { get; private set; }

        /// <summary>Frames that were not there when their time came.</summary>
        public int Late { get; private set; }

        /// <summary>Frames that a later revision replaced before they were shown.</summary>
        public int Overwritten { get; private set; }

        /// <summary>Revision of the newest frame that came.</summary>
        public uint Revision { get; private set; }

        /// <summary>Frames that are here and not yet shown, up to the first gap.</summary>
        public int Ahead
        {
            get
            {
                var ahead = 0;
                while (ahead < Room && Find(NextIndex + ahead) != null) ahead++;
                return ahead;
            }
        }

        /// <summary>Whether any frame waits to be shown.</summary>
        public bool HasFrames => Array.IndexOf(isHere, true) >= 0;

        /// <summary>A session from nothing.</summary>
        public void Reset()
        {
            Array.Clear(isHere, 0, Room);
            HasBegun = hasShown = isEasing = false;
            NextIndex = 0;
            Shown = Late = Overwritten = 0;
            Revision = 0;
        }

        /// <summary>The next frames may not continue the shown ones: ease into them in EaseFrames frames.</summary>
        public void EaseIn()
        {
            isEasing = hasShown;
            if (hasShown) easesFrom.Set(shown);
            eased = 0;
        }

        /// <summary>Takes a chunk that arrives now; frames already shown and older revisions are ignored.</summary>
        public void Accept(FrameChunk chunk, double sessionTime)
        {
            Revision = Math.Max(Revision, chunk.Revision);
            for (var offset = 0; offset < chunk.Frames.Count; offset++)
            {
                var index = (long)chunk.FirstFrameIndex + offset;
                if (index < NextIndex || (HasBegun && index >= NextIndex + Room)) continue;
                var known = Find(index);
                if (known != null && known.Revision > chunk.Revision) continue;
                Take(chunk.Frames[offset], chunk.Revision, index, known, sessionTime);
            }
        }

        void Take(Frame frame, uint revision, long index, PlanFrame known, double sessionTime)
        {
            var slot = frames[index % Room];
            if (!slot.Partner.TrySet(frame.Partner)) return;
            slot.Player.TrySet(frame.Player);
            if (known != null) Overwritten++;
            else slot.Arrived = sessionTime;
            slot.Index = index;
            slot.Quality = frame.Quality;
            slot.Revision = revision;
            slot.Window = frame.Window;
            slot.IsLate = false;
            isHere[index % Room] = true;
        }

        /// <summary>Begins to show now; frames that were due before anything came are left out. All frames that
        /// are here arrived by now, whatever the clock was guessed to be when they did.</summary>
        public void Begin(double sessionTime)
        {
            HasBegun = true;
            NextIndex = Math.Max((long)Math.Ceiling((sessionTime - PlayoutDelay) * FrameRate), 0);
            for (var i = 0; i < Room; i++)
            {
                isHere[i] &= frames[i].Index >= NextIndex;
                frames[i].Arrived = Math.Min(frames[i].Arrived, sessionTime);
            }
        }

        /// <summary>Session time at which a frame is to be shown.</summary>
        public double Due(long index) => index / FrameRate + PlayoutDelay;

        /// <summary>A frame that is here; null if it is not.</summary>
        public PlanFrame Find(long index)
        {
            var at = (int)(index % Room);
            return index >= 0 && isHere[at] && frames[at].Index == index ? frames[at] : null;
        }

        /// <summary>The next frame, which is due now; a late one shows the last pose again. Null when nothing has
        /// ever come. Valid until the next call.</summary>
        public PlanFrame Show()
        {
            var index = NextIndex++;
            Shown++;
            var planned = Find(index);
            if (planned != null) isHere[index % Room] = false;
            if (planned != null && planned.Arrived <= Due(index))
            {
                Ease(planned);
                hasShown = true;
                return shown;
            }
            Late++;
            if (planned == null) EaseIn();
            else Ease(planned);
            hasShown |= planned != null;
            if (!hasShown) return null;
            shown.Index = index;
            shown.Quality = FrameQuality.Held;
            shown.IsLate = true;
            return shown;
        }

        /// <summary>A frame that is to come, as it will be shown: NextIndex + ahead; false if it is not here.</summary>
        public bool TryPeek(int ahead, BodyFrame partner)
        {
            var planned = Find(NextIndex + ahead);
            if (planned == null) return false;
            Eased(planned, ahead + 1, partner);
            return true;
        }

        void Ease(PlanFrame planned)
        {
            shown.Set(planned);
            Eased(planned, 1, shown.Partner);
            if (isEasing) isEasing = ++eased < EaseFrames;
        }

        /// <summary>Between the held pose and the plan, if the plan has only just come back.</summary>
        void Eased(PlanFrame planned, int later, BodyFrame result)
        {
            if (!isEasing || eased + later > EaseFrames)
            {
                result.Set(planned.Partner);
                return;
            }
            var part = (float)(eased + later) / (EaseFrames + 1);
            Blend.Linear(easesFrom.Partner, planned.Partner, part * part * (3 - 2 * part), result);
        }
    }
}
