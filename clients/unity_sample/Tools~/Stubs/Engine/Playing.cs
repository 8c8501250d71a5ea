// Written from the pages of docs.unity3d.com/ScriptReference that stand beside each type; only what is used.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using UnityEngine;

namespace Stubs
{
    /// <summary>The player loop of the tests: Manual/ExecutionOrder.html. Awake and OnEnable when a component is added
    /// while playing, Start before its first Update, then Update and LateUpdate by DefaultExecutionOrder, OnDisable and
    /// OnDestroy at the end. Statics are kept when Play mode is left and entered, as without domain reload.</summary>
    public static class Player
    {
        const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

        static readonly List<MonoBehaviour> All = new List<MonoBehaviour>();

        public static bool IsPlaying { get; private set; }

        public static int Count => All.Count;

        public static void Enter()
        {
            IsPlaying = true;
            foreach (var assembly in AppDomain.CurrentDomain.GetAssemblies().Where(each => each.GetName().Name.StartsWith("Contrapose")))
                foreach (var type in assembly.GetTypes())
                    foreach (var method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
                        if (method.GetCustomAttribute<RuntimeInitializeOnLoadMethodAttribute>() != null) method.Invoke(null, null);
        }

        public static void Frame(float seconds)
        {
            Time.Advance(seconds);
            foreach (var each in On())
            {
                if (!each.HasStarted) Call(each, "Start");
                each.HasStarted = true;
            }
            foreach (var each in On()) Call(each, "Update");
            foreach (var each in On()) Call(each, "LateUpdate");
            foreach (var each in On()) Call(each, "OnGUI");
        }

        public static void Exit()
        {
            foreach (var each in Ordered(All)) Remove(each);
            IsPlaying = false;
        }

        internal static void Add(MonoBehaviour behaviour)
        {
            All.Add(behaviour);
            Changed(behaviour);
        }

        /// <summary>The scene is gone.</summary>
        public static void Forget() => All.Clear();

        internal static void Changed(MonoBehaviour behaviour)
        {
            if (!IsPlaying || !All.Contains(behaviour)) return;
            var isOn = behaviour.isActiveAndEnabled;
            if (isOn && !behaviour.IsAwake)
            {
                behaviour.IsAwake = true;
                Call(behaviour, "Awake");
            }
            if (isOn == behaviour.IsOn) return;
            behaviour.IsOn = isOn;
            Call(behaviour, isOn ? "OnEnable" : "OnDisable");
        }

        internal static void Remove(MonoBehaviour behaviour)
        {
            if (!All.Remove(behaviour)) return;
            if (behaviour.IsOn) Call(behaviour, "OnDisable");
            behaviour.IsOn = false;
            if (behaviour.IsAwake) Call(behaviour, "OnDestroy");
        }

        static IEnumerable<MonoBehaviour> On() => Ordered(All.Where(each => each.IsOn));

        static MonoBehaviour[] Ordered(IEnumerable<MonoBehaviour> some) =>
            some.OrderBy(each => each.GetType().GetCustomAttribute<DefaultExecutionOrder>()?.order ?? 0).ToArray();

        static readonly Dictionary<(Type, string), Action<MonoBehaviour>> Known = new Dictionary<(Type, string), Action<MonoBehaviour>>();

        static void Call(MonoBehaviour behaviour, string message)
        {
            var key = (behaviour.GetType(), message);
            if (!Known.TryGetValue(key, out var call)) Known[key] = call = Bound(behaviour.GetType(), message);
            call?.Invoke(behaviour);
        }

        static Action<MonoBehaviour> Bound(Type type, string message)
        {
            for (; type != typeof(MonoBehaviour); type = type.BaseType)
            {
                var method = type.GetMethod(message, Any | BindingFlags.DeclaredOnly, null, Type.EmptyTypes, null);
                if (method == null) continue;
                return each =>
                {
                    try
                    {
                        method.Invoke(each, null);
                    }
                    catch (TargetInvocationException exception)
                    {
                        System.Runtime.ExceptionServices.ExceptionDispatchInfo.Capture(exception.InnerException).Throw();
                    }
                };
            }
            return null;
        }
    }
}

namespace UnityEngine
{
    /// Time
    public static class Time
    {
        static readonly System.Diagnostics.Stopwatch Watch = System.Diagnostics.Stopwatch.StartNew();

