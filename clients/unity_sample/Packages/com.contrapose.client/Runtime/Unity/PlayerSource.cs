using Contrapose.V1;
using UnityEngine;

namespace Contrapose.Unity
{
    /// <summary>Where the player's pose comes from.</summary>
    public abstract class PlayerSource : MonoBehaviour
    {
        /// <summary>Called once, before the session is opened: calibration and body shape go in here.</summary>
        public virtual void Describe(SessionHeader header) { }

        /// <summary>Fills the pose of this moment, relative to the session's origin; false if there is none.</summary>
        public abstract bool Fill(PlayerPose pose, Transform origin);
    }
}
