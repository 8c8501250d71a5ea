"""The building blocks that families share: adaptive-norm transformer blocks.

Knows tensors and the key layout of the published checkpoints. Knows neither poses nor diffusion.
A window's tokens stand in one row, all frames of person 0, then all of person 1: with one more axis
OpenVINO fuses neither biases nor activations into its int8 products.
Paper: Ponimator (Liu et al. 2025, arXiv:2510.14976), after DiT's adaptive norm (arXiv:2212.09748).
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import ConfigError

TokenAxis = Literal["frame", "person"]
PEOPLE = 2
POSITIONS = 5000
"""Rows of the sinusoidal table, as in the published checkpoints."""


MOST_WIDTH = 65536


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Sizes of a denoiser. The defaults are those of the published networks."""

    width: int = 1024
    heads: int = 8
    layers: int = 8
    ffn_width: int = 2048
    text_width: int = 0
    """Length of the text vector: 768 in the published generator, 0 (no text) in its animator."""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name in ("width", "heads", "layers", "ffn_width"):
            if not 1 <= getattr(self, name) <= MOST_WIDTH:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}, expected 1 to {MOST_WIDTH}", field=name
                )
        if self.width % self.heads or self.width % 2:
            raise ConfigError(
                f"{self.width=} must be even and a multiple of {self.heads=}", field="width"
            )

    @property
    def modulation_width(self) -> int:
        """Scales and shifts of all blocks: [layer][attention | ffn][scale | shift][width]"""
        return self.layers * 4 * self.width


class Denoiser(nn.Module):
    """What all families' networks have."""

    config: NetworkConfig
    sequence_pos_encoder: SinusoidalTable


def config_from_state_dict(state: Mapping[str, Tensor], *, heads: int = 8) -> NetworkConfig:
    """Read the sizes of a denoiser from its tensors; `heads` leaves no trace in them.

    Raises KeyError if the first block's feed-forward is missing.
    """
    ffn_width, width = state["blocks.0.ffn.linear1.weight"].shape
    numbers = {match[1] for key in state if (match := re.match(r"blocks\.(\d+)\.", key))}
    text = state.get("text_embed.weight")
    return NetworkConfig(
        width=width,
        heads=heads,
        layers=len(numbers),
        ffn_width=ffn_width,
        text_width=0 if text is None else text.shape[1],
    )


class SinusoidalTable(nn.Module):
    """pe[p, 2k] = sin(p 10000^(-2k/width)), pe[p, 2k+1] = cos(same): frames and diffusion steps."""

    pe: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        position = torch.arange(POSITIONS, dtype=torch.float64)[:, None]
        frequency = torch.exp(
            torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(10000.0) / width)
        )
        angle = position * frequency
        table = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
        self.register_buffer("pe", table.to(torch.float32))


class TimestepEmbedding(nn.Module):
    """TE(t) = W2 SiLU(W1 pe[t] + b1) + b2, t the original step 0..999."""

    def __init__(self, width: int, table: SinusoidalTable) -> None:
        super().__init__()
        self.sequence_pos_encoder = table
        self.time_embed = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, timesteps: Tensor) -> Tensor:
        """timesteps (...) int64 -> (..., width)."""
        embedding: Tensor = self.time_embed(self.sequence_pos_encoder.pe[timesteps])
        return embedding


