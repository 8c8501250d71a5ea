"""CLIP's text tower; with two trained layers on top it is the text side of the published generator.

Knows tensors and the checkpoint's keys. Knows neither files nor the tokenizer.
CLIP: Radford et al. 2021 (arXiv:2103.00020), ViT-L/14@336px as published; facts: Ponimator 13.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainer.text.layers import PostNormLayer, TextAttention

HEAD_WIDTH = 64
"""CLIP's heads always have this width; so the number of heads follows from the tensors."""


@dataclass(frozen=True, kw_only=True)
class ClipTowerConfig:
    """Sizes of the text side. The defaults are those of the published checkpoint."""

    vocabulary: int = 49408
    tokens: int = 77
    width: int = 768
    layers: int = 12
    top_layers: int = 2
    """Trained by Ponimator above the tower; 0: CLIP alone, its own output at the end of text."""
    top_heads: int = 8
    top_ffn_width: int = 2048


def clip_config_from_state_dict(state: Mapping[str, Tensor], *, top_heads: int) -> ClipTowerConfig:
    """Read the sizes from the tensors; the heads of the top layers leave no trace in them.

    Raises KeyError if the embeddings or the first top layer are missing.
    """
    vocabulary, width = state["token_embedding.weight"].shape
    return ClipTowerConfig(
        vocabulary=vocabulary,
        tokens=state["positional_embedding"].shape[0],
        width=width,
        layers=sum(key.endswith("mlp.c_fc.weight") for key in state),
        top_layers=sum(key.endswith("self_attn.in_proj_weight") for key in state),
        top_heads=top_heads,
        top_ffn_width=state["clipTransEncoder.layers.0.linear1.weight"].shape[0],
    )


class ClipTower(nn.Module):
    """Token ids -> one text vector, taken at the end-of-text token."""

    def __init__(self, config: ClipTowerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.token_embedding = nn.Embedding(config.vocabulary, width)
        self.positional_embedding = nn.Parameter(0.01 * torch.randn(config.tokens, width))
        self.clip_transformer = _Blocks(
            "resblocks", [ClipBlock(width) for _ in range(config.layers)]
        )
        self.ln_final = nn.LayerNorm(width)
        top = [
            PostNormLayer(width, config.top_heads, config.top_ffn_width)
            for _ in range(config.top_layers)
        ]
        self.clipTransEncoder = _Blocks("layers", top)
        self.clip_ln = nn.LayerNorm(width) if config.top_layers else nn.Identity()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """input_ids (batch, tokens) int64, padded with 0 to CLIP's 77 -> (batch, width).

        attention_mask is not read: the published network attends to padding too.
        """
        tokens = input_ids.shape[1]
        causal = torch.ones(tokens, tokens, dtype=torch.bool).tril()
        h = self.token_embedding(input_ids) + self.positional_embedding[:tokens]
        h = self.ln_final(self.clip_transformer(h, causal))
        out: Tensor = self.clip_ln(self.clipTransEncoder(h, None))
        end_of_text = input_ids.argmax(-1)  # its id is the largest in the vocabulary
        index = end_of_text[:, None, None].expand(-1, 1, out.shape[2])
        return out.gather(1, index)[:, 0]


class ClipBlock(nn.Module):
    """h = h + attention(LN(h)); h = h + W2 QuickGELU(W1 LN(h))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = TextAttention(width, width // HEAD_WIDTH)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)}
        )

    def forward(self, h: Tensor, mask: Tensor | None) -> Tensor:
        h = h + self.attn(self.ln_1(h), mask)
        hidden = self.mlp["c_fc"](self.ln_2(h))
        out: Tensor = h + self.mlp["c_proj"](hidden * torch.sigmoid(1.702 * hidden))
        return out


class _Blocks(nn.Module):
    """Layers one after the other, under the attribute name that the checkpoint has."""

    def __init__(self, name: str, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.name = name
        setattr(self, name, nn.ModuleList(layers))

    def forward(self, h: Tensor, mask: Tensor | None) -> Tensor:
        for layer in getattr(self, self.name):
            h = layer(h, mask)
        return h
