"""Pairs: batches of single anchor frames for the generator, canonical, with captions.

Knows clips and captions. Knows no network and no loss.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engine.arrays import Array, IntArray
from trainer.data.augmentation import augmented, draw_augmentation
from trainer.data.canonical import canonicalised
from trainer.data.captions import CaptionTable
from trainer.data.shards import Clips


@dataclass(frozen=True, kw_only=True)
class PairConfig:
    """Which conditions the generator sees, as probabilities of the four cases.

    The published network drops text and pose independently, which almost never leaves a pose alone;
    sampling uses exactly the cases text-only, pose-only and neither, so these get the weight.
    """

    text_only: float = 0.45
    pose_only: float = 0.35
    both: float = 0.05
    neither: float = 0.15


@dataclass(frozen=True, kw_only=True)
class PairBatch:
    """One batch for the generator.

    pair       (batch, 2, 201) canonical; text (batch, text width), zero where dropped
    pose_mask  (batch, 2) one where person 0 is given; rest_joints (batch, 2, 22, 3)
    """

    pair: Array
    text: Array
    pose_mask: Array
    rest_joints: Array
    clip: IntArray


@dataclass(frozen=True, kw_only=True)
class PairSampler:
    """Draws generator batches: anchor frames of clips, canonical, with captions."""

    clips: Clips
    subset: IntArray
    captions: CaptionTable
    config: PairConfig = field(default_factory=PairConfig)

    def draw(self, batch: int, rng: np.random.Generator) -> PairBatch:
        chosen = rng.choice(self.subset, size=batch)
        frames = np.array([self._frame(int(clip), rng) for clip in chosen])
        motion = self.clips.frames_at(self.clips.starts[chosen] + frames)[:, :, None]
        rest = self.clips.rest_joints[chosen]
        flipped, swapped = draw_augmentation(self.clips, chosen, rng)
        motion, rest = augmented(motion, rest, flipped, swapped)
        motion = canonicalised(motion, rest, np.zeros(batch, np.int64))[:, :, 0]
        c = self.config
        case = rng.choice(4, size=batch, p=(c.text_only, c.pose_only, c.both, c.neither))
        text = self.captions.draw(chosen, flipped, swapped, rng)
        text[(case == 1) | (case == 3)] = 0
        pose_mask = np.zeros((batch, 2), np.float32)
        pose_mask[:, 0] = (case == 1) | (case == 2)
        return PairBatch(
            pair=np.concatenate([motion, rest.reshape(batch, 2, -1)], axis=-1),
            text=text,
            pose_mask=pose_mask,
            rest_joints=rest,
            clip=chosen,
        )

    def _frame(self, clip: int, rng: np.random.Generator) -> int:
        interactive = self.clips.anchor_frames[clip]
        if len(interactive):
            return int(rng.choice(interactive))
        return int(rng.integers(self.clips.frames(clip)))
