"""What Blender runs: `blender_script.py fbx IN.glb OUT.fbx FRAME_RATE`.

Knows Blender's `bpy`, which is there inside Blender alone, and nothing of ours.
"""

from __future__ import annotations

import sys


def write_fbx(source: str, target: str, frame_rate: float) -> None:
    """Armatures and meshes of a .glb as FBX, with the animation sampled at each frame."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = round(frame_rate)
    scene.render.fps_base = round(frame_rate) / frame_rate
    bpy.ops.import_scene.gltf(filepath=source, bone_heuristic="BLENDER")
    ends = [action.frame_range[1] for action in bpy.data.actions]
    scene.frame_start, scene.frame_end = 0, round(max(ends, default=0))
    bpy.ops.export_scene.fbx(
        filepath=target,
        object_types={"ARMATURE", "MESH"},
        add_leaf_bones=False,
        bake_anim=True,
        bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False,
        bake_anim_simplify_factor=0.0,
    )


if __name__ == "__main__":
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    kind, source, target, rate = words
    {"fbx": write_fbx}[kind](source, target, float(rate))
