"""Bones of UnityEngine.HumanBodyBones by the names that VMC sends. Knows names alone."""

from __future__ import annotations

from engine.devices.foreign import HUMAN_BONES
from engine.formats.vrma import VRM_BONES

BONE_NAMES = {joint: bone[0].upper() + bone[1:] for joint, bone in VRM_BONES.items()}
"""Our joint -> its HumanBodyBones name."""
BONE_NUMBERS = {name: HUMAN_BONES[joint] for joint, name in BONE_NAMES.items()}
"""HumanBodyBones name -> number."""
