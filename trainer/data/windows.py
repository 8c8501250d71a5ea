"""Windows: random, augmented, canonical batches cut from clips.

Knows clips (`shards.py`) and the known sets that networks are trained on (design.md 4). Knows no
network and no loss: everything here is numpy, so a thread can assemble batches beside training.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from engine.body.rotations import rotmat_about
from engine.errors import ConfigError
from engine.motion.motion import WINDOW_FRAMES
from trainer.data.augmentation import augmented, draw_augmentation
from trainer.data.canonical import anchor_joints_of, canonicalised
from trainer.data.captions import CaptionTable
from trainer.data.drift import DriftConfig, drifted
from trainer.data.shards import NOBODY, PARTNER, UNTOLD, Clips


# ----------------------------------------------------------------------------------- known sets
@dataclass(frozen=True, kw_only=True)
class KnownSetConfig:
    """How often each known set of design.md 4 is trained on; the anchor is known in all."""

    anchor_only: float = 0.30
    history: float = 0.45
    """Both people up to the anchor; the partner perhaps some committed frames further."""
    player_known: float = 0.10
    ends: float = 0.15
    history_last: tuple[int, int] = (4, 14)
    usual_last: int = 9
    """Last history frame of a session with default settings: drawn for two windows in five."""
    committed_most: int = 6
    young: float = 0.15
    """Part of the histories that begin later than the window, as in a session's first second."""

    @property
    def probabilities(self) -> tuple[float, ...]:
        return (self.anchor_only, self.history, self.player_known, self.ends)


ANCHOR_ONLY, HISTORY, PLAYER_KNOWN, ENDS = range(4)


