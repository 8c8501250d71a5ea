"""Measures of two-person motion, on world joints; each is compared with the truth's own figure.

Knows joints, known masks and frames; knows no network. All take joints (..., frame, 22, 3) at 10
frames a second unless they say otherwise, and return one number.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.skeleton import JOINT
from engine.motion.motion import FRAME_RATE

TOES = (JOINT["left_foot"], JOINT["right_foot"])
SKATE_HEIGHT = 0.06
"""Foot joints higher than this (metres) do not count as standing."""


def foot_skating(joints: Array) -> float:
    """Centimetres a second that low foot joints slide, weighted by how low they are.

    mean of v (2 - 2^(h/H)) over frames with h < H, v horizontal (MotionVAE, Ling et al. 2020)
    """
    toes = joints[..., list(TOES), :]
    height = np.maximum(toes[..., 1:, :, 1], toes[..., :-1, :, 1])
    speed = np.linalg.norm(np.diff(toes[..., [0, 2]], axis=-3), axis=-1) * FRAME_RATE
    low = (height < SKATE_HEIGHT).astype(joints.dtype)
    weight = low * (2 - 2 ** (np.maximum(height, 0) / SKATE_HEIGHT))
    return float(100 * (speed * weight).sum() / max(low.sum(), 1))


def jerk(joints: Array) -> Array:
    """(..., frame - 3) mean over joints of the third difference, metres per second cubed."""
    third = np.diff(joints, n=3, axis=-3) * FRAME_RATE**3
    return np.asarray(np.linalg.norm(third, axis=-1).mean(axis=-1))


def mean_jerk(joints: Array) -> float:
    return float(jerk(joints).mean())


def seam_jerk_ratio(joints: Array, is_seam: BoolArray) -> float:
    """Jerk of the third differences that span a seam over the jerk of all others.

    joints (person, frame, 22, 3); is_seam (frame,): true on the first frame of each revision.
    """
    values = jerk(joints)
    frames = joints.shape[-3]
    spans = np.array([is_seam[i + 1 : i + 4].any() for i in range(frames - 3)])
    return float(values[..., spans].mean() / values[..., ~spans].mean())


def top_speed(joints: Array) -> float:
    """Fastest joint of all, metres a second."""
    return float(np.linalg.norm(np.diff(joints, axis=-3), axis=-1).max() * FRAME_RATE)


def floor_error(joints: Array) -> float:
    """Mean distance of each person's lowest joint from the floor, centimetres."""
    return float(100 * np.abs(joints[..., 1].min(axis=-1)).mean())


def touching(points: Array, within: float = 0.1) -> BoolArray:
    """(batch, frame, n, n): which of the player's points are within reach of the partner's.

    points (batch, 2, frame, n, 3)
    """
    return point_distances(points) < within


def point_distances(points: Array) -> Array:
    """(batch, 2, frame, n, 3) -> (batch, frame, n, n) metres."""
    return np.asarray(np.linalg.norm(points[:, 0, :, :, None] - points[:, 1, :, None], axis=-1))


def contact_gap(points: Array, true_touching: BoolArray) -> float:
    """Mean distance, centimetres, of the pairs of points that touch in the truth."""
    return (
        float(100 * point_distances(points)[true_touching].mean()) if true_touching.any() else 0.0
    )


def frame_error(joints: Array, truth: Array, mask: BoolArray) -> float:
    """Mean joint error in centimetres over the frames (batch, 2, frame) of `mask`."""
    return float(100 * np.linalg.norm(joints - truth, axis=-1)[mask].mean())
