"""The animator as the two graphs that the engine runs: names, shapes, what is precomputed."""

from __future__ import annotations

import onnx
import torch
from torch import Tensor, nn

from engine.bundle import DIFFUSION_STEPS
from engine.motion.motion import POSE_FEATURES, WINDOW_FRAMES
from trainer.graphs.tracing import BATCH, trace
from trainer.models.animator.network import Animator
from trainer.models.blocks import frozen
from trainer.models.diffusion import ddim_update


def animator_graphs(animator: Animator) -> dict[str, onnx.ModelProto]:
    return {"condition": animator_condition(animator), "step": animator_step(animator)}


def animator_condition(animator: Animator) -> onnx.ModelProto:
    """anchor (B, 2, 135), anchor_joints (B, 2, 22, 3), timesteps (steps,) -> modulation.

    An animator that takes text also has the input text (B, text_width).
    """
    rows = {"anchor": torch.zeros(2, 2, POSE_FEATURES), "anchor_joints": torch.zeros(2, 2, 22, 3)}
    if animator.config.text_width:
        rows["text"] = torch.zeros(2, animator.config.text_width)
    return trace(
        _Condition(frozen(animator, table_rows=DIFFUSION_STEPS)),
        {**rows, "timesteps": torch.arange(3)},
        ["modulation"],
        {**dict.fromkeys(rows, BATCH), "timesteps": {0: "steps"}},
    )


def animator_step(animator: Animator) -> onnx.ModelProto:
    """Imputation, denoiser and DDIM update: ... -> x_s, x0 (B, 2, 30, 135)."""
    inputs = {
        "x_t": torch.zeros(2, 2, WINDOW_FRAMES, POSE_FEATURES),
        "known": torch.zeros(2, 2, WINDOW_FRAMES, POSE_FEATURES),
        "known_mask": torch.zeros(2, 2, WINDOW_FRAMES, 1),
        "anchor": torch.zeros(2, 2, POSE_FEATURES),
        "modulation": torch.zeros(2, animator.config.modulation_width),
        "abar_t": torch.zeros(2),
        "abar_s": torch.zeros(2),
    }
    network = frozen(animator, table_rows=WINDOW_FRAMES)
    return trace(_Step(network), inputs, ["x_s", "x0"], dict.fromkeys(inputs, BATCH))


class _Condition(nn.Module):
    def __init__(self, animator: Animator) -> None:
        super().__init__()
        self.animator = animator

    def forward(
        self, anchor: Tensor, anchor_joints: Tensor, timesteps: Tensor, text: Tensor | None = None
    ) -> Tensor:
        return self.animator.modulation(timesteps[None], anchor, anchor_joints, text)


class _Step(nn.Module):
    def __init__(self, animator: Animator) -> None:
        super().__init__()
        self.animator = animator

    def forward(
        self,
        x_t: Tensor,
        known: Tensor,
        known_mask: Tensor,
        anchor: Tensor,
        modulation: Tensor,
        abar_t: Tensor,
        abar_s: Tensor,
    ) -> tuple[Tensor, Tensor]:
        x0 = self.animator.denoise(x_t, known, known_mask, anchor, modulation)
        return ddim_update(x_t, x0, abar_t.view(-1, 1, 1, 1), abar_s.view(-1, 1, 1, 1)), x0
