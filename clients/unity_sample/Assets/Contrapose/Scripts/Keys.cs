#if CONTRAPOSE_INPUT_SYSTEM
using UnityEngine.InputSystem;
#endif
using UnityEngine;

namespace Contrapose.Samples
{
    /// <summary>Keys and mouse, by the Input System where it is installed, and by the older input manager else.</summary>
    static class Keys
    {
#if CONTRAPOSE_INPUT_SYSTEM
        public static float Sideways => Axis(Keyboard.current?.dKey, Keyboard.current?.aKey);

        public static float Ahead => Axis(Keyboard.current?.wKey, Keyboard.current?.sKey);

        public static float Turn => Axis(Keyboard.current?.eKey, Keyboard.current?.qKey);

        public static Vector2 Mouse
        {
            get
            {
                if (UnityEngine.InputSystem.Mouse.current == null) return Vector2.zero;
                var at = UnityEngine.InputSystem.Mouse.current.position.ReadValue();
                return new Vector2(at.x / Screen.width, at.y / Screen.height);
            }
        }

        public static bool IsMouseDown(bool isRight) => UnityEngine.InputSystem.Mouse.current != null
            && (isRight ? UnityEngine.InputSystem.Mouse.current.rightButton : UnityEngine.InputSystem.Mouse.current.leftButton).isPressed;

        /// <summary>Whether the digit 1 to 5 was pressed in this frame.</summary>
        public static bool IsDigit(int digit)
        {
            var keys = Keyboard.current;
            if (keys == null) return false;
            var key = digit == 1 ? keys.digit1Key : digit == 2 ? keys.digit2Key : digit == 3 ? keys.digit3Key : digit == 4 ? keys.digit4Key : keys.digit5Key;
            return key.wasPressedThisFrame;
        }

        static float Axis(UnityEngine.InputSystem.Controls.KeyControl more, UnityEngine.InputSystem.Controls.KeyControl less) =>
            (more != null && more.isPressed ? 1 : 0) - (less != null && less.isPressed ? 1 : 0);
#else
        public static float Sideways => Axis(KeyCode.D, KeyCode.A);

        public static float Ahead => Axis(KeyCode.W, KeyCode.S);

        public static float Turn => Axis(KeyCode.E, KeyCode.Q);

        public static Vector2 Mouse => new Vector2(Input.mousePosition.x / Screen.width, Input.mousePosition.y / Screen.height);

        public static bool IsMouseDown(bool isRight) => Input.GetMouseButton(isRight ? 1 : 0);

        /// <summary>Whether the digit 1 to 5 was pressed in this frame.</summary>
        public static bool IsDigit(int digit) => Input.GetKeyDown(KeyCode.Alpha1 + (digit - 1));

        static float Axis(KeyCode more, KeyCode less) => (Input.GetKey(more) ? 1 : 0) - (Input.GetKey(less) ? 1 : 0);
#endif
    }
}
