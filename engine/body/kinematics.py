"""Forward kinematics and skinning in numpy.

Knows arrays; which body they describe is `shape.py`'s business. Tests compare with `smplx.lbs`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.arrays import Array
from engine.body.skeleton import PARENTS


def forward_kinematics(
    rest_joints: Array, rotmats: Array, transl: Array, parents: Sequence[int] = PARENTS
) -> tuple[Array, Array]:
    """World joints and world orientations of a posed skeleton.

    rest_joints  (..., J, 3) joints in the rest pose, metres; broadcasts against the poses
    rotmats      (..., J, 3, 3) parent-relative rotations, root first
    transl       (..., 3) SMPL-X translation: the pelvis stands at rest_joints[0] + transl
    returns      joints_world (..., J, 3), world_from_joint rotations (..., J, 3, 3)

    G_j = G_parent R_j;  p_j = p_parent + G_parent (J_j - J_parent)        (SMPL, eq. 3)
    """
    poses = np.broadcast_shapes(rest_joints.shape[:-2], rotmats.shape[:-3], transl.shape[:-1])
    rest_joints = np.broadcast_to(rest_joints, (*poses, *rest_joints.shape[-2:]))
    offsets = rest_joints - rest_joints[..., [max(p, 0) for p in parents], :]
    joints = [rest_joints[..., 0, :] + transl]
    world = [rotmats[..., 0, :, :]]
    for joint in range(1, len(parents)):
        parent = parents[joint]
        joints.append(joints[parent] + _rotated(world[parent], offsets[..., joint, :]))
        world.append(world[parent] @ rotmats[..., joint, :, :])
    return np.stack(joints, axis=-2), np.stack(world, axis=-3)


def skin(
    rest_vertices: Array,
    rest_joints: Array,
    joints_world: Array,
    world_from_joint: Array,
    weights: Array,
) -> Array:
    """Linear blend skinning.

    rest_vertices (V, 3), rest_joints (J, 3), weights (V, J) rows sum to 1
    joints_world (..., J, 3), world_from_joint (..., J, 3, 3)
    returns vertices (..., V, 3):  v = sum_j w_j (G_j (v_rest - J_j) + p_j)
    """
    shift = joints_world - _rotated(world_from_joint, rest_joints)
    rotations = np.tensordot(world_from_joint, weights, axes=([-3], [1]))
    turned = np.einsum("...abv,vb->...va", rotations, rest_vertices, optimize=True)
    return np.asarray(turned + np.einsum("vj,...ja->...va", weights, shift, optimize=True))


def turned_about_origin(
    rotation: Array, root_rotmat: Array, transl: Array, rest_pelvis: Array
) -> tuple[Array, Array]:
    """Root rotation and transl of a body turned about the world origin (facts/ponimator.md 2.3).

    root' = Q root;  transl' = Q (J0 + transl) - J0
    """
    return rotation @ root_rotmat, _rotated(rotation, rest_pelvis + transl) - rest_pelvis


def _rotated(rotation: Array, vector: Array) -> Array:
    return np.asarray((rotation @ vector[..., None])[..., 0])
