"""The sentence encoder all-MiniLM-L6-v2 in plain torch: token ids -> one unit vector a sentence.

Knows BERT's mathematics and its checkpoint keys. Knows neither files nor the tokenizer.
MiniLM (Wang et al. 2020, arXiv:2002.10957), trained on sentence pairs as in Sentence-BERT
(arXiv:1908.10084); BERT (arXiv:1810.04805).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.text.layers import PostNormLayer

EPS = 1e-12


class WordTable(nn.Module):
    """The vectors of the vocabulary's pieces, (pieces, width)."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = nn.Parameter(rows, requires_grad=False)

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.rows)


class SentenceEncoder(nn.Module):
    """BERT, the mean over real tokens, length 1. Sizes come from the tensors; heads do not."""

    def __init__(self, state: Mapping[str, Tensor], *, heads: int) -> None:
        """Raises KeyError when a tensor of `BertModel` is missing from `state`."""
        super().__init__()
        words = state["embeddings.word_embeddings.weight"]
        ffn_width, width = state["encoder.layer.0.intermediate.dense.weight"].shape
        layers = sum(key.endswith("intermediate.dense.weight") for key in state)
        self.words: nn.Module = WordTable(words)
        # One sentence at a time: every token is of kind 0.
        kind = state["embeddings.token_type_embeddings.weight"][0]
        self.positions = nn.Parameter(state["embeddings.position_embeddings.weight"] + kind)
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.norm.load_state_dict(_below(state, "embeddings.LayerNorm."))
        self.layers = nn.ModuleList(
            PostNormLayer(width, heads, ffn_width, eps=EPS) for _ in range(layers)
        )
        for index, layer in enumerate(self.layers):
            layer.load_state_dict(_layer_state(_below(state, f"encoder.layer.{index}.")))
        self.requires_grad_(False)

    def embed(self, input_ids: Tensor) -> Tensor:
        """input_ids (batch, tokens) int64 -> (batch, tokens, width), the first layer's input."""
        out: Tensor = self.norm(self.words(input_ids) + self.positions[: input_ids.shape[1]])
        return out

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """input_ids, attention_mask (batch, tokens) int64 -> (batch, width) of length 1."""
        h = self.embed(input_ids)
        mask = attention_mask[:, None, None].bool()
        for layer in self.layers:
            h = layer(h, mask)
        weight = attention_mask[..., None].to(h.dtype)
        mean = (h * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        return F.normalize(mean, dim=-1)


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}


def _layer_state(bert: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The keys of one BERT layer under the names of `PostNormLayer`."""
    renamed = {
        "attention.output.dense": "self_attn.out_proj",
        "attention.output.LayerNorm": "norm1",
        "intermediate.dense": "linear1",
        "output.dense": "linear2",
        "output.LayerNorm": "norm2",
    }
    out = {}
    for kind in ("weight", "bias"):
        qkv = [bert[f"attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
        out[f"self_attn.in_proj_{kind}"] = torch.cat(qkv)
        out |= {f"{ours}.{kind}": bert[f"{theirs}.{kind}"] for theirs, ours in renamed.items()}
    return out
