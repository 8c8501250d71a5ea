"""The skeleton all poses share: the 22 body joints of SMPL-X, their tree and their mirror.

Knows names and indices only; lengths belong to a body (`shape.py`).
"""

from __future__ import annotations

JOINT_NAMES = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
)
JOINT_COUNT = len(JOINT_NAMES)
JOINT = {name: index for index, name in enumerate(JOINT_NAMES)}
"""Index of a joint by its SMPL-X name."""

PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)

FINGERS = ("index", "middle", "pinky", "ring", "thumb")
HAND_JOINT_NAMES = tuple(
    f"{side}_{finger}{number}"
    for side in ("left", "right")
    for finger in FINGERS
    for number in (1, 2, 3)
)
"""Finger joints in SMPL-X order; a body has them after its first 22 joints, a pose has none."""
HAND_PARENTS = tuple(
    JOINT[f"{name.partition('_')[0]}_wrist"] if name.endswith("1") else JOINT_COUNT + index - 1
    for index, name in enumerate(HAND_JOINT_NAMES)
)
"""Of the finger joints, where they follow the first 22."""


def _mirrored(name: str) -> str:
    side, _, part = name.partition("_")
    return {"left": f"right_{part}", "right": f"left_{part}"}.get(side, name)


MIRROR = tuple(JOINT[_mirrored(name)] for name in JOINT_NAMES)
"""MIRROR[j] is the joint on the other side of the body (itself on the spine)."""

FOOT_JOINTS = tuple(JOINT[n] for n in ("left_ankle", "right_ankle", "left_foot", "right_foot"))
