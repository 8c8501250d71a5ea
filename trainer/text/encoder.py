"""A text encoder as a bundle holds it: a graph and its tokenizer; and texts as its vectors.

Knows ONNX and tokenizers. Knows no encoder's network and no pose.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnx
import torch
from torch import nn

from engine.arrays import Array
from engine.backends import open_backend
from engine.bundle import TextSpec
from engine.sampling.text import TextEncoder as CompiledEncoder
from engine.sampling.text import encode_with, truncating
from trainer.graphs.tracing import trace


@dataclass(frozen=True, kw_only=True)
class TextEncoder:
    """What a bundle's `text/` holds."""

    kind: Literal["minilm", "clip"]
    width: int
    """Length of a text vector."""
    max_tokens: int
    model: onnx.ModelProto
    """input_ids (B, L), attention_mask (B, L) int64 -> text (B, width)."""
    tokenizer: str
    """JSON for the `tokenizers` library; the engine sets truncation and padding itself."""


def text_graph(encoder: nn.Module, axes: dict[int, str], *, tokens: int = 2) -> onnx.ModelProto:
    """Trace encoder(input_ids, attention_mask); axes: which of (batch, tokens) are dynamic."""
    ids = torch.ones(2, tokens, dtype=torch.int64)
    inputs = {"input_ids": ids, "attention_mask": ids}
    return trace(encoder, inputs, ["text"], dict.fromkeys(inputs, axes))


def open_tokenizer(written: str, max_tokens: int) -> Any:
    """A tokenizers.Tokenizer from its JSON, as the engine sets it up."""
    from tokenizers import Tokenizer

    return truncating(Tokenizer.from_str(written), max_tokens)


def encode_texts(texts: Sequence[str], encoder: TextEncoder) -> Array:
    """Texts -> (n, width) float32 text vectors for training; an empty text is all zeros.

    The engine's own code and the very graph that a bundle ships, in float32.
    """
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(encoder.model, Path(folder) / "encoder.onnx")
        backend = open_backend(precision="f32", cache_dir=None)
        reader = CompiledEncoder(
            graph=backend.load(Path(folder) / "encoder.onnx"),
            tokenizer=open_tokenizer(encoder.tokenizer, encoder.max_tokens),
            spec=TextSpec(kind=encoder.kind, max_tokens=encoder.max_tokens),
            text_width=encoder.width,
        )
    return encode_with(reader, texts)
