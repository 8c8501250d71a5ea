"""VRMA files: one person's motion for VRM avatars. Knows VRMC_vrm_animation 1.0 and glTF.

Source: vrm-c/vrm-specification, VRMC_vrm_animation-1.0: nodes rest in VRM's T pose with the feet on
the floor; the hips travel, everything else turns.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.body.shape import Body
from engine.body.skeleton import PARENTS
from engine.formats.gltf import GltfDocument
from engine.formats.skinned import continuous_quats, pelvis_places
from engine.motion.motion import Motion

EXTENSION = "VRMC_vrm_animation"
VRM_BONES = {
    "pelvis": "hips",
    "left_hip": "leftUpperLeg",
    "right_hip": "rightUpperLeg",
    "spine1": "spine",
    "left_knee": "leftLowerLeg",
    "right_knee": "rightLowerLeg",
    "spine2": "chest",
    "left_ankle": "leftFoot",
    "right_ankle": "rightFoot",
    "spine3": "upperChest",
    "left_foot": "leftToes",
    "right_foot": "rightToes",
    "neck": "neck",
    "left_collar": "leftShoulder",
    "right_collar": "rightShoulder",
    "head": "head",
    "left_shoulder": "leftUpperArm",
    "right_shoulder": "rightUpperArm",
    "left_elbow": "leftLowerArm",
    "right_elbow": "rightLowerArm",
    "left_wrist": "leftHand",
    "right_wrist": "rightHand",
}
"""Our joint -> VRM's human bone, in our order."""


def write_vrma(path: Path, motion: Motion, body: Body, *, person: int = 0) -> None:
    """Write one person's joints and their one animation; there is no mesh.

    The scene keeps `betas` and the body's name as extras, to be read back by us.
    """
    betas = motion.betas[person]
    offsets = body.rest_joints(betas).astype(np.float32)
    offsets[1:] -= offsets[list(PARENTS[1:])]
    offsets[0, 1] -= body.rest_vertices(betas)[:, 1].min()
    document = GltfDocument()
    document.json["scenes"][0]["extras"] = {"body": body.name, "betas": betas.tolist()}
    joints = document.joint_tree(list(VRM_BONES.values()), PARENTS, offsets)
    document.json["scenes"][0]["nodes"].append(joints[0])
    bones = {bone: {"node": node} for bone, node in zip(VRM_BONES.values(), joints, strict=True)}
    document.json["extensionsUsed"] = [EXTENSION]
    document.json["extensions"] = {
        EXTENSION: {"specVersion": "1.0", "humanoid": {"humanBones": bones}}
    }
    animation = document.animation("motion", {"frame_rate": motion.frame_rate})
    seconds = (np.arange(motion.frames) / motion.frame_rate).astype(np.float32)
    times = document.array(seconds, has_bounds=True)
    animation.channel(joints[0], "translation", times, pelvis_places(motion, body, person))
    quats = continuous_quats(motion, person)
    for joint, node in enumerate(joints):
        animation.channel(node, "rotation", times, quats[:, joint])
    path.write_bytes(document.to_bytes())
