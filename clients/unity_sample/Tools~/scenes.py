"""Writes the scenes of the Unity project: `python scenes.py [--check]`.

A scene holds one object with one script; the script makes the rest when it starts.
"""

from __future__ import annotations

import argparse
import sys

from metas import PROJECT, guid

SAMPLES = PROJECT / "Assets/Contrapose"
SCENES = {
    "Desktop": ("DesktopScene", "recording: {fileID: 0}"),
    "XR": ("XrScene", "height: 1.72"),
    "DanceFloor": ("DanceFloor", "recording: {player}"),
}
"""File, script, and a field of it beside the server's address."""
BUILD_SETTINGS = PROJECT / "ProjectSettings/EditorBuildSettings.asset"
HEAD = "%YAML 1.1\n%TAG !u! tag:unity3d.com,2011:\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scenes.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if stale")
    args = parser.parse_args(arguments)
    wanted = {SAMPLES / f"Scenes/{name}.unity": scene(name) for name in SCENES}
    wanted[BUILD_SETTINGS] = build_settings()
    stale = [p for p, text in wanted.items() if not p.is_file() or p.read_text() != text]
    if args.check:
        for path in stale:
            print(f"{path}: stale; run `python scenes.py`")
        return int(bool(stale))
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
    return 0


def scene(name: str) -> str:
    script, field = SCENES[name]
    player = f"{{fileID: 4900000, guid: {guid(SAMPLES / 'player.bytes')}, type: 3}}"
    script_guid = guid(SAMPLES / f"Scripts/{script}.cs")
    return HEAD + (
        "--- !u!29 &1\nOcclusionCullingSettings:\n  m_ObjectHideFlags: 0\n  serializedVersion: 2\n"
        "--- !u!104 &2\nRenderSettings:\n  m_ObjectHideFlags: 0\n  serializedVersion: 9\n"
        "  m_AmbientMode: 3\n  m_AmbientSkyColor: {r: 0.55, g: 0.57, b: 0.6, a: 1}\n"
        "--- !u!157 &3\nLightmapSettings:\n  m_ObjectHideFlags: 0\n  serializedVersion: 12\n"
        "  m_GIWorkflowMode: 1\n"
        "--- !u!196 &4\nNavMeshSettings:\n  m_ObjectHideFlags: 0\n  serializedVersion: 2\n"
        f"--- !u!1 &100\nGameObject:\n  m_ObjectHideFlags: 0\n  serializedVersion: 6\n"
        "  m_Component:\n  - component: {fileID: 101}\n  - component: {fileID: 102}\n"
        f"  m_Layer: 0\n  m_Name: {name}\n  m_TagString: Untagged\n  m_IsActive: 1\n"
        "--- !u!4 &101\nTransform:\n  m_ObjectHideFlags: 0\n  m_GameObject: {fileID: 100}\n"
        "  serializedVersion: 2\n  m_LocalRotation: {x: 0, y: 0, z: 0, w: 1}\n"
        "  m_LocalPosition: {x: 0, y: 0, z: 0}\n  m_LocalScale: {x: 1, y: 1, z: 1}\n"
        "  m_Children: []\n  m_Father: {fileID: 0}\n"
        "--- !u!114 &102\nMonoBehaviour:\n  m_ObjectHideFlags: 0\n  m_GameObject: {fileID: 100}\n"
        "  m_Enabled: 1\n  m_EditorHideFlags: 0\n"
        f"  m_Script: {{fileID: 11500000, guid: {script_guid}, type: 3}}\n"
        f"  m_Name:\n  m_EditorClassIdentifier:\n  address: ws://127.0.0.1:50052\n"
        f"  {field.replace('{player}', player)}\n"
    )


def build_settings() -> str:
    lines = "".join(
        f"  - enabled: 1\n    path: Assets/Contrapose/Scenes/{name}.unity\n"
        f"    guid: {guid(SAMPLES / f'Scenes/{name}.unity')}\n"
        for name in SCENES
    )
    return HEAD + (
        "--- !u!1045 &1\nEditorBuildSettings:\n  m_ObjectHideFlags: 0\n  serializedVersion: 2\n"
        f"  m_Scenes:\n{lines}  m_configObjects: {{}}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
