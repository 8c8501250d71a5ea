"""What clips are called: their captions as they read under every augmentation, and their vectors.

Knows words and clips. Knows no encoder: vectors come from `trainer/text/captions.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from trainer.data.shards import Clips


@dataclass(frozen=True, kw_only=True)
class CaptionTable:
    """Sentence vectors (texts, width) of all captions, as they read for augmented clips too.

    rows[mirrored][swapped][clip] are the rows of the clip's wordings.
    """

    vectors: Array
    rows: tuple[tuple[tuple[IntArray, ...], ...], ...]

    @property
    def width(self) -> int:
        return int(self.vectors.shape[1])

    def draw(
        self,
        clips: IntArray,
        is_mirrored: BoolArray,
        is_swapped: BoolArray,
        rng: np.random.Generator,
    ) -> Array:
        """(batch, width): one wording of each clip; zero where a clip has none."""
        vectors = np.zeros((len(clips), self.width), np.float32)
        for row, (clip, m, s) in enumerate(zip(clips, is_mirrored, is_swapped, strict=True)):
            if len(wordings := self.rows[int(m)][int(s)][clip]):
                vectors[row] = self.vectors[rng.choice(wordings)]
        return vectors


EXCHANGED = {"left": "right", "right": "left", "player": "partner", "partner": "player"}


def caption_of(caption: str, *, is_mirrored: bool, is_swapped: bool) -> str:
    """The caption of an augmented clip: a mirror exchanges sides, a swap the two roles."""
    words = ["left|right"] * is_mirrored + ["player|partner"] * is_swapped

    def exchanged(found: re.Match[str]) -> str:
        word = EXCHANGED[found.group().lower()]
        return word.capitalize() if found.group()[0].isupper() else word

    return re.sub("|".join(words), exchanged, caption, flags=re.IGNORECASE) if words else caption


AUGMENTATIONS = tuple((m, s) for m in (False, True) for s in (False, True))


def unique_captions(captions: Sequence[Sequence[str]]) -> list[str]:
    """Every wording as it reads under every augmentation, once, in a fixed order."""
    plain = dict.fromkeys(c for wordings in captions for c in wordings)
    variants = (caption_of(c, is_mirrored=m, is_swapped=s) for m, s in AUGMENTATIONS for c in plain)
    return list(dict.fromkeys(variants))


def caption_table(clips: Clips, texts: Sequence[str], vectors: Array) -> CaptionTable:
    """Which rows of `vectors` (one for each of `texts`) describe which clip."""
    row_of = {text: row for row, text in enumerate(texts)}

    def rows(is_mirrored: bool, is_swapped: bool) -> tuple[IntArray, ...]:
        return tuple(
            np.array(
                [
                    row_of[caption_of(c, is_mirrored=is_mirrored, is_swapped=is_swapped)]
                    for c in wordings
                ],
                np.int64,
            )
            for wordings in clips.captions
        )

    return CaptionTable(
        vectors=vectors, rows=tuple(tuple(rows(m, s) for s in (False, True)) for m in (False, True))
    )
