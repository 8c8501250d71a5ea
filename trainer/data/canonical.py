"""Windows in the canonical frame of their anchor, many at a time.

Knows features and rest joints. `engine/body/canonical.py` does the same for one pair of poses.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.canonical import yaw_of
from engine.body.rotations import rotmat_about
from engine.motion.motion import pose_from_features


def canonicalised(features: Array, rest_joints: Array, anchor_index: IntArray) -> Array:
    """Each window in its own canonical frame, with person 0 as the player and 1 as the partner.

    features (batch, 2 or more, frame, 135), rest_joints (batch, 2 or more, 22, 3), anchor_index
    (batch,); whoever else there is moves along
    At the anchor the player faces +Z with transl at x = z = 0, and the lowest joint of both
    people is on the floor (facts/ponimator.md 3, pair path).
    """
    rows = np.arange(len(features))
    joints = anchor_joints_of(features[rows, :2, anchor_index], rest_joints[:, :2])
    result = turned(features, rest_joints, -yaw_of(joints[:, 0]))
    shift = result[rows, 0, anchor_index, -3:].copy()
    shift[:, 1] = joints[..., 1].min(axis=(1, 2))
    result[..., -3:] -= shift[:, None, None]
    return result


def turned(features: Array, rest_joints: Array, yaw: Array) -> Array:
    """Bodies turned about the world's vertical through the origin (facts/ponimator.md 2.3).

    features (batch, person, frame, 135), rest_joints (batch, person, 22, 3), yaw (batch,) radians.
    """
    rotation = rotmat_about("y", yaw).astype(np.float32)[:, None, None]
    pelvis = rest_joints[:, :, None, 0]
    result = features.copy()
    root = features[..., :6].reshape(*features.shape[:-1], 3, 2)
    result[..., :6] = (rotation @ root).reshape(*features.shape[:-1], 6)
    moved = (rotation @ (pelvis + features[..., -3:])[..., None])[..., 0]
    result[..., -3:] = moved - pelvis
    return result


def anchor_joints_of(anchor: Array, rest_joints: Array) -> Array:
    """(..., 135) and (..., 22, 3) -> world joints (..., 22, 3) float32."""
    return pose_from_features(anchor).in_world(rest_joints)[0].astype(np.float32)
