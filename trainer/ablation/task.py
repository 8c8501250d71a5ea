"""Training and sampling an ablated animator: the animator's own task, with one thing withheld.

Knows tasks and the networks of `models/ablated.py`. Knows no row of a table and no measure.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from engine.arrays import Array
from engine.sampling.generation import SampleWindows
from engine.sampling.request import WindowRequest
from trainer.data.shards import Clips
from trainer.evaluation.subject import torch_sampler
from trainer.models.ablated import AblatedAnimator, Sight
from trainer.models.blocks import NetworkConfig, zero_init
from trainer.models.diffusion import cumulative_alphas
from trainer.models.intergen import intergen_like
from trainer.training.config import AnimatorConfig, TrainConfig
from trainer.training.runs import averaged_weights, read_checkpoint
from trainer.training.tasks import Draw, Task, Tensors, animator_task
from trainer.training.train import progress


@dataclass(frozen=True, kw_only=True)
class AblationConfig:
    """What the network learns from, as for the animator, and what it is shown of it."""

    animator: AnimatorConfig = field(default_factory=AnimatorConfig)
    sight: Sight = field(default_factory=Sight)
    is_intergen: bool = False
    """InterGen's blocks, which have no anchor: `sight` is not looked at."""


def make_network(size: NetworkConfig, objective: AblationConfig) -> AblatedAnimator:
    if objective.is_intergen:
        return intergen_like(size)
    return AblatedAnimator(size, objective.sight)


def ablation_task(config: TrainConfig, clips: Clips) -> Task:
    """The animator's task without text; all networks learn from the same draws of one seed."""
    objective: AblationConfig = config.objective
    task = animator_task(config, objective.animator, clips, None)
    torch.manual_seed(config.seed)
    network = make_network(config.size, objective)
    zero_init(network.trans_out)  # as in `animator_task`
    has_anchor = network.sight.anchor
    return dataclasses.replace(
        task,
        network=network,
        average=copy.deepcopy(network).eval(),
        draw=task.draw if has_anchor else absolute(task.draw),
        check=task.check if has_anchor else absolute(task.check),
        about={**task.about, "network": "ablation"},
    )


def absolute(draw: Draw) -> Draw:
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
    network = make_network(dataclasses.replace(config.size, dropout=0.0), config.objective)
    network.load_state_dict(averaged_weights(stored))
    training = stored["training"]
    return network.eval(), progress(config, training["step"], training["seconds"]) >= 1
