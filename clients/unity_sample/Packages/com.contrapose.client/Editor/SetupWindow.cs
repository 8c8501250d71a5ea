using System;
using System.Security.Cryptography.X509Certificates;
using Contrapose.Core;
using Contrapose.Unity;
using UnityEditor;
using UnityEngine;

namespace Contrapose.Editor
{
    /// <summary>Window > Contrapose > Setup: what a first run needs, and a button for each thing that is missing.</summary>
    public sealed class SetupWindow : EditorWindow
    {
        string address = "ws://127.0.0.1:50052";
        string token = "";
        TextAsset rootCertificate;
        readonly AskedServer server = new AskedServer();

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
            token = EditorGUILayout.TextField("Token", token);
            rootCertificate = (TextAsset)EditorGUILayout.ObjectField("Root certificate", rootCertificate, typeof(TextAsset), false);
            if (GUILayout.Button("Is it there?")) server.Ask(() => ServerQuestion.AskAsync(address, token, Root()));
            server.Draw();
        }

        void Update()
        {
            if (server.IsWaiting) Repaint();
        }

        X509Certificate2 Root() => rootCertificate == null ? null : new X509Certificate2(rootCertificate.bytes);

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
            if (GUILayout.Button("Install the Input System")) UnityEditor.PackageManager.Client.Add("com.unity.inputsystem");
#endif
        }
    }
}
