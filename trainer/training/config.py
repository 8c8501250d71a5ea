"""The configuration of a run. Knows ranges; knows no file, no network and no loop."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.errors import ConfigError
from trainer.models.blocks import NetworkConfig
from trainer.training.optimisers import OptimiserConfig


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One run. It ends after `steps` or after `minutes`, whichever is given; not both."""

    objective: Any
    """What is learnt, as `objectives.py` names it, or as another trainer does (`ablation/`)."""
    data: Path
    """Folder of shards, as `contrapose data` makes it."""
    steps: int | None = None
    minutes: float | None = None
    """Wall time over all resumed parts; the learning rate falls with the elapsed fraction."""
    size: NetworkConfig = field(default_factory=NetworkConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    text_encoder: str = "minilm"
    """Frozen encoder of the captions: "minilm", or "" to train without text."""
    init: Path | None = None
    """Checkpoint of another run, whose averaged weights are where this run starts, at step 0; or a
    bundle, whose weights are rounded. A student that goes on learning keeps its schedules."""
    batch: int = 64
    """Rows of one step, over all processes."""
    draw_rows: int = 16
    """Rows drawn from one random stream. Fixed, so the data does not depend on the processes."""
    draw_workers: int = 0
    """Processes that assemble batches, of each training process; 0: a thread, enough on a CPU."""
    seed: int = 0
    processes: int = 1
    """Started on this machine by torchrun; each takes an equal part of every batch."""
    threads: int = 1
    """Threads of each process on a CPU. Two processes of one thread are faster than one of two."""
    bf16: Literal["auto", True, False] = "auto"
    """Whether the network computes in halves; "auto": where there is hardware for it."""
    compile: bool = True
    checkpoint_minutes: float = 4.0
    check_batches: int = 8
    """Held-out batches whose loss is logged at every checkpoint."""
    log_every: int = 50

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ConfigError("give either steps or minutes", field="steps")
        for name in ("batch", "draw_rows", "processes", "threads", "log_every"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}, expected 1 or more", field=name
                )
        if self.batch % (self.draw_rows * self.processes):
            raise ConfigError(
                f"batch is {self.batch}, expected a multiple of draw_rows * processes = "
                f"{self.draw_rows} * {self.processes}",
                field="batch",
            )
        if self.size.text_width:
            raise ConfigError(
                "size.text_width follows from text_encoder; leave it out", field="size.text_width"
            )


def plain(config: TrainConfig) -> dict[str, Any]:
    """The configuration as JSON has it: what a checkpoint can hold and compare."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    return values
