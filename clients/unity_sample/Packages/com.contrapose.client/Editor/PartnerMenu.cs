using Contrapose.Unity;
using UnityEditor;
using UnityEngine;

namespace Contrapose.Editor
{
    /// <summary>GameObject > Contrapose > Partner: a session, and a partner on the selected avatar.</summary>
    public static class PartnerMenu
    {
        [MenuItem("GameObject/Contrapose/Partner", false, 10)]
        static void Create(MenuCommand command)
        {
            var made = new GameObject("Contrapose session");
            var session = made.AddComponent<ContraposeSession>();
            made.AddComponent<ContactEvents>().session = session;
            made.AddComponent<ContraposeHud>().session = session;
            Undo.RegisterCreatedObjectUndo(made, "Create Contrapose partner");
            var avatar = command.context as GameObject;
            var animator = avatar == null ? null : avatar.GetComponent<Animator>();
            if (animator != null && animator.isHuman)
            {
                var driver = avatar.AddComponent<PartnerDriver>();
                driver.session = session;
                driver.animator = animator;
            }
            else
            {
                Debug.LogWarning("Contrapose: select a Humanoid avatar before GameObject > Contrapose > Partner, or add PartnerDriver to one.");
            }
            Selection.activeGameObject = made;
        }
    }
}
