"""What the evaluator sees of a window: both people's rotations, joints and velocities.

Knows poses; knows no network. A window is turned into the canonical frame of its middle pair, so
that neither its place in the world nor the place of its anchor is itself seen.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.rotations import rot6d_from_rotmat
from engine.body.skeleton import JOINT_COUNT
from engine.motion.motion import FRAME_RATE, pose_from_features
from trainer.data.canonical import anchor_joints_of, canonicalised

PERSON_FEATURES = JOINT_COUNT * (6 + 3 + 3)
FEATURES = 2 * PERSON_FEATURES


def window_features(motion: Array, rest_joints: Array) -> Array:
    """(batch, frame, 528) float32: player then partner; of each 6D rotations (132), world joints
    (66, metres) and their velocities (66, metres a second; zero in a single pair).

    motion (batch, 2, frame, 135), rest_joints (batch, 2, 22, 3)
    """
    batch, _, frames, _ = motion.shape
    motion = canonicalised(motion, rest_joints, np.full(batch, frames // 2))
    rotmats = pose_from_features(motion).rotmats
    joints = anchor_joints_of(motion, rest_joints[:, :, None])
    velocity = np.gradient(joints, axis=2) * FRAME_RATE if frames > 1 else np.zeros_like(joints)
    parts = (rot6d_from_rotmat(rotmats), joints, velocity)
    person = np.concatenate([part.reshape(batch, 2, frames, -1) for part in parts], axis=-1)
    flat = person.transpose(0, 2, 1, 3).reshape(batch, frames, FEATURES)
    return flat.astype(np.float32)
