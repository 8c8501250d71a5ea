"""Bones of UnityEngine.HumanBodyBones by the names that VMC sends. Knows names alone."""

from __future__ import annotations

from engine.body.skeleton import HAND_JOINT_NAMES
from engine.devices.foreign import HUMAN_BONES
from engine.formats.vrma import VRM_BONES

BONE_NAMES = {joint: bone[0].upper() + bone[1:] for joint, bone in VRM_BONES.items()}
"""Our joint -> its HumanBodyBones name."""
BONE_NUMBERS = {name: HUMAN_BONES[joint] for joint, name in BONE_NAMES.items()}
"""HumanBodyBones name -> number."""
SEGMENTS = ("Proximal", "Intermediate", "Distal")


def _finger_bone(joint: str) -> str:
    side, part = joint.split("_")
    finger = {"pinky": "little"}.get(part[:-1], part[:-1])
    return side.capitalize() + finger.capitalize() + SEGMENTS[int(part[-1]) - 1]


FINGER_BONE_NAMES = tuple(_finger_bone(joint) for joint in HAND_JOINT_NAMES)
"""HumanBodyBones names of the finger joints: LeftIndexProximal, ..."""
