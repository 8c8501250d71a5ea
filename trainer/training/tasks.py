"""What can be trained: a network, where its batches come from, and what they cost.

A Task is all that the loop of `train.py` knows of a network; `distill.py` makes others of the same
shape. Knows clips, networks and losses. Knows no optimiser, no checkpoint and no process.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.body.shape import load_body
from trainer.data import windows
from trainer.data.shards import Clips, load_clips
from trainer.models.animator import Animator
from trainer.models.blocks import zero_init
from trainer.models.diffusion import DIFFUSION_STEPS, q_sample
from trainer.models.generator import Generator
from trainer.training import losses
from trainer.training.captions import load_captions
from trainer.training.config import AnimatorConfig, GeneratorConfig, TrainConfig
from trainer.training.mesh import Mesh, make_mesh
from trainer.training.runs import start_from

Tensors = dict[str, Tensor]
"""A batch by name. "valid" is left out when every frame is, which spares the network its masks."""
Draw = Callable[[int, np.random.Generator], Tensors]
"""(rows, random stream) -> that many rows of a batch, on the CPU."""
LossTerms = Callable[[nn.Module, Tensors], Tensors]
"""(network, batch) -> every term, unweighted, and under "total" what is minimised."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Made alike in every process of a run.

    average  gets the moving average of the network's weights
    draw     training batches; `check` held-out ones, without augmentation
    about    stored in the checkpoint: what the network is, beside its tensors
    """

    network: nn.Module
    average: nn.Module
    draw: Draw
    check: Draw
    loss_terms: LossTerms
    about: Mapping[str, Any] = field(default_factory=dict)


def make_task(config: TrainConfig) -> Task:
    """The task of a configuration; its network starts from the seed, or from `init`."""
    clips = load_clips(config.data)
    captions = (
        load_captions(clips, config.data, config.text_encoder) if config.text_encoder else None
    )
    if isinstance(config.objective, AnimatorConfig):
        return animator_task(config, config.objective, clips, captions)
    assert isinstance(config.objective, GeneratorConfig)
    return generator_task(config, config.objective, clips, captions)


def animator_task(
    config: TrainConfig,
    objective: AnimatorConfig,
    clips: Clips,
    captions: windows.CaptionTable | None,
) -> Task:
    torch.manual_seed(config.seed)
    network = Animator(_sizes(config, captions))
    zero_init(network.trans_out)  # as published it starts metres off; this start saves steps
    sampler = windows.WindowSampler(
        clips=clips,
        subset=clips.subset("train"),
        known_sets=objective.known_sets,
        noise=objective.noise,
        contact_bias=objective.contact_bias,
        captions=captions,
        text_dropout=objective.text_dropout,
    )
    held = dataclasses.replace(sampler, subset=_held_out(clips), augment=False)
    return _task(
        config,
        network,
        animator_draw(sampler, objective.timestep_power),
        animator_draw(held, objective.timestep_power),
        animator_loss_terms(objective, config.bf16),
        name="animator",
    )


def generator_task(
    config: TrainConfig,
    objective: GeneratorConfig,
    clips: Clips,
    captions: windows.CaptionTable | None,
) -> Task:
    torch.manual_seed(config.seed)
    network = Generator(_sizes(config, captions))
    assert captions is not None  # a generator without text is refused when it is built
    sampler = windows.PairSampler(
        clips=clips,
        subset=clips.subset("train"),
        captions=captions,
        config=objective.conditions,
    )
    held = dataclasses.replace(sampler, subset=_held_out(clips))
    return _task(
        config,
        network,
        generator_draw(sampler, objective.timestep_power),
        generator_draw(held, objective.timestep_power),
        generator_loss_terms(objective, config.bf16),
        name="generator",
    )


def _sizes(config: TrainConfig, captions: windows.CaptionTable | None) -> Any:
    return dataclasses.replace(config.size, text_width=0 if captions is None else captions.width)


def _held_out(clips: Clips) -> Any:
    """The validation clips; a data set too small to have any is checked on what it trains on."""
    held = clips.subset("val")
    return held if len(held) else clips.subset("train")


def _task(
    config: TrainConfig,
    network: Animator | Generator,
    draw: Draw,
    check: Draw,
    loss_terms: LossTerms,
    name: str,
) -> Task:
    if config.init is not None:
        start_from(network, config.init)
    return Task(
        network=network,
        average=copy.deepcopy(network).eval(),
        draw=draw,
        check=check,
        loss_terms=loss_terms,
        about={
            "network": name,
            "heads": config.size.heads,
            "text_width": network.config.text_width,
        },
    )


# ----------------------------------------------------------------------------------------- batches
def animator_draw(sampler: windows.WindowSampler, timestep_power: float) -> Draw:
    """Windows with noise added: "x_t" and "timesteps" beside the fields of WindowBatch."""

    def draw(rows: int, rng: np.random.Generator) -> Tensors:
        tensors = as_tensors(sampler.draw(rows, rng))
        residual = tensors["motion"] - tensors["clean_anchor"][:, :, None]
        return tensors | noised(residual, timestep_power, rng)

    return draw


def generator_draw(sampler: windows.PairSampler, timestep_power: float) -> Draw:
    """Pairs with noise added: "x_t" and "timesteps" beside the fields of PairBatch."""

    def draw(rows: int, rng: np.random.Generator) -> Tensors:
        tensors = as_tensors(sampler.draw(rows, rng))
        return tensors | noised(tensors["pair"], timestep_power, rng)

    return draw


def as_tensors(batch: windows.WindowBatch | windows.PairBatch) -> Tensors:
    return {
        item.name: torch.from_numpy(np.ascontiguousarray(getattr(batch, item.name)))
        for item in dataclasses.fields(batch)
    }


def noised(clean: Tensor, timestep_power: float, rng: np.random.Generator) -> Tensors:
    """x_t = sqrt(abar_t) x0 + sqrt(1 - abar_t) noise, with t = floor(1000 u^power), u uniform."""
    t = torch.from_numpy((DIFFUSION_STEPS * rng.random(len(clean)) ** timestep_power).astype(int))
    noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
    return {"x_t": q_sample(clean, t, noise), "timesteps": t}


# ------------------------------------------------------------------------------------------ losses
def mesh_of(config: losses.AnimatorLossConfig | losses.GeneratorLossConfig) -> Mesh | None:
    """The mesh that a loss counts; None where its weight is 0, for its cost is not."""
    if not config.vertices:
        return None
    return make_mesh(load_body(Path(config.body) if config.body else None), config.vertex_count)


def animator_loss_terms(objective: AnimatorConfig, bf16: bool) -> LossTerms:
    """The network in bf16 where wanted, the losses in float32."""
    mesh = mesh_of(objective.loss)

    def loss_terms(network: nn.Module, batch: Tensors) -> Tensors:
        with torch.autocast(batch["x_t"].device.type, torch.bfloat16, enabled=bf16):
            x0 = denoised_window(network, batch)
        return losses.animator_losses(
            x0.float(),
            batch["motion"],
            batch["clean_anchor"],
            batch["rest_joints"],
            batch.get("valid"),
            objective.loss,
            mesh,
        )

    return loss_terms


def denoised_window(network: nn.Module, batch: Tensors) -> Tensor:
    """The animator's clean estimate (batch, 2, 30, 135) for a batch of `animator_draw`."""
    text = batch["text"]
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
    return x0


def generator_loss_terms(objective: GeneratorConfig, bf16: bool) -> LossTerms:
    """The network in bf16 where wanted, the losses in float32."""
    mesh = mesh_of(objective.loss)

    def loss_terms(network: nn.Module, batch: Tensors) -> Tensors:
        with torch.autocast(batch["x_t"].device.type, torch.bfloat16, enabled=bf16):
            x0 = network(
                batch["x_t"], batch["timesteps"], batch["text"], batch["pair"], batch["pose_mask"]
            )
        return losses.generator_losses(
            x0.float(), batch["pair"], batch["rest_joints"], objective.loss, mesh
        )

    return loss_terms
