"""VRMA files: one person's motion for VRM avatars. Knows VRMC_vrm_animation 1.0 and glTF.

Source: vrm-c/vrm-specification, VRMC_vrm_animation-1.0: nodes rest in VRM's T pose with the feet on
the floor; the hips travel, everything else turns.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.body.fingers import FingerJoints, finger_rotmats, straight_hands
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import quat_from_rotmat
from engine.body.shape import Body
from engine.body.skeleton import HAND_JOINT_NAMES, HAND_PARENTS, PARENTS
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
PHALANGES = ("Proximal", "Intermediate", "Distal")
VRM_FINGERS = {
    name: name.partition("_")[0]
    + ("Little" if "pinky" in name else name.partition("_")[2][:-1].capitalize())
    + (("Metacarpal", "Proximal", "Distal") if "thumb" in name else PHALANGES)[int(name[-1]) - 1]
    for name in HAND_JOINT_NAMES
}
"""The same of the fingers."""


def write_vrma(path: Path, motion: Motion, body: Body, *, person: int = 0) -> None:
    """Write one person's joints and their one animation; there is no mesh.

    Fingers are there where the motion says how they are bent; they rest straight, as VRM wants it.
    The scene keeps `betas` and the body's name as extras, to be read back by us.
    """
    betas, bones = motion.betas[person], VRM_BONES
    parents: tuple[int, ...] = PARENTS
    joints, quats = body.rest_joints(betas), continuous_quats(motion, person)
    if motion.curls is not None and body.fingers is not None:
        bones, parents = VRM_BONES | VRM_FINGERS, PARENTS + HAND_PARENTS
        joints = np.concatenate([joints, _straight(body, betas, body.fingers)])
        turned = finger_rotmats(straight_hands(), motion.curls[person].astype(np.float64))
        quats = np.concatenate([quats, quat_from_rotmat(turned).astype(np.float32)], axis=1)
    offsets = joints.astype(np.float32)
    offsets[1:] -= offsets[list(parents[1:])]
    offsets[0, 1] -= body.rest_vertices(betas)[:, 1].min()
    document = GltfDocument()
    document.json["scenes"][0]["extras"] = {"body": body.name, "betas": betas.tolist()}
    nodes = document.joint_tree(list(bones.values()), parents, offsets)
    document.json["scenes"][0]["nodes"].append(nodes[0])
    human = {bone: {"node": node} for bone, node in zip(bones.values(), nodes, strict=True)}
    document.json["extensionsUsed"] = [EXTENSION]
    document.json["extensions"] = {
        EXTENSION: {"specVersion": "1.0", "humanoid": {"humanBones": human}}
    }
    animation = document.animation("motion", {"frame_rate": motion.frame_rate})
    seconds = (np.arange(motion.frames) / motion.frame_rate).astype(np.float32)
    times = document.array(seconds, has_bounds=True)
    animation.channel(nodes[0], "translation", times, pelvis_places(motion, body, person))
    for joint, node in enumerate(nodes):
        animation.channel(node, "rotation", times, quats[:, joint])
    path.write_bytes(document.to_bytes())


def _straight(body: Body, betas: Array, fingers: FingerJoints) -> Array:
    """(30, 3) finger joints of a body at rest whose fingers are straight."""
    rest = body.all_rest_joints(betas).astype(np.float64)
    rotmats = np.tile(np.eye(3), (len(rest), 1, 1))
    rotmats[-len(HAND_JOINT_NAMES) :] = fingers.straight
    joints, _ = forward_kinematics(rest, rotmats, np.zeros(3), body.parents)
    return joints[-len(HAND_JOINT_NAMES) :]
