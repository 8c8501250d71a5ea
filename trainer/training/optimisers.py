"""Optimisers and the learning rate. Knows parameters by name and shape, and nothing of a loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from engine.errors import ConfigError

HIDDEN = ("in_proj_weight", "out_proj.weight", "ffn.linear1.weight", "ffn.linear2.weight")
"""Ends of the names of the matrices that Muon moves: those that turn hidden vectors into hidden
vectors. Embeddings, heads, norms and their modulation stay with AdamW, as Muon's authors advise."""


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """How weights move. The learning rate rises in a line and falls as half a cosine."""

    name: Literal["adamw", "muon"] = "adamw"
    """"muon": the matrices of attention and feed-forward by Muon, all else by AdamW."""
    learning_rate: float = 1e-4
    muon_learning_rate: float = 1e-3
    """Scaled as in arXiv:2502.16982, so that an update has about the size of one of AdamW."""
    muon_momentum: float = 0.95
    weight_decay: float = 2e-5
    betas: tuple[float, float] = (0.9, 0.999)
    warm_up: float = 0.02
    """Part of the run in which the learning rate rises."""
    last: float = 0.01
    """What is left of the learning rate at the end; 1 keeps it constant."""
    gradient_clip: float = 1.0
    """Largest norm of all gradients together; 0 never clips."""
    ema: float = 0.999
    """Decay of the averaged weights, which are the ones that get exported."""

    def __post_init__(self) -> None:
        ranges = {
            "learning_rate": (0, 1),
            "muon_learning_rate": (0, 1),
            "muon_momentum": (0, 1),
            "weight_decay": (0, 10),
            "warm_up": (0, 0.9),
            "last": (0, 1),
            "gradient_clip": (0, float("inf")),
            "ema": (0, 1),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}, expected {low} to {high}", field=name
                )


def make_optimisers(network: nn.Module, config: OptimiserConfig) -> list[torch.optim.Optimizer]:
    """Every parameter in exactly one optimiser; each group has its top rate as "peak"."""
    hidden: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        is_hidden = config.name == "muon" and ".blocks." in f".{name}" and name.endswith(HIDDEN)
        (hidden if is_hidden else others).append(parameter)
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(
            others,
            config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=True,
        )
    ]
    if hidden:
        optimisers.append(
            torch.optim.Muon(
                hidden,
                config.muon_learning_rate,
                weight_decay=config.weight_decay,
                momentum=config.muon_momentum,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return optimisers


def set_learning_rate(
    optimisers: Sequence[torch.optim.Optimizer], config: OptimiserConfig, done: float
) -> None:
    """Scale every group's peak by where the run stands: done = 0 at the start, 1 at the end."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * rate_factor(config, done)


def rate_factor(config: OptimiserConfig, done: float) -> float:
    """Linear warm-up to 1, then a half cosine down to `config.last`."""
    if done < config.warm_up:
        return max(done / config.warm_up, 1e-3)
    fall = min((done - config.warm_up) / (1 - config.warm_up), 1.0)
    return config.last + (1 - config.last) * 0.5 * (1 + math.cos(math.pi * fall))
