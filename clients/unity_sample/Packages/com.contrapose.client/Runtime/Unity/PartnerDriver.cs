using Contrapose.Core;
using UnityEngine;

namespace Contrapose.Unity
{
    /// <summary>Moves a Humanoid avatar as the partner: any proportions, any rest pose. It writes bones in LateUpdate,
    /// after the Animator, so the avatar's own controller does not matter.</summary>
    [AddComponentMenu("Contrapose/Partner")]
    [DefaultExecutionOrder(100)]
    public sealed class PartnerDriver : MonoBehaviour
    {
        [Tooltip("The session that the partner belongs to.")]
        public ContraposeSession session;

        [Tooltip("The avatar to move; its rig must be a Humanoid. Empty: the Animator on this object.")]
        public Animator animator;

        [Tooltip("Layers of ground that the feet stand on where it is not flat (stairs, slopes); none: the ground is flat.")]
        public LayerMask uneven;

        [Tooltip("Hides the avatar until the first frame has come.")]
        public bool hideUntilHere = true;

        readonly BodyFrame pose = new BodyFrame();
        UnevenGround ground;
        HumanoidRest rest;
        Renderer[] renderers;
        bool isShown = true;

        /// <summary>The pose on show, in the wire's axes.</summary>
        public BodyFrame Pose => pose;

        void OnEnable()
        {
            rest = new HumanoidRest(animator != null ? animator : GetComponent<Animator>());
            ground = new UnevenGround();
            renderers = GetComponentsInChildren<Renderer>();
            isShown = true;
            Show(!hideUntilHere);
        }

        void LateUpdate()
        {
            var live = session == null ? null : session.Live;
            if (live == null || !live.Clock.HasBegun) return;
            if (!live.Playhead.TrySample(session.SessionTime, pose)) return;
            Show(true);
            rest.Rig.Drive(pose, live.Accepted.PartnerSkeleton);
            Place(rest, session.transform);
            if (uneven.value != 0) ground.Stand(rest, session.transform, uneven.value, Time.deltaTime);
        }

        /// <summary>Puts bones where the rig has driven them, in a world that begins at an origin.</summary>
        public static void Place(HumanoidRest rest, Transform origin)
        {
            rest.Bones[0].position = origin.TransformPoint(rest.Rig.Hips.ToVector());
            for (var joint = 0; joint < rest.Bones.Length; joint++)
                if (rest.Rig.IsDriven(joint))
                    rest.Bones[joint].rotation = origin.rotation * rest.Rig.Rotation(joint).ToQuaternion();
        }

        void Show(bool isVisible)
        {
            if (isShown == isVisible) return;
            isShown = isVisible;
            foreach (var each in renderers) each.enabled = isVisible;
        }
    }
}
