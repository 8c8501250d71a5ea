"""The player's track: his poses, from whatever rate they come at onto the session's 10 Hz grid.

Knows frames and times. Knows no plan and no partner.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.rotations import slerp_rotmat
from engine.errors import SessionError
from engine.motion.motion import FRAME_RATE


@dataclass(frozen=True)
class PlayerStamp:
    """Which player frame something was computed from: number in order of feeding, and its time."""

    sequence: int
    time_s: float


class PlayerTrack:
    """The player's poses, resampled from any rate onto the session's 10 Hz grid."""

    def __init__(self, keep_frames: int) -> None:
        self._grid: deque[Pose] = deque(maxlen=keep_frames)
        self._grid_stamps: deque[PlayerStamp] = deque(maxlen=keep_frames)
        self._sample: Pose | None = None
        self._last = -1
        self.stamp = PlayerStamp(-1, -np.inf)

    @classmethod
    def restored(
        cls,
        keep_frames: int,
        *,
        last_frame: int,
        frames: Sequence[Pose],
        stamp: PlayerStamp,
        newest: Pose,
    ) -> PlayerTrack:
        """The track after other samples, of which `newest` was the last: its last frames, oldest
        first, are known."""
        track = cls(keep_frames)
        for offset, pose in enumerate(frames, start=1 - len(frames)):
            track._append(last_frame + offset, pose)
        track._sample, track.stamp = newest, stamp
        return track

    def frames_from(self, first: int) -> list[Pose]:
        """The poses of the frames from `first` on, or of the last one alone."""
        count = min(max(self._last - first + 1, 1), len(self._grid))
        return list(self._grid)[-count:]

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
        if before is None:
            self._append(newest, sample)
            return self.stamp.sequence
        if newest <= self._last:
            return self.stamp.sequence
        oldest = max(self._last + 1, newest - (self._grid.maxlen or 0) + 1)
        frames = np.arange(oldest, newest + 1)
        fractions = (frames / FRAME_RATE - before_s) / (time_s - before_s)
        between = _between(before, sample, fractions)
        for at, frame in enumerate(frames.tolist()):
            self._append(frame, between[at])
        return self.stamp.sequence

    @property
    def newest(self) -> Pose:
        """The last sample, off the grid. There must have been one."""
        assert self._sample is not None
        return self._sample

    def at(self, frame: int) -> Pose:
        """The pose at a frame of the grid; before the first and after the last known, held."""
        back = min(max(self._last - frame, 0), len(self._grid) - 1)
        return self._grid[-1 - back]

    def stamp_at(self, frame: int) -> PlayerStamp:
        back = min(max(self._last - frame, 0), len(self._grid) - 1)
        return self._grid_stamps[-1 - back]

    def _append(self, frame: int, pose: Pose) -> None:
        self._grid.append(pose)
        self._grid_stamps.append(self.stamp)
        self._last = frame


def frame_at(time_s: float) -> int:
    """The frame that is due at a time; forgiving about the last bit of k / 10."""
    return math.floor(time_s * FRAME_RATE + 1e-6)


def _between(a: Pose, b: Pose, fractions: Array) -> Pose:
    """Poses (n,) at fractions (n,) of the way from a to b."""
    fractions = np.clip(fractions, 0.0, 1.0)[:, None]
    rotmats = slerp_rotmat(a.rotmats, b.rotmats, fractions)
    return Pose(rotmats, a.transl + fractions * (b.transl - a.transl))
