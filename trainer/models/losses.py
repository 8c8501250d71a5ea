"""The terms that families' losses are made of (facts/ponimator.md 11), on 22 joints and two palms.

Knows features, rest joints and masks; knows no network, no data and no diffusion step. Where the
published losses count the 127 joints of the licensed SMPL-X, these count 22 joints and a point in
each palm: hands are where people touch, and wrists turn them. The mesh is `mesh.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.body.shape import load_body
from engine.body.skeleton import FOOT_JOINTS, JOINT, JOINT_COUNT, PARENTS
from trainer.models.mesh import Mesh, make_mesh, mesh_vertices

PALM_LENGTH = 0.085
"""From wrist to palm along the forearm of the rest pose, metres."""
POINT_PARENTS = (*PARENTS, JOINT["left_wrist"], JOINT["right_wrist"])
POINT_COUNT = len(POINT_PARENTS)
EPSILON = 1e-7


Levels = tuple[tuple[int, ...], ...]


def _levels(joints: Iterable[int]) -> Levels:
    """Joints by depth in the tree, without the root: all of one depth are posed by one product."""
    depth = [0] * POINT_COUNT
    for point in range(1, POINT_COUNT):
        depth[point] = depth[POINT_PARENTS[point]] + 1
    chosen = sorted(joints)
    return tuple(
        tuple(j for j in chosen if depth[j] == d)
        for d in range(1, max(depth[j] for j in chosen) + 1)
    )


def _ancestry() -> Tensor:
    """(24, 24): row j has ones at j and all its ancestors; the root's vector is its position."""
    matrix = torch.eye(POINT_COUNT)
    for point in range(1, POINT_COUNT):
        matrix[point] += matrix[POINT_PARENTS[point]]
    return matrix


INNER_LEVELS = _levels(set(POINT_PARENTS[1:]))
"""Joints with a child: no other's rotation moves a point."""
ALL_LEVELS = _levels(range(JOINT_COUNT))
ANCESTRY = _ancestry()


