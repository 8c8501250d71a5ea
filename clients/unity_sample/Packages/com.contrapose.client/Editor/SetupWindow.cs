using System;
using System.Net.Sockets;
using Contrapose.Unity;
using UnityEditor;
using UnityEngine;

namespace Contrapose.Editor
{
    /// <summary>Window > Contrapose > Setup: what a first run needs, and a button for each thing that is missing.</summary>
    public sealed class SetupWindow : EditorWindow
    {
        string address = "ws://127.0.0.1:50052";
        string answer = "";

        [MenuItem("Window/Contrapose/Setup")]
        static void Open() => GetWindow<SetupWindow>("Contrapose setup");

        void OnGUI()
        {
            Server();
            EditorGUILayout.Space();
            Avatar();
            EditorGUILayout.Space();
            Settings();
        }

        void Server()
        {
            address = EditorGUILayout.TextField("Server", address);
            if (GUILayout.Button("Is it there?")) answer = Asked(address);
            if (answer.Length > 0) EditorGUILayout.HelpBox(answer, answer.StartsWith("A server") ? MessageType.Info : MessageType.Error);
        }

        static string Asked(string address)
        {
            if (!Uri.TryCreate(address, UriKind.Absolute, out var uri)) return $"\"{address}\" is no address; expected ws://HOST:PORT";
            try
            {
                using var client = new TcpClient();
                return client.ConnectAsync(uri.Host, uri.Port).Wait(2000)
                    ? $"A server answers at {uri.Host}:{uri.Port}."
                    : $"Nothing answers at {uri.Host}:{uri.Port} within 2 s: is a firewall between?";
            }
            catch (AggregateException exception)
            {
                return $"{exception.InnerException.Message}: start one with `contrapose serve`.";
            }
        }

        static void Avatar()
        {
            var selected = Selection.activeGameObject;
            var animator = selected == null ? null : selected.GetComponent<Animator>();
            if (animator == null)
            {
                EditorGUILayout.HelpBox("Select the partner's avatar in the hierarchy to check it.", MessageType.Info);
                return;
            }
            try
            {
                new HumanoidRest(animator);
                EditorGUILayout.HelpBox(animator.name + " can be the partner.", MessageType.Info);
            }
            catch (ArgumentException exception)
            {
                EditorGUILayout.HelpBox(exception.Message, MessageType.Error);
            }
        }

        static void Settings()
        {
            if (!PlayerSettings.runInBackground)
            {
                EditorGUILayout.HelpBox("The player stops when its window loses focus, and the session with it.", MessageType.Warning);
                if (GUILayout.Button("Run in background")) PlayerSettings.runInBackground = true;
            }
            if (!PlayerSettings.Android.forceInternetPermission)
            {
                EditorGUILayout.HelpBox("Android (Quest): the app may not use the network.", MessageType.Warning);
                if (GUILayout.Button("Require internet access")) PlayerSettings.Android.forceInternetPermission = true;
            }
#if !CONTRAPOSE_INPUT_SYSTEM
            EditorGUILayout.HelpBox("The Input System package is not installed: the samples use the older input manager.", MessageType.Info);
#endif
        }
    }
}