        public static float deltaTime { get; private set; }
        public static float unscaledTime => (float)realtimeSinceStartupAsDouble;
        public static double realtimeSinceStartupAsDouble => Watch.Elapsed.TotalSeconds;

        internal static void Advance(float seconds) => deltaTime = seconds;
    }

    /// Debug
    public static class Debug
    {
        public static readonly List<string> Lines = new List<string>();

        public static void Log(object message, Object context = null) => Lines.Add("" + message);

        public static void LogWarning(object message, Object context = null) => Lines.Add("warning: " + message);

        public static void LogError(object message, Object context = null) => Lines.Add("error: " + message);
    }

    /// Application
    public static class Application
    {
        public static string version => "1.0";
        public static bool isPlaying => Stubs.Player.IsPlaying;
        public static bool runInBackground { get; set; }
        public static RuntimePlatform platform => RuntimePlatform.LinuxEditor;
        public static int targetFrameRate { get; set; }

        public static void OpenURL(string url) => throw new NotImplementedException(url);
    }

    /// RuntimePlatform
    public enum RuntimePlatform { LinuxEditor = 16, Android = 11, WebGLPlayer = 17 }

    /// Resources
    public static class Resources
    {
        public static readonly Dictionary<string, Object> Known = new Dictionary<string, Object>();

        public static T Load<T>(string path) where T : Object => Known.TryGetValue(path, out var found) ? (T)found : null;

        public static T GetBuiltinResource<T>(string path) where T : Object => throw new NotImplementedException(path);
    }

    /// TextAsset
    public sealed class TextAsset : Object
    {
        public TextAsset(byte[] bytes) => this.bytes = bytes;

        public byte[] bytes { get; }
        public string text => System.Text.Encoding.UTF8.GetString(bytes);
    }

    /// DefaultExecutionOrder
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class DefaultExecutionOrder : Attribute
    {
        public readonly int order;

        public DefaultExecutionOrder(int order) => this.order = order;
    }

    /// RuntimeInitializeOnLoadMethodAttribute
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class RuntimeInitializeOnLoadMethodAttribute : Attribute
    {
        public RuntimeInitializeOnLoadMethodAttribute(RuntimeInitializeLoadType loadType = RuntimeInitializeLoadType.AfterSceneLoad) { }
    }

    /// RuntimeInitializeLoadType
    public enum RuntimeInitializeLoadType { AfterSceneLoad, BeforeSceneLoad, AfterAssembliesLoaded, BeforeSplashScreen, SubsystemRegistration }

    /// AddComponentMenu
    [AttributeUsage(AttributeTargets.Class)] public sealed class AddComponentMenu : Attribute { public AddComponentMenu(string menuName) { } }

    /// DisallowMultipleComponent
    [AttributeUsage(AttributeTargets.Class)] public sealed class DisallowMultipleComponent : Attribute { }

    /// RequireComponent
    [AttributeUsage(AttributeTargets.Class)] public sealed class RequireComponent : Attribute { public RequireComponent(Type required) { } }

    /// TooltipAttribute
    [AttributeUsage(AttributeTargets.Field)] public sealed class TooltipAttribute : Attribute { public TooltipAttribute(string tooltip) { } }

    /// HeaderAttribute
    [AttributeUsage(AttributeTargets.Field)] public sealed class HeaderAttribute : Attribute { public HeaderAttribute(string header) { } }

    /// SerializeField
    [AttributeUsage(AttributeTargets.Field)] public sealed class SerializeFieldAttribute : Attribute { }

    /// RangeAttribute
    [AttributeUsage(AttributeTargets.Field)] public sealed class RangeAttribute : Attribute { public RangeAttribute(float min, float max) { } }

    /// TextAreaAttribute
    [AttributeUsage(AttributeTargets.Field)] public sealed class TextAreaAttribute : Attribute { public TextAreaAttribute(int minLines, int maxLines) { } }
}

namespace UnityEngine.Events
{
    /// UnityEvent
    [Serializable]
    public class UnityEvent
    {
        Action calls;

        public void AddListener(Action call) => calls += call;

        public void Invoke() => calls?.Invoke();
    }

    /// UnityEvent<T0>
    [Serializable]
    public class UnityEvent<T>
    {
        Action<T> calls;

        public void AddListener(Action<T> call) => calls += call;

        public void Invoke(T value) => calls?.Invoke(value);
    }
}
