"""Standing: the pose of a person at ease, and a partner who stands before a player and faces him.

Knows poses and rest joints; no plan and no network.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import rotmat_about
from engine.body.skeleton import JOINT, JOINT_COUNT
from engine.windows import floor_height

STANDING = {"left_shoulder": -1.2, "right_shoulder": 1.2, "left_elbow": -0.15, "right_elbow": 0.15}
"""Radians about Z that take the arms of the T pose down to the sides."""


def standing_pose() -> Array:
    """Rotations (22, 3, 3) of a person standing at ease, facing +Z."""
    rotmats = np.broadcast_to(np.eye(3), (JOINT_COUNT, 3, 3)).copy()
    for joint, angle in STANDING.items():
        rotmats[JOINT[joint]] = rotmat_about("z", angle)
    return rotmats


def standing_partner(
    player: tuple[Array, Array], rest_joints: Array, distance: float, floor: float
) -> tuple[Array, Array]:
    """A partner who stands `distance` metres before the player, faces him, feet on the floor.

    player       rotmats (22, 3, 3), transl (3,)
    rest_joints  (2, 22, 3) of player and partner
    returns      rotmats (22, 3, 3), transl (3,)
    """
    joints, _ = forward_kinematics(rest_joints[0], *player)
    forward = facing(joints)
    rotmats = standing_pose()
    rotmats[0] = rotmat_about("y", np.arctan2(-forward[0], -forward[2]))
    pelvis = joints[JOINT["pelvis"]] + distance * forward
    transl = pelvis - rest_joints[1, 0]
    transl[1] = 0.0
    transl[1] = floor - floor_height(rotmats, transl, rest_joints[1])
    return rotmats, transl


def facing(joints: Array) -> Array:
    """Unit vector in the floor plane that a body (22, 3) faces (facts/ponimator.md 3, step 2)."""
    across: Array = sum(
        (
            joints[JOINT[f"right_{part}"]] - joints[JOINT[f"left_{part}"]]
            for part in ("hip", "shoulder")
        ),
        np.zeros(3),
    )
    forward = np.array([across[2], 0.0, -across[0]])
    length = np.linalg.norm(forward)
    return forward / length if length > 1e-9 else np.array([0.0, 0.0, 1.0])
