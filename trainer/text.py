"""Text encoders as a bundle holds them: a graph with int8 weights and a tokenizer.

Knows ONNX, tokenizers and where the weights of MiniLM are installed. Knows no network of poses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import onnx


@dataclass(frozen=True, kw_only=True)
class TextEncoder:
    """What a bundle's `text/` holds."""

    kind: Literal["minilm", "clip"]
    width: int
    """Length of a text vector."""
    max_tokens: int
    graph: onnx.ModelProto
    """input_ids (B, L), attention_mask (B, L) int64 -> text (B, width)."""
    tokenizer: str
    """JSON for the `tokenizers` library; truncation and padding are set in it."""
