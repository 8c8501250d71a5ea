using UnityEngine;

namespace Contrapose.Unity
{
    /// <summary>Draws the zone around the player that the partner stays out of, in the Scene view.</summary>
    [AddComponentMenu("Contrapose/Personal space gizmo")]
    public sealed class PersonalSpaceGizmo : MonoBehaviour
    {
        [Tooltip("The session that has the zone.")]
        public ContraposeSession session;

        [Tooltip("The middle of the player's body: hips or head.")]
        public Transform body;

        void OnDrawGizmos()
        {
            if (session == null || body == null || session.personalSpace <= 0) return;
            Gizmos.color = new Color(1, 0.6f, 0.1f, 0.6f);
            Gizmos.DrawWireSphere(body.position, session.personalSpace);
        }
    }
}
