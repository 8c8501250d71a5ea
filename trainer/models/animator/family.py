"""What the animator learns from, what it costs, and how a bundle holds it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from engine.bundle import DIFFUSION_STEPS, AnimatorSpec, ScheduleSpec
from engine.motion.motion import WINDOW_FRAMES
from trainer.data.captions import CaptionTable
from trainer.data.shards import Clips
from trainer.data.windows import KnownSetConfig, NoiseConfig, WindowSampler
from trainer.models.animator.graphs import animator_graphs
from trainer.models.animator.losses import AnimatorLossConfig, animator_losses
from trainer.models.animator.network import Animator
from trainer.models.animator.rollouts import CHAIN, RolloutConfig, draw_chains, rolled_out
from trainer.models.blocks import NetworkConfig, zero_init
from trainer.models.family import (
    DrawBatch,
    Family,
    LossTerms,
    Tensors,
    held_out,
    noised_draw,
)
from trainer.models.losses import mesh_of


@dataclass(frozen=True, kw_only=True)
class AnimatorConfig:
    """What the animator learns from."""

    loss: AnimatorLossConfig = field(default_factory=AnimatorLossConfig)
    known_sets: KnownSetConfig = field(default_factory=KnownSetConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    rollouts: RolloutConfig = field(default_factory=RolloutConfig)
    contact_bias: float = 0.6
    """How often a window is placed by one of the clip's anchor frames."""
    history_contact_bias: float = 0.2
    """The same of windows with a history."""
    quiet: float = 0.4
    """How many of the windows with a history are of clips in which nobody begins."""
    text_dropout: float = 0.3
    """How often a window's caption is withheld."""
    timestep_power: float = 1.0
    """t = floor(1000 u^power): above 1 favours low noise, where small residuals are decided."""
    noise_alone_from: int = DIFFUSION_STEPS
    """From this t on x_t holds noise alone, as at the first call of a schedule of few."""


def untrained_animator(size: NetworkConfig) -> Animator:
    network = Animator(size)
    zero_init(network.trans_out)  # as published it starts metres off; this start saves steps
    return network


def animator_draws(
    objective: AnimatorConfig, clips: Clips, captions: CaptionTable | None
) -> tuple[DrawBatch, DrawBatch]:
    """Windows with noise added: "x_t" and "timesteps" beside the fields of WindowBatch."""
    sampler = WindowSampler(
        clips=clips,
        subset=clips.subset("train"),
        known_sets=objective.known_sets,
        noise=objective.noise,
        contact_bias=objective.contact_bias,
        history_contact_bias=objective.history_contact_bias,
        quiet=objective.quiet,
        captions=captions,
        text_dropout=objective.text_dropout,
    )
    held = dataclasses.replace(sampler, subset=held_out(clips), augment=False)
    power, rollouts = objective.timestep_power, objective.rollouts
    plain = noised_draw(sampler, _residual, power, objective.noise_alone_from)

    def draw(rows: int, rng: np.random.Generator) -> Tensors:
        chains = round(rollouts.share * rows)
        drawn = plain(rows, rng)
        return drawn | draw_chains(sampler, rollouts, chains, power, rng) if chains else drawn

    return draw, noised_draw(held, _residual, power, objective.noise_alone_from)


def _residual(batch: Tensors) -> Tensor:
    return batch["motion"] - batch["clean_anchor"][:, :, None]


def animator_loss_terms(objective: AnimatorConfig, bf16: bool) -> LossTerms:
    """The network in bf16 where wanted, the losses in float32."""
    mesh = mesh_of(objective.loss)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch; a loop, compiled for long
    def with_rollouts(network: nn.Module, batch: Tensors) -> Tensors:
        rolled = rolled_out(
            batch,
            lambda told: denoised_window(network, told, bf16),
            objective.rollouts,
            objective.noise_alone_from,
        )
        if "valid" in batch:
            rolled["valid"] = torch.ones_like(rolled["motion"][..., 0], dtype=torch.bool)
        return {n: torch.cat([batch[n], v]) for n, v in rolled.items()}

    def loss_terms(network: nn.Module, batch: Tensors) -> Tensors:
        if CHAIN + "motion" in batch:
            batch = with_rollouts(network, batch)
        return animator_losses(
            denoised_window(network, batch, bf16),
            batch["motion"],
            batch["clean_anchor"],
            batch["rest_joints"],
            batch.get("valid"),
            objective.loss,
            mesh,
        )

    return loss_terms


def denoised_window(network: nn.Module, batch: Tensors, bf16: bool) -> Tensor:
    """The clean estimate (batch, 2, 30, 135), float32, for a batch of `animator_draws`."""
    text = batch["text"]
    with torch.autocast(batch["x_t"].device.type, torch.bfloat16, enabled=bf16):
        x0: Tensor = network(
            batch["x_t"],
            batch["timesteps"],
            batch["known"],
            batch["known_mask"],
            batch["anchor"],
            batch["anchor_joints"],
            valid=batch.get("valid"),
            text=text if text.shape[1] else None,
        )
    return x0.float()


def animator_spec(
    network: Animator,
    *,
    history_frames: int = 10,
    steps_default: int = 50,
    schedules: Sequence[ScheduleSpec] = (),
) -> AnimatorSpec:
    """history_frames: known frames that it was trained to take; 1: the anchor alone."""
    return AnimatorSpec(
        width=network.config.width,
        heads=network.config.heads,
        layers=network.config.layers,
        text_width=network.config.text_width,
        window_frames=WINDOW_FRAMES,
        history_frames=history_frames,
        steps_default=steps_default,
        schedules=tuple(schedules),
    )


FAMILY = Family(
    name="animator",
    objective=AnimatorConfig,
    network=untrained_animator,
    draws=animator_draws,
    loss_terms=animator_loss_terms,
    graphs=animator_graphs,
    spec=animator_spec,
)
