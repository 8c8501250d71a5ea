"""Standing: a pose to begin with, and how far above the floor a pose is.

Knows skeletons of the wire and numpy; no stream.
"""

from __future__ import annotations

import numpy as np
from contrapose.v1 import types_pb2

from contrapose_client.playout import JOINT_COUNT, Array

AVERAGE_SOLES = -1.303
"""Metres: height of the soles of the average body in the rest pose with `transl` = 0."""
SOLE_DEPTH = 0.185
"""Depth of the sole under the ball of the foot, as a part of the foot's length to there."""
BALL = 10
"""`left_foot`, whose parent is the ankle; in the rest pose the right one is as high."""
ARMS = {16: -1.2, 17: 1.2, 18: -0.15, 19: 0.15}
"""Radians about Z that take the arms of the T pose down: left and right shoulder, then elbow."""


def standing(
    skeleton: types_pb2.Skeleton | None = None,
    *,
    at: tuple[float, float] = (0.0, 0.0),
    heading: float = 0.0,
) -> tuple[Array, Array]:
    """Rotations (22, 4) and `transl` (3,) of a person who stands at ease on the floor y = 0.

    skeleton  of the person's body, as in `session.accepted.player_skeleton`; None: the average one
    at        metres: where the person stands, x and z
    heading   radians about +Y: where the person looks; 0 is +Z
    """
    quats = np.tile(np.array([0, 0, 0, 1], np.float32), (JOINT_COUNT, 1))
    for joint, angle in ARMS.items():
        quats[joint] = [0, 0, np.sin(angle / 2), np.cos(angle / 2)]
    quats[0] = [0, np.sin(heading / 2), 0, np.cos(heading / 2)]
    soles = AVERAGE_SOLES if skeleton is None else _soles(skeleton)
    return quats, np.array([at[0], -soles, at[1]], np.float32)


def lowest_joint(skeleton: types_pb2.Skeleton, quats_xyzw: Array, transl: Array) -> float:
    """Height in metres of the lowest joint of a pose (22, 4), (3,)."""
    offsets = np.array(skeleton.rest_offsets).reshape(JOINT_COUNT, 3)
    turns, places = [quats_xyzw[0]], [offsets[0] + transl]
    for joint in range(1, JOINT_COUNT):
        parent = skeleton.parent_indices[joint]
        places.append(places[parent] + _turned(turns[parent], offsets[joint]))
        turns.append(_product(turns[parent], quats_xyzw[joint]))
    return float(min(place[1] for place in places))


def _soles(skeleton: types_pb2.Skeleton) -> float:
    """Height of the soles in the rest pose with `transl` = 0."""
    offsets = np.array(skeleton.rest_offsets).reshape(JOINT_COUNT, 3)
    height, joint = 0.0, BALL
    while joint >= 0:
        height += offsets[joint, 1]
        joint = skeleton.parent_indices[joint]
    return float(height - SOLE_DEPTH * np.hypot(offsets[BALL, 0], offsets[BALL, 2]))


def _product(first: Array, second: Array) -> Array:
    """Of two quaternions x, y, z, w: turn by the second, then by the first."""
    xyz = first[3] * second[:3] + second[3] * first[:3] + np.cross(first[:3], second[:3])
    return np.append(xyz, first[3] * second[3] - first[:3] @ second[:3])


def _turned(quat: Array, vector: Array) -> Array:
    across = 2 * np.cross(quat[:3], vector)
    return np.asarray(vector + quat[3] * across + np.cross(quat[:3], across))
