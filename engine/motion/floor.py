"""Heights over the floor: of soles, of the lowest joint, of a whole person."""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.pose import Pose
from engine.motion.feet import sole_heights


def floor_height(pose: Pose, rest_joints: Array) -> Array:
    """Height (...,) of the lowest joint or sole: a person's floor."""
    joints, world = pose.in_world(rest_joints)
    return np.asarray(lowest_heights(joints, world, rest_joints).min(axis=-1))


def lowest_heights(joints: Array, world: Array, rest_joints: Array) -> Array:
    """Heights (..., 3) of the left sole, the right sole, and the lowest joint."""
    result = np.empty((*joints.shape[:-2], 3))
    result[..., :2] = sole_heights(joints, world, rest_joints)
    result[..., 2] = joints[..., 1].min(axis=-1)
    return result
