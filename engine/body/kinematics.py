"""Forward kinematics and skinning in numpy.

Knows arrays; which body they describe is `shape.py`'s business. Tests compare with `smplx.lbs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.skeleton import MIRROR, PARENTS
from engine.body.vectors import rotated

Index = slice | list[int]
ACROSS = np.array([-1.0, 1.0, 1.0])
"""What a mirror in the YZ plane makes of a place."""


def mirrored(rotmats: Array) -> Array:
    """Parent-relative rotations (..., 22, 3, 3) of a body's mirror image: its left is the right."""
    return np.asarray(rotmats[..., list(MIRROR), :, :] * ACROSS[:, None] * ACROSS)


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
    generations = _generations(tuple(parents))
    # [R_j | J_j - J_parent]: one product of matrices gives turn and place of a whole generation.
    local = np.empty((*poses, len(parents), 3, 4), np.result_type(rest_joints, rotmats, transl))
    local[..., :3] = rotmats
    local[..., 1:, :, 3] = rest_joints[..., 1:, :] - rest_joints[..., list(parents[1:]), :]
    posed = np.empty_like(local)
    posed[..., 0, :, :3] = local[..., 0, :, :3]
    posed[..., 0, :, 3] = rest_joints[..., 0, :] + transl
    for children, of_them in generations:
        above = posed[..., of_them, :, :]
        below = above[..., :3] @ local[..., children, :, :]
        below[..., 3] += above[..., 3]
        posed[..., children, :, :] = below
    return posed[..., 3], posed[..., :3]


def along_chain(
    rest_joints: Array,
    rotmats: Array,
    chain: Sequence[int | list[int] | IntArray],
    start: tuple[int, Array, Array],
) -> tuple[Array, Array]:
    """World joints (link, ..., 3) and orientations (link, ..., 3, 3) down a part of a skeleton.

    chain  the joints, each the next one's parent; or lists of them, side by side as a last axis
    start  the parent of the first, and its place (..., 3) and orientation (..., 3, 3)
    For a few joints it takes a part of the time of `forward_kinematics`.
    """
    parent: int | list[int] | IntArray
    parent, at, turn = start
    places, turns = [], []
    for joint in chain:
        at = at + rotated(turn, rest_joints[joint] - rest_joints[parent])
        turn = turn @ rotmats[..., joint, :, :]
        places.append(at)
        turns.append(turn)
        parent = joint
    return np.stack(places), np.stack(turns)


@lru_cache
def _generations(parents: tuple[int, ...]) -> tuple[tuple[Index, Index], ...]:
    """Joints of each depth below the root, and the parent of each; slices where they follow."""
    depths = [0]
    for parent in parents[1:]:
        depths.append(depths[parent] + 1)
    result = []
    for depth in range(1, max(depths) + 1):
        children = [joint for joint, found in enumerate(depths) if found == depth]
        result.append((_index(children), _index([parents[joint] for joint in children])))
    return tuple(result)


def _index(joints: list[int]) -> Index:
    is_run = joints == list(range(joints[0], joints[-1] + 1))
    return slice(joints[0], joints[-1] + 1) if is_run else joints


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
    shift = joints_world - rotated(world_from_joint, rest_joints)
    rotations = np.tensordot(world_from_joint, weights, axes=([-3], [1]))
    turned = np.einsum("...abv,vb->...va", rotations, rest_vertices, optimize=True)
    return np.asarray(turned + np.einsum("vj,...ja->...va", weights, shift, optimize=True))


def turned_about_origin(
    rotation: Array, root_rotmat: Array, transl: Array, rest_pelvis: Array
) -> tuple[Array, Array]:
    """Root rotation and transl of a body turned about the world origin (facts/ponimator.md 2.3).

    root' = Q root;  transl' = Q (J0 + transl) - J0
    """
    return rotation @ root_rotmat, rotated(rotation, rest_pelvis + transl) - rest_pelvis
