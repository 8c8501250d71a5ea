"""Training and sampling an ablated animator: the animator's own task, with one thing withheld.

Knows tasks and the networks beside. Knows no row of a table and no measure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from engine.arrays import Array
from engine.sampling.generation import SampleWindows
from engine.sampling.request import WindowRequest
from trainer.ablation.intergen import intergen_like
from trainer.ablation.sight import AblatedAnimator, Sight
from trainer.data.captions import CaptionTable
from trainer.data.shards import Clips
from trainer.models.animator.family import FAMILY, AnimatorConfig
from trainer.models.animator.sampler import torch_sampler
from trainer.models.blocks import NetworkConfig, zero_init
from trainer.models.checkpoints import averaged_weights, read_checkpoint
from trainer.models.diffusion import cumulative_alphas
from trainer.models.family import DrawBatch, Family, Tensors
from trainer.training.config import TrainConfig
from trainer.training.tasks import Task, network_task
from trainer.training.train import progress


@dataclass(frozen=True, kw_only=True)
class AblationConfig:
    """What the network learns from, as for the animator, and what it is shown of it."""

    animator: AnimatorConfig = field(default_factory=AnimatorConfig)
    sight: Sight = field(default_factory=Sight)
    is_intergen: bool = False
    """InterGen's blocks, which have no anchor: `sight` is not looked at."""


def ablated(objective: AblationConfig) -> Family:
    """The animator's family with such a network."""
    is_absolute = objective.is_intergen or not objective.sight.anchor

    def network(size: NetworkConfig) -> AblatedAnimator:
        made = (
            intergen_like(size) if objective.is_intergen else AblatedAnimator(size, objective.sight)
        )
        zero_init(made.trans_out)  # as the animator starts
        return made

    def draws(
        learnt: AnimatorConfig, clips: Clips, captions: CaptionTable | None
    ) -> tuple[DrawBatch, DrawBatch]:
        draw, check = FAMILY.draws(learnt, clips, captions)
        return (absolute(draw), absolute(check)) if is_absolute else (draw, check)

    return dataclasses.replace(FAMILY, name="ablation", network=network, draws=draws)


def ablation_task(config: TrainConfig, clips: Clips) -> Task:
    """The animator's task without text; all networks learn from the same draws of one seed."""
    objective: AblationConfig = config.objective
    return network_task(ablated(objective), config, objective.animator, clips, None)


def absolute(draw: DrawBatch) -> DrawBatch:
    """The same batches, for a network that denoises windows as they are.

    With x0 = motion - anchor and the same noise e:  sqrt(abar) motion + sqrt(1 - abar) e
    = x_t + sqrt(abar) anchor. The losses then find no anchor to add to what the network says.
    """

    def drawn(rows: int, rng: np.random.Generator) -> Tensors:
        batch = draw(rows, rng)
        anchor = batch["clean_anchor"][:, :, None]
        signal = cumulative_alphas()[batch["timesteps"]].sqrt().to(anchor)[:, None, None, None]
        return batch | {
            "x_t": batch["x_t"] + signal * anchor,
            "clean_anchor": torch.zeros_like(batch["clean_anchor"]),
        }

    return drawn


def ablation_sampler(network: AblatedAnimator) -> SampleWindows:
    """Residuals to the anchors, as the engine wants them of every network."""
    plain = torch_sampler(network)
    if network.sight.anchor:
        return plain

    def sample(requests: Sequence[WindowRequest]) -> Array:
        return plain(list(requests)) - np.stack([r.anchor for r in requests])[:, :, None]

    return sample


def open_network(checkpoint: Path, config: TrainConfig) -> tuple[AblatedAnimator, bool]:
    """The averaged weights of a run of `config`, and whether the run was over."""
    stored = read_checkpoint(checkpoint)
    network = ablated(config.objective).network(dataclasses.replace(config.size, dropout=0.0))
    assert isinstance(network, AblatedAnimator)
    network.load_state_dict(averaged_weights(stored))
    training = stored["training"]
    return network.eval(), progress(config, training["step"], training["seconds"]) >= 1
