"""Losses of both networks, as in facts/ponimator.md 11, on 22 joints and two palms.

Knows features, rest joints and masks; knows no network, no data and no diffusion step. Where the
published losses count the 127 joints of the licensed SMPL-X, these count 22 joints and a point in
each palm: hands are where people touch, and wrists turn them. The mesh is `mesh.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.body.skeleton import FOOT_JOINTS, JOINT, JOINT_COUNT, PARENTS
from trainer.training.mesh import Mesh, mesh_vertices

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


def _masked_mean(values: Tensor, mask: Tensor, per: float = 1.0) -> Tensor:
    """Sum of values x mask over all axes, over per x sum of the mask."""
    return (values * mask).sum() / (per * mask.sum() + EPSILON)


# ------------------------------------------------------------------------------- the interaction
def distance_loss(predicted: Tensor, target: Tensor, both_valid: Tensor, within: float) -> Tensor:
    """L_dist on maps (24, 24, batch, frame): counts where the PREDICTED points are near."""
    mask = both_valid * (predicted.detach() < within)
    return _masked_mean((predicted - target).square(), mask)


def contact_loss(predicted: Tensor, target: Tensor, both_valid: Tensor, within: float) -> Tensor:
    """L_cont: where the TRUE points touch, the predicted ones are drawn together."""
    return _masked_mean(predicted.square(), both_valid * (target < within))


def relative_rotation_loss(predicted: Tensor, target: Tensor, both_valid: Tensor) -> Tensor:
    """L_rel on root rotations (3, 3, batch, 2, frame): squared Frobenius distance of R1 R0^T."""

    def relative(root: Tensor) -> Tensor:
        player, partner = root[:, :, :, 0], root[:, :, :, 1]
        return (partner[:, None] * player[None]).sum(2)

    error = (relative(predicted) - relative(target)).square().sum((0, 1))
    return _masked_mean(error, both_valid)


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
    return _masked_mean(moved, mask)


def vertex_loss(predicted: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """L_V on vertices (3, V, batch, 2, frame): mean square over coordinates of valid frames."""
    error = (predicted - target).square().sum((0, 1))
    return _masked_mean(error, valid, 3 * predicted.shape[1])


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


@dataclass(frozen=True, kw_only=True)
class AnimatorLossConfig:
    """Weights of facts/ponimator.md 11, but velocity (there 1); acceleration and skate are ours.

    At 10 frames a second a trembling of 2 cm is plain to see, and its square nearly nothing beside
    the pose terms: hence the larger weights of the three terms of motion. Zero switches a term off.
    """

    pose: float = 1.0
    transl: float = 1.0
    joints: float = 1.0
    distance: float = 1.0
    distance_within: float = 1.0
    contact: float = 0.5
    contact_within: float = 0.1
    relative_rotation: float = 0.1
    velocity: float = 5.0
    velocity_feet: float = 1.0
    acceleration: float = 2.0
    skate: float = 5.0
    skate_still: float = 0.01
    """A true foot joint that moves less than this between frames (metres) stands."""
    vertices: float = 0.0
    vertex_count: int = 0
    """Vertices that are counted, evenly spread; 0 for the whole mesh."""
    body: str = ""
    """Licensed SMPL-X body (npz) whose mesh is counted; "" for the packaged open body."""


def animator_losses(
    x0: Tensor,
    motion: Tensor,
    clean_anchor: Tensor,
    rest_joints: Tensor,
    valid: Tensor | None,
    config: AnimatorLossConfig,
    mesh: Mesh | None = None,
) -> dict[str, Tensor]:
    """Every term, unweighted, and their weighted sum under "total".

    x0, motion    (batch, 2, 30, 135) predicted residual; true absolute window
    clean_anchor  (batch, 2, 135); rest_joints (batch, 2, 22, 3)
    valid         (batch, 2, 30), false past a clip's end; None: every frame is valid
    mesh          what "vertices" is computed on; None leaves the term out
    """
    residual = motion - clean_anchor[:, :, None]
    predicted = x0 + clean_anchor[:, :, None]
    valid = torch.ones_like(x0[..., 0]) if valid is None else valid.to(x0.dtype)
    both = valid[:, 0] * valid[:, 1]
    error = (x0 - residual).square()
    rotations = 6 * JOINT_COUNT
    made = posed(predicted, rest_joints, mesh)
    with torch.no_grad():
        truth = posed(motion, rest_joints, mesh)
        distances = pair_distances(truth.points)
    distances_hat = pair_distances(made.points)
    point_error = (made.points - truth.points).square().sum((0, 1))
    terms = {
        "pose": _masked_mean(error[..., :rotations].sum(-1), valid, rotations),
        "transl": _masked_mean(error[..., rotations:].sum(-1), valid, 3),
        "joints": _masked_mean(point_error, valid, 3 * POINT_COUNT),
        "distance": distance_loss(distances_hat, distances, both, config.distance_within),
        "contact": contact_loss(distances_hat, distances, both, config.contact_within),
        "relative_rotation": relative_rotation_loss(made.root, truth.root, both),
        "velocity": velocity_loss(made.points, truth.points, both, config.velocity_feet),
        "acceleration": acceleration_loss(made.points, truth.points, valid),
        "skate": skate_loss(made.points, truth.points, valid, config.skate_still),
    }
    if made.vertices is not None and truth.vertices is not None:
        terms["vertices"] = vertex_loss(made.vertices, truth.vertices, valid)
    return terms | {"total": _weighted_sum(terms, config)}


@dataclass(frozen=True, kw_only=True)
class GeneratorLossConfig:
    """Weights of facts/ponimator.md 11."""

    pose: float = 1.0
    joints: float = 1.0
    distance: float = 0.5
    distance_within: float = 1.0
    contact: float = 1.0
    contact_within: float = 0.1
    relative_rotation: float = 0.01
    bone: float = 10.0
    vertices: float = 0.0
    vertex_count: int = 0
    body: str = ""


def bone_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """L_bone: mean squared difference of the 21 bone lengths of rest joints (..., 22, 3)."""

    def lengths(joints: Tensor) -> Tensor:
        bones = joints[..., 1:, :] - joints[..., list(PARENTS[1:]), :]
        return (bones.square().sum(-1) + EPSILON).sqrt()

    return (lengths(predicted) - lengths(target)).square().mean()


def generator_losses(
    x0: Tensor,
    pair: Tensor,
    rest_joints: Tensor,
    config: GeneratorLossConfig,
    mesh: Mesh | None = None,
) -> dict[str, Tensor]:
    """Every term, unweighted, and their weighted sum under "total".

    x0, pair  (batch, 2, 201) predicted and true pairs; rest_joints (batch, 2, 22, 3) of the truth,
    which pose both, so that joints teach the pose and only the bone term the shape.
    """
    made = posed(x0[:, :, None, :135], rest_joints, mesh)
    with torch.no_grad():
        truth = posed(pair[:, :, None, :135], rest_joints, mesh)
        distances = pair_distances(truth.points)
    distances_hat = pair_distances(made.points)
    both = torch.ones_like(distances[0, 0])
    rest_hat = x0[..., 135:].reshape(*x0.shape[:-1], JOINT_COUNT, 3)
    terms = {
        "pose": (x0 - pair).square().mean(),
        "joints": (made.points - truth.points).square().mean(),
        "distance": distance_loss(distances_hat, distances, both, config.distance_within),
        "contact": contact_loss(distances_hat, distances, both, config.contact_within),
        "relative_rotation": relative_rotation_loss(made.root, truth.root, both),
        "bone": bone_loss(rest_hat, rest_joints),
    }
    if made.vertices is not None and truth.vertices is not None:
        terms["vertices"] = (made.vertices - truth.vertices).square().mean()
    return terms | {"total": _weighted_sum(terms, config)}


def _weighted_sum(terms: dict[str, Tensor], config: Any) -> Tensor:
    total = torch.zeros(())
    for name, value in terms.items():
        if weight := getattr(config, name):
            total = total + weight * value
    return total
