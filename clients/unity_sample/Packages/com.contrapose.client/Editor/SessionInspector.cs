using Contrapose.Core;
using Contrapose.Unity;
using UnityEditor;
using UnityEngine;

namespace Contrapose.Editor
{
    /// <summary>The session's settings, and how it goes while playing.</summary>
    [CustomEditor(typeof(ContraposeSession))]
    public sealed class SessionInspector : UnityEditor.Editor
    {
        readonly AskedServer server = new AskedServer();

        public override bool RequiresConstantRepaint() => Application.isPlaying || server.IsWaiting;

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            var session = (ContraposeSession)target;
            EditorGUILayout.Space();
            Kinds(session);
            EditorGUILayout.Space();
            if (session.Live == null)
            {
                EditorGUILayout.HelpBox("Press Play: the session connects when it is enabled.", MessageType.Info);
                return;
            }
            var live = session.Live;
            EditorGUILayout.LabelField("State", live.Phase.ToString());
            if (live.Trouble.Length > 0) EditorGUILayout.HelpBox(live.Trouble, Severity(live.Phase));
            EditorGUILayout.LabelField("Frames", $"{live.Plan.Shown} shown, {live.Plan.Late} late, {live.Plan.Ahead} ahead");
            EditorGUILayout.LabelField("Revision", live.Plan.Revision.ToString());
            EditorGUILayout.LabelField("Latency", $"reaction {live.ReactionMs:0} ms, round trip {1000 * live.Clock.RoundTrip:0} ms");
            var intent = session.Intent;
            EditorGUILayout.LabelField("Player's intent", intent == null ? "not told" : $"{intent.Kind} ({intent.Phase})");
            EditorGUILayout.LabelField("Server", $"{live.Accepted.Bundle} {live.Accepted.ServerVersion}, {live.Accepted.Backend} {live.Accepted.Precision}");
        }

        /// <summary>What the server's bundle was trained to do, and the words for it.</summary>
        void Kinds(ContraposeSession session)
        {
            if (GUILayout.Button("What does the server know?")) server.Ask(session.AskServerAsync);
            server.Draw();
            for (var i = 0; server.Answer != null && i < server.Answer.Kinds.Count; i++)
            {
                var kind = server.Answer.Kinds[i];
                EditorGUILayout.BeginHorizontal();
                EditorGUILayout.LabelField(kind.Name.Replace('_', ' '), kind.Text);
                if (GUILayout.Button("Say", GUILayout.Width(48))) Say(session, kind.Text);
                EditorGUILayout.EndHorizontal();
            }
        }

        static void Say(ContraposeSession session, string words)
        {
            Undo.RecordObject(session, "Contrapose words");
            session.SetWords(words);
            EditorUtility.SetDirty(session);
        }

        static MessageType Severity(SessionPhase phase) =>
            phase == SessionPhase.Refused ? MessageType.Error : MessageType.Warning;
    }
}
