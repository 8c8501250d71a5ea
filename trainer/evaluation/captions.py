"""Captions of clips as the evaluation compares motions with: every wording once, and its vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from trainer.data.shards import Clips
from trainer.text.encoder import encode_texts
from trainer.text.minilm import minilm_text


@dataclass(frozen=True, kw_only=True)
class Captions:
    """The wordings of clips as vectors.

    texts    every wording once; vectors (texts, 384)
    of_clip  for each clip the indices of its wordings
    """

    texts: tuple[str, ...]
    vectors: Array
    of_clip: tuple[IntArray, ...]

    def draw(self, clips: IntArray, rng: np.random.Generator) -> IntArray:
        """(batch,) the index of one wording of each clip; every clip must have one."""
        return np.array([rng.choice(self.of_clip[clip]) for clip in clips])

    def is_true(self, clips: IntArray, drawn: IntArray) -> BoolArray:
        """(batch, n): whether wording j is one of clip i's."""
        return np.stack([np.isin(drawn, self.of_clip[clip]) for clip in clips])


def read_captions(clips: Clips) -> Captions:
    texts = tuple(dict.fromkeys(text for wordings in clips.captions for text in wordings))
    row_of = {text: row for row, text in enumerate(texts)}
    return Captions(
        texts=texts,
        vectors=encode_texts(texts, minilm_text()),
        of_clip=tuple(np.array([row_of[t] for t in set_], np.int64) for set_ in clips.captions),
    )
