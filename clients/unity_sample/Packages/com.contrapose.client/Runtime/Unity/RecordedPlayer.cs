using System;
using Contrapose.Core;
using Contrapose.V1;
using UnityEngine;

namespace Contrapose.Unity
{
    /// <summary>The player is a recording: a .bytes file that Tools~/assets.py writes (91 floats a frame, 10 frames a
    /// second: 22 quaternions x, y, z, w and the translation, in the wire's axes).</summary>
    [AddComponentMenu("Contrapose/Player: Recording")]
    public sealed class RecordedPlayer : PlayerSource
    {
        const int Numbers = 91, FrameRate = 10;

        [Tooltip("The recording.")]
        public TextAsset recording;

        [Tooltip("Begins again at the end.")]
        public bool isLooping = true;

        float[] frames = Array.Empty<float>();
        double began;
        readonly BodyFrame from = new BodyFrame(), to = new BodyFrame(), pose = new BodyFrame();

        void OnEnable()
        {
            began = ContraposeSession.Now;
            var bytes = recording == null ? Array.Empty<byte>() : recording.bytes;
            if (bytes.Length % (4 * Numbers) != 0)
                throw new ArgumentException($"{recording.name}: {bytes.Length} bytes are no whole number of frames of {4 * Numbers}");
            frames = new float[bytes.Length / 4];
            Buffer.BlockCopy(bytes, 0, frames, 0, bytes.Length);
        }

        public override bool Fill(PlayerPose target, Transform origin)
        {
            var count = frames.Length / Numbers;
            if (count == 0) return false;
            var at = (ContraposeSession.Now - began) * FrameRate;
            var first = (int)at;
            if (!isLooping && first >= count - 1) first = count - 1;
            Read(first % count, from);
            Read(Math.Min(first % count + 1, count - 1), to);
            Blend.Linear(from, to, (float)(at - Math.Floor(at)), pose);
            var body = target.SetBody();
            body.Rotations.Set(pose.Rotations);
            body.RootTranslation.Set(pose.Translation);
            return true;
        }

        void Read(int frame, BodyFrame into)
        {
            Array.Copy(frames, frame * Numbers, into.Rotations, 0, into.Rotations.Length);
            Array.Copy(frames, frame * Numbers + into.Rotations.Length, into.Translation, 0, 3);
        }
    }
}
