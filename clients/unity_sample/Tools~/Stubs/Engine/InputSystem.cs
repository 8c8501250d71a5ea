// docs.unity3d.com/Packages/com.unity.inputsystem@1.7/api
namespace UnityEngine.InputSystem.Controls
{
    /// ButtonControl
    public class ButtonControl
    {
        public bool isPressed => false;
        public bool wasPressedThisFrame => false;
    }

    /// KeyControl
    public sealed class KeyControl : ButtonControl { }

    /// Vector2Control
    public sealed class Vector2Control
    {
        public Vector2 ReadValue() => Vector2.zero;
    }
}

namespace UnityEngine.InputSystem
{
    using UnityEngine.InputSystem.Controls;

    /// Keyboard
    public sealed class Keyboard
    {
        public static Keyboard current => null;
        public KeyControl aKey { get; }
        public KeyControl dKey { get; }
        public KeyControl eKey { get; }
        public KeyControl qKey { get; }
        public KeyControl sKey { get; }
        public KeyControl wKey { get; }
        public KeyControl digit1Key { get; }
        public KeyControl digit2Key { get; }
        public KeyControl digit3Key { get; }
        public KeyControl digit4Key { get; }
        public KeyControl digit5Key { get; }
    }

    /// Mouse
    public sealed class Mouse
    {
        public static Mouse current => null;
        public Vector2Control position { get; }
        public ButtonControl leftButton { get; }
        public ButtonControl rightButton { get; }
    }
}
