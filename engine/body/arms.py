"""Arms that reach: a hand on its way to a place, over frames.

Knows poses and where hands should be; knows neither why, nor whose hand waits there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.ik import aligning, limited, soft_limit, swing_and_twist, two_bone
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import rotmat_about, rotmat_from_axis_angle, slerp_rotmat
from engine.body.skeleton import JOINT
from engine.body.vectors import lengths, rotated, unit

SIGN = (1.0, -1.0)
"""Sign of +X for the left and the right arm."""
ARMS = tuple(
    tuple(JOINT[f"{side}_{part}"] for part in ("collar", "shoulder", "elbow", "wrist"))
    for side in ("left", "right")
)
CHEST = JOINT["spine3"]
PALM_AHEAD, PALM_DEPTH = 0.085, 0.022
"""Metres from the wrist to the middle of the palm: along the fingers, and out to the skin."""
ELBOW_HINT = np.array([0.35, -0.55, -0.75])
"""Where a left elbow points, in the chest's upright axes."""
MOST_WRIST, MOST_TWIST, FREE_TWIST = 1.2, 1.6, 1.1
"""Radians that a hand bends, and twists, against the forearm."""
FOREARM_SHARE = 0.6
"""Part of a hand's twist that is in the forearm."""
SOFT_REACH, FULL_REACH = 0.95, 0.985
"""Parts of the arm's length."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reach:
    """A hand's way to a place, over frames.

    side            0 left, 1 right
    weight          (frame,) 0: as the arm came; 1: arrived
    palm            (frame, 3) where the middle of the palm's skin should be, world
    fingers, faces  (frame, 3) where the fingers point, and which way the palm looks
    elbow           (frame, 3) where the elbow points; None: down, out and back
    """

    side: int
    weight: Array
    palm: Array
    fingers: Array
    faces: Array
    elbow: Array | None = None


def reaching(rotmats: Array, transl: Array, rest_joints: Array, reach: Reach) -> Array:
    """Frames (frame, 22, 3, 3) with one arm on its way to a place, as far as the weight says.

    The hand goes straight from where it was, and the collar a little along.
    """
    if not np.any(reach.weight > 0):
        return rotmats
    side = reach.side
    collar, shoulder, elbow, wrist = ARMS[side]
    joints, world = forward_kinematics(rest_joints, rotmats, transl)
    weight = reach.weight[:, None]
    fingers = unit(reach.fingers)
    faces = unit(reach.faces - (reach.faces * fingers).sum(-1, keepdims=True) * fingers)
    goal = reach.palm - PALM_AHEAD * fingers - PALM_DEPTH * faces
    at = joints[:, wrist] + weight * (goal - joints[:, wrist])

    chest = world[:, CHEST]
    turned = _collar(chest, at - joints[:, shoulder], rest_joints, side)
    collar_world = slerp_rotmat(world[:, collar], chest @ turned, reach.weight)
    root = joints[:, collar] + rotated(collar_world, rest_joints[shoulder] - rest_joints[collar])
    upright = _upright(chest)
    hint = rotated(upright, ELBOW_HINT * [SIGN[side], 1.0, 1.0])
    pole = hint if reach.elbow is None else unit(reach.elbow)
    came = joints[:, elbow] - 0.5 * (joints[:, shoulder] + joints[:, wrist])
    pole = unit(came) + weight * (pole - unit(came))
    upper, lower = (
        rest_joints[elbow] - rest_joints[shoulder],
        rest_joints[wrist] - rest_joints[elbow],
    )
    hinge = np.array([0.0, -SIGN[side], 0.0])
    limit = (SOFT_REACH, FULL_REACH)
    upper_world, lower_world, _, _ = two_bone(root, at, pole, upper, lower, hinge, limit)

    along = unit(lower)
    laid = aligning(along, np.array([0.0, -1.0, 0.0]), fingers, faces)
    hand = slerp_rotmat(world[:, wrist], laid, reach.weight)
    swing, twist = swing_and_twist(np.swapaxes(lower_world, -1, -2) @ hand, along)
    twist = soft_limit(np.unwrap(twist), FREE_TWIST, MOST_TWIST)
    hand = lower_world @ limited(swing, MOST_WRIST) @ _about(along, twist)
    forearm = lower_world @ _about(along, FOREARM_SHARE * twist)

    result = rotmats.copy()
    chain = (chest, collar_world, upper_world, forearm, hand)
    is_moved = reach.weight > 0
    for joint, parent_world, own_world in zip(ARMS[side], chain[:-1], chain[1:], strict=True):
        local = np.swapaxes(parent_world, -1, -2) @ own_world
        result[is_moved, joint] = local[is_moved]
    return result


def _upright(chest: Array) -> Array:
    yaw = np.arctan2(chest[..., 0, 2], chest[..., 2, 2])
    return rotmat_about("y", yaw)


def _collar(chest: Array, reach: Array, rest_joints: Array, side: int) -> Array:
    """(frame, 3, 3) the shoulder girdle rises and turns forward with the hand that reaches."""
    _, shoulder, elbow, wrist = ARMS[side]
    length = float(lengths(rest_joints[elbow] - rest_joints[shoulder])) + float(
        lengths(rest_joints[wrist] - rest_joints[elbow])
    )
    local = rotated(np.swapaxes(chest, -1, -2), reach) / length
    rise = -0.10 + 0.30 * np.clip(local[:, 1] + 0.35, 0, 1.2)
    forward = 0.28 * np.clip(local[:, 2], -0.2, 1.0)
    return rotmat_about("y", -SIGN[side] * forward) @ rotmat_about("z", SIGN[side] * rise)


def _about(axis: Array, angle: Array) -> Array:
    return rotmat_from_axis_angle(axis * angle[:, None])


def palms_of(joints: Array, world: Array, rest_joints: Array) -> tuple[Array, Array, Array]:
    """For posed joints (..., 22, 3) and (..., 22, 3, 3): the palms' middles (..., 2, 3), where the
    fingers point and which way the palms look."""
    at, fingers, faces = [], [], []
    for _, _, elbow, wrist in ARMS:
        along = unit(rest_joints[wrist] - rest_joints[elbow])
        turn = world[..., wrist, :, :]
        fingers.append(rotated(turn, along))
        faces.append(-turn[..., :, 1])
        skin = PALM_AHEAD * fingers[-1] + PALM_DEPTH * faces[-1]
        at.append(joints[..., wrist, :] + skin)
    return np.stack(at, -2), np.stack(fingers, -2), np.stack(faces, -2)
