"""What the generator learns from, what it costs, and how a bundle holds it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from engine.bundle import GeneratorSpec
from trainer.data.captions import CaptionTable
from trainer.data.pairs import PairConfig, PairSampler
from trainer.data.shards import Clips
from trainer.models.family import (
    DrawBatch,
    Family,
    LossTerms,
    Tensors,
    held_out,
    noised_draw,
)
from trainer.models.generator.graphs import generator_graphs
from trainer.models.generator.losses import GeneratorLossConfig, generator_losses
from trainer.models.generator.network import Generator
from trainer.models.losses import mesh_of


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """What the generator learns from."""

    loss: GeneratorLossConfig = field(default_factory=GeneratorLossConfig)
    conditions: PairConfig = field(default_factory=PairConfig)
    timestep_power: float = 1.0


def generator_draws(
    objective: GeneratorConfig, clips: Clips, captions: CaptionTable | None
) -> tuple[DrawBatch, DrawBatch]:
    """Pairs with noise added: "x_t" and "timesteps" beside the fields of PairBatch."""
    assert captions is not None  # a generator without text is refused when it is built
    sampler = PairSampler(
        clips=clips,
        subset=clips.subset("train"),
        captions=captions,
        config=objective.conditions,
    )
    held = dataclasses.replace(sampler, subset=held_out(clips))
    power = objective.timestep_power
    return noised_draw(sampler, _pair, power), noised_draw(held, _pair, power)


def _pair(batch: Tensors) -> Tensor:
    return batch["pair"]


def generator_loss_terms(objective: GeneratorConfig, bf16: bool) -> LossTerms:
    """The network in bf16 where wanted, the losses in float32."""
    mesh = mesh_of(objective.loss)

    def loss_terms(network: nn.Module, batch: Tensors) -> Tensors:
        with torch.autocast(batch["x_t"].device.type, torch.bfloat16, enabled=bf16):
            x0 = network(
                batch["x_t"], batch["timesteps"], batch["text"], batch["pair"], batch["pose_mask"]
            )
        return generator_losses(
            x0.float(), batch["pair"], batch["rest_joints"], objective.loss, mesh
        )

    return loss_terms


def generator_spec(
    network: Generator, *, guidance: float = 2.5, steps_default: int = 50
) -> GeneratorSpec:
    return GeneratorSpec(
        width=network.config.width,
        heads=network.config.heads,
        layers=network.config.layers,
        text_width=network.config.text_width,
        guidance=guidance,
        steps_default=steps_default,
    )


FAMILY = Family(
    name="generator",
    objective=GeneratorConfig,
    network=Generator,
    draws=generator_draws,
    loss_terms=generator_loss_terms,
    graphs=generator_graphs,
    spec=generator_spec,
)
