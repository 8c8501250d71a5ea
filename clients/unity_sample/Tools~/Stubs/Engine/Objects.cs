// Written from the pages of docs.unity3d.com/ScriptReference that stand beside each type; only what is used.
using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;

namespace UnityEngine
{
    /// Object
    public class Object
    {
        string ownName = "";

        public string name
        {
            get => this is Component part ? part.gameObject.name : ownName;
            set
            {
                if (this is Component part) part.gameObject.name = value;
                else ownName = value;
            }
        }

        internal bool IsGone;

        public static void Destroy(Object gone)
        {
            gone.IsGone = true;
            if (gone is GameObject game) game.Leave();
            if (gone is MonoBehaviour behaviour) Stubs.Player.Remove(behaviour);
        }

        public static void DestroyImmediate(Object gone) => Destroy(gone);

        public static bool operator ==(Object a, Object b) => ReferenceEquals(Alive(a), Alive(b));

        public static bool operator !=(Object a, Object b) => !(a == b);

        public static implicit operator bool(Object a) => Alive(a) is object;

        static object Alive(Object a) => a is object && !a.IsGone ? a : null;

        public override bool Equals(object other) => ReferenceEquals(this, other);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
    }

    /// Component
    public class Component : Object
    {
        public GameObject gameObject { get; internal set; }
        public Transform transform => gameObject.transform;

        public T GetComponent<T>() => gameObject.GetComponent<T>();

        public T[] GetComponentsInChildren<T>() => gameObject.GetComponentsInChildren<T>();
    }

    /// Behaviour
    public class Behaviour : Component
    {
        bool isEnabled = true;

        public bool enabled
        {
            get => isEnabled;
            set
            {
                isEnabled = value;
                if (this is MonoBehaviour own) Stubs.Player.Changed(own);
            }
        }

        public bool isActiveAndEnabled => isEnabled && gameObject.activeInHierarchy;
    }

    /// MonoBehaviour
    public class MonoBehaviour : Behaviour
    {
        internal bool IsAwake, IsOn, HasStarted;
    }

    /// ScriptableObject
    public class ScriptableObject : Object { }

    /// GameObject
    public sealed class GameObject : Object
    {
        readonly List<Component> components = new List<Component>();
        bool isActive = true;

        public GameObject(string name = "New Game Object")
        {
            this.name = name;
            transform = new Transform { gameObject = this };
            components.Add(transform);
        }

        public Transform transform { get; }
        public bool activeSelf => isActive;

        public bool activeInHierarchy =>
            isActive && (transform.parent is null || transform.parent.gameObject.activeInHierarchy);

        public void SetActive(bool value)
        {
            isActive = value;
            foreach (var each in GetComponentsInChildren<MonoBehaviour>()) Stubs.Player.Changed(each);
        }

        public T AddComponent<T>() where T : Component, new()
        {
            var made = new T { gameObject = this };
            components.Add(made);
            if (made is MonoBehaviour behaviour) Stubs.Player.Add(behaviour);
            return made;
        }

        public T GetComponent<T>() => components.OfType<T>().FirstOrDefault();

        public T[] GetComponentsInChildren<T>()
        {
            var found = components.OfType<T>().ToList();
            foreach (var child in transform.Children) found.AddRange(child.gameObject.GetComponentsInChildren<T>());
            return found.ToArray();
        }

        public static GameObject CreatePrimitive(PrimitiveType type)
        {
            var made = new GameObject(type.ToString());
            made.AddComponent<MeshFilter>();
            made.AddComponent<MeshRenderer>();
            made.AddComponent<Collider>();
            return made;
        }

        internal void Leave()
        {
            foreach (var each in GetComponentsInChildren<MonoBehaviour>()) Stubs.Player.Remove(each);
            transform.SetParent(null);
        }
    }

    /// PrimitiveType
    public enum PrimitiveType { Sphere, Capsule, Cylinder, Cube, Plane, Quad }

    /// Transform
    public sealed class Transform : Component, IEnumerable
    {
        internal readonly List<Transform> Children = new List<Transform>();

        public Transform parent { get; private set; }
        public Vector3 localPosition { get; set; }
        Quaternion ownRotation = Quaternion.identity;

        /// Transform.localRotation: of length 1, so that rounding does not grow from parent to child.
        public Quaternion localRotation
        {
            get => ownRotation;
            set => ownRotation = value.normalized;
        }

        public Vector3 localScale { get; set; } = Vector3.one;
        public int childCount => Children.Count;

        public Transform GetChild(int index) => Children[index];

        public IEnumerator GetEnumerator() => Children.GetEnumerator();

        public Vector3 position
        {
            get => parent is null ? localPosition : parent.TransformPoint(localPosition);
            set => localPosition = parent is null ? value : parent.InverseTransformPoint(value);
        }

        public Quaternion rotation
        {
            get => parent is null ? localRotation : parent.rotation * localRotation;
            set => localRotation = parent is null ? value : Quaternion.Inverse(parent.rotation) * value;
        }

        public Vector3 eulerAngles => rotation.eulerAngles;
        public Vector3 forward => rotation * Vector3.forward;
        public Vector3 right => rotation * Vector3.right;
        public Vector3 up => rotation * Vector3.up;

        /// Transform.lossyScale: exact where nothing is sheared.
        public Vector3 lossyScale => parent is null ? localScale : Vector3.Scale(parent.lossyScale, localScale);

        public Vector3 TransformPoint(Vector3 point)
        {
            var inParent = localPosition + localRotation * Vector3.Scale(localScale, point);
            return parent is null ? inParent : parent.TransformPoint(inParent);
        }

        public Vector3 InverseTransformPoint(Vector3 point)
        {
            var inParent = parent is null ? point : parent.InverseTransformPoint(point);
            var turned = Quaternion.Inverse(localRotation) * (inParent - localPosition);
            return new Vector3(turned.x / localScale.x, turned.y / localScale.y, turned.z / localScale.z);
        }

        public void SetParent(Transform newParent, bool worldPositionStays = true)
        {
            var (place, turn) = (position, rotation);
            parent?.Children.Remove(this);
            parent = newParent;
            parent?.Children.Add(this);
            if (!worldPositionStays) return;
            position = place;
            rotation = turn;
        }

        public void SetPositionAndRotation(Vector3 place, Quaternion turn)
        {
            position = place;
            rotation = turn;
        }

        public void Translate(Vector3 way) => position += rotation * way;

        public void Rotate(float x, float y, float z) => localRotation = localRotation * Quaternion.Euler(x, y, z);

        public void LookAt(Vector3 point) => rotation = Quaternion.LookRotation(point - position);

        public Transform Find(string child) => Children.FirstOrDefault(each => each.name == child);
    }
}
