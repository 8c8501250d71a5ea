"""The animator: known frames of a pair -> the clean residual window, one denoiser evaluation.

Split in two, so that training and the exported graphs run the same lines: `modulation` (once per
window and step schedule) and `denoise` (once per step). Knows features, not what they mean.
Ponimator's ContactMotionGen; with ones in the mask at the anchor only and a text width of 0 it is
exactly that network. Text is ours: a vector added to the condition, as the generator has it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.body.skeleton import JOINT_COUNT
from engine.motion.motion import POSE_FEATURES
from trainer.models.blocks import (
    PEOPLE,
    Block,
    Denoiser,
    NetworkConfig,
    SinusoidalTable,
    TimestepEmbedding,
    stack_modulation,
    zero_init,
)

ROTATION_FEATURES = POSE_FEATURES - 3
JOINT_FEATURES = 3 * JOINT_COUNT


class Linear(nn.Module):
    """A linear layer under the name `linear`: the published key is `motion_out.linear.weight`."""

    def __init__(self, features_in: int, features_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features_in, features_out)
        zero_init(self.linear)

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = self.linear(h)
        return out


class Animator(Denoiser):
    """The denoiser of windows. Even blocks attend over frames, odd blocks over the two people."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.conditon_embed = nn.Parameter(0.02 * torch.randn(width))  # the published spelling
        self.sequence_pos_encoder = SinusoidalTable(width)
        self.embed_timestep = TimestepEmbedding(width, self.sequence_pos_encoder)
        self.condition_embed_layer = nn.Sequential(
            nn.Linear(PEOPLE * (POSE_FEATURES + JOINT_FEATURES), width),
            nn.SiLU(),
            nn.Linear(width, width),
        )
        if config.text_width:
            self.text_embed = nn.Linear(config.text_width, width, bias=False)
            zero_init(self.text_embed)  # at first, words change nothing
        self.motion_embed = nn.Linear(POSE_FEATURES + 1, width)
        self.blocks = nn.ModuleList(
            Block(config, "person" if index % 2 else "frame") for index in range(config.layers)
        )
        self.motion_out = Linear(width, ROTATION_FEATURES)
        self.trans_out = nn.Linear(width, POSE_FEATURES - ROTATION_FEATURES)

    def forward(
        self,
        x_t: Tensor,
        timesteps: Tensor,
        known: Tensor,
        known_mask: Tensor,
        anchor: Tensor,
        anchor_joints: Tensor,
        valid: Tensor | None = None,
        text: Tensor | None = None,
    ) -> Tensor:
        """Estimate the clean residual window.

        x_t            (batch, 2, frames, 135) noisy residual to the anchor
        timesteps      (batch,) int64, original diffusion step 0..999
        known          (batch, 2, frames, 135) absolute features; the published case repeats anchor
        known_mask     (batch, 2, frames, 1) 1 where known
        anchor         (batch, 2, 135)
        anchor_joints  (batch, 2, 22, 3) metres, world joints of the anchor
        valid          (batch, 2, frames) bool; frames beyond a clip's end are False. None: all
        text           (batch, text_width); a row of zeros has no text. None: no row has
        returns        (batch, 2, frames, 135)
        """
        modulation = self.modulation(timesteps[:, None], anchor, anchor_joints, text)[:, 0]
        return self.denoise(x_t, known, known_mask, anchor, modulation, valid)

    def modulation(
        self,
        timesteps: Tensor,
        anchor: Tensor,
        anchor_joints: Tensor,
        text: Tensor | None = None,
    ) -> Tensor:
        """All adaptive-norm scales and shifts.

        timesteps (batch or 1, steps) -> (batch, steps, layers * 4 * width), flattened as
        [layer][attention | ffn][scale | shift][width]. Raises ValueError for text that a network
        of text width 0 cannot take.
        """
        condition = torch.cat([anchor.flatten(1), anchor_joints.flatten(1)], dim=-1)
        condition_embedding = self.condition_embed_layer(condition)[:, None] + self.conditon_embed
        if text is not None:
            if not self.config.text_width:
                raise ValueError("this animator takes no text: its text_width is 0")
            condition_embedding = condition_embedding + self.text_embed(text)[:, None]
        return stack_modulation(self.blocks, self.embed_timestep(timesteps) + condition_embedding)

    def denoise(
        self,
        x_t: Tensor,
        known: Tensor,
        known_mask: Tensor,
        anchor: Tensor,
        modulation: Tensor,
        valid: Tensor | None = None,
    ) -> Tensor:
        """`forward` with modulation (batch, layers * 4 * width) already computed for each row."""
        x = x_t + anchor[:, :, None]
        x = (1 - known_mask) * x + known_mask * known
        h = self.motion_embed(torch.cat([x, known_mask], dim=-1))
        h = (h + self.sequence_pos_encoder.pe[: x_t.shape[2]]).flatten(1, 2)

        parts = modulation.chunk(len(self.blocks), dim=-1)
        for block, part in zip(self.blocks, parts, strict=True):
            h = block(h, part, valid)
        x0 = torch.cat([self.motion_out(h), self.trans_out(h)], dim=-1)
        return x0.reshape(*x_t.shape[:3], -1)
