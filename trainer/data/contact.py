"""Contact: when two recorded bodies touch, and with which parts.

Finds the interactive poses of a recording by the distance between the two skins, as Ponimator does
(facts/datasets.md 8), on points of our own: no licensed region files. Knows bodies and motion;
knows no data set and no shards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from engine.arrays import Array, BoolArray, IntArray
from engine.body.kinematics import forward_kinematics, skin
from engine.body.pose import Pose
from engine.body.shape import Body
from engine.body.skeleton import JOINT, JOINT_COUNT
from engine.motion.motion import FRAME_RATE
from trainer.data.shards import Contact

THRESHOLD = 0.013
"""Metres between the skins of two people who touch, as in Ponimator and BUDDI."""
SECONDS_APART = 0.5
"""Between two interactive poses; or else every frame of a hug would be one."""
COVER, HAND_COVER = 0.015, 0.008
"""Metres within which every place of the skin has a point; fingers are thinner than the trunk."""
CANDIDATES = 60_000
"""Places on the skin from which the points are chosen."""
SLACK = 0.03
"""Metres by which blended skin may leave the reach of its joint."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ContactRegion:
    """Points all over a body's skin, evenly spread over each part.

    faces (point, 3) vertices, mixed by barycentric (point, 3)
    weights (point, 22) of skinning, fingers counted to the wrist; parts (point,) their main joint
    """

    faces: IntArray
    barycentric: Array
    weights: Array
    parts: IntArray

    def __len__(self) -> int:
        return len(self.parts)


@lru_cache(maxsize=4)
def contact_region(body: Body) -> ContactRegion:
    """The points of a body, the same for all shapes; computed once in a process."""
    rng = np.random.default_rng(0)
    corners = body.template[body.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=-1)
    drawn = np.sort(rng.choice(len(areas), CANDIDATES, p=areas / areas.sum()))
    u, v = np.sort(rng.random((2, CANDIDATES)), axis=0)
    barycentric = np.stack([u, v - u, 1 - v], axis=-1)
    faces = body.faces[drawn]
    places = _mixed(body.template, faces, barycentric)
    weights = _mixed(body.body_weights(), faces, barycentric)
    parts = weights.argmax(axis=1)
    hands = (JOINT["left_wrist"], JOINT["right_wrist"])
    chosen = [
        np.flatnonzero(parts == part)[
            farthest_points(places[parts == part], HAND_COVER if part in hands else COVER)
        ]
        for part in np.unique(parts)
    ]
    kept = np.concatenate(chosen)
    return ContactRegion(
        faces=faces[kept], barycentric=barycentric[kept], weights=weights[kept], parts=parts[kept]
    )


def _mixed(values: Array, faces: IntArray, barycentric: Array) -> Array:
    """Values of vertices (V, c) at places on faces: (place, c)."""
    return np.asarray(np.einsum("pi,pic->pc", barycentric, values[faces]))


def farthest_points(points: Array, cover: float) -> IntArray:
    """Indices into points (n, 3), each the farthest from all before, until none is beyond cover."""
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while distance.max() > cover:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen, np.int64)


# ------------------------------------------------------------------------------------ two people
@dataclass(frozen=True, kw_only=True)
class Touches:
    """How near two people come to each other.

    distance  (frame,) between the skins where it is below the threshold, else inf
    contacts  (frame, joint of person 0, joint of person 1) of all pairs of parts that touch
    """

    distance: Array
    contacts: tuple[Contact, ...]


def find_touches(
    body: Body,
    betas: Array,
    motion: Pose,
    rest_joints: Array,
    threshold: float = THRESHOLD,
) -> Touches:
    """Where the two skins are nearer than `threshold` metres, by k-d trees on the contact regions.

    betas (2, 10) in the space of `body`; motion (2, frame, ...)
    rest_joints (2, 22, 3) of the skeletons that move, whose bones may differ from the betas'

    A joint's part lies within `reach` of it, so two parts whose joints are farther apart than both
    reaches and the threshold are not looked at; most frames end there.
    """
    people = [
        _Person(body, betas[i], motion[i], rest_joints[i].astype(np.float64)) for i in range(2)
    ]
    gaps = np.linalg.norm(people[0].joints[:, :, None] - people[1].joints[:, None], axis=-1)
    reaches = people[0].reach[:, None] + people[1].reach[None]
    is_near = gaps < reaches + threshold + SLACK
    distance = np.full(motion.transl.shape[1], np.inf)
    contacts: list[Contact] = []
    for frame in map(int, np.flatnonzero(is_near.any(axis=(1, 2)))):
        near = is_near[frame]
        first, first_parts = people[0].skin_at(frame, near.any(axis=1))
        second, second_parts = people[1].skin_at(frame, near.any(axis=0))
        pairs = cKDTree(first).sparse_distance_matrix(
            cKDTree(second), threshold, output_type="ndarray"
        )
        if len(pairs):
            distance[frame] = pairs["v"].min()
            touching = np.stack([first_parts[pairs["i"]], second_parts[pairs["j"]]], axis=-1)
            contacts += [(frame, int(a), int(b)) for a, b in np.unique(touching, axis=0)]
    return Touches(distance=distance, contacts=tuple(contacts))


class _Person:
    """One moving body: its joints in every frame, its skin where it is asked for."""

    def __init__(self, body: Body, betas: Array, motion: Pose, rest_joints: Array) -> None:
        self._region = contact_region(body)
        self._bound_joints = body.rest_joints(betas).astype(np.float64)
        self._bound = _mixed(
            body.rest_vertices(betas), self._region.faces, self._region.barycentric
        )
        self.joints, self._world = forward_kinematics(
            rest_joints, motion.rotmats.astype(np.float64), motion.transl.astype(np.float64)
        )
        away = np.linalg.norm(self._bound - self._bound_joints[self._region.parts], axis=-1)
        self.reach = np.zeros(JOINT_COUNT)
        """(22,) metres from a joint to the farthest place of its part."""
        np.maximum.at(self.reach, self._region.parts, away)

    def skin_at(self, frame: int, is_wanted: BoolArray) -> tuple[Array, IntArray]:
        """Points of the wanted parts (22,) in the world: (point, 3) and their parts (point,)."""
        kept = is_wanted[self._region.parts]
        points = skin(
            self._bound[kept],
            self._bound_joints,
            self.joints[frame],
            self._world[frame],
            self._region.weights[kept],
        )
        return points, self._region.parts[kept]


# ------------------------------------------------------------------------------ interactive poses
def thinned(distance: Array, apart: int = round(SECONDS_APART * FRAME_RATE)) -> tuple[int, ...]:
    """Non-maximum suppression: the nearest frames first, each `apart` frames from those kept."""
    kept: list[int] = []
    for frame in np.argsort(distance, kind="stable"):
        if not np.isfinite(distance[frame]):
            break
        if all(abs(int(frame) - other) >= apart for other in kept):
            kept.append(int(frame))
    return tuple(sorted(kept))


def stretches(anchors: tuple[int, ...], frames: int, around: int) -> list[range]:
    """Runs of frames no farther than `around` from an anchor; those that meet become one."""
    is_near = np.zeros(frames + 2, np.bool_)  # one more at either end, so that every run ends
    for anchor in anchors:
        is_near[max(anchor - around, 0) + 1 : min(anchor + around, frames - 1) + 2] = True
    edges = np.flatnonzero(np.diff(is_near))
    return [range(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
