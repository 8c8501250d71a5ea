using System;
using System.Threading.Tasks;
using Contrapose.V1;
using UnityEditor;
using UnityEngine;

namespace Contrapose.Editor
{
    /// <summary>A question to a server, and what became of it. An answer may come between the two events in which the
    /// Editor lays a window out and draws it, which have to agree: it is looked at in the first alone.</summary>
    sealed class AskedServer
    {
        Task<GetServerInfoResponse> asked;
        string trouble = "";

        /// <summary>Whether the answer is still to come.</summary>
        public bool IsWaiting => asked != null;

        /// <summary>What the server said; null: nothing, or not yet.</summary>
        public GetServerInfoResponse Answer { get; private set; }

        public void Ask(Func<Task<GetServerInfoResponse>> question) => asked = Asked(question);

        /// <summary>A line about the server, or why there is none.</summary>
        public void Draw()
        {
            if (Event.current.type == EventType.Layout) Look();
            if (trouble.Length > 0) EditorGUILayout.HelpBox(trouble, MessageType.Error);
            else if (Answer != null) EditorGUILayout.HelpBox(Told(Answer), Answer.IsReady ? MessageType.Info : MessageType.Warning);
        }

        void Look()
        {
            if (asked == null || !asked.IsCompleted) return;
            trouble = asked.Exception == null ? "" : asked.Exception.GetBaseException().Message;
            Answer = asked.Exception == null ? asked.Result : null;
            asked = null;
        }

        static string Told(GetServerInfoResponse info) =>
            info.IsReady
                ? $"{info.Bundle}, version {info.ServerVersion}: {info.ActiveSessions} of {info.MaxSessions} sessions"
                : $"version {info.ServerVersion}: the bundle is still loading";

        /// <summary>What is wrong with the question itself is told like what is wrong with the answer.</summary>
        static async Task<GetServerInfoResponse> Asked(Func<Task<GetServerInfoResponse>> question) => await question();
    }
}
