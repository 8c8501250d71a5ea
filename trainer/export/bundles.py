"""The exporter: trained networks -> an engine bundle.

Knows what the engine expects in a bundle's folder; a family's graphs are its own. The manifest's
format is `engine.bundle`'s. A bundle appears whole, by a rename, or not at all.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import onnx

from engine.bundle import (
    ACTS_FILE,
    INTENT_FILE,
    KINDS_FILE,
    MANIFEST,
    BodySpec,
    Bundle,
    IntentSpec,
    TextSpec,
    write_manifest,
)
from engine.errors import BundleError
from engine.sampling.acts import SENTENCES
from engine.sampling.kinds import kinds_by, save_kinds
from trainer.graphs.storing import store_halves, store_int8, store_sinusoids
from trainer.models.family import Part
from trainer.text.encoder import TextEncoder, encode_texts

BODY_FILE = "body.npz"
Weights = Literal["compact", "f16", "f32"]


def export_bundle(
    path: Path,
    parts: Sequence[Part],
    *,
    text: TextEncoder | None = None,
    body_file: Path | None = None,
    intent_file: Path | None = None,
    kinds_file: Path | None = None,
    name: str,
    description: str,
    licence: str,
    weights: Weights = "f16",
    most_bytes: int | None = None,
) -> Bundle:
    """Write a bundle to `path`, replacing a bundle that is there.

    parts      networks, as `Family.part` makes them; an animator must be among them
    body_file  the body that the networks were trained with; None: the engine's own
    intent_file  of `python -m trainer.intent.train`; None: no offer of a player is answered
    kinds_file   of `python -m trainer.text.kinds`, with the vectors of `text`; None: no words are
                 told apart from what it knows
    text       if the animator takes words, those that it is not needed for are read by it, too
    weights    f32 keeps every bit of a checkpoint; f16 stores matrices in half the bytes;
               compact stores products in int8 and computes the sinusoids
    Raises BundleError if `path` holds something else than a bundle, if text encoder and networks
    differ in the length of their vectors, or if the bundle would be larger than `most_bytes`.
    """
    _refuse_foreign(path)
    if text is not None:
        _check_text_width(text, parts)

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
        partial = Path(scratch) / "new"
        partial.mkdir()
        if body_file is not None:
            shutil.copyfile(body_file, partial / BODY_FILE)
        for part in parts:
            for graph, model in part.family.graphs(part.network).items():
                _save(partial / part.family.name / f"{graph}.onnx", model, weights)
        if text is not None:
            _save(partial / "text/encoder.onnx", text.model, "f32")  # stored as it came
            (partial / "text/tokenizer.json").write_text(text.tokenizer, encoding="utf-8")
        if intent_file is not None:
            (partial / INTENT_FILE).parent.mkdir()
            shutil.copyfile(intent_file, partial / INTENT_FILE)
        if kinds_file is not None and text is not None:
            shutil.copyfile(kinds_file, partial / KINDS_FILE)
        if text is not None and any(_steered_by_words(part) for part in parts):
            acts = kinds_by(lambda texts: encode_texts(texts, text), SENTENCES)
            save_kinds(partial / ACTS_FILE, acts)
        bundle = write_manifest(
            partial,
            name=name,
            licence=licence,
            description=description,
            text=None if text is None else TextSpec(kind=text.kind, max_tokens=text.max_tokens),
            body=None if body_file is None else BodySpec(file=BODY_FILE),
            intent=None if intent_file is None else IntentSpec(file=INTENT_FILE),
            **{part.family.name: part.spec for part in parts},
        )
        _check_size(bundle, path, most_bytes)
        if path.exists():
            path.rename(Path(scratch) / "old")
        partial.rename(path)
    return dataclasses.replace(bundle, path=path)


def _steered_by_words(part: Part) -> bool:
    return part.family.name == "animator" and part.network.config.text_width > 0


def _save(path: Path, model: onnx.ModelProto, weights: Weights) -> None:
    path.parent.mkdir(exist_ok=True)
    if weights == "compact":
        store_int8(model)
        store_sinusoids(model)
    if weights != "f32":
        store_halves(model)
    onnx.save(model, path)


def _check_size(bundle: Bundle, path: Path, most_bytes: int | None) -> None:
    found = sum(record.bytes for record in bundle.manifest.files.values())
    if most_bytes is not None and found > most_bytes:
        parts = ", ".join(f"{n} {r.bytes}" for n, r in bundle.manifest.files.items())
        raise BundleError(
            f"{path}: would have {found} bytes, at most {most_bytes} are allowed ({parts})",
            field="files",
        )


def _refuse_foreign(path: Path) -> None:
    if path.exists() and not (path / MANIFEST).is_file():
        raise BundleError(
            f"{path}: exists and is no bundle; name another path, or remove it", field="path"
        )


def _check_text_width(text: TextEncoder, parts: Sequence[Part]) -> None:
    for part in parts:
        name, width = part.family.name, part.network.config.text_width
        if width not in (0, text.width):
            raise BundleError(
                f"the text encoder gives {text.width} numbers, the {name} takes {width}; train the "
                f"{name} with this encoder",
                field="text",
            )
