using System;
using System.Globalization;
using System.Linq;
using Contrapose.Core;
using Contrapose.V1;
using NUnit.Framework;

namespace Contrapose.Tests
{
    public class PlayoutTests
    {
        /// <summary>Of a pose: rotations, translation, curls.</summary>
        const int Numbers = 101;

        [Test]
        public void The_clock_is_the_one_that_Python_keeps()
        {
            var clock = new ClockSync();
            foreach (var words in Vectors.Lines("clock.txt"))
            {
                var n = words.Skip(1).Select(Number).ToArray();
                if (words[0] == "begin")
                {
                    clock.Reset();
                    clock.Begin(n[0]);
                }
                else if (words[0] == "carry") clock.CarryOn();
                else clock.Add(n[0], n[1], n[2]);
                Assert.AreEqual(n[n.Length - 1], clock.Offset, 1e-9);
            }
        }

        [Test]
        public void Every_frame_is_shown_that_Python_shows()
        {
            PlanBuffer plan = null;
            var chunk = new FrameChunk();
            int shown = 0, late = 0;
            foreach (var words in Vectors.Lines("playout.txt"))
                switch (words[0])
                {
                    case "new":
                        plan = new PlanBuffer { PlayoutDelay = Number(words[1]) };
                        break;
                    case "accept":
                        chunk.ReadFrom(Convert.FromBase64String(words[2]));
                        plan.Accept(chunk, Number(words[1]));
                        break;
                    case "begin":
                        plan.Begin(Number(words[1]));
                        break;
                    case "ease":
                        plan.EaseIn();
                        break;
                    default:
                        Compare(words, plan.Show());
                        shown++;
                        late = Math.Max(late, plan.Late);
                        break;
                }
            Assert.Greater(shown, 500);
            Assert.Greater(late, 5);
        }

        static void Compare(string[] words, PlanFrame frame)
        {
            if (words[1] == "none")
            {
                Assert.IsNull(frame);
                return;
            }
            Assert.AreEqual(long.Parse(words[1]), frame.Index);
            Assert.AreEqual(words[2] == "1", frame.IsLate, "late " + frame.Index);
            Assert.AreEqual(words[3], frame.Quality.ToString(), "quality " + frame.Index);
            Compare(words.Skip(4).Select(Number).ToArray(), frame.Partner);
        }

        static void Compare(double[] expected, BodyFrame pose)
        {
            Assert.AreEqual(Numbers, expected.Length);
            Assert.IsTrue(pose.HasCurls);
            for (var i = 0; i < 88; i++) Assert.AreEqual(expected[i], pose.Rotations[i], 1e-5, "rotation " + i);
            for (var i = 0; i < 3; i++) Assert.AreEqual(expected[88 + i], pose.Translation[i], 1e-5, "translation " + i);
            for (var i = 0; i < 10; i++) Assert.AreEqual(expected[91 + i], pose.Curls[i], 1e-5, "curl " + i);
        }

        [Test]
        public void Between_frames_poses_lie_on_the_curve_that_numpy_draws()
        {
            foreach (var words in Vectors.Lines("curves.txt"))
            {
                var n = words.Select(Number).ToArray();
                var poses = Enumerable.Range(0, 4).Select(at => Pose(n, 1 + Numbers * at)).ToArray();
                var made = new BodyFrame();
                Blend.Smooth(poses[0], poses[1], poses[2], poses[3], (float)n[0], made);
                Compare(n.Skip(1 + 4 * Numbers).ToArray(), made);
            }
        }

        static BodyFrame Pose(double[] numbers, int at)
        {
            var pose = new BodyFrame { HasCurls = true };
            for (var i = 0; i < 88; i++) pose.Rotations[i] = (float)numbers[at + i];
            for (var i = 0; i < 3; i++) pose.Translation[i] = (float)numbers[at + 88 + i];
            for (var i = 0; i < 10; i++) pose.Curls[i] = (float)numbers[at + 91 + i];
            return pose;
        }

        [Test]
        public void The_playhead_meets_each_frame_and_never_jumps()
        {
            var plan = new PlanBuffer();
            plan.Accept(Walking(0, 40, 0, 0), 0);
            plan.Begin(0);
            var playhead = new Playhead(plan);
            var pose = new BodyFrame();
            var last = 0f;
            for (var tick = 0; tick < 270; tick++)
            {
                var now = tick / 90.0;
                if (tick == 100) plan.Accept(Walking(11, 30, 1, 0.02f), now); // a revision, 2 cm off
                Assert.IsTrue(playhead.TrySample(now, pose));
                if (tick % 9 == 0 && tick < 100) Assert.AreEqual(tick / 90.0, pose.Translation[0], 1e-5);
                if (tick > 0) Assert.Less(Math.Abs(pose.Translation[0] - last), 0.02, "tick " + tick);
                last = pose.Translation[0];
            }
            Assert.AreEqual(269 / 90.0 + 0.02, last, 1e-4);
        }

        [Test]
        public void A_stream_that_stops_holds_the_last_pose_and_is_eased_into_again()
        {
            var plan = new PlanBuffer();
            plan.Accept(Walking(0, 10, 0, 0), 0);
            plan.Begin(0);
            var playhead = new Playhead(plan);
            var pose = new BodyFrame();
            var last = 0f;
            for (var tick = 0; tick < 360; tick++)
            {
                var now = tick / 90.0;
                if (tick == 180) plan.Accept(Walking(20, 60, 0, 0), now);
                playhead.TrySample(now, pose);
                if (tick > 0) Assert.Less(Math.Abs(pose.Translation[0] - last), 0.06, "tick " + tick);
                last = pose.Translation[0];
            }
            Assert.AreEqual(359 / 90.0, last, 1e-4);
            Assert.AreEqual(10, plan.Late);
        }

        [Test]
        public void Fingers_of_which_a_server_says_nothing_are_not_known()
        {
            var plan = new PlanBuffer();
            plan.Accept(Walking(0, 20, 0, 0), 0);
            plan.Begin(0);
            var pose = new BodyFrame { HasCurls = true };
            Assert.IsTrue(new Playhead(plan).TrySample(0.55, pose));
            Assert.IsFalse(pose.HasCurls);
        }

        [Test]
        public void Sampling_allocates_nothing()
        {
            var plan = new PlanBuffer();
            plan.Accept(Walking(0, 100, 0, 0), 0);
            plan.Begin(0);
            var playhead = new Playhead(plan);
            var pose = new BodyFrame();
            var tick = 0;
            Assert.AreEqual(0L, Allocated.Least(() => playhead.TrySample(tick++ / 200.0, pose)));
        }

        /// <summary>A metre a second along X.</summary>
        static FrameChunk Walking(int first, int count, uint revision, float off)
        {
            var chunk = new FrameChunk { FirstFrameIndex = (ulong)first, Revision = revision };
            var still = new float[88];
            for (var i = 3; i < 88; i += 4) still[i] = 1;
            for (var i = first; i < first + count; i++)
            {
                var frame = chunk.Frames.Add();
                frame.SetPartner().Rotations.Set(still);
                frame.Partner.RootTranslation.Set(new[] { i / 10f + off, 0, 0 });
            }
            return chunk;
        }

        static double Number(string word) => double.Parse(word, CultureInfo.InvariantCulture);
    }
}
