"""The canonical frame of a pair: the player at the origin, facing +Z, the lower on the floor.

Knows poses and rest joints. Knows no file and no window: callers choose the pair that sets it.
Source: facts/ponimator.md section 3, the pair path, steps 2-4; person 0 is the reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics, turned_about_origin
from engine.body.rotations import rotmat_about
from engine.body.skeleton import JOINT


@dataclass(frozen=True)
class CanonicalFrame:
    """canonical_from_world, a turn about the world's Y and then a shift:  p' = rotation p + shift.

    rotation (3, 3), shift (3,) metres
    """

    rotation: Array
    shift: Array


def canonical_frame(rotmats: Array, transl: Array, rest_joints: Array) -> CanonicalFrame:
    """The frame that one pair defines.

    rotmats (2, 22, 3, 3), transl (2, 3), rest_joints (2, 22, 3)

    across  = (right hip - left hip) + (right shoulder - left shoulder) of person 0
    forward = Y x across is turned about Y to +Z; a yaw only, so a torso keeps its lean
    shift   = so that person 0's transl (not the pelvis) has x = z = 0, and the lowest of all 44
              joints y = 0
    A person whose shoulders and hips stand exactly above each other has no yaw: none is taken.
    """
    joints, _ = forward_kinematics(rest_joints, rotmats, transl)
    return canonical_frame_of(joints, transl, rest_joints)


def canonical_frame_of(joints: Array, transl: Array, rest_joints: Array) -> CanonicalFrame:
    """The same, from the pair's world joints (2, 22, 3)."""
    rotation = rotmat_about("y", -yaw_of(joints[0]))
    turned = rotation @ (rest_joints[0, 0] + transl[0]) - rest_joints[0, 0]
    floor = joints[..., 1].min()
    return CanonicalFrame(rotation, -np.array([turned[0], floor, turned[2]]))


def yaw_of(joints: Array) -> Array:
    """The angle about Y from +Z to where a body faces, radians; joints (..., 22, 3) -> (...,)."""
    across = _between(joints, "left_hip", "right_hip")
    across = across + _between(joints, "left_shoulder", "right_shoulder")
    forward_x, forward_z = across[..., 2], -across[..., 0]
    return np.asarray(np.arctan2(forward_x, forward_z))


def _between(joints: Array, start: str, end: str) -> Array:
    return joints[..., JOINT[end], :] - joints[..., JOINT[start], :]


def to_canonical(
    frame: CanonicalFrame, rotmats: Array, transl: Array, rest_joints: Array
) -> tuple[Array, Array]:
    """World poses in the canonical frame.

    rotmats (2, ..., 22, 3, 3), transl (2, ..., 3), rest_joints (2, 22, 3) -> the same shapes
    """
    pelvis = _rest_pelvis(rest_joints, transl)
    rotmats, transl = _turned(frame.rotation, rotmats, transl, pelvis)
    return rotmats, transl + frame.shift


def from_canonical(
    frame: CanonicalFrame, rotmats: Array, transl: Array, rest_joints: Array
) -> tuple[Array, Array]:
    """The inverse of `to_canonical`."""
    pelvis = _rest_pelvis(rest_joints, transl)
    return _turned(frame.rotation.T, rotmats, transl - frame.shift, pelvis)


def _rest_pelvis(rest_joints: Array, transl: Array) -> Array:
    """(2, 22, 3) -> (2, 1, ..., 1, 3), to broadcast against transl (2, ..., 3)."""
    return rest_joints[:, 0].reshape(len(rest_joints), *(1,) * (transl.ndim - 2), 3)


def _turned(
    rotation: Array, rotmats: Array, transl: Array, rest_pelvis: Array
) -> tuple[Array, Array]:
    root, transl = turned_about_origin(rotation, rotmats[..., 0, :, :], transl, rest_pelvis)
    return np.concatenate([root[..., None, :, :], rotmats[..., 1:, :, :]], axis=-3), transl
