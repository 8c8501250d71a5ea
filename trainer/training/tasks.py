"""What is trained: a network, where its batches come from, and what they cost.

A Task is all that the loop of `train.py` knows of it. Knows families, clips and captions. Knows no
optimiser and no process.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from trainer.data.captions import CaptionTable
from trainer.data.shards import Clips, load_clips
from trainer.models.checkpoints import start_from
from trainer.models.families import family
from trainer.models.family import DrawBatch, Family, LossTerms
from trainer.text.captions import load_captions
from trainer.training.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Task:
    """Made alike in every process of a run.

    average  gets the moving average of the network's weights
    draw     training batches; `check` held-out ones, without augmentation
    about    stored in the checkpoint: what the network is, beside its tensors
    """

    network: nn.Module
    average: nn.Module
    draw: DrawBatch
    check: DrawBatch
    loss_terms: LossTerms
    about: Mapping[str, Any] = field(default_factory=dict)


def family_task(name: str, config: TrainConfig) -> Task:
    """A network of the family learns from the clips and captions of the configuration."""
    clips = load_clips(config.data)
    captions = (
        load_captions(clips, config.data, config.text_encoder) if config.text_encoder else None
    )
    return network_task(family(name), config, config.objective, clips, captions)


def network_task(
    kind: Family,
    config: TrainConfig,
    objective: Any,
    clips: Clips,
    captions: CaptionTable | None,
) -> Task:
    """The same of what is read already; the network starts from the seed, or from `init`."""
    torch.manual_seed(config.seed)
    text_width = 0 if captions is None else captions.width
    network = kind.network(dataclasses.replace(config.size, text_width=text_width))
    draw, check = kind.draws(objective, clips, captions)
    schedules = [] if config.init is None else start_from(network, config.init, kind.name)
    return Task(
        network=network,
        average=copy.deepcopy(network).eval(),
        draw=draw,
        check=check,
        loss_terms=kind.loss_terms(objective, config.bf16 is True),
        about={
            "network": kind.name,
            "heads": config.size.heads,
            "text_width": network.config.text_width,
            "schedules": schedules,
        },
    )
