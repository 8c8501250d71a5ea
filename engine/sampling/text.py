"""Words as the networks read them.

Knows a tokenizer and the encoder's graph; no network that reads the outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.backends import Graph
from engine.bundle import Bundle, TextSpec
from engine.errors import BundleError, InputError

TEXT_CHARACTERS = 1000
"""Longest text that is read; encoders look at some 60 words, so more is a mistake."""


@dataclass(frozen=True, kw_only=True)
class TextEncoder:
    graph: Graph
    tokenizer: Any  # tokenizers.Tokenizer, an untyped library
    spec: TextSpec
    text_width: int


def load_text(bundle: Bundle, graph: Graph) -> TextEncoder:
    from tokenizers import Tokenizer

    spec = bundle.manifest.text
    assert spec is not None
    path = bundle.file("text/tokenizer.json")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as exc:  # the library raises bare Exception
        raise BundleError(f"{path}: not a tokenizer: {exc}; export again", field="text") from exc
    return TextEncoder(
        graph=graph,
        tokenizer=truncating(tokenizer, spec.max_tokens),
        spec=spec,
        text_width=bundle.manifest.text_width,
    )


def truncating(tokenizer: Any, max_tokens: int) -> Any:
    """The tokenizer (tokenizers.Tokenizer) set to cut long texts and to pad none. In place."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def encode_with(encoder: TextEncoder, texts: Sequence[str]) -> Array:
    """`encode_text` by an encoder that stands alone."""
    for text in texts:
        _check_text(text)
    rows = [_encode_one(encoder, text) for text in texts]
    return np.stack(rows) if rows else np.zeros((0, encoder.text_width), np.float32)


def _check_text(text: str) -> None:
    if len(text) > TEXT_CHARACTERS:
        raise InputError(
            f"text has {len(text)} characters, at most {TEXT_CHARACTERS} are read; shorten it",
            field="text",
        )
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InputError(f"text is not valid Unicode: {exc.reason}", field="text") from exc


def _encode_one(encoder: TextEncoder, text: str) -> Array:
    """One text alone, so that company changes no bit of it.

    CLIP always sees max_tokens, padded with id 0, as when it was trained; minilm the text's own.
    """
    if not text.strip():
        return np.zeros(encoder.text_width, np.float32)
    ids = encoder.tokenizer.encode(text).ids
    length = encoder.spec.max_tokens if encoder.spec.kind == "clip" else len(ids)
    tokens, mask = np.zeros((1, length), np.int64), np.zeros((1, length), np.int64)
    tokens[0, : len(ids)], mask[0, : len(ids)] = ids, 1
    row = encoder.graph({"input_ids": tokens, "attention_mask": mask})["text"]
    return row.reshape(encoder.text_width)
