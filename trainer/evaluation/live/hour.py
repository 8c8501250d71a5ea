"""An hour of mixed play: the same ten minutes, six times over, before one session.

The player offers, waves, bows, and stands about between, always to the same side: one who walks
about would offer a hand to where the partner is no more. As each ten minutes have the same player,
what differs between the first and the last is what an hour makes of the partner. Knows the players
of other groups; no measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from engine.arrays import Array
from engine.body.rotations import slerp_rotmat
from engine.motion.motion import FRAME_RATE
from trainer.choreography.timing import ramp
from trainer.evaluation.live.episode import Episode, frame_of
from trainer.evaluation.live.players import idle, patient
from trainer.evaluation.live.playing import Played

HOUR_SECONDS = 3600.0
BLOCKS = 6
"""Into which the hour is cut: ten minutes each."""
ACTS = ("right_hand", "wave", "high_five", "bow", "left_hand", "open_arms", "both_hands")
BLEND_FRAMES = int(FRAME_RATE)
"""At the beginning of each part, from the last pose of the one before."""


def hour(seed: int, seconds: float = HOUR_SECONDS) -> Episode:
    """All parts one after another, by one person; its `parts` say where each begins."""
    block = list(_block(seed, frame_of(seconds / BLOCKS)))
    parts, first = [], 0
    for _ in range(BLOCKS):
        for part in block:
            parts.append((first, part))
            first += part.frames
    rotmats, transl = (
        np.concatenate([getattr(part, name) for _, part in parts]) for name in ("rotmats", "transl")
    )
    for at, _ in parts[1:]:
        _blended(rotmats, transl, at)
    return replace(
        block[0],
        group="hour",
        kind="hour",
        rotmats=rotmats,
        transl=transl,
        truth=None,
        parts=tuple((at, _cut(part, rotmats, transl, at)) for at, part in parts),
    )


def _block(seed: int, frames: int) -> Iterator[Episode]:
    """Parts that fill so many frames; the same seed makes the same person in each."""
    while frames > 0:
        for part in _cycle(seed):
            cut = replace(
                part, rotmats=part.rotmats[:frames], transl=part.transl[:frames], truth=None
            )
            if cut.frames < part.frames:
                cut = replace(cut, group="idle", kind="made")
            yield cut
            frames -= cut.frames
            if frames <= 0:
                return


@cache
def _cycle(seed: int) -> tuple[Episode, ...]:
    stands = idle("made", seed, 40.0)
    return tuple(part for act in ACTS for part in (patient(act, seed), stands))


def _blended(rotmats: Array, transl: Array, at: int) -> None:
    """In place."""
    rows = slice(at, min(at + BLEND_FRAMES, len(transl)))
    part = ramp(np.arange(rows.stop - at, dtype=float), 0, BLEND_FRAMES)
    rotmats[rows] = slerp_rotmat(rotmats[at - 1], rotmats[rows], part[:, None])
    transl[rows] = transl[at - 1] + part[:, None] * (transl[rows] - transl[at - 1])


def _cut(part: Episode, rotmats: Array, transl: Array, at: int) -> Episode:
    rows = slice(at, at + part.frames)
    return replace(part, rotmats=rotmats[rows], transl=transl[rows])


def parts_of(played: Played) -> Iterator[tuple[tuple[str, str], Played]]:
    """What is scored, each under a group and a kind: a whole episode, or the parts of an hour."""
    episode = played.episode
    if not episode.parts:
        yield (episode.group, episode.kind), played
        return
    minutes = episode.frames / BLOCKS / frame_of(60.0)
    for at, part in episode.parts:
        block = min(at * BLOCKS // episode.frames, BLOCKS - 1)
        rows = slice(at, at + part.frames)
        yield (
            ("hour", f"minutes {minutes * block:g} to {minutes * (block + 1):g}"),
            Played(
                episode=part,
                rotmats=played.rotmats[rows],
                transl=played.transl[rows],
                window=played.window[rows],
            ),
        )
