"""What the two text encoders share: self-attention and the post-norm layer, in PyTorch's key names.

BERT's layer and `nn.TransformerEncoderLayer` are the same mathematics; so one class serves both.
Knows tensors only.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TextAttention(nn.Module):
    """Multi-head self-attention with a mask; the keys are those of `nn.MultiheadAttention`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        """h (batch, tokens, width); mask bool, True where a query (row) may see a key (column)."""
        qkv = F.linear(h, self.in_proj_weight, self.in_proj_bias)
        qkv = qkv.reshape(*h.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        if mask is not None:
            logits = logits.masked_fill(~mask, -math.inf)
        mixed = logits.softmax(dim=-1) @ value
        out: Tensor = self.out_proj(mixed.transpose(1, 2).reshape(h.shape))
        return out


class PostNormLayer(nn.Module):
    """h = LN(h + attention(h)); h = LN(h + W2 GELU(W1 h)), as in BERT and `nn.TransformerEncoder`.

    dropout acts on the three branches in training.
    """

    def __init__(
        self, width: int, heads: int, ffn_width: int, *, eps: float = 1e-5, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.self_attn = TextAttention(width, heads)
        self.linear1 = nn.Linear(width, ffn_width)
        self.linear2 = nn.Linear(ffn_width, width)
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        """h (batch, tokens, width) -> like h; mask as in `TextAttention`."""
        h = self.norm1(h + self.dropout(self.self_attn(h, mask)))
        hidden = self.dropout(F.gelu(self.linear1(h)))
        out: Tensor = self.norm2(h + self.dropout(self.linear2(hidden)))
        return out
