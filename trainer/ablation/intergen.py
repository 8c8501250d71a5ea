"""InterGen's blocks: each person is a stream, which looks at itself and then at the other.

Knows tensors. Both streams have the same weights. After InterGen (Liang et al. 2023,
arXiv:2304.05684) with the adaptive norms of `blocks.py`; an animator with these blocks stands in
for InterGen in ablations, with our features where InterGen has joint positions and velocities.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.ablation.sight import AblatedAnimator, Sight
from trainer.models.blocks import (
    PEOPLE,
    AdaptiveNorm,
    FeedForward,
    NetworkConfig,
    SelfAttention,
)


class StreamBlock(nn.Module):
    """h1 = h + SelfAttention(h);  h2 = h1 + CrossAttention(h1, other's h);  h2 + FeedForward(h2)"""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.sa_block = SelfAttention(config)
        self.norm = AdaptiveNorm(config.width)
        self.other_norm = AdaptiveNorm(config.width)
        self.attention = nn.MultiheadAttention(
            config.width, config.heads, config.dropout, add_zero_attn=True, batch_first=True
        )
        self.ffn = FeedForward(config)

    def modulation(self, embedding: Tensor) -> Tensor:
        """embedding (..., width) -> (..., 8 width): [self | cross | other | ffn][scale | shift]."""
        norms = (self.sa_block.norm, self.norm, self.other_norm, self.ffn.norm)
        return torch.cat([norm.modulation(embedding) for norm in norms], dim=-1)

    def forward(self, h: Tensor, modulation: Tensor, valid: Tensor | None = None) -> Tensor:
        """h (batch, token, width), modulation (batch, 8 width) -> like h."""
        own, cross, other, ffn = modulation.chunk(4, dim=-1)
        query = h + self.sa_block(h, own, "frame", valid)
        streams = len(h) * PEOPLE, -1, h.shape[-1]
        key = self.other_norm(h, other).unflatten(1, (PEOPLE, -1)).flip(1).reshape(streams)
        mixed, _ = self.attention(
            self.norm(query, cross).reshape(streams),
            key,
            key,
            key_padding_mask=None if valid is None else ~valid.flip(1).flatten(0, 1),
            need_weights=False,
        )
        h = query + mixed.reshape(h.shape)
        out: Tensor = h + self.ffn(h, ffn)
        return out


def intergen_like(config: NetworkConfig) -> AblatedAnimator:
    """InterGen's network for our features: the anchor is a condition, and windows are absolute."""
    network = AblatedAnimator(config, Sight(anchor=False))
    network.blocks = nn.ModuleList(StreamBlock(config) for _ in range(config.layers))
    return network
