"""A sentence encoder in few bits a weight: products in 4-bit blocks, the word table as codes.

Knows matrices and what runs through them. Knows neither files nor the tokenizer. Products: GPTQ
(Frantar et al. 2022, arXiv:2210.17323), which corrects the columns still to come for the error of
those already rounded. Word table: product quantisation (Jegou et al. 2011, TPAMI 33).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainer.text.layers import PostNormLayer
from trainer.text.sentence_encoder import SentenceEncoder, WordTable

BLOCK = 64
"""Inputs of a product that share one scale."""
LOWEST, HIGHEST = -8, 7
PARTS = 128
"""Codes that stand for one row of the word table, a byte each."""
CODEWORDS = 256
SAMPLE, ROUNDS = 8192, 8
"""Rows and repetitions of Lloyd's algorithm."""


@dataclass(frozen=True, kw_only=True)
class Int4Matrix:
    """A matrix (out, in) as codes times scales.

    codes   (out, in) int8, LOWEST to HIGHEST
    scales  (out, in / BLOCK) float16
    """

    codes: Tensor
    scales: Tensor

    def values(self) -> Tensor:
        """(out, in) float32."""
        return self.codes * self.scales.float().repeat_interleave(BLOCK, dim=1)


class ProductTable(nn.Module):
    """A table of rows, each the concatenation of codewords: `nn.Embedding` in a byte per part.

    Each part of the rows has CODEWORDS words of its own, rounded to 16 bits.
    """

    codes: Tensor

    def __init__(self, table: Tensor, *, parts: int = PARTS, seed: int = 0) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        found = [_codebook(part, draw) for part in table.chunk(parts, dim=1)]
        self.words = nn.Parameter(torch.cat([w for w, _ in found]).half().float(), False)
        self.register_buffer("codes", torch.stack([c for _, c in found], dim=1).to(torch.uint8))

    def forward(self, ids: Tensor) -> Tensor:
        """ids (...) int64 -> rows (..., width)."""
        codes = self.codes[ids].long()
        first = torch.arange(codes.shape[-1]) * CODEWORDS
        return self.words[codes + first].flatten(-2)


@torch.no_grad()
def compressed(
    encoder: SentenceEncoder, sentences: Sequence[Tensor]
) -> tuple[SentenceEncoder, list[Int4Matrix]]:
    """The encoder with rounded weights (float32 values), and its products as they are stored.

    sentences  (1, tokens) ids each, of the kind that the encoder will read
    """
    small = copy.deepcopy(encoder)
    assert isinstance(encoder.words, WordTable)
    small.words = ProductTable(encoder.words.rows)
    small.positions.data = small.positions.half().float()
    matrices = []
    states = [small.embed(ids) for ids in sentences]
    for layer in small.layers:
        assert isinstance(layer, PostNormLayer)
        matrices += _compress_layer(layer, states)
        states = [layer(h) for h in states]
    return small, matrices


def _compress_layer(layer: PostNormLayer, states: Sequence[Tensor]) -> list[Int4Matrix]:
    """Round the layer's four matrices to what they say about these inputs. In place."""
    seen: dict[nn.Module, list[Tensor]] = {}

    def remember(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.setdefault(module, []).append(inputs[0].flatten(0, -2))

    attention = layer.self_attn
    products = {
        attention: attention.in_proj_weight,
        attention.out_proj: attention.out_proj.weight,
        layer.linear1: layer.linear1.weight,
        layer.linear2: layer.linear2.weight,
    }
    hooks = [module.register_forward_pre_hook(remember) for module in products]
    for h in states:
        layer(h)
    for hook in hooks:
        hook.remove()
    matrices = []
    for module, weight in products.items():
        matrices.append(int4_matrix(weight, torch.cat(seen[module])))
        weight.copy_(matrices[-1].values())
    return matrices


def int4_matrix(weight: Tensor, inputs: Tensor, *, damping: float = 0.01) -> Int4Matrix:
    """Round weight (out, in) so that inputs (n, in) @ weight.T changes least.

    With U the upper Cholesky factor of inv(inputs' inputs / n + damping), column j is rounded and
    its error e_j / U_jj, times row j of U, is taken from the columns after it (GPTQ eq. 2 and 3).
    """
    left = weight.detach().double()
    second = inputs.double().T @ inputs.double() / len(inputs)
    second.diagonal().add_(damping * second.diagonal().mean())
    upper = torch.linalg.cholesky(torch.linalg.inv(second), upper=True)
    codes, scales = torch.empty_like(left), []
    for start in range(0, left.shape[1], BLOCK):
        stop = start + BLOCK
        block = left[:, start:stop].clone()
        scale = _block_scale(block)
        errors = torch.empty_like(block)
        for j in range(BLOCK):
            row = upper[start + j, start:stop]
            codes[:, start + j] = (block[:, j] / scale).round().clamp(LOWEST, HIGHEST)
            errors[:, j] = (block[:, j] - codes[:, start + j] * scale) / row[j]
            block[:, j + 1 :] -= errors[:, j, None] * row[j + 1 :]
        left[:, stop:] -= errors @ upper[start:stop, stop:]
        scales.append(scale.half())
    return Int4Matrix(codes=codes.to(torch.int8), scales=torch.stack(scales, dim=1))


def _block_scale(block: Tensor) -> Tensor:
    """(out, BLOCK) -> (out,): of some scales that clip the largest weights, the one closest."""
    largest = block.abs().amax(dim=1) / (HIGHEST + 0.5)
    candidates = torch.stack([largest * clip / 100 for clip in range(70, 105, 5)])
    candidates = candidates.half().double().clamp(min=1e-7)[..., None]
    rounded = (block / candidates).round().clamp(LOWEST, HIGHEST) * candidates
    best = (rounded - block).square().sum(dim=-1).argmin(dim=0)
    return candidates[best, torch.arange(len(block)), 0]


def _codebook(points: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """k-means on SAMPLE points (n, d): words (CODEWORDS, d), the nearest one of each point (n,)."""
    sample = points[torch.randperm(len(points), generator=draw)[:SAMPLE]]
    words = sample[:CODEWORDS]
    for _ in range(ROUNDS):
        nearest = _nearest(sample, words)
        counts = torch.bincount(nearest, minlength=CODEWORDS)[:, None]
        sums = torch.zeros_like(words).index_add_(0, nearest, sample)
        words = torch.where(counts > 0, sums / counts.clamp(min=1), words)
    return words, _nearest(points, words)


def _nearest(points: Tensor, words: Tensor) -> Tensor:
    """(n,) index; in pieces that stay in the processor's cache."""
    doubled, square = 2 * words.T, words.square().sum(dim=1)
    pieces = torch.split(points, 1024)
    return torch.cat([(square - piece @ doubled).argmin(dim=1) for piece in pieces])
