using Contrapose.Unity;
using UnityEngine;

namespace Contrapose.Samples
{
    /// <summary>What every scene stands on: floor, light, a camera, and bodies. Made by code, so that a scene file holds
    /// one object and works in every render pipeline.</summary>
    static class Stage
    {
        public static readonly Color PlayerColor = new Color(0.93f, 0.55f, 0.25f);
        public static readonly Color PartnerColor = new Color(0.27f, 0.55f, 0.86f);

        public static void Build()
        {
            var floor = GameObject.CreatePrimitive(PrimitiveType.Plane);
            floor.GetComponent<MeshRenderer>().sharedMaterial = Paint(new Color(0.82f, 0.83f, 0.85f));
            var sun = new GameObject("Sun").AddComponent<Light>();
            sun.type = LightType.Directional;
            sun.shadows = LightShadows.Soft;
            sun.transform.rotation = Quaternion.Euler(50, -30, 0);
            Application.runInBackground = true;
        }

        public static Camera Eye(Vector3 place, Vector3 looksAt)
        {
            var camera = new GameObject("Camera").AddComponent<Camera>();
            camera.gameObject.AddComponent<AudioListener>();
            camera.nearClipPlane = 0.05f;
            camera.clearFlags = CameraClearFlags.SolidColor;
            camera.backgroundColor = new Color(0.93f, 0.94f, 0.96f);
            camera.transform.position = place;
            camera.transform.LookAt(looksAt);
            return camera;
        }

        /// <summary>The open body as the partner of a session.</summary>
        public static PartnerDriver Partner(ContraposeSession session)
        {
            var animator = OpenBody.Create("Partner", Paint(PartnerColor));
            animator.gameObject.SetActive(false);
            var driver = animator.gameObject.AddComponent<PartnerDriver>();
            driver.session = session;
            driver.animator = animator;
            animator.gameObject.SetActive(true);
            return driver;
        }

        /// <summary>A session that is not opened yet: call SetActive(true) on it when all is set.</summary>
        public static ContraposeSession Session(string name, string address)
        {
            var owner = new GameObject(name);
            owner.SetActive(false);
            var session = owner.AddComponent<ContraposeSession>();
            session.address = address;
            return session;
        }

        /// <summary>A plain colour in whichever pipeline the project has.</summary>
        public static Material Paint(Color color)
        {
            var shader = Shader.Find("Universal Render Pipeline/Lit");
            if (shader == null) shader = Shader.Find("HDRP/Lit");
            if (shader == null) shader = Shader.Find("Standard");
            return new Material(shader) { color = color };
        }
    }
}
