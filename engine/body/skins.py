"""Skins: where bodies surely are not, which costs little, and the capsules of those that may touch.

A sphere about each part of the body holds its capsules in every shape. Knows bodies and poses; no
window and no session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from engine.body.capsules import (
    Capsules,
    are_close,
    drifted_capsules,
    fitted_capsules,
    skin_parts,
)
from engine.body.shape import SHAPE_COUNT, Body
from engine.body.vectors import lengths

MARGIN = 0.05
"""Metres added to each sphere, for capsules that are not where their skin is: in shapes of the
usual spread they stick out of it by 1 mm, in those of four times that by 40 mm, at the neck."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Skins:
    """The skins of n pairs of one body, by their shapes.

    betas  (n, 2, 10) of player and partner
    """

    body: Body
    betas: Array

    @cached_property
    def spheres(self) -> Spheres:
        """(2, n, P, ...) one about each part of all players, and of all partners."""
        mean = _mean_spheres(self.body)
        betas = self.betas.swapaxes(0, 1).astype(np.float64)
        return Spheres(
            joints=mean.joints,
            middles=mean.middles + np.tensordot(betas, mean.drifts, 1),
            radii=mean.radii + np.abs(betas) @ mean.spreads + MARGIN,
        )

    def may_be_near(self, joints: Array, world: Array, reach: float) -> BoolArray:
        """(n, frame) False where nobody's capsules are nearer than `reach` metres to the other's.

        joints (2, n, frame, 22, 3), world (2, n, frame, 22, 3, 3)  of both, posed
        """
        spheres = self.spheres
        turned = world.take(spheres.joints, axis=-3) @ spheres.middles[:, :, None, ..., None]
        middles = joints.take(spheres.joints, axis=-2) + turned[..., 0]
        radii = spheres.radii[:, :, None]
        close = are_close(middles[0], middles[1], radii[0], radii[1], reach)
        return np.asarray(close.any(axis=(-1, -2)))

    def of_pair(self, row: int) -> Skins:
        return Skins(body=self.body, betas=self.betas[row : row + 1])

    def capsules(self, rows: IntArray) -> tuple[Capsules, Capsules]:
        """Of some of the pairs, (m, C, ...); each may be asked for several times."""
        pairs, of_row = np.unique(rows, return_inverse=True)
        betas = self.betas[pairs].swapaxes(0, 1).astype(np.float64)
        player, partner = (drifted_capsules(self.body, one)[of_row] for one in betas)
        return player, partner


def skins_of_each(pairs: Sequence[Skins]) -> Skins:
    """All of them, one behind the other; of one body."""
    return Skins(body=pairs[0].body, betas=np.concatenate([one.betas for one in pairs]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Spheres:
    """Spheres that hold the capsules of a part each, P of them.

    joints   (P,) that each follows
    middles  (..., P, 3) from that joint in the rest pose, metres
    radii    (..., P)
    """

    joints: IntArray
    middles: Array
    radii: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class _MeanSpheres(Spheres):
    """Those of the mean shape, and how they change with each direction of shape.

    drifts   (10, P, 3) of the middles
    spreads  (10, P) of the radii: how far a vertex departs from the drift at most
    """

    drifts: Array
    spreads: Array


@lru_cache(maxsize=4)
def _mean_spheres(body: Body) -> _MeanSpheres:
    capsules = fitted_capsules(body, np.zeros(SHAPE_COUNT))
    joints, firsts = np.unique(capsules.joints, return_index=True)
    ends = np.stack([capsules.starts, capsules.starts + capsules.axes])
    radii = capsules.radii[:, None]
    lowest = np.minimum.reduceat((ends - radii).min(axis=0), firsts)
    highest = np.maximum.reduceat((ends + radii).max(axis=0), firsts)
    middles = (lowest + highest) / 2
    reach = lengths(ends - middles[np.searchsorted(joints, capsules.joints)]) + capsules.radii
    one_each = np.eye(SHAPE_COUNT)
    vertices = np.stack([body.rest_vertices(betas) for betas in one_each]) - body.template
    joints_moved = body.rest_joints(one_each) - body.rest_joints(np.zeros(SHAPE_COUNT))
    drifts = np.empty((SHAPE_COUNT, len(joints), 3))
    spreads = np.empty((SHAPE_COUNT, len(joints)))
    parts = skin_parts(body)
    for row, joint in enumerate(joints):
        moved = vertices[:, parts == joint] - joints_moved[:, joint, None]
        drifts[:, row] = moved.mean(axis=1)
        spreads[:, row] = lengths(moved - drifts[:, row, None]).max(axis=1)
    return _MeanSpheres(
        joints=joints,
        middles=middles,
        radii=np.maximum.reduceat(reach.max(axis=0), firsts),
        drifts=drifts,
        spreads=spreads,
    )
