"""Kinds: what a bundle was trained to do, in words, and how far from it other words are.

Knows the wordings of the training clips and their vectors; no encoder and no network.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.arrays import Array, IntArray
from engine.errors import BundleError

FAR = 0.45
"""Words are far from a kind if the cosine with each of its wordings is below this. Of the wordings
themselves, each compared with all others, 0.3 % are far from every kind; of 40 sentences about
something else 97.5 %, of 35 made up for what the kinds do 2.9 % (`docs/formats.md`)."""
LONGEST = 60
"""Characters of somebody's words that a notice repeats."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Kinds:
    """The kinds of interaction of a bundle.

    names    (K,) in the order of the choreography
    texts    (n,) wordings, those of a kind together, its plainest first
    kind_of  (n,) which kind each is of
    vectors  (n, width) of length 1, as the bundle's encoder reads them
    """

    names: tuple[str, ...]
    texts: tuple[str, ...]
    kind_of: IntArray
    vectors: Array

    def wordings(self, kind: int) -> list[str]:
        return [self.texts[row] for row in np.flatnonzero(self.kind_of == kind)]

    @property
    def plainest(self) -> tuple[str, ...]:
        """(K,) the first wording of each kind."""
        return tuple(self.wordings(kind)[0] for kind in range(len(self.names)))

    @property
    def sentences(self) -> dict[str, tuple[str, ...]]:
        """The wordings of each kind."""
        return {name: tuple(self.wordings(kind)) for kind, name in enumerate(self.names)}

    def nearest(self, vector: Array) -> tuple[int, float]:
        """The wording nearest to a text vector (width,), and their cosine; of no words, 0."""
        cosines = self.vectors @ vector / max(float(np.linalg.norm(vector)), 1e-9)
        row = int(cosines.argmax())
        return row, float(cosines[row])

    def notice(self, words: str, vector: Array) -> str:
        """One line for people if words (width,) are far from every kind; else nothing."""
        if not vector.any() or not self.texts:
            return ""
        row, cosine = self.nearest(vector)
        if cosine >= FAR:
            return ""
        shown = words if len(words) <= LONGEST else f"{words[: LONGEST - 3]}..."
        return (
            f'"{shown}" is far from all that this bundle knows, nearest is '
            f'"{self.texts[row]}"; `contrapose kinds` lists it'
        )


def kinds_by(
    encode: Callable[[Sequence[str]], Array], sentences: Mapping[str, Sequence[str]]
) -> Kinds:
    """Kinds by name, with the wordings of each, as an encoder (texts -> (n, width)) reads them."""
    texts = tuple(text for of_kind in sentences.values() for text in of_kind)
    vectors = encode(texts)
    return Kinds(
        names=tuple(sentences),
        texts=texts,
        kind_of=np.repeat(np.arange(len(sentences)), [len(s) for s in sentences.values()]),
        vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
    )


def save_kinds(path: Path, kinds: Kinds) -> None:
    """Vectors are kept in a byte a number."""
    scale = np.abs(kinds.vectors).max(axis=1, keepdims=True) / 127
    np.savez_compressed(
        path,
        names=np.array(kinds.names),
        texts=np.array(kinds.texts),
        kind_of=kinds.kind_of.astype(np.uint16),
        vectors=np.round(kinds.vectors / scale).astype(np.int8),
    )


def load_kinds(path: Path) -> Kinds:
    """Raises BundleError unless the file holds wordings that belong together."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            names, texts, kind_of = held["names"], held["texts"], held["kind_of"]
            vectors = held["vectors"].astype(np.float32)
        fits = (
            (names.ndim, vectors.ndim) == (1, 2)
            and texts.shape == kind_of.shape == vectors.shape[:1]
            and {names.dtype.kind, texts.dtype.kind} == {"U"}
            and set(kind_of.tolist()) == set(range(len(names)))
        )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as exc:
        raise BundleError(f"{path}: holds no kinds: {exc}; export again", field="files") from exc
    if not fits:
        raise BundleError(
            f"{path}: its wordings and kinds do not match; export again", field="files"
        )
    return Kinds(
        names=tuple(map(str, names)),
        texts=tuple(map(str, texts)),
        kind_of=kind_of.astype(np.int64),
        vectors=vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9),
    )
