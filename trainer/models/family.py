"""A family: all that training, checkpoints and bundles know of one kind of network.

Knows types only. Each folder below offers one as `FAMILY`, in its `family.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from engine.arrays import IntArray
from engine.bundle import DIFFUSION_STEPS
from trainer.data.captions import CaptionTable
from trainer.data.shards import Clips
from trainer.models.blocks import Denoiser, NetworkConfig
from trainer.models.diffusion import q_sample

Tensors = dict[str, Tensor]
"""A batch by name. "valid" is left out when every frame is, which spares the network its masks."""
DrawBatch = Callable[[int, np.random.Generator], Tensors]
"""(rows, random stream) -> that many rows of a batch, on the CPU."""
LossTerms = Callable[[nn.Module, Tensors], Tensors]
"""(network, batch) -> every term, unweighted, and under "total" what is minimised."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """One kind of network.

    name        in commands, configurations, checkpoints, manifests, and as a bundle's folder
    objective   the dataclass of what it learns from: its table in a configuration
    network     an untrained one
    draws       (objective, clips, captions) -> training batches; held-out ones, not augmented
    loss_terms  (objective, whether the network computes in bf16)
    graphs      {"condition": ..., "step": ...}, what the engine runs
    spec        (network, **settings) -> its entry in a manifest
    """

    name: str
    objective: type[Any]
    network: Callable[[NetworkConfig], Denoiser]
    draws: Callable[[Any, Clips, CaptionTable | None], tuple[DrawBatch, DrawBatch]]
    loss_terms: Callable[[Any, bool], LossTerms]
    graphs: Callable[[Any], Mapping[str, onnx.ModelProto]]
    spec: Callable[..., Any]

    def part(self, network: Denoiser, **settings: Any) -> Part:
        """The network as a bundle is to hold it; `settings` as its `spec` takes them."""
        return Part(family=self, network=network, spec=self.spec(network, **settings))


@dataclass(frozen=True, kw_only=True)
class Part:
    """A network of a bundle, and its entry in the manifest."""

    family: Family
    network: Denoiser
    spec: Any


# ----------------------------------------------------------------------------------------- batches
def held_out(clips: Clips) -> IntArray:
    """The validation clips; a data set too small to have any is checked on what it trains on."""
    held = clips.subset("val")
    return held if len(held) else clips.subset("train")


def as_tensors(batch: Any) -> Tensors:
    """The arrays of a dataclass, by the names of its fields."""
    return {
        item.name: torch.from_numpy(np.ascontiguousarray(getattr(batch, item.name)))
        for item in dataclasses.fields(batch)
    }


def noised_draw(
    sampler: Any,
    clean: Callable[[Tensors], Tensor],
    timestep_power: float,
    noise_alone_from: int = DIFFUSION_STEPS,
) -> DrawBatch:
    """What the sampler draws, and beside it "x_t" and "timesteps": its clean part with noise."""

    def draw(rows: int, rng: np.random.Generator) -> Tensors:
        tensors = as_tensors(sampler.draw(rows, rng))
        return tensors | noised(clean(tensors), timestep_power, noise_alone_from, rng)

    return draw


def noised(
    clean: Tensor, timestep_power: float, noise_alone_from: int, rng: np.random.Generator
) -> Tensors:
    """x_t as `shown`, with t = floor(1000 u^power), u uniform."""
    t = drawn_timesteps(len(clean), timestep_power, rng)
    noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
    return {"x_t": shown(clean, t, noise, noise_alone_from), "timesteps": t}


def drawn_timesteps(rows: int, power: float, rng: np.random.Generator) -> Tensor:
    """floor(1000 u^power), u uniform."""
    return torch.from_numpy((DIFFUSION_STEPS * rng.random(rows) ** power).astype(int))


def shown(clean: Tensor, timesteps: Tensor, noise: Tensor, noise_alone_from: int) -> Tensor:
    """x_t = sqrt(abar_t) x0 + sqrt(1 - abar_t) noise, and from `noise_alone_from` on noise alone.

    What a sampler begins with is noise alone, at whatever t its schedule begins. A network that was
    shown noised data there reads in it that nothing is to change.
    """
    is_noise = (timesteps >= noise_alone_from).view(-1, *(1,) * (clean.dim() - 1))
    return torch.where(is_noise, noise, q_sample(clean, timesteps, noise))
