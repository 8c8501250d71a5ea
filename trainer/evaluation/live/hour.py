"""An hour of mixed play: the same ten minutes, six times over, before one session.

The player offers, waves, bows, walks away and back, and stands about between, each from where the
one before has ended. As each ten minutes have the same player, what differs between the first and
the last is what an hour makes of the partner. Knows the players of other groups; no measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from engine.arrays import Array
from engine.body.pose import Pose, chained
from engine.body.rotations import rotmat_about, slerp_rotmat
from engine.motion.company import place_of
from engine.motion.motion import FRAME_RATE
from trainer.choreography.timing import ramp
from trainer.evaluation.live.episode import Episode, frame_of
from trainer.evaluation.live.players import idle, patient, walking
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
    parts: list[tuple[int, Episode]] = []
    first = 0
    for _ in range(BLOCKS):
        for part in block:
            parts.append((first, _joined(parts[-1][1], part) if parts else part))
            first += part.frames
    pose = chained([part.pose for _, part in parts])
    for at, _ in parts[1:]:
        _blend(pose.rotmats, pose.transl, at)
    return replace(
        block[0],
        group="hour",
        kind="hour",
        pose=pose,
        truth=None,
        parts=tuple((at, replace(part, pose=pose[at : at + part.frames])) for at, part in parts),
    )


def _block(seed: int, frames: int) -> Iterator[Episode]:
    """Parts that fill so many frames; the same seed makes the same person in each."""
    while frames > 0:
        for part in _cycle(seed):
            if part.frames > frames:
                part = _cycle(seed)[-1]
            yield replace(part, pose=part.pose[:frames], truth=None)
            frames -= part.frames
            if frames <= 0:
                return


@cache
def _cycle(seed: int) -> tuple[Episode, ...]:
    stands = idle("made", seed, 40.0)
    parts = [part for act in ACTS for part in (patient(act, seed), stands)]
    return (*parts[:6], walking("away_and_back", seed), stands, *parts[6:])


def _joined(before: Episode, part: Episode) -> Episode:
    """A part that begins where the one before has ended, on the ground, facing as it did."""
    (last, at), (first, begin) = _place(before, -1), _place(part, 0)
    turn = rotmat_about("y", last - first)
    rotmats = part.pose.rotmats.copy()
    rotmats[:, 0] = turn @ rotmats[:, 0]
    pelvis = (part.pose.transl + part.rest_joints[0, 0] - begin) @ turn.T + at
    return replace(part, pose=Pose(rotmats, pelvis - part.rest_joints[0, 0]))


def _place(part: Episode, frame: int) -> tuple[float, Array]:
    """Of the hips: yaw, and (3,) on the ground."""
    pose = part.pose[frame]
    x, z, yaw = place_of(pose.rotmats[0], pose.transl + part.rest_joints[0, 0])
    return yaw, np.array([x, 0.0, z])


def _blend(rotmats: Array, transl: Array, at: int) -> None:
    """In place."""
    rows = slice(at, min(at + BLEND_FRAMES, len(transl)))
    part = ramp(np.arange(rows.stop - at, dtype=float), 0, BLEND_FRAMES)
    rotmats[rows] = slerp_rotmat(rotmats[at - 1], rotmats[rows], part[:, None])
    transl[rows] = transl[at - 1] + part[:, None] * (transl[rows] - transl[at - 1])


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
                pose=played.pose[rows],
                window=played.window[rows],
            ),
        )
