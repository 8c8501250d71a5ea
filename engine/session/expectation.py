"""What the plan expects of the player, and how far he departs from it.

Knows where windows expect his joints and where he was; knows no partner.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.vectors import lengths
from engine.motion.track import Track
from engine.session.timeline import Timeline

SHIFT_FRAMES = 5
"""Frames that the player's difference from what was expected of him is taken to grow on."""


class Expectation:
    """The player's joints (22, 3), world, by frame, as the last revision and its chains expect
    them."""

    def __init__(self) -> None:
        self._joints: dict[int, Array] = {}

    def clear(self) -> None:
        self._joints.clear()

    def expect(self, result: Track, first: int, player_until: int, rest_joints: Array) -> None:
        """Remember where the window, beginning at `first`, expects the player's joints.

        rest_joints  (22, 3) of the player
        """
        new = max(player_until + 1 - first, 0)
        joints, _ = result.pose[0, new:].in_world(rest_joints)
        for offset, expected in enumerate(joints):
            self._joints[first + new + offset] = expected

    def departure(self, timeline: Timeline) -> float:
        """Mean joint error of the newest player frame, metres; 0 where nothing was expected."""
        frame = min(timeline.player.last_frame, timeline.now)
        expected = self._joints.get(frame)
        if expected is None or timeline.is_led:
            return 0.0
        error = lengths(timeline.posed_player(frame)[0] - expected)
        return float(error.mean())

    def shifts(self, timeline: Timeline, joint: int, frames: range) -> Array:
        """Metres (n, 3) that a joint of the player will be off where it is expected: as now, and a
        few frames on at the speed of now."""
        newest = min(timeline.player.last_frame, timeline.now)
        known = [frame for frame in (newest - 1, newest) if frame in self._joints]
        if not known or known[-1] != newest or timeline.is_led:
            return np.zeros((len(frames), 3))
        off = [
            timeline.posed_player(frame)[0][joint] - self._joints[frame][joint] for frame in known
        ]
        ahead = np.clip(np.array(frames) - newest, 0, SHIFT_FRAMES)[:, None]
        return np.asarray(off[-1] + ahead * (off[-1] - off[0]))

    def forget_before(self, oldest: int) -> None:
        for index in [index for index in self._joints if index < oldest]:
            del self._joints[index]
