"""What `contrapose train` can be told to learn: a family's network, or a student of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from trainer.models.families import FAMILIES, family
from trainer.training.config import TrainConfig
from trainer.training.distill import DistillConfig, distill_task
from trainer.training.tasks import Task, family_task


@dataclass(frozen=True)
class Objective:
    config: type[Any]
    """The type of TrainConfig.objective: the table of its name in a file."""
    task: Callable[[TrainConfig], Task]


OBJECTIVES = {
    name: Objective(family(name).objective, partial(family_task, name)) for name in FAMILIES
} | {"distill": Objective(DistillConfig, distill_task)}


def make_task(config: TrainConfig) -> Task:
    """The task of a configuration."""
    return next(o.task(config) for o in OBJECTIVES.values() if type(config.objective) is o.config)
