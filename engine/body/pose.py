"""The pose: how one body stands, or several, or bodies over frames, by the leading axes.

Knows arrays and rest joints; which body it is, and when, is the caller's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import JOINT_COUNT

Index = int | slice | list[int] | IntArray | BoolArray | None


@dataclass(frozen=True, eq=False)
class Pose:
    """One pose, a pair (2, ...), or a motion (person, frame, ...).

    rotmats  (..., 22, 3, 3) parent-relative rotations, root first
    transl   (..., 3) metres, SMPL-X `transl`
    """

    rotmats: Array
    transl: Array

    __iter__: ClassVar[None] = None
    """Else unpacking would go over the first axis."""

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Pose:
        """By the leading axes: `pair[1]` is the partner, `motion[:, 5]` the pair of frame 5."""
        return Pose(self.rotmats[index], self.transl[index])

    def take(self, rows: IntArray, *, axis: int) -> Pose:
        """As an index does, but in the usual order of memory whatever the axis."""
        return Pose(self.rotmats.take(rows, axis=axis), self.transl.take(rows, axis=axis))

    def in_world(self, rest_joints: Array) -> tuple[Array, Array]:
        """World joints (..., 22, 3) and their orientations (..., 22, 3, 3).

        rest_joints  (..., 22, 3), broadcast against the leading axes
        """
        return forward_kinematics(rest_joints, self.rotmats, self.transl)


def no_poses(*lead: int) -> Pose:
    """Room for poses of these leading axes; zeros, which are no pose."""
    return Pose(np.zeros((*lead, JOINT_COUNT, 3, 3)), np.zeros((*lead, 3)))


def chained(poses: Sequence[Pose], axis: int = 0) -> Pose:
    """Poses one after the other, along a leading axis."""
    return Pose(
        np.concatenate([pose.rotmats for pose in poses], axis),
        np.concatenate([pose.transl for pose in poses], axis),
    )


def in_a_row(poses: Pose) -> Pose:
    """Poses (m, n, ...) as (m n, ...): of n pairs, all players before all partners."""
    rotmats, transl = poses.rotmats, poses.transl
    return Pose(
        rotmats.reshape(-1, *rotmats.shape[2:]),
        transl.reshape(-1, *transl.shape[2:]),
    )


def stacked(poses: Sequence[Pose], axis: int = 0) -> Pose:
    """Poses of one shape side by side, along a new leading axis."""
    return Pose(
        np.stack([pose.rotmats for pose in poses], axis),
        np.stack([pose.transl for pose in poses], axis),
    )
