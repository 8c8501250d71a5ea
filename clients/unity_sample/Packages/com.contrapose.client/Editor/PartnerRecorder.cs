using Contrapose.Unity;
using UnityEditor;
using UnityEditor.Animations;
using UnityEngine;

namespace Contrapose.Editor
{
    /// <summary>Window > Contrapose > Record partner: what the selected partner does while playing, as an .anim file.</summary>
    public sealed class PartnerRecorder : EditorWindow
    {
        PartnerDriver partner;
        GameObjectRecorder recorder;
        double last;

        [MenuItem("Window/Contrapose/Record partner")]
        static void Open() => GetWindow<PartnerRecorder>("Record partner");

        void OnDisable() => recorder = null;

        void OnGUI()
        {
            var selected = Selection.activeGameObject;
            if (recorder == null) partner = selected == null ? null : selected.GetComponent<PartnerDriver>();
            if (!Application.isPlaying || partner == null)
            {
                EditorGUILayout.HelpBox("Press Play, and select an object with a Contrapose partner.", MessageType.Info);
                return;
            }
            if (recorder == null && GUILayout.Button("Record")) Begin();
            else if (recorder != null && GUILayout.Button("Stop and save")) Save();
        }

        void Update()
        {
            if (recorder == null || partner == null) return;
            recorder.TakeSnapshot((float)(ContraposeSession.Now - last));
            last = ContraposeSession.Now;
        }

        void Begin()
        {
            recorder = new GameObjectRecorder(partner.gameObject);
            recorder.BindComponentsOfType<Transform>(partner.gameObject, true);
            last = ContraposeSession.Now;
        }

        void Save()
        {
            var path = EditorUtility.SaveFilePanelInProject("Save the partner's motion", "partner", "anim", "Where to save it");
            if (path.Length > 0)
            {
                var clip = new AnimationClip();
                recorder.SaveToClip(clip);
                AssetDatabase.CreateAsset(clip, path);
            }
            recorder.ResetRecording();
            recorder = null;
        }
    }
}
