"""The generator: a single pose, a text vector, both or neither -> a pair, one denoiser evaluation.

Split like the animator into `modulation` and `denoise`. Knows features and text vectors; guidance
and the loop over steps are the sampler's. Ponimator's ContactPoseGen.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.body.skeleton import JOINT_COUNT
from engine.errors import ConfigError
from engine.motion.motion import POSE_FEATURES
from trainer.models.blocks import (
    Block,
    Denoiser,
    NetworkConfig,
    SinusoidalTable,
    TimestepEmbedding,
    stack_modulation,
)

JOINT_FEATURES = 3 * JOINT_COUNT
PAIR_FEATURES = POSE_FEATURES + JOINT_FEATURES


class Generator(Denoiser):
    """The denoiser of pairs. All blocks attend over the two people."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        if config.text_width < 1:
            raise ConfigError(f"{config.text_width=} must be at least 1", field="text_width")
        self.config = config
        width = config.width
        self.input_embed = nn.Parameter(0.02 * torch.randn(width))
        self.sequence_pos_encoder = SinusoidalTable(width)
        self.embed_timestep = TimestepEmbedding(width, self.sequence_pos_encoder)
        self.input_embed_layer = nn.Linear(PAIR_FEATURES + 1, width)
        self.text_embed = nn.Linear(config.text_width, width)
        self.blocks = nn.ModuleList(Block(config, "person") for _ in range(config.layers))
        self.pose_out = nn.Linear(width, POSE_FEATURES)
        self.joint_out = nn.Linear(width, JOINT_FEATURES)

    def forward(
        self, x_t: Tensor, timesteps: Tensor, text: Tensor, pose: Tensor, pose_mask: Tensor
    ) -> Tensor:
        """Estimate the clean pair.

        x_t        (batch, 2, 201) noisy: 135 pose features, then 22 rest joints xyz, of each person
        timesteps  (batch,) int64, original diffusion step 0..999
        text       (batch, text_width); zeros for no text
        pose       (batch, 2, 201) given poses; read only where the mask is 1
        pose_mask  (batch, 2) 1 where the pose is given; published: person 0 or nobody
        returns    (batch, 2, 201)
        """
        return self.denoise(x_t, pose, pose_mask, self.modulation(timesteps[:, None], text)[:, 0])

    def modulation(self, timesteps: Tensor, text: Tensor) -> Tensor:
        """timesteps (batch or 1, steps), text (batch, text_width) -> (batch, steps, modulation).

        Flattened like the animator's: [layer][attention | ffn][scale | shift][width].
        """
        embedding = self.embed_timestep(timesteps) + self.text_embed(text)[:, None]
        return stack_modulation(self.blocks, embedding)

    def denoise(self, x_t: Tensor, pose: Tensor, pose_mask: Tensor, modulation: Tensor) -> Tensor:
        """`forward` with modulation (batch, layers * 4 * width) already computed for each row."""
        mask = pose_mask[..., None]
        x = (1 - mask) * x_t + mask * pose
        h = self.input_embed_layer(torch.cat([x, mask], dim=-1)) + self.input_embed
        parts = modulation.chunk(len(self.blocks), dim=-1)
        for block, part in zip(self.blocks, parts, strict=True):
            h = block(h, part)
        return torch.cat([self.pose_out(h), self.joint_out(h)], dim=-1)
