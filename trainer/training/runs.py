"""The state of a run: what it writes into a checkpoint, and how it goes on from one.

Knows weights and optimisers. Knows no batch, no loss and no clock.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.errors import ConfigError, InputError
from trainer.models.checkpoints import PREFIX, averaged_weights, read_checkpoint
from trainer.training.config import TrainConfig, plain

CHECKPOINT = "checkpoint.pt"
MAY_CHANGE = {
    "steps",
    "minutes",
    "data",
    "processes",
    "threads",
    "draw_workers",
    "compile",
    "bf16",
} | {
    "checkpoint_minutes",
    "check_batches",
    "log_every",
}
"""Keys of a configuration that a resumed run may have otherwise than the run it goes on with."""


@dataclass
class TrainingRun:
    """A run between two steps.

    average  the weights that get exported: an exponential moving average of `network`
    sums     of what is logged, since the last line of the log, over `summed` steps
    """

    network: nn.Module
    average: nn.Module
    optimisers: Sequence[torch.optim.Optimizer]
    step: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    summed: int = 0

    def add(self, values: Mapping[str, float]) -> None:
        """Count a step's values towards the next line of the log."""
        self.sums = {name: self.sums.get(name, 0.0) + value for name, value in values.items()}
        self.summed += 1

    def means(self) -> dict[str, float]:
        """The mean of all values since the last call, which begins a new line."""
        means = {name: value / self.summed for name, value in self.sums.items()}
        self.sums, self.summed = {}, 0
        return means

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """The decay grows with the steps, so early weights are soon forgotten."""
        weight = 1 - min(decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(
            list(self.average.parameters()), list(self.network.parameters()), weight
        )

    def save(self, out: Path, config: TrainConfig, about: Mapping[str, Any]) -> None:
        """Write OUT/checkpoint.pt whole or not at all; `about` says what the network is.

        Raises InputError when the disk is full or not writable; the checkpoint before is untouched.
        """
        state = {
            "state_dict": {PREFIX + k: v for k, v in self.average.state_dict().items()},
            "contrapose": {**about, "config": plain(config)},
            "training": {
                "network": self.network.state_dict(),
                "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
                **{name: getattr(self, name) for name in ("step", "seconds", "sums", "summed")},
            },
        }
        partial = out / f"{CHECKPOINT}.partial"
        try:
            with partial.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(out / CHECKPOINT)
        except (OSError, RuntimeError) as exc:  # torch's writer hides an OSError in the latter
            partial.unlink(missing_ok=True)
            raise InputError(
                f"{out / CHECKPOINT}: cannot write step {self.step} ({exc}); make room and start "
                "the same command again: it goes on from the last whole checkpoint",
                field="out",
            ) from exc

    def restore(self, out: Path, config: TrainConfig) -> None:
        """Go on from OUT/checkpoint.pt.

        Raises ConfigError if it is of another configuration, InputError if parts are missing.
        """
        path = out / CHECKPOINT
        stored = read_checkpoint(path)
        try:
            _refuse_other(stored["contrapose"]["config"], plain(config), path)
            training = stored["training"]
            self.average.load_state_dict(averaged_weights(stored))
            self.network.load_state_dict(training["network"])
            for optimiser, state in zip(self.optimisers, training["optimisers"], strict=True):
                optimiser.load_state_dict(state)
            for name in ("step", "seconds", "sums", "summed"):
                setattr(self, name, training[name])
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as exc:
            raise InputError(
                f"{path}: not all parts of a run are in it ({exc}); give --fresh to begin anew",
                field="training",
            ) from exc


def _refuse_other(stored: Mapping[str, Any], own: Mapping[str, Any], path: Path) -> None:
    for key in sorted((stored.keys() | own.keys()) - MAY_CHANGE):
        if stored.get(key) != own.get(key):
            raise ConfigError(
                f"{path}: was trained with {key} = {stored.get(key)}, now it is {own.get(key)}; "
                "give another --out, or --fresh to begin anew",
                field=key,
            )