class AdaptiveNorm(nn.Module):
    """LN(h) (1 + s) + b, where (s, b) = W SiLU(e) + c; LN without affine. Starts as plain LN."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        zero_init(self.emb_layers[1])

    def modulation(self, embedding: Tensor) -> Tensor:
        """embedding (..., width) -> (..., 2 width), scale first."""
        scale_and_shift: Tensor = self.emb_layers(embedding)
        return scale_and_shift

    def forward(self, h: Tensor, modulation: Tensor) -> Tensor:
        """h (batch, token, width), modulation (batch, 2 width) -> like h."""
        scale, shift = modulation[:, None].chunk(2, dim=-1)
        return F.layer_norm(h, (self.width,), eps=1e-6) * (1 + scale) + shift


class Attention(nn.Module):
    """Multi-head self-attention with one more key and value, both zero.

    The same as `nn.MultiheadAttention(add_zero_attn=True)`, which leaves every fast path in bf16.
    The extra logit 0 also keeps the softmax finite when every real key is masked.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.head_width = width // heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, h: Tensor, axis: TokenAxis, valid: Tensor | None = None) -> Tensor:
        """h (batch, token, width), valid (batch, person, frame) bool -> like h."""
        to_heads = (3, 0, 1, 4, 2, 5) if axis == "frame" else (3, 0, 2, 4, 1, 5)
        from_heads = (0, 1, 3, 2, 4) if axis == "frame" else (0, 3, 1, 2, 4)
        if valid is not None and axis == "person":
            valid = valid.transpose(1, 2)

        # One transposition of all three and one back: each is a copy of its own in a graph.
        qkv = F.linear(h, self.in_proj_weight, self.in_proj_bias)
        people_and_frames = (PEOPLE, h.shape[1] // PEOPLE)
        qkv = qkv.reshape(-1, *people_and_frames, 3, self.heads, self.head_width).permute(to_heads)
        query, key, value = qkv.unbind(0)
        logits = (query * self.head_width**-0.5) @ key.transpose(-1, -2)
        if valid is not None:
            logits = logits.masked_fill(~valid[:, :, None, None], -math.inf)
        weights = F.pad(logits, (0, 1)).softmax(dim=-1)[..., :-1]
        mixed = F.dropout(weights, self.dropout, self.training) @ value
        out: Tensor = self.out_proj(mixed.permute(from_heads).reshape(h.shape))
        return out


class SelfAttention(nn.Module):
    """MHSA(AdaLN(h)), without the residual."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.norm = AdaptiveNorm(config.width)
        self.attention = Attention(config.width, config.heads, config.dropout)

    def forward(
        self, h: Tensor, modulation: Tensor, axis: TokenAxis, valid: Tensor | None
    ) -> Tensor:
        out: Tensor = self.attention(self.norm(h, modulation), axis, valid)
        return out


class FeedForward(nn.Module):
    """W2 Dropout(GELU(W1 AdaLN(h))), without the residual. Starts at zero."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.norm = AdaptiveNorm(config.width)
        self.linear1 = nn.Linear(config.width, config.ffn_width)
        self.linear2 = nn.Linear(config.ffn_width, config.width)
        self.dropout = config.dropout
        zero_init(self.linear2)

    def forward(self, h: Tensor, modulation: Tensor) -> Tensor:
        hidden = F.gelu(self.linear1(self.norm(h, modulation)))
        out: Tensor = self.linear2(F.dropout(hidden, self.dropout, self.training))
        return out


class Block(nn.Module):
    """Attention among the frames of a person or the people of a frame, then feed-forward."""

    def __init__(self, config: NetworkConfig, axis: TokenAxis) -> None:
        super().__init__()
        self.axis: TokenAxis = axis
        self.sa_block = SelfAttention(config)
        self.ffn = FeedForward(config)

    def modulation(self, embedding: Tensor) -> Tensor:
        """embedding (..., width) -> (..., 4 width): [attention | ffn][scale | shift][width]."""
        norms = (self.sa_block.norm, self.ffn.norm)
        return torch.cat([norm.modulation(embedding) for norm in norms], dim=-1)

    def forward(self, h: Tensor, modulation: Tensor, valid: Tensor | None = None) -> Tensor:
        """h (batch, token, width), modulation (batch, 4 width) -> like h."""
        attention, ffn = modulation.chunk(2, dim=-1)
        h = h + self.sa_block(h, attention, self.axis, valid)
        out: Tensor = h + self.ffn(h, ffn)
        return out


def stack_modulation(blocks: nn.ModuleList, embedding: Tensor) -> Tensor:
    """Every scale and shift of all blocks: embedding (..., width) -> (..., layers 4 width)."""
    return torch.cat([block.modulation(embedding) for block in blocks], dim=-1)  # type: ignore[operator]  # nn.ModuleList forgets its item type


def zero_init(linear: nn.Module) -> None:
    """Set weights and bias to zero, so that the branch starts without effect."""
    for parameter in linear.parameters():
        nn.init.zeros_(parameter)


Network = TypeVar("Network", bound=Denoiser)


def frozen(network: Network, *, table_rows: int) -> Network:
    """A float32 copy on the CPU whose sinusoidal table has only the rows that its graph reads."""
    copied = copy.deepcopy(network).cpu().float().requires_grad_(False)
    table = copied.sequence_pos_encoder
    table.pe = table.pe[:table_rows].clone()
    return copied
