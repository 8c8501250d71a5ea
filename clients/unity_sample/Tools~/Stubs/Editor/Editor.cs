// Written from the pages of docs.unity3d.com/ScriptReference that stand beside each type; only what is used.
using System;
using UnityEngine;

namespace UnityEditor
{
    /// Editor
    public class Editor : ScriptableObject
    {
        public UnityEngine.Object target { get; set; }

        public virtual void OnInspectorGUI() { }

        public virtual bool RequiresConstantRepaint() => false;

        public bool DrawDefaultInspector() => true;
    }

    /// EditorWindow
    public class EditorWindow : ScriptableObject
    {
        public static T GetWindow<T>(string title) where T : EditorWindow, new() => new T { name = title };

        public void Repaint() { }
    }

    /// CustomEditor
    [AttributeUsage(AttributeTargets.Class)] public sealed class CustomEditor : Attribute { public CustomEditor(Type inspected) { } }

    /// MenuItem
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class MenuItem : Attribute
    {
        public MenuItem(string itemName, bool isValidateFunction = false, int priority = 0) { }
    }

    /// MenuCommand
    public sealed class MenuCommand
    {
        public UnityEngine.Object context;
    }

    /// EditorGUILayout
    public static class EditorGUILayout
    {
        public static void HelpBox(string message, MessageType type) { }

        public static void LabelField(string label, string text) { }

        public static void Space() { }

        public static string TextField(string label, string text) => text;

        public static UnityEngine.Object ObjectField(string label, UnityEngine.Object chosen, Type type, bool allowSceneObjects) => chosen;

        public static Rect BeginHorizontal(params GUILayoutOption[] options) => default;

        public static void EndHorizontal() { }
    }

    /// MessageType
    public enum MessageType { None, Info, Warning, Error }

    /// Selection
    public static class Selection
    {
        public static GameObject activeGameObject { get; set; }
        public static UnityEngine.Object activeObject { get; set; }
    }

    /// Undo
    public static class Undo
    {
        public static void RegisterCreatedObjectUndo(UnityEngine.Object made, string name) { }

        public static void RecordObject(UnityEngine.Object changed, string name) { }
    }

    /// GameObjectUtility
    public static class GameObjectUtility
    {
        public static void SetParentAndAlign(GameObject child, GameObject parent) => child.transform.SetParent(parent == null ? null : parent.transform);
    }

    /// PlayerSettings
    public static class PlayerSettings
    {
        public static bool runInBackground { get; set; }

        /// PlayerSettings.Android
        public static class Android
        {
            public static bool forceInternetPermission { get; set; }
        }
    }

    /// EditorUtility
    public static class EditorUtility
    {
        public static string SaveFilePanelInProject(string title, string defaultName, string extension, string message) => "";

        public static void SetDirty(UnityEngine.Object target) { }
    }

    /// AssetDatabase
    public static class AssetDatabase
    {
        public static void CreateAsset(UnityEngine.Object asset, string path) { }
    }

    /// EditorApplication
    public static class EditorApplication
    {
        public static event Action update { add { } remove { } }
        public static bool isPlaying => Application.isPlaying;
    }
}

namespace UnityEditor.PackageManager
{
    /// PackageManager.Client
    public static class Client
    {
        /// PackageManager.Client.Add
        public static Requests.AddRequest Add(string identifier) => new Requests.AddRequest();
    }
}

namespace UnityEditor.PackageManager.Requests
{
    /// PackageManager.Requests.AddRequest
    public sealed class AddRequest { }
}

namespace UnityEditor.Animations
{
    /// Animations.GameObjectRecorder
    public sealed class GameObjectRecorder : UnityEngine.Object
    {
        public GameObjectRecorder(GameObject root) { }

        public bool isRecording { get; private set; }

        public void BindComponentsOfType<T>(GameObject target, bool recursive) where T : Component { }

        public void TakeSnapshot(float dt) => isRecording = true;

        public void SaveToClip(AnimationClip clip) { }

        public void ResetRecording() => isRecording = false;
    }
}

namespace UnityEngine
{
    /// AnimationClip
    public sealed class AnimationClip : Object { }

    /// GUILayout
    public static class GUILayout
    {
        public static bool Button(string text, params GUILayoutOption[] options) => false;

        public static GUILayoutOption Width(float width) => new GUILayoutOption();
    }

    /// GUILayoutOption
    public sealed class GUILayoutOption { }

    /// Event
    public sealed class Event
    {
        public static Event current { get; } = new Event();

        public EventType type => EventType.Layout;
    }

    /// EventType
    public enum EventType { Repaint = 7, Layout = 8 }
}
