"""The generator as the two graphs that the engine runs: names, shapes, what is precomputed."""

from __future__ import annotations

import onnx
import torch
from torch import Tensor, nn

from engine.bundle import DIFFUSION_STEPS
from trainer.graphs.tracing import BATCH, trace
from trainer.models.blocks import frozen
from trainer.models.generator.network import PAIR_FEATURES, Generator


def generator_graphs(generator: Generator) -> dict[str, onnx.ModelProto]:
    return {"condition": generator_condition(generator), "step": generator_step(generator)}


def generator_condition(generator: Generator) -> onnx.ModelProto:
    """text (B, text_width), timesteps (steps,) -> modulation (B, steps, M)."""
    return trace(
        _Condition(frozen(generator, table_rows=DIFFUSION_STEPS)),
        {"text": torch.zeros(2, generator.config.text_width), "timesteps": torch.arange(3)},
        ["modulation"],
        {"text": BATCH, "timesteps": {0: "steps"}},
    )


def generator_step(generator: Generator) -> onnx.ModelProto:
    """x_t (B, 2, 201), pose (B, 2, 201), pose_mask (B, 2), modulation (B, M) -> x0 (B, 2, 201)."""
    inputs = {
        "x_t": torch.zeros(2, 2, PAIR_FEATURES),
        "pose": torch.zeros(2, 2, PAIR_FEATURES),
        "pose_mask": torch.zeros(2, 2),
        "modulation": torch.zeros(2, generator.config.modulation_width),
    }
    network = frozen(generator, table_rows=1)
    return trace(_Step(network), inputs, ["x0"], dict.fromkeys(inputs, BATCH))


class _Condition(nn.Module):
    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, text: Tensor, timesteps: Tensor) -> Tensor:
        return self.generator.modulation(timesteps[None], text)


class _Step(nn.Module):
    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, x_t: Tensor, pose: Tensor, pose_mask: Tensor, modulation: Tensor) -> Tensor:
        return self.generator.denoise(x_t, pose, pose_mask, modulation)
