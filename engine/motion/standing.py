"""Standing: the pose of a person at ease, and a partner who stands face to face with a player.

Knows poses and rest joints; no plan and no network.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.reach import ANKLES, HIPS, KNEES, Ends, Trunk, with_legs
from engine.body.rotations import rotmat_about
from engine.body.skeleton import JOINT, JOINT_COUNT
from engine.motion.feet import sole_heights
from engine.motion.floor import floor_height

STANDING = {"left_shoulder": -1.2, "right_shoulder": 1.2, "left_elbow": -0.15, "right_elbow": 0.15}
"""Radians about Z that take the arms of the T pose down to the sides."""


FLAT = 0.015
"""Metres off the floor that a sole may be and still count as standing."""


REACH = 0.995
"""Part of a leg's length from hip to ankle that is not yet a straight leg."""


def standing_pose() -> Array:
    """Rotations (22, 3, 3) of a person standing at ease, facing +Z."""
    rotmats = np.broadcast_to(np.eye(3), (JOINT_COUNT, 3, 3)).copy()
    for joint, angle in STANDING.items():
        rotmats[JOINT[joint]] = rotmat_about("z", angle)
    return rotmats


def standing_partner(player: Pose, rest_joints: Array, distance: float, floor: float) -> Pose:
    """A partner who stands `distance` metres before the player, face to face, feet on the floor.

    rest_joints  (2, 22, 3) of player and partner
    """
    joints, _ = player.in_world(rest_joints[0])
    forward = facing(joints)
    rotmats = standing_pose()
    rotmats[0] = rotmat_about("y", np.arctan2(-forward[0], -forward[2]))
    pelvis = joints[JOINT["pelvis"]] + distance * forward
    transl = pelvis - rest_joints[1, 0]
    transl[1] = 0.0
    transl[1] = floor - floor_height(Pose(rotmats, transl), rest_joints[1])
    return Pose(rotmats, transl)


def settled(pose: Pose, rest_joints: Array, floor: float) -> Pose:
    """One person's pose with both feet put down flat, as near to where they are as the legs allow;
    one who is in the air comes down. rest_joints (22, 3)
    """
    joints, world = pose.in_world(rest_joints)
    heights = sole_heights(joints, world, rest_joints) - floor
    if np.abs(heights).max() < FLAT:
        return pose
    down = np.array([0.0, max(float(heights.min()), 0.0), 0.0])
    joints, transl = joints - down, pose.transl - down
    ahead = world[ANKLES][..., 2]
    yaws = np.arctan2(ahead[:, 0], ahead[:, 2])
    ankles = joints[ANKLES]
    at_rest = Pose(np.eye(3) + np.zeros((JOINT_COUNT, 3, 3)), np.zeros(3))
    standing = floor_height(at_rest, rest_joints)
    ankles[:, 1] = floor + rest_joints[ANKLES][:, 1] - standing
    thigh, shin = rest_joints[KNEES] - rest_joints[HIPS], rest_joints[ANKLES] - rest_joints[KNEES]
    length = REACH * (np.linalg.norm(thigh, axis=-1) + np.linalg.norm(shin, axis=-1))
    across = np.sqrt(np.maximum(length**2 - (joints[HIPS] - ankles)[:, 1] ** 2, 0.0))
    away = ankles[:, [0, 2]] - joints[HIPS][:, [0, 2]]
    part = np.minimum(across / np.maximum(np.linalg.norm(away, axis=-1), 1e-9), 1.0)
    ankles[:, [0, 2]] = joints[HIPS][:, [0, 2]] + part[:, None] * away
    trunk = Trunk(rotmats=pose.rotmats, transl=transl, joints=joints, world=world)
    feet = Ends(positions=ankles, rotmats=np.stack([rotmat_about("y", yaw) for yaw in yaws]))
    return Pose(with_legs(rest_joints, trunk.hips, pose.rotmats, feet, floor), transl)


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
