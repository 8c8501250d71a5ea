"""What the plan expects of the player, and how far he departs from it.

Knows where windows expect his joints and where he was; knows no partner.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.skeleton import JOINT_COUNT
from engine.body.vectors import lengths
from engine.motion.track import Track
from engine.session.plan import Timeline

EXPECTED_FRAMES = 256
"""More than lie between the oldest that is looked at and the end of any plan."""
NO_FRAME = np.iinfo(np.int64).min
SHIFT_FRAMES = 5
"""Frames that the player's difference from what was expected of him is taken to grow on."""


class Expectation:
    """The player's joints (22, 3), world, by frame, as the last revision and its chains expect
    them: frame i lies at slot i % EXPECTED_FRAMES of a ring."""

    def __init__(self) -> None:
        self._frames = np.full(EXPECTED_FRAMES, NO_FRAME)
        self._joints = np.zeros((EXPECTED_FRAMES, JOINT_COUNT, 3))

    def clear(self) -> None:
        self._frames[:] = NO_FRAME

    def expect(self, result: Track, first: int, player_until: int, rest_joints: Array) -> None:
        """Remember where the window, beginning at `first`, expects the player's joints.

        rest_joints  (22, 3) of the player
        """
        new = max(player_until + 1 - first, 0)
        joints, _ = result.pose[0, new:].in_world(rest_joints)
        frames = np.arange(first + new, first + new + len(joints))
        self._frames[frames % EXPECTED_FRAMES] = frames
        self._joints[frames % EXPECTED_FRAMES] = joints

    def departure(self, timeline: Timeline) -> float:
        """Mean joint error of the newest player frame, metres; 0 where nothing was expected."""
        frame = min(timeline.player.last_frame, timeline.now)
        if timeline.is_led or frame not in self:
            return 0.0
        error = lengths(timeline.posed_player(frame)[0] - self._joints[frame % EXPECTED_FRAMES])
        return float(error.mean())

    def shifts(self, timeline: Timeline, joint: int, frames: range) -> Array:
        """Metres (n, 3) that a joint of the player will be off where it is expected: as now, and a
        few frames on at the speed of now."""
        newest = min(timeline.player.last_frame, timeline.now)
        if timeline.is_led or newest not in self:
            return np.zeros((len(frames), 3))
        off = [
            timeline.posed_player(frame)[0][joint] - self._joints[frame % EXPECTED_FRAMES, joint]
            for frame in (newest - 1, newest)
            if frame in self
        ]
        ahead = np.clip(np.array(frames) - newest, 0, SHIFT_FRAMES)[:, None]
        return np.asarray(off[-1] + ahead * (off[-1] - off[0]))

    def forget_before(self, oldest: int) -> None:
        self._frames[self._frames < oldest] = NO_FRAME

    def __contains__(self, frame: int) -> bool:
        return bool(self._frames[frame % EXPECTED_FRAMES] == frame)
