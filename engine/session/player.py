"""The player's track: poses, from whatever rate they come at onto the session's 10 Hz grid.

Knows frames and times. Knows no plan and no partner.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from engine.arrays import Array, IntArray
from engine.body.pose import Pose, no_poses
from engine.body.rotations import slerp_rotmat
from engine.errors import SessionError
from engine.motion.motion import FRAME_RATE


@dataclass(frozen=True)
class PlayerStamp:
    """Which player frame something was computed from: number in order of feeding, and its time."""

    sequence: int
    time_s: float


NOBODY = PlayerStamp(-1, -math.inf)
"""Before the first player frame, or of what was computed elsewhere."""

Stamps = npt.NDArray[np.void]
STAMP = np.dtype([("sequence", "<i8"), ("time_s", "<f8")])


@dataclass(frozen=True, kw_only=True, eq=False)
class PlayerState:
    """All that is kept of a player; copies.

    last_frame  the last that is known; -1 before the first sample
    pose        (n,) the frames up to that one, and stamps (n,) of STAMP
    newest      the last sample, off the grid; None before the first. It was fed at `stamp`
    """

    last_frame: int = -1
    pose: Pose = field(default_factory=lambda: no_poses(0))
    stamps: Stamps = field(default_factory=lambda: np.zeros(0, STAMP))
    stamp: PlayerStamp = NOBODY
    newest: Pose | None = None

    def cut(self, frames: int) -> PlayerState:
        """The last so many frames, or as many as there are."""
        return replace(self, pose=self.pose[-frames:], stamps=self.stamps[-frames:])

    def of_nobody(self) -> PlayerState:
        """The same as if another session had been fed it."""
        stamps = np.empty(len(self.stamps), STAMP)
        stamps["sequence"], stamps["time_s"] = NOBODY.sequence, NOBODY.time_s
        return replace(self, stamps=stamps)


class PlayerTrack:
    """The player's poses, resampled from any rate onto the session's 10 Hz grid; the last ones, in
    ring arrays (frame, ...)."""

    def __init__(self, keep_frames: int) -> None:
        self._capacity = keep_frames
        self._pose = no_poses(keep_frames)
        self._stamps = np.zeros(keep_frames, STAMP)
        self._sample: Pose | None = None
        self._first, self._last = 0, -1
        self.stamp = NOBODY

    @classmethod
    def restored(cls, keep_frames: int, state: PlayerState) -> PlayerTrack:
        track = cls(keep_frames)
        track._append(state.last_frame + 1 - len(state.stamps), state.pose, state.stamps)
        track._sample, track.stamp = state.newest, state.stamp
        return track

    def state(self) -> PlayerState:
        slots = np.arange(self._first, self._last + 1) % self._capacity
        return PlayerState(
            last_frame=self._last,
            pose=self._pose[slots],
            stamps=self._stamps[slots],
            stamp=self.stamp,
            newest=self._sample,
        )

    @property
    def last_frame(self) -> int:
        """The last frame of the grid that is known; -1 before the first sample."""
        return self._last

    def feed(self, time_s: float, pose: Pose) -> int:
        if not max(self.stamp.time_s, -1e-9) < time_s < np.inf:
            raise SessionError(
                f"player frame at {time_s} s follows one at {self.stamp.time_s} s; "
                "times must increase",
                field="time_s",
                reason="TIME_NOT_INCREASING",
            )
        sample = Pose(np.asarray(pose.rotmats, np.float64), np.asarray(pose.transl, np.float64))
        before, before_s = self._sample, self.stamp.time_s
        self._sample, self.stamp = sample, PlayerStamp(self.stamp.sequence + 1, time_s)
        newest = frame_at(time_s)
        stamp = np.array((self.stamp.sequence, time_s), STAMP)
        if before is None:
            self._append(newest, sample[None], stamp)
        elif newest > self._last:
            oldest = max(self._last + 1, newest - self._capacity + 1)
            frames = np.arange(oldest, newest + 1)
            fractions = (frames / FRAME_RATE - before_s) / (time_s - before_s)
            self._append(oldest, _between(before, sample, fractions), stamp)
        return self.stamp.sequence

    @property
    def newest(self) -> Pose:
        """The last sample, off the grid. There must have been one."""
        assert self._sample is not None
        return self._sample

    def at(self, frame: int) -> Pose:
        """The pose at a frame of the grid; before the first and after the last known, held."""
        return self.stretch(frame, 1)[0]

    def stretch(self, first: int, count: int) -> Pose:
        """(count,) of as many frames."""
        return self._pose[self._held(np.arange(first, first + count))]

    def held(self, frame: int) -> int:
        """The frame, or the nearest that is known."""
        return min(max(frame, self._first), self._last)

    def stamp_at(self, frame: int) -> PlayerStamp:
        stamp = self._stamps[self._held(np.array(frame))]
        return PlayerStamp(int(stamp["sequence"]), float(stamp["time_s"]))

    def _held(self, frames: IntArray) -> IntArray:
        """The slots of frames; of the nearest where they are not known."""
        return np.minimum(np.maximum(frames, self._first), self._last) % self._capacity

    def _append(self, first: int, pose: Pose, stamps: Stamps) -> None:
        """Frames that follow the last one, or begin a new track."""
        if first != self._last + 1:
            self._first = first
        self._last = first + len(pose.transl) - 1
        self._first = max(self._first, self._last + 1 - self._capacity)
        slots = np.arange(first, self._last + 1) % self._capacity
        self._pose.rotmats[slots], self._pose.transl[slots] = pose.rotmats, pose.transl
        self._stamps[slots] = stamps


def frame_at(time_s: float) -> int:
    """The frame that is due at a time; forgiving about the last bit of k / 10."""
    return math.floor(time_s * FRAME_RATE + 1e-6)


def _between(a: Pose, b: Pose, fractions: Array) -> Pose:
    """Poses (n,) at fractions (n,) of the way from a to b."""
    fractions = np.clip(fractions, 0.0, 1.0)[:, None]
    rotmats = slerp_rotmat(a.rotmats, b.rotmats, fractions)
    return Pose(rotmats, a.transl + fractions * (b.transl - a.transl))
