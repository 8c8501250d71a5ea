"""Tracks: frames of a pair in the world, as far as they are known.

Knows poses and frames; knows no window and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.pose import Pose


@dataclass(frozen=True, kw_only=True)
class Track:
    """Frames of a pair in the world, as far as they are known.

    rotmats   (2, T, 22, 3, 3) parent-relative rotations, root first
    transl    (2, T, 3) metres, SMPL-X `transl`
    is_known  (2, T) where a person's frame is given; elsewhere the values mean nothing
    """

    rotmats: Array
    transl: Array
    is_known: BoolArray

    @property
    def pose(self) -> Pose:
        """(2, T)"""
        return Pose(self.rotmats, self.transl)

    @property
    def frames(self) -> int:
        return int(self.transl.shape[1])

    def cut(self, first: int, count: int) -> Track:
        """Frames first .. first + count - 1; those that do not exist are unknown."""
        if first >= 0 and first + count <= self.frames:
            there = slice(first, first + count)
            return Track(
                rotmats=self.rotmats[:, there],
                transl=self.transl[:, there],
                is_known=self.is_known[:, there],
            )
        index = np.arange(first, first + count)
        inside = (index >= 0) & (index < self.frames)
        held = np.clip(index, 0, self.frames - 1)
        return Track(
            rotmats=self.rotmats[:, held],
            transl=self.transl[:, held],
            is_known=self.is_known[:, held] & inside,
        )


def known_track(pose: Pose) -> Track:
    """A track of poses (2, T) that is known throughout."""
    is_known = np.ones(pose.transl.shape[:2], np.bool_)
    return Track(rotmats=pose.rotmats, transl=pose.transl, is_known=is_known)


def joined(tracks: Sequence[Track]) -> Track:
    """Tracks one after the other."""
    return Track(
        rotmats=np.concatenate([track.rotmats for track in tracks], axis=1),
        transl=np.concatenate([track.transl for track in tracks], axis=1),
        is_known=np.concatenate([track.is_known for track in tracks], axis=1),
    )


def moved(track: Track, *, player: Array) -> Track:
    """The track with the player (3,) metres elsewhere."""
    transl = track.transl.copy()
    transl[0] += player
    return replace(track, transl=transl)


def joints_of(track: Track, rest_joints: Array) -> Array:
    """World joints (2, T, 22, 3) of a track; rest_joints (2, 22, 3)."""
    return track.pose.in_world(rest_joints[:, None])[0]
