"""Heights over the floor: of soles, of the lowest joint, of a whole person."""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics
from engine.motion.feet import sole_heights


def floor_height(rotmats: Array, transl: Array, rest_joints: Array) -> Array:
    """Height of the lowest joint or sole, (...,) for poses (..., 22, 3, 3): a person's floor."""
    joints, world = forward_kinematics(rest_joints, rotmats, transl)
    return np.asarray(lowest_heights(joints, world, rest_joints).min(axis=-1))


def lowest_heights(joints: Array, world: Array, rest_joints: Array) -> Array:
    """Heights (..., 3) of the left sole, the right sole, and the lowest joint."""
    result = np.empty((*joints.shape[:-2], 3))
    result[..., :2] = sole_heights(joints, world, rest_joints)
    result[..., 2] = joints[..., 1].min(axis=-1)
    return result
