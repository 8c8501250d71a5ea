"""The canonical frame of a pair: the player at the origin, facing +Z, the lower on the floor.

Knows poses and rest joints. Knows no file and no window: callers choose the pair that sets it.
Source: facts/ponimator.md section 3, the pair path, steps 2-4; person 0 is the reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import turned_about_origin
from engine.body.pose import Pose
from engine.body.rotations import rotmat_about
from engine.body.skeleton import JOINT
from engine.body.vectors import rotated


@dataclass(frozen=True)
class CanonicalFrame:
    """canonical_from_world, a turn about the world's Y and then a shift:  p' = rotation p + shift.

    rotation (3, 3), shift (3,) metres; of several pairs (n, 3, 3) and (n, 3)
    """

    rotation: Array
    shift: Array


def canonical_frame(pair: Pose, rest_joints: Array) -> CanonicalFrame:
    """The frame that one pair defines; rest_joints (2, 22, 3).

    across  = (right hip - left hip) + (right shoulder - left shoulder) of person 0
    forward = Y x across is turned about Y to +Z; a yaw only, so a torso keeps its lean
    shift   = so that person 0's transl (not the pelvis) has x = z = 0, and the lowest of all 44
              joints y = 0
    A person whose shoulders and hips stand exactly above each other has no yaw: none is taken.
    """
    joints, _ = pair.in_world(rest_joints)
    return canonical_frame_of(joints, pair.transl, rest_joints)


def canonical_frame_of(joints: Array, transl: Array, rest_joints: Array) -> CanonicalFrame:
    """The same, from the pair's world joints (2, 22, 3). Of several pairs, the frame of each:
    (2, n, 22, 3), transl (2, n, 3) and rest_joints (2, n, 22, 3)."""
    rotation = rotmat_about("y", -yaw_of(joints[0]))
    pelvis = rest_joints[0, ..., 0, :]
    shift = pelvis - rotated(rotation, pelvis + transl[0])
    shift[..., 1] = -joints[..., 1].min(axis=(0, -1))
    return CanonicalFrame(rotation, shift)


def yaw_of(joints: Array) -> Array:
    """The angle about Y from +Z to where a body faces, radians; joints (..., 22, 3) -> (...,)."""
    across = _between(joints, "left_hip", "right_hip")
    across = across + _between(joints, "left_shoulder", "right_shoulder")
    forward_x, forward_z = across[..., 2], -across[..., 0]
    return np.asarray(np.arctan2(forward_x, forward_z))


def _between(joints: Array, start: str, end: str) -> Array:
    return joints[..., JOINT[end], :] - joints[..., JOINT[start], :]


def to_canonical(frame: CanonicalFrame, pose: Pose, rest_joints: Array) -> Pose:
    """World poses (2, ...) in the canonical frame; rest_joints (2, 22, 3). Of several pairs, each
    in its own: (2, n, ...) and (2, n, 22, 3)."""
    turned = _turned(frame.rotation, pose, rest_joints)
    return Pose(turned.rotmats, turned.transl + _over_frames(frame.shift, 1, pose.transl.ndim - 1))


def from_canonical(frame: CanonicalFrame, pose: Pose, rest_joints: Array) -> Pose:
    """The inverse of `to_canonical`."""
    shift = _over_frames(frame.shift, 1, pose.transl.ndim - 1)
    turned = Pose(pose.rotmats, pose.transl - shift)
    return _turned(frame.rotation.swapaxes(-1, -2), turned, rest_joints)


def _turned(rotation: Array, pose: Pose, rest_joints: Array) -> Pose:
    rotmats, transl = pose.rotmats, pose.transl
    root, transl = turned_about_origin(
        _over_frames(rotation, 2, transl.ndim),
        rotmats[..., 0, :, :],
        transl,
        _over_frames(rest_joints[..., 0, :], 1, transl.ndim),
    )
    return Pose(np.concatenate([root[..., None, :, :], rotmats[..., 1:, :, :]], axis=-3), transl)


def _over_frames(values: Array, last: int, axes: int) -> Array:
    """Values with axes of one before the `last`, to broadcast against poses of so many axes."""
    lead = values.ndim - last
    return values.reshape(*values.shape[:lead], *(1,) * (axes - values.ndim), *values.shape[lead:])
