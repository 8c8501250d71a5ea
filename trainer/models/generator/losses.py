"""What the generator's pairs cost. Knows features; knows no network and no data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.body.skeleton import JOINT_COUNT, PARENTS
from engine.motion.motion import POSE_FEATURES
from trainer.models.losses import EPSILON, interaction_terms, posed, with_total
from trainer.models.mesh import Mesh


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
    made = posed(x0[:, :, None, :POSE_FEATURES], rest_joints, mesh)
    with torch.no_grad():
        truth = posed(pair[:, :, None, :POSE_FEATURES], rest_joints, mesh)
    both = torch.ones_like(made.points[0, 0, :, 0])
    between = interaction_terms(made, truth, both, config)
    rest_hat = x0[..., POSE_FEATURES:].reshape(*x0.shape[:-1], JOINT_COUNT, 3)
    terms = {
        "pose": (x0 - pair).square().mean(),
        "joints": (made.points - truth.points).square().mean(),
        **between,
        "bone": bone_loss(rest_hat, rest_joints),
    }
    if made.vertices is not None and truth.vertices is not None:
        terms["vertices"] = (made.vertices - truth.vertices).square().mean()
    return with_total(terms, config)
