"""What Blender makes of files: `probe.py FILES FRAME_RATE FRAMES`, each list joined by commas.

Runs in a Python that has `bpy`, and knows nothing of ours. Prints JSON: `armatures`, for each its
bones' heads at each frame; `lowest`, the lowest point of all meshes. Metres, Y up.
"""

from __future__ import annotations

import json
import sys

import bpy


def load(path: str, frame_rate: float) -> int:
    """Import a file; returns the number of its first frame."""
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = round(frame_rate), 1.0
    if path.endswith(".bvh"):
        bpy.ops.import_anim.bvh(filepath=path, global_scale=0.01, update_scene_fps=True)
        return 1
    if path.endswith(".glb"):
        bpy.ops.import_scene.gltf(filepath=path, bone_heuristic="BLENDER")
        return 0
    if path.endswith(".fbx"):
        bpy.ops.import_scene.fbx(filepath=path, anim_offset=0.0)
        return 0
    bpy.ops.wm.usd_import(filepath=path, set_frame_range=True)
    return 0


def heads(armature: bpy.types.Object) -> dict[str, list[float]]:
    places = {}
    for bone in armature.pose.bones:
        x, y, z = armature.matrix_world @ bone.head
        places[bone.name] = [x, z, -y]
    return places


def lowest() -> float | None:
    graph = bpy.context.evaluated_depsgraph_get()
    heights = []
    for thing in bpy.data.objects:
        if thing.type == "MESH" and thing.find_armature() is not None:
            posed = thing.evaluated_get(graph)
            heights += [(posed.matrix_world @ v.co).z for v in posed.data.vertices]
    return min(heights, default=None)


def main() -> None:
    files, rate, frames = sys.argv[1:]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    first = min([load(path, float(rate)) for path in files.split(",")])
    found = [thing for thing in bpy.data.objects if thing.type == "ARMATURE"]
    told = {"armatures": {thing.name: [] for thing in found}, "lowest": []}
    for frame in frames.split(","):
        bpy.context.scene.frame_set(first + int(frame))
        bpy.context.view_layer.update()
        for thing in found:
            told["armatures"][thing.name].append(heads(thing))
        told["lowest"].append(lowest())
    told["frame_rate"] = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    print("PROBE" + json.dumps(told))


main()
