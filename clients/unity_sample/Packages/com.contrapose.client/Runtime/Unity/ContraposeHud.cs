using System.Text;
using Contrapose.Core;
using UnityEngine;

namespace Contrapose.Unity
{
    /// <summary>How the session goes, in a corner of the screen.</summary>
    [AddComponentMenu("Contrapose/HUD")]
    public sealed class ContraposeHud : MonoBehaviour
    {
        [Tooltip("The session to tell of.")]
        public ContraposeSession session;

        readonly StringBuilder text = new StringBuilder();
        float nextText;
        string shown = "";

        void OnGUI()
        {
            if (session == null || session.Live == null) return;
            if (Time.unscaledTime >= nextText)
            {
                nextText = Time.unscaledTime + 0.5f;
                shown = Written(session.Live);
            }
            GUI.Label(new Rect(12, 12, 640, 120), shown);
        }

        string Written(InteractionSession live)
        {
            text.Clear();
            text.Append(live.Phase);
            if (live.Phase == SessionPhase.Waiting)
                text.Append($": {live.Trouble}, again in {Mathf.Max(0, (float)(live.RetryAt - ContraposeSession.Now)):0} s");
            else if (live.Trouble.Length > 0)
                text.Append(": ").Append(live.Trouble);
            text.Append($"\nframes {live.Plan.Shown}, late {live.Plan.Late}, ahead {live.Plan.Ahead}");
            if (live.Status.HasIntent) text.Append($"\nplayer: {live.Status.Intent.Kind} ({live.Status.Intent.Phase})");
            text.Append($"\nrevision {live.Plan.Revision}, reaction {live.ReactionMs:0} ms, round trip {1000 * live.Clock.RoundTrip:0} ms, steps {live.Status.Steps}");
            return text.ToString();
        }
    }
}