def columns_from_rot6d(rot6d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gram-Schmidt on (3, 2, ...): the columns x, y, z of the rotations, each (3, ...).

    Lengths are kept away from zero, so gradients stay finite on any prediction.
    """
    first, second = rot6d[:, 0], rot6d[:, 1]
    x = first * torch.rsqrt(first.square().sum(0) + EPSILON)
    second = second - (x * second).sum(0) * x
    y = second * torch.rsqrt(second.square().sum(0) + EPSILON)
    return x, y, torch.linalg.cross(x, y, dim=0)


def rest_points(rest_joints: Tensor) -> Tensor:
    """(..., 22, 3) -> (..., 24, 3): palms beyond the wrists."""
    wrists = rest_joints[..., [JOINT["left_wrist"], JOINT["right_wrist"]], :]
    elbows = rest_joints[..., [JOINT["left_elbow"], JOINT["right_elbow"]], :]
    direction = torch.nn.functional.normalize(wrists - elbows, dim=-1)
    return torch.cat([rest_joints, wrists + PALM_LENGTH * direction], dim=-2)


def forward_kinematics(
    features: Tensor, rest_joints: Tensor, levels: Levels = INNER_LEVELS
) -> tuple[Tensor, dict[int, Tensor]]:
    """World points and rotations, coordinates first, for speed on a CPU.

    features     (batch, 2, frame, 135); rotations need not be orthonormal
    rest_joints  (batch, 2, 22, 3)
    returns      points (3, 24, batch, 2, frame); of the root and the joints in `levels`, world
                 from joint (3, 3, batch, 2, frame)

    G_j = G_parent R_j;  p_j = J_0 + transl + sum over ancestors of G_parent (J_i - J_parent)
    """
    lead = features.shape[:-1]
    rot6d = features[..., : 6 * JOINT_COUNT].reshape(*lead, JOINT_COUNT, 3, 2)
    rot6d = rot6d.permute(4, 5, 3, 0, 1, 2).contiguous()  # (3, 2, joint, batch, 2, frame)
    local = torch.stack(columns_from_rot6d(rot6d), dim=1)  # (row, column, joint, ...)
    world: dict[int, Tensor] = {0: local[:, :, 0]}
    for level in levels:
        parent = torch.stack([world[POINT_PARENTS[j]] for j in level], dim=2)
        turn = local[:, :, list(level)]
        product = sum(parent[:, b, None] * turn[None, b] for b in range(3))
        assert isinstance(product, Tensor)
        world.update(zip(level, product.unbind(2), strict=True))
    rest = rest_points(rest_joints).permute(3, 2, 0, 1)[..., None]  # (3, 24, batch, 2, 1)
    offset = rest[:, 1:] - rest[:, list(POINT_PARENTS[1:])]
    parents = torch.stack([world[p] for p in POINT_PARENTS[1:]], dim=2)
    bones = sum(parents[:, b] * offset[b] for b in range(3))
    assert isinstance(bones, Tensor)
    pelvis = rest[:, 0] + features[..., -3:].permute(3, 0, 1, 2)
    vectors = torch.cat([pelvis[:, None], bones], dim=1)
    points = torch.matmul(ANCESTRY.to(vectors), vectors.flatten(2)).view_as(vectors)
    return points, world


def pair_distances(points: Tensor) -> Tensor:
    """(3, 24, batch, 2, frame) -> (24, 24, batch, frame): player's points to partner's, metres."""
    gap = points[:, :, None, :, 0] - points[:, None, :, :, 1]
    return (gap.square().sum(0) + EPSILON).sqrt()


def masked_mean(values: Tensor, mask: Tensor, per: float = 1.0) -> Tensor:
    """Sum of values x mask over all axes, over per x sum of the mask."""
    return (values * mask).sum() / (per * mask.sum() + EPSILON)


# ------------------------------------------------------------------------------- the interaction
def distance_loss(predicted: Tensor, target: Tensor, both_valid: Tensor, within: float) -> Tensor:
    """L_dist on maps (24, 24, batch, frame): counts where the PREDICTED points are near."""
    mask = both_valid * (predicted.detach() < within)
    return masked_mean((predicted - target).square(), mask)


def contact_loss(predicted: Tensor, target: Tensor, both_valid: Tensor, within: float) -> Tensor:
    """L_cont: where the TRUE points touch, the predicted ones are drawn together."""
    return masked_mean(predicted.square(), both_valid * (target < within))


def relative_rotation_loss(predicted: Tensor, target: Tensor, both_valid: Tensor) -> Tensor:
    """L_rel on root rotations (3, 3, batch, 2, frame): squared Frobenius distance of R1 R0^T."""

    def relative(root: Tensor) -> Tensor:
        player, partner = root[:, :, :, 0], root[:, :, :, 1]
        return (partner[:, None] * player[None]).sum(2)

    error = (relative(predicted) - relative(target)).square().sum((0, 1))
    return masked_mean(error, both_valid)


# ------------------------------------------------------------------------------------ the motion
def velocity_loss(predicted: Tensor, target: Tensor, both_valid: Tensor, feet: float) -> Tensor:
    """L_vel: one-frame differences of points, the four foot joints apart with weight `feet`."""
    error = (predicted.diff(dim=-1) - target.diff(dim=-1)).square().sum(0)  # (24, batch, 2, frame)
    mask = both_valid[:, None, :-1]
    is_foot = list(FOOT_JOINTS)
    others = [j for j in range(POINT_COUNT) if j not in FOOT_JOINTS]
    frames = 2 * 3 * (mask.sum() + EPSILON)
    body = (error[others] * mask).sum() / (len(others) * frames)
    return body + feet * (error[is_foot] * mask).sum() / (len(is_foot) * frames)


def acceleration_loss(predicted: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Second differences of points, per coordinate: keeps 10 fps motion from trembling (ours)."""
    error = (predicted.diff(n=2, dim=-1) - target.diff(n=2, dim=-1)).square().sum(0)
    mask = valid[..., 2:] * valid[..., :-2]
    return (error * mask).sum() / (3 * POINT_COUNT * mask.sum() + EPSILON)


def skate_loss(predicted: Tensor, target: Tensor, valid: Tensor, still: float) -> Tensor:
    """Squared displacement of predicted foot joints while the true ones stand (ours)."""
    feet = list(FOOT_JOINTS)
    truth = target[:, feet].diff(dim=-1).square().sum(0)
    moved = predicted[:, feet].diff(dim=-1).square().sum(0)
    mask = (truth < still**2) * (valid[..., 1:] * valid[..., :-1])
    return masked_mean(moved, mask)


def vertex_loss(predicted: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """L_V on vertices (3, V, batch, 2, frame): mean square over coordinates of valid frames."""
    error = (predicted - target).square().sum((0, 1))
    return masked_mean(error, valid, 3 * predicted.shape[1])


# ------------------------------------------------------------------------------------ the totals
@dataclass(frozen=True)
class Posed:
    """People in the world, coordinates first.

    points (3, 24, batch, 2, frame), root (3, 3, batch, 2, frame), vertices (3, V, batch, 2, frame)
    """

    points: Tensor
    root: Tensor
    vertices: Tensor | None


def posed(features: Tensor, rest_joints: Tensor, mesh: Mesh | None) -> Posed:
    """`forward_kinematics`, and the skin if there is a mesh."""
    levels = INNER_LEVELS if mesh is None else ALL_LEVELS
    points, world = forward_kinematics(features, rest_joints, levels)
    vertices = None
    if mesh is not None:
        rotations = torch.stack([world[j] for j in range(JOINT_COUNT)], dim=2)
        vertices = mesh_vertices(mesh, points[:, :JOINT_COUNT], rotations, rest_joints)
    return Posed(points, world[0], vertices)


def mesh_of(config: Any) -> Mesh | None:
    """The mesh that a loss counts; None where its weight is 0, for its cost is not."""
    if not config.vertices:
        return None
    return make_mesh(load_body(Path(config.body) if config.body else None), config.vertex_count)


def interaction_terms(
    made: Posed, truth: Posed, both_valid: Tensor, config: Any
) -> dict[str, Tensor]:
    """The three terms between the people; both_valid (batch, frame)."""
    predicted = pair_distances(made.points)
    with torch.no_grad():
        target = pair_distances(truth.points)
    return {
        "distance": distance_loss(predicted, target, both_valid, config.distance_within),
        "contact": contact_loss(predicted, target, both_valid, config.contact_within),
        "relative_rotation": relative_rotation_loss(made.root, truth.root, both_valid),
    }


def with_total(terms: dict[str, Tensor], config: Any) -> dict[str, Tensor]:
    """The terms, unweighted, and under "total" their sum with the weights of `config`."""
    total = torch.zeros(())
    for name, value in terms.items():
        if weight := getattr(config, name):
            total = total + weight * value
    return terms | {"total": total}
