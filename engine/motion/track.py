"""Tracks: frames of a pair in the world, as far as they are known.

Knows poses and frames; knows no window and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.pose import Pose, chained


@dataclass(frozen=True)
class Track:
    """Frames of a pair in the world, as far as they are known; or of several pairs that are known
    alike, all players before all partners: person below is then one of these.

    pose      (2, T)
    is_known  (2, T) where a person's frame is given; elsewhere the values mean nothing
    """

    pose: Pose
    is_known: BoolArray

    @property
    def rotmats(self) -> Array:
        return self.pose.rotmats

    @property
    def transl(self) -> Array:
        return self.pose.transl

    @property
    def frames(self) -> int:
        return int(self.is_known.shape[1])

    def cut(self, first: int, count: int) -> Track:
        """Frames first .. first + count - 1; those that do not exist are unknown."""
        if first >= 0 and first + count <= self.frames:
            there = slice(first, first + count)
            return Track(self.pose[:, there], self.is_known[:, there])
        index = np.arange(first, first + count)
        inside = (index >= 0) & (index < self.frames)
        held = np.clip(index, 0, self.frames - 1)
        return Track(self.pose[:, held], self.is_known[:, held] & inside)

    def latest(self, count: int) -> Track:
        """The last frames; all, if there are fewer."""
        first = max(self.frames - count, 0)
        return self.cut(first, self.frames - first)


def known_track(pose: Pose) -> Track:
    """A track of poses (2, T) that is known throughout."""
    return Track(pose, np.ones(pose.transl.shape[:2], np.bool_))


def joined(tracks: Sequence[Track]) -> Track:
    """Tracks one after the other."""
    pose = chained([track.pose for track in tracks], axis=1)
    return Track(pose, np.concatenate([track.is_known for track in tracks], axis=1))


def moved(track: Track, *, player: Array) -> Track:
    """The track with the player (3,) metres elsewhere."""
    transl = track.transl.copy()
    transl[0] += player
    return Track(Pose(track.rotmats, transl), track.is_known)


def joints_of(track: Track, rest_joints: Array) -> Array:
    """World joints (2, T, 22, 3) of a track; rest_joints (2, 22, 3)."""
    return track.pose.in_world(rest_joints[:, None])[0]
