"""What the animator's windows cost. Knows features and masks; knows no network and no data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.body.skeleton import JOINT_COUNT
from trainer.models.losses import (
    POINT_COUNT,
    acceleration_loss,
    interaction_terms,
    masked_mean,
    posed,
    skate_loss,
    velocity_loss,
    vertex_loss,
    with_total,
)
from trainer.models.mesh import Mesh


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
    between = interaction_terms(made, truth, both, config)
    point_error = (made.points - truth.points).square().sum((0, 1))
    terms = {
        "pose": masked_mean(error[..., :rotations].sum(-1), valid, rotations),
        "transl": masked_mean(error[..., rotations:].sum(-1), valid, 3),
        "joints": masked_mean(point_error, valid, 3 * POINT_COUNT),
        **between,
        "velocity": velocity_loss(made.points, truth.points, both, config.velocity_feet),
        "acceleration": acceleration_loss(made.points, truth.points, valid),
        "skate": skate_loss(made.points, truth.points, valid, config.skate_still),
    }
    if made.vertices is not None and truth.vertices is not None:
        terms["vertices"] = vertex_loss(made.vertices, truth.vertices, valid)
    return with_total(terms, config)
