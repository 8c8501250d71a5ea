"""The plan: the frames a session intends to play, and what it keeps beside each.

Knows poses by frame. Knows no clock, no window and no player but the one it planned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from engine.arrays import Array
from engine.body.pose import Pose, stacked
from engine.motion.space import ARM_JOINTS
from engine.session.player import PlayerStamp


class Quality(Enum):
    GENERATED = "generated"
    HELD = "held"
    """The plan ran dry, or is paused: the last motion dies away."""
    FALLBACK = "fallback"
    """No window has arrived yet: the partner stands."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanFrame:
    """One frame of a plan: rotmats (2, 22, 3, 3), transl (2, 3); player first, world."""

    index: int
    rotmats: Array
    transl: Array
    quality: Quality
    based_on: PlayerStamp
    window: int = 0
    """Number of the window it comes from, from 1; 0 for frames that no network made."""
    steps: int = 0
    """Denoiser steps of that window."""

    @property
    def pose(self) -> Pose:
        """(2,)"""
        return Pose(self.rotmats, self.transl)


class Plan:
    """Frames in order of their index, without a gap: where the clock leaps, the old ones go.

    A generated frame is kept twice: as it is shown, and as it was *made*, before its feet were
    locked. Windows go on from what was made, so that the correction never feeds back into it. One
    in which an arm is bent for a touch remembers how it was without.
    """

    def __init__(self) -> None:
        self._frames: dict[int, PlanFrame] = {}
        self._made: dict[int, Pose] = {}
        self._untouched: dict[int, Array] = {}

    def __bool__(self) -> bool:
        return bool(self._frames)

    def __contains__(self, index: int) -> bool:
        return index in self._frames

    def __iter__(self) -> Iterator[int]:
        return iter(self._frames)

    def __getitem__(self, index: int) -> PlanFrame:
        return self._frames[index]

    @property
    def first(self) -> int:
        return next(iter(self._frames))

    @property
    def last(self) -> int:
        return next(reversed(self._frames))

    def pair(self, index: int, *, is_shown: bool) -> Pose:
        """Of a frame; that of the nearest beyond the ends."""
        held = min(max(index, self.first), self.last)
        shown = self._frames[held].pose
        return shown if is_shown else self._made.get(held, shown)

    def stretch(self, first: int, count: int, *, is_shown: bool) -> Pose:
        """New arrays (2, count) of the poses of as many frames."""
        held = np.clip(np.arange(first, first + count), self.first, self.last).tolist()
        poses = [self._frames[index].pose for index in held]
        if not is_shown:
            poses = [self._made.get(index, pose) for index, pose in zip(held, poses, strict=True)]
        return stacked(poses, axis=1)

    def append(self, frame: PlanFrame, made: Pose | None = None) -> None:
        self._frames[frame.index] = frame
        if made is not None:
            self._made[frame.index] = made

    def cut_after(self, index: int) -> None:
        for later in range(index + 1, self.last + 1):
            del self._frames[later]
            self._made.pop(later, None)
            self._untouched.pop(later, None)

    def move_partner(self, index: int, partner: Pose) -> None:
        """Correct a frame, and what windows go on from: he stands there now."""
        frame = self._frames[index]
        pair = stacked([frame.pose[0], partner])
        self._frames[index] = replace(frame, rotmats=pair.rotmats, transl=pair.transl)
        if index in self._made:
            made = self._made[index]
            made = Pose(made.rotmats.copy(), made.transl.copy())
            made.rotmats[1, ARM_JOINTS] = partner.rotmats[ARM_JOINTS]
            made.transl[1] += partner.transl - frame.transl[1]
            self._made[index] = made

    def untouched(self, index: int) -> Array:
        """The partner's rotations (22, 3, 3) of a frame without any touch."""
        return np.asarray(self._untouched.get(index, self._frames[index].rotmats[1]))

    def touch(self, index: int, rotmats: Array) -> None:
        """Bend the partner's arm for a touch: rotmats (22, 3, 3); windows go on without it."""
        self._untouched[index] = self.untouched(index)
        frame = self._frames[index]
        self._frames[index] = replace(frame, rotmats=np.stack([frame.rotmats[0], rotmats]))

    def move_player(self, index: int, *, shown: Pose, made: Pose) -> None:
        """Have the player elsewhere in a frame."""
        frame = self._frames[index]
        pair = stacked([shown, frame.pose[1]])
        self._frames[index] = replace(frame, rotmats=pair.rotmats, transl=pair.transl)
        if index in self._made:
            self._made[index] = stacked([made, self._made[index][1]])

    def forget_before(self, index: int) -> None:
        for store in (self._frames, self._made, self._untouched):
            for old in [old for old in store if old < index]:
                del store[old]
