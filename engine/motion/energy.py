"""Energy: how lively a body moves, more or less than it came.

The fast part of the upper body's rotations is made larger or smaller; the slow part, the legs and
the path over the ground stay, and with them what the feet stand on. Knows rotations alone.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from engine.body.skeleton import JOINT

ARM_PARTS = ("collar", "shoulder", "elbow", "wrist")
UPPER_JOINTS = [
    *(JOINT[name] for name in ("spine1", "spine2", "spine3", "neck", "head")),
    *(JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ARM_PARTS),
]
SLOW_FRAMES = 10.0
"""Standard deviation of the time over which the slow part is averaged."""


def enlivened(rotmats: Array, gain: Array) -> Array:
    """Poses (frame, 22, 3, 3) with the upper body's fast motion `gain` (frame,) times as large.

    With S the mean rotation of a joint around a frame, R becomes S exp(gain log(S^T R)).
    """
    upper = rotmats[:, UPPER_JOINTS]
    apart = np.arange(len(rotmats))[:, None] - np.arange(len(rotmats))
    weights = np.exp(-0.5 * (apart / SLOW_FRAMES) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    slow = _nearest_rotation(np.einsum("ts,sjab->tjab", weights, upper))
    fast = axis_angle_from_rotmat(np.swapaxes(slow, -1, -2) @ upper)
    result = rotmats.copy()
    result[:, UPPER_JOINTS] = slow @ rotmat_from_axis_angle(gain[:, None, None] * fast)
    return result


def _nearest_rotation(matrices: Array) -> Array:
    """The rotations (..., 3, 3) nearest to matrices: U diag(1, 1, det U V^T) V^T."""
    u, _, v = np.linalg.svd(matrices)
    sign = np.linalg.det(u @ v)
    u = u.copy()
    u[..., 2] *= sign[..., None]
    return np.asarray(u @ v)
