// Written from the pages of docs.unity3d.com/ScriptReference that stand beside each type; only what is used.
using System;
using System.Collections.Generic;

namespace UnityEngine
{
    /// Renderer
    public class Renderer : Component
    {
        public bool enabled { get; set; } = true;
        public Material sharedMaterial { get; set; }
        public Bounds localBounds { get; set; }
    }

    /// MeshRenderer
    public sealed class MeshRenderer : Renderer { }

    /// SkinnedMeshRenderer
    public sealed class SkinnedMeshRenderer : Renderer
    {
        public Mesh sharedMesh { get; set; }
        public Transform[] bones { get; set; }
        public Transform rootBone { get; set; }
        public bool updateWhenOffscreen { get; set; }
    }

    /// MeshFilter
    public sealed class MeshFilter : Component
    {
        public Mesh sharedMesh { get; set; }
    }

    /// Collider
    public class Collider : Component { }

    /// Bounds
    public struct Bounds
    {
        public Vector3 center, size;

        public Bounds(Vector3 center, Vector3 size)
        {
            this.center = center;
            this.size = size;
        }
    }

    /// Mesh
    public sealed class Mesh : Object
    {
        public Vector3[] vertices { get; set; }
        public Vector3[] normals { get; set; }
        public int[] triangles { get; set; }
        public BoneWeight[] boneWeights { get; set; }
        public Matrix4x4[] bindposes { get; set; }

        public void RecalculateNormals() { }

        public void RecalculateBounds() { }
    }

    /// BoneWeight
    [Serializable]
    public struct BoneWeight
    {
        public float weight0, weight1, weight2, weight3;
        public int boneIndex0, boneIndex1, boneIndex2, boneIndex3;
    }

    /// Material
    public sealed class Material : Object
    {
        public Material(Shader shader) { }

        public Color color { get; set; }
    }

    /// Shader
    public sealed class Shader : Object
    {
        public static Shader Find(string name) => new Shader { name = name };
    }

    /// Camera
    public sealed class Camera : Behaviour
    {
        public static Camera main => null;
        public float fieldOfView { get; set; } = 60;
        public float nearClipPlane { get; set; }
        public Color backgroundColor { get; set; }
        public CameraClearFlags clearFlags { get; set; }

        public Ray ScreenPointToRay(Vector3 point) => new Ray(transform.position, transform.forward);
    }

    /// CameraClearFlags
    public enum CameraClearFlags { Skybox = 1, SolidColor = 2 }

    /// Ray
    public struct Ray
    {
        public Vector3 origin, direction;

        public Ray(Vector3 origin, Vector3 direction)
        {
            this.origin = origin;
            this.direction = direction;
        }

        public Vector3 GetPoint(float distance) => origin + distance * direction;
    }

    /// AudioListener
    public sealed class AudioListener : Behaviour { }

    /// Light
    public sealed class Light : Behaviour
    {
        public LightType type { get; set; }
        public LightShadows shadows { get; set; }
        public float intensity { get; set; }
    }

    /// LightType
    public enum LightType { Spot, Directional, Point }

    /// LightShadows
    public enum LightShadows { None, Hard, Soft }

    /// Physics
    public static class Physics
    {
        /// <summary>Height of the ground at x and z, for tests; null: there is none.</summary>
        public static System.Func<float, float, float> Ground;

        public static bool Raycast(Vector3 origin, Vector3 direction, out RaycastHit hit, float maxDistance, int layerMask)
        {
            hit = default;
            if (Ground == null || direction.y > -0.999f) return false;
            hit.point = new Vector3(origin.x, Ground(origin.x, origin.z), origin.z);
            return hit.point.y <= origin.y && hit.point.y >= origin.y - maxDistance;
        }
    }

    /// RaycastHit
    public struct RaycastHit
    {
        public Vector3 point;
    }

    /// Gizmos
    public static class Gizmos
    {
        public static Color color { get; set; }

        public static void DrawWireSphere(Vector3 center, float radius) { }
    }

    /// GUI
    public static class GUI
    {
        public static void Label(Rect position, string text) { }
    }

    /// Screen
    public static class Screen
    {
        public static int width => 1280;
        public static int height => 720;
    }

    /// Input: the older input manager
    public static class Input
    {
        public static Vector3 mousePosition => Vector3.zero;

        public static float GetAxis(string axisName) => 0;

        public static bool GetKey(KeyCode key) => false;

        public static bool GetKeyDown(KeyCode key) => false;

        public static bool GetMouseButton(int button) => false;
    }

    /// KeyCode
    public enum KeyCode { Alpha1 = 49, Alpha2, Alpha3, Alpha4, Alpha5, A = 97, D = 100, E = 101, Q = 113, S = 115, W = 119 }
}
