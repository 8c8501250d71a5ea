using System;
using Contrapose.V1;

namespace Contrapose.Core
{
    /// <summary>Whether the partner answers what the player is about.</summary>
    public enum Responding
    {
        /// <summary>By itself.</summary>
        Always,

        /// <summary>When the offer is confirmed within a second.</summary>
        Ask,

        /// <summary>Never; the intent is told all the same.</summary>
        Never,
    }

    /// <summary>What the partner may answer: what is offered, a wave, a bow, a push, or a dance.</summary>
    [Flags]
    public enum AnsweredKinds
    {
        Nothing = 0,
        RightHand = 1,
        LeftHand = 2,
        BothHands = 4,
        HighFiveRight = 8,
        HighFiveLeft = 16,
        OpenArms = 32,
        Wave = 64,
        Bow = 128,
        HighFiveBoth = 256,
        Push = 512,
        Dance = 1024,
        Everything = -1,
    }

    /// <summary>Both as the wire has them.</summary>
    public static class Answers
    {
        static readonly string[] Names =
        {
            "right_hand", "left_hand", "both_hands", "high_five_right", "high_five_left", "open_arms", "wave", "bow",
            "high_five_both", "push", "dance",
        };

        /// <summary>Who may answer nothing never answers.</summary>
        public static Respond Respond(Responding responding, AnsweredKinds kinds)
        {
            if (kinds == AnsweredKinds.Nothing || responding == Responding.Never) return V1.Respond.Never;
            return responding == Responding.Ask ? V1.Respond.Ask : V1.Respond.Always;
        }

        /// <summary>Everything, and nothing, are no names.</summary>
        public static void Put(AnsweredKinds kinds, Kinds names)
        {
            if (kinds == AnsweredKinds.Everything) return;
            for (var i = 0; i < Names.Length; i++)
                if (((int)kinds & 1 << i) != 0) names.Names.Add(Names[i]);
        }
    }
}