def draw_anchor_index(
    case: int, config: KnownSetConfig, frames: int, rng: np.random.Generator
) -> int:
    """Where the anchor stands: on the last history frame if any; else often 0, 15 or 29."""
    low, high = config.history_last
    if case == HISTORY or (case in (PLAYER_KNOWN, ENDS) and rng.random() < 0.5):
        if rng.random() < 0.4:
            return config.usual_last
        return int(rng.integers(low, high + 1))
    if rng.random() < 0.5:
        return int(rng.choice([0, frames // 2, frames - 1]))
    return int(rng.integers(frames))


def draw_known(
    case: int, anchor_index: int, config: KnownSetConfig, frames: int, rng: np.random.Generator
) -> BoolArray:
    """(2, frames): which frames of player and partner are given."""
    known = np.zeros((2, frames), np.bool_)
    known[:, anchor_index] = True
    if case == HISTORY:
        first = rng.integers(anchor_index + 1) if rng.random() < config.young else 0
        known[:, first : anchor_index + 1] = True
        known[1, first : anchor_index + 1 + rng.integers(config.committed_most + 1)] = True
    elif case == PLAYER_KNOWN:
        known[0] = True
        if rng.random() < 0.5:
            known[1, : anchor_index + 1] = True
    elif case == ENDS:
        known[:, -1] = True
        if rng.random() < 0.5:
            known[:, 0] = True
        else:
            known[:, : anchor_index + 1] = True
    return known


# -------------------------------------------------------------------------------------- batches
@dataclass(frozen=True, kw_only=True)
class NoiseConfig:
    """Perturbations of what is known (facts/ponimator.md 12), and our own of histories."""

    anchor_probability: float = 0.5
    root_angle: float = np.radians(2.0)
    transl: float = 0.02
    drift: DriftConfig = field(default_factory=DriftConfig)
    jitter: float = 0.003
    """Independent noise on every known history feature; the target stays clean."""


@dataclass(frozen=True, kw_only=True)
class WindowBatch:
    """One batch for the animator; the network learns motion - motion[anchor].

    motion         (batch, 2, 30, 135) clean, absolute, canonical
    clean_anchor   (batch, 2, 135) = motion at the anchor
    known          (batch, 2, 30, 135) absolute, perturbed; known_mask (batch, 2, 30, 1)
    anchor         (batch, 2, 135) perturbed, as the network sees it
    anchor_joints  (batch, 2, 22, 3) of the perturbed anchor
    rest_joints    (batch, 2, 22, 3); valid (batch, 2, 30), false past a clip's end
    anchor_index   (batch,); clip (batch,)
    text           (batch, width) of a caption, zero where dropped; width 0 without captions
    """

    motion: Array
    clean_anchor: Array
    known: Array
    known_mask: Array
    anchor: Array
    anchor_joints: Array
    rest_joints: Array
    valid: BoolArray
    anchor_index: IntArray
    clip: IntArray
    text: Array


@dataclass(frozen=True, kw_only=True)
class WindowSampler:
    """Draws animator batches; `draw` is a function of the generator's state alone."""

    clips: Clips
    subset: IntArray
    known_sets: KnownSetConfig = field(default_factory=KnownSetConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    frames: int = WINDOW_FRAMES
    contact_bias: float = 0.6
    """How often a window is placed by one of the clip's anchor frames."""
    history_contact_bias: float = 0.2
    """The same of windows with a history. Large, and live partners expect that things begin."""
    quiet: float = 0.4
    """How many of the windows with a history are of clips in which nobody begins."""
    augment: bool = True
    captions: CaptionTable | None = None
    text_dropout: float = 0.3
    """How often a window's caption is withheld."""

    def draw(self, batch: int, rng: np.random.Generator) -> WindowBatch:
        cases = rng.choice(4, size=batch, p=self.known_sets.probabilities)
        chosen = self.clips_for(cases, rng)
        index = np.empty(batch, np.int64)
        mask = np.zeros((batch, 2, self.frames, 1), np.float32)
        gather = np.empty((batch, self.frames), np.int64)
        valid = np.zeros((batch, 2, self.frames), np.bool_)
        for row, (case, clip) in enumerate(zip(cases, chosen, strict=True)):
            index[row] = draw_anchor_index(case, self.known_sets, self.frames, rng)
            first = self._first_frame(int(clip), int(case), int(index[row]), rng)
            length = self.clips.frames(clip)
            window = first + np.arange(self.frames)
            valid[row] = window < length
            index[row] = min(index[row], length - 1)
            known = draw_known(case, int(index[row]), self.known_sets, self.frames, rng)
            mask[row, ..., 0] = known & valid[row]
            gather[row] = self.clips.starts[clip] + np.minimum(window, length - 1)
        motion, rest, text = self._staged(cases, chosen, gather, rng)
        if self.augment:
            is_drifting = np.isin(cases, (HISTORY, PLAYER_KNOWN)) & (index > 0)
            is_drifting &= rng.random(batch) < self.noise.drift.probability
            until = np.stack([index, _last_of_history(mask[:, 1, :, 0])], axis=1)
            motion = drifted(motion, rest, until, is_drifting, self.noise.drift, rng)
        motion = canonicalised(motion, rest, index)
        return self._perturbed(motion, rest, mask, valid, index, chosen, text, rng)

    def draw_tracks(
        self, rows: int, frames: int, rng: np.random.Generator
    ) -> tuple[Array, Array, Array]:
        """Longer stretches, as a session sees them: motion (rows, 2, frames, 135), rest joints
        (rows, 2, 22, 3), text (rows, width).

        Raises ConfigError if no clip is long enough.
        """
        long = self.subset[self.clips.lengths[self.subset] >= frames]
        if not len(long):
            raise ConfigError(
                f"no clip has {frames} frames, as roll-outs need; roll out fewer windows",
                field="rollouts.windows",
            )
        cases = np.full(rows, HISTORY)
        chosen = replace(self, subset=long).clips_for(cases, rng)
        first = rng.integers(self.clips.lengths[chosen] - frames + 1)
        gather = (self.clips.starts[chosen] + first)[:, None] + np.arange(frames)
        return self._staged(cases, chosen, gather, rng)

    def _staged(
        self, cases: IntArray, chosen: IntArray, gather: IntArray, rng: np.random.Generator
    ) -> tuple[Array, Array, Array]:
        """Frames (batch, frame) of clips, mirrored and with roles: motion, rest joints, text."""
        batch = len(chosen)
        motion = self.clips.frames_at(gather).transpose(0, 2, 1, 3)
        rest = self.clips.rest_joints[chosen]
        flipped = swapped = np.zeros(batch, np.bool_)
        is_told = (rng.random(batch) >= self.text_dropout) & (self.captions is not None)
        if self.augment:
            flipped, swapped = draw_augmentation(self.clips, chosen, rng)
            swapped = self.roles(cases, chosen, is_told, swapped)
            motion, rest = augmented(motion, rest, flipped, swapped)
        return motion, rest, self._text(chosen, flipped, swapped, is_told, rng)

    def clips_for(self, cases: IntArray, rng: np.random.Generator) -> IntArray:
        """Which clip each window is cut from."""
        chosen = rng.choice(self.subset, size=len(cases))
        calm = self.subset[self.clips.leads[self.subset] == NOBODY]
        if len(calm):
            is_quiet = (cases == HISTORY) & (rng.random(len(cases)) < self.quiet)
            chosen = np.where(is_quiet, rng.choice(calm, size=len(cases)), chosen)
        return chosen

    def roles(
        self, cases: IntArray, chosen: IntArray, is_told: BoolArray, swapped: BoolArray
    ) -> BoolArray:
        """In which windows people change places. Live and without words the partner never begins,
        and the one who attends to somebody idle is the partner."""
        leads = self.clips.leads[chosen]
        is_fixed = (cases == HISTORY) & (leads != UNTOLD) & (~is_told | (leads == NOBODY))
        return np.where(is_fixed, leads == PARTNER, swapped)

    def _text(
        self,
        chosen: IntArray,
        flipped: BoolArray,
        swapped: BoolArray,
        is_told: BoolArray,
        rng: np.random.Generator,
    ) -> Array:
        if self.captions is None:
            return np.zeros((len(chosen), 0), np.float32)
        return self.captions.draw(chosen, flipped, swapped, rng) * is_told[:, None]

    def _first_frame(self, clip: int, case: int, anchor: int, rng: np.random.Generator) -> int:
        """Place the window: a contact becomes the anchor, or lies ahead of a history."""
        last = max(self.clips.frames(clip) - self.frames, 0)
        interactive = self.clips.anchor_frames[clip]
        bias = self.history_contact_bias if case == HISTORY else self.contact_bias
        if len(interactive) == 0 or rng.random() > bias:
            return int(rng.integers(last + 1))
        contact = int(rng.choice(interactive))
        at = int(rng.integers(anchor, self.frames)) if case == HISTORY else anchor
        return int(np.clip(contact - at, 0, last))

    def _perturbed(
        self,
        motion: Array,
        rest: Array,
        mask: Array,
        valid: BoolArray,
        index: IntArray,
        chosen: IntArray,
        text: Array,
        rng: np.random.Generator,
    ) -> WindowBatch:
        batch, rows = len(motion), np.arange(len(motion))
        has_history = mask[..., 0].sum(axis=(1, 2)) > 3
        clean_anchor = motion[rows, :, index]
        anchor, known = clean_anchor, motion
        if self.augment:
            noisy = ~has_history & (rng.random(batch) < self.noise.anchor_probability)
            anchor = np.where(
                noisy[:, None, None], perturbed_anchor(clean_anchor, self.noise, rng), clean_anchor
            )
            jitter = rng.standard_normal(motion.shape, np.float32) * np.float32(self.noise.jitter)
            known = motion + jitter * has_history[:, None, None, None]
        known = known.copy()
        known[rows, :, index] = anchor
        return WindowBatch(
            motion=motion,
            clean_anchor=clean_anchor,
            known=known * mask,
            known_mask=mask,
            anchor=anchor,
            anchor_joints=anchor_joints_of(anchor, rest),
            rest_joints=rest,
            valid=valid,
            anchor_index=index,
            clip=chosen,
            text=text,
        )


def _last_of_history(known: Array) -> IntArray:
    """(batch,) the last frame of the first run of known frames (batch, frame)."""
    is_run = np.cumsum(known > 0, axis=1) > 0
    has_ended = np.cumsum(is_run & (known == 0), axis=1) > 0
    count = (is_run & ~has_ended).sum(axis=1)
    return np.asarray(np.maximum(np.argmax(known > 0, axis=1) + count - 1, 0))


def perturbed_anchor(anchor: Array, noise: NoiseConfig, rng: np.random.Generator) -> Array:
    """Anchors (batch, 2, 135) with noise on root rotation and on x and z, and on nothing else."""
    angles = rng.standard_normal((3, *anchor.shape[:-1])) * noise.root_angle
    rotation = (
        rotmat_about("z", angles[0]) @ rotmat_about("y", angles[1]) @ rotmat_about("x", angles[2])
    )
    result = anchor.copy()
    root = anchor[..., :6].reshape(*anchor.shape[:-1], 3, 2)
    result[..., :6] = (rotation @ root).reshape(*anchor.shape[:-1], 6)
    result[..., [-3, -1]] += rng.standard_normal((*anchor.shape[:-1], 2)) * noise.transl
    return result.astype(np.float32)
