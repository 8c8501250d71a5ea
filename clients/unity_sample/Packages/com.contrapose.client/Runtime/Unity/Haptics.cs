#if CONTRAPOSE_XR
using UnityEngine;
using UnityEngine.XR;
#endif

namespace Contrapose.Unity
{
    /// <summary>A shake of the controller in a hand of the player.</summary>
    static class Haptics
    {
        const int LeftHand = 20, RightHand = 21;

        /// <summary>Seconds that the touch itself is felt.</summary>
        const float Felt = 0.08f;

        /// <param name="joint">of the player; nothing happens for others than the hands</param>
        /// <param name="speed">metres a second at which hand and partner meet</param>
        /// <param name="ahead">seconds until they do</param>
        public static void Pulse(int joint, float speed, float ahead)
        {
#if CONTRAPOSE_XR
            if (joint != LeftHand && joint != RightHand) return;
            var device = InputDevices.GetDeviceAtXRNode(joint == LeftHand ? XRNode.LeftHand : XRNode.RightHand);
            if (device.isValid) device.SendHapticImpulse(0, Mathf.Clamp(0.2f + 0.5f * speed, 0.2f, 1), ahead + Felt);
#endif
        }
    }
}
