"""A bundle whose two networks listen to words: tiny, its weights random, its encoder a word table.

Needs PyTorch, so it is imported when asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn

from engine.body.shape import load_body
from engine.bundle import Bundle, ScheduleSpec
from trainer.export.bundles import export_bundle
from trainer.models.animator.family import FAMILY as ANIMATOR
from trainer.models.animator.network import Animator
from trainer.models.blocks import NetworkConfig
from trainer.models.generator.family import FAMILY as GENERATOR
from trainer.models.generator.network import Generator
from trainer.text.encoder import TextEncoder, text_graph

TEXT_WIDTH = 8
WORDS = ("[UNK]", "hug", "push", "wave", "they", "her")
TIMESTEPS = (900, 300)


class _WordAverage(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(len(WORDS), TEXT_WIDTH))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        weight = attention_mask[..., None].float()
        return (self.table[input_ids] * weight).sum(1) / weight.sum(1)


def export_talking_bundle(path: Path) -> Bundle:
    torch.manual_seed(0)
    size = NetworkConfig(width=32, heads=2, layers=1, ffn_width=48, text_width=TEXT_WIDTH)
    animator, generator = Animator(size), Generator(size)
    for parameter in (*animator.parameters(), *generator.parameters()):
        nn.init.normal_(parameter, std=0.1)
    nn.init.zeros_(generator.joint_out.weight)  # or its people would have no human shape
    average = load_body().rest_joints(np.zeros(10, np.float32))
    generator.joint_out.bias.data = torch.from_numpy(average).float().flatten()
    ranks = {word: rank for rank, word in enumerate(WORDS)}
    tokenizer: Any = Tokenizer(models.WordLevel(ranks, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return export_bundle(
        path,
        [
            ANIMATOR.part(
                animator,
                steps_default=2,
                schedules=(ScheduleSpec(steps=2, timesteps=TIMESTEPS, quality=None),),
            ),
            GENERATOR.part(generator, steps_default=2),
        ],
        text=TextEncoder(
            kind="minilm",
            width=TEXT_WIDTH,
            max_tokens=16,
            model=text_graph(_WordAverage(), {0: "batch", 1: "tokens"}),
            tokenizer=tokenizer.to_str(),
        ),
        name="talking",
        description="random weights that listen",
        licence="none",
        weights="f32",
    )
