"""Capsules: a body's skin as a few dozen rounded cylinders, for distances between two people.

Fitted to the mesh of one shape, a few to each body part, so that arms, hands and the flat trunk
come out within millimetres (`tests/engine/body/test_capsules.py` states how many). Knows bodies and
poses; knows no plan and no session.
Source: closest points of two segments, Ericson, "Real-Time Collision Detection" (2005) 5.1.9.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.shape import Body
from engine.body.skeleton import JOINT_NAMES
from engine.body.vectors import dots, lengths

COUNTS = {
    "pelvis": 2,
    "spine1": 1,
    "spine2": 2,
    "spine3": 4,
    "neck": 1,
    "head": 2,
    "collar": 1,
    "shoulder": 2,
    "elbow": 2,
    "wrist": 6,
    "hip": 2,
    "knee": 2,
    "ankle": 2,
    "foot": 1,
}
"""Capsules for the skin that follows a joint; a wrist's is the hand with its fingers."""
LEAST_RADIUS, LEAST_LENGTH = 0.003, 0.002
"""Metres; a capsule is never thinner nor shorter, so that no division is by nothing."""
LEAST_VERTICES = 4
"""The fewest that one capsule is fitted to."""
ROUNDS, WARM_ROUNDS = 8, 3
"""Rounds of Gauss-Newton: from nothing, and from the mean shape's capsule."""
BULGES = {
    "pelvis": 0.025,
    "spine1": 0.025,
    "spine2": 0.040,
    "spine3": 0.045,
    "neck": 0.015,
    "collar": 0.045,
    "shoulder": 0.045,
    "head": 0.015,
    "hip": 0.015,
    "knee": 0.020,
    "ankle": 0.010,
}
LEAST_BULGE = 0.005
"""Metres that blended skin sticks out of its capsules in any pose, beyond what it does at rest;
measured over hundreds of poses, joints turned at random by half a radian in each direction."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Capsules:
    """A person's capsules, resting on the joints.

    joints  (C,) the joint that each follows, ascending: its body part
    starts  (C, 3) from that joint to one end of the axis in the rest pose, metres
    axes    (C, 3) from there to the other end
    radii   (C,) to the skin, in the mean
    covers  (C,) radii within which all skin lies, in any pose
    """

    joints: IntArray
    starts: Array
    axes: Array
    radii: Array
    covers: Array

    def __len__(self) -> int:
        return len(self.joints)

    def posed(self, joints_world: Array, world_from_joint: Array) -> Segments:
        """The axes under a pose: (..., 22, 3) and (..., 22, 3, 3) of forward kinematics."""
        turn = world_from_joint.take(self.joints, axis=-3)
        turned = turn @ np.stack([self.starts, self.axes], axis=-1)
        return Segments(
            starts=joints_world.take(self.joints, axis=-2) + turned[..., 0], axes=turned[..., 1]
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Segments:
    """Capsule axes in the world: from starts (..., C, 3) along axes (..., C, 3)."""

    starts: Array
    axes: Array


# ---------------------------------------------------------------------------------------- distances
@dataclass(frozen=True, kw_only=True, eq=False)
class NearPairs:
    """Pairs of capsules of two people that are near each other, n over all frames.

    frames, first, second  (n,) indices of the frame and of both capsules
    gaps                   (n,) metres between the surfaces; negative: they overlap
    points                 (n, 2, 3) where both axes are nearest to each other, world
    """

    frames: IntArray
    first: IntArray
    second: IntArray
    gaps: Array
    points: Array


NO_PAIRS = NearPairs(
    frames=np.zeros(0, np.int64),
    first=np.zeros(0, np.int64),
    second=np.zeros(0, np.int64),
    gaps=np.zeros(0),
    points=np.zeros((0, 2, 3)),
)


def near_pairs(
    first: Segments, first_radii: Array, second: Segments, second_radii: Array, reach: float
) -> NearPairs:
    """All pairs whose surfaces are nearer than `reach` metres, over frames.

    first, second  (frame, C, 3) and (frame, D, 3); radii (C,) and (D,)
    Spheres about the capsules leave out what is far; a hug of 30 frames takes half a millisecond.
    """
    middles, halves = _spheres(first)
    middles_second, halves_second = _spheres(second)
    # |a - b|^2 = (a, |a|^2, 1) . (-2 b, 1, |b|^2): all of a frame in one product of matrices
    left = _with_columns(middles, dots(middles, middles), 1.0)
    right = _with_columns(-2 * middles_second, 1.0, dots(middles_second, middles_second))
    bound = (halves + first_radii)[:, None] + (halves_second + second_radii) + reach
    is_close = left @ right.swapaxes(-1, -2) < bound * np.maximum(bound, 0.0)
    if not is_close.any():
        return NO_PAIRS
    rows, j = np.divmod(np.flatnonzero(is_close), len(second_radii))
    frames, i = np.divmod(rows, len(first_radii))
    rows_second = frames * len(second_radii) + j
    points = _closest_points(
        first.starts.reshape(-1, 3).take(rows, axis=0),
        first.axes.reshape(-1, 3).take(rows, axis=0),
        second.starts.reshape(-1, 3).take(rows_second, axis=0),
        second.axes.reshape(-1, 3).take(rows_second, axis=0),
    )
    apart = lengths(points[:, 0] - points[:, 1]) - first_radii[i] - second_radii[j]
    near = np.flatnonzero(apart < reach)
    return NearPairs(
        frames=frames[near], first=i[near], second=j[near], gaps=apart[near], points=points[near]
    )


def gaps(first: Segments, first_radii: Array, second: Segments, second_radii: Array) -> Array:
    """Metres (C, D) between the surfaces of all of (C, 3) and all of (D, 3)."""
    starts, axes = first.starts[:, None], first.axes[:, None]
    points = _closest_points(*np.broadcast_arrays(starts, axes, second.starts, second.axes))
    apart = lengths(points[..., 0, :] - points[..., 1, :])
    return np.asarray(apart - first_radii[:, None] - second_radii)


def _spheres(segments: Segments) -> tuple[Array, Array]:
    """Middles (frame, C, 3), and the largest half length (C,) over frames."""
    middles = segments.starts + segments.axes / 2
    return middles, lengths(segments.axes).max(axis=0, initial=0.0) / 2


def _with_columns(vectors: Array, fourth: Array | float, fifth: Array | float) -> Array:
    result = np.empty((*vectors.shape[:-1], 5))
    result[..., :3], result[..., 3], result[..., 4] = vectors, fourth, fifth
    return result


def _closest_points(p: Array, u: Array, q: Array, v: Array) -> Array:
    """The points (..., 2, 3) of segments p + s u and q + t v, all (..., 3), nearest to each other.

    With r = p - q:  s = (u.v v.r - u.r v.v) / (u.u v.v - (u.v)^2),  t = (u.v s + v.r) / v.v,
    then s = (u.v t - u.r) / u.u; each clipped to 0..1.
    """
    r = p - q
    uu, vv, uv, ur, vr = (dots(a, b) for a, b in ((u, u), (v, v), (u, v), (u, r), (v, r)))
    s = np.clip((uv * vr - ur * vv) / np.maximum(uu * vv - uv * uv, 1e-15), 0, 1)
    t = np.clip((uv * s + vr) / vv, 0, 1)
    s = np.clip((uv * t - ur) / uu, 0, 1)
    points = np.empty((*p.shape[:-1], 2, 3))
    points[..., 0, :], points[..., 1, :] = p + s[..., None] * u, q + t[..., None] * v
    return points


# ------------------------------------------------------------------------------------------ fitting
Capsule = tuple[Array, Array, float]
"""Both ends of the axis (3,), radius."""


def fitted_capsules(body: Body, betas: Array) -> Capsules:
    """The capsules of a body of shape `betas` (10,); each shape is fitted once in a process."""
    return _fitted(body, np.asarray(betas, np.float32).tobytes())


@lru_cache(maxsize=64)
def _fitted(body: Body, betas_bytes: bytes) -> Capsules:
    betas = np.frombuffer(betas_bytes, np.float32)
    vertices = body.rest_vertices(betas).astype(np.float64)
    rest_joints = body.rest_joints(betas).astype(np.float64)
    moved = vertices - body.template
    joints, starts, ends, radii, covers = [], [], [], [], []
    for part in _template_parts(body):
        capsules = []
        for group, (start, end, radius) in zip(part.groups, part.capsules, strict=True):
            shift = moved[group].mean(axis=0)
            capsule = start + shift, end + shift, radius
            capsules.append(_refined(vertices[group], part.areas[group], capsule, WARM_ROUNDS))
        apart = _apart(vertices[part.vertices], capsules)
        nearest, sticks_out = apart.argmin(axis=1), apart.min(axis=1)
        for number, (start, end, radius) in enumerate(capsules):
            joints.append(part.joint)
            starts.append(start - rest_joints[part.joint])
            ends.append(end - rest_joints[part.joint])
            radii.append(radius)
            covers.append(radius + sticks_out[nearest == number].max(initial=0.0) + part.bulge)
    return Capsules(
        joints=np.array(joints),
        starts=np.array(starts),
        axes=np.array(ends) - np.array(starts),
        radii=np.array(radii),
        covers=np.array(covers),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """The skin that follows a joint, in the mean shape.

    vertices  indices of all of it; groups those of each capsule
    areas     (V,) of all vertices of the body
    bulge     metres by which it sticks out in some poses
    """

    joint: int
    vertices: IntArray
    groups: tuple[IntArray, ...]
    capsules: tuple[Capsule, ...]
    areas: Array
    bulge: float


def skin_parts(body: Body) -> IntArray:
    """The joint of the 22 that each vertex (V,) follows most, fingers counted to the wrist."""
    return np.asarray(body.body_weights().argmax(axis=1))


@lru_cache(maxsize=4)
def _template_parts(body: Body) -> tuple[_Part, ...]:
    """Which vertices each capsule is fitted to, the same for all shapes.

    Nearest seeds first, then by turns: fit all capsules of a part, give vertices to the nearest.
    """
    points = body.template.astype(np.float64)
    areas, joints = _vertex_areas(points, body.faces), skin_parts(body)
    result = []
    for joint, name in enumerate(JOINT_NAMES):
        kind = name.rpartition("_")[2]
        index = np.flatnonzero(joints == joint)
        count = min(COUNTS[kind], len(index) // LEAST_VERTICES)
        if count == 0:
            continue
        owner = _nearest(points[index], _seeds(points[index], count))
        groups = [index[owner == number] for number in range(count)]
        capsules = [_longest(points[group], areas[group]) for group in groups]
        for _ in range(5):
            owner = _apart(points[index], capsules).argmin(axis=1)
            groups = [index[owner == number] for number in range(len(capsules))]
            kept = [n for n, group in enumerate(groups) if len(group) >= LEAST_VERTICES]
            groups = [groups[number] for number in kept]
            capsules = [
                _refined(points[group], areas[group], capsules[number])
                for number, group in zip(kept, groups, strict=True)
            ]
        result.append(
            _Part(
                joint=joint,
                vertices=index,
                groups=tuple(groups),
                capsules=tuple(capsules),
                areas=areas,
                bulge=BULGES.get(kind, LEAST_BULGE),
            )
        )
    return tuple(result)


def _seeds(points: Array, count: int) -> Array:
    """`count` points far from each other, then the middles of those nearest to each."""
    distance = np.linalg.norm(points - points.mean(axis=0), axis=1)
    seeds = points[[int(distance.argmax())]]
    while len(seeds) < count:
        distance = np.linalg.norm(points[:, None] - seeds, axis=-1).min(axis=1)
        seeds = np.concatenate([seeds, points[[int(distance.argmax())]]])
    for _ in range(10):
        owner = _nearest(points, seeds)
        seeds = np.stack([points[owner == number].mean(axis=0) for number in range(count)])
    return seeds


def _nearest(points: Array, seeds: Array) -> IntArray:
    return np.asarray(np.linalg.norm(points[:, None] - seeds, axis=-1).argmin(axis=1))


def _apart(points: Array, capsules: list[Capsule]) -> Array:
    """Signed distances (points, capsules) from the capsules' surfaces."""
    apart = [np.linalg.norm(_offsets(points, *ends)[0], axis=1) - r for *ends, r in capsules]
    return np.stack(apart, axis=1)


def _longest(points: Array, areas: Array) -> Capsule:
    """A first guess: the axis along which points are farthest apart."""
    middle = np.average(points, axis=0, weights=areas)
    centred = points - middle
    axis = np.linalg.svd(centred * np.sqrt(areas)[:, None], full_matrices=False)[2][0]
    along = centred @ axis
    around = np.linalg.norm(centred - along[:, None] * axis, axis=1)
    radius = float(np.average(around, weights=areas))
    inset = min(radius, 0.4 * float(np.ptp(along)))
    return middle + axis * (along.min() + inset), middle + axis * (along.max() - inset), radius


def _refined(points: Array, areas: Array, capsule: Capsule, rounds: int = ROUNDS) -> Capsule:
    """The capsule whose surface is nearest to the points, by Gauss-Newton.

    With n from the axis to a point and t its place along the axis, the residual |n| - r changes by
    -n (1 - t) for the start, -n t for the end and -1 for the radius. A tube says nothing about
    where its axis ends: the damping keeps the ends where they were.
    """
    start, end, radius = capsule
    damping = 0.01 * areas.sum() * np.eye(7)
    for _ in range(rounds):
        offsets, t = _offsets(points, start, end)
        distances = np.maximum(np.linalg.norm(offsets, axis=1), 1e-9)
        n = offsets / distances[:, None]
        slopes = np.concatenate(
            [-n * (1 - t)[:, None], -n * t[:, None], -np.ones((len(n), 1))], axis=1
        )
        weighted = (slopes * areas[:, None]).T
        step = np.linalg.solve(weighted @ slopes + damping, -weighted @ (distances - radius))
        start, end, radius = start + step[:3], end + step[3:6], radius + float(step[6])
        radius = max(radius, LEAST_RADIUS)
    if (length := float(np.linalg.norm(end - start))) < LEAST_LENGTH:
        end = start + LEAST_LENGTH * ((end - start) / length if length else np.eye(3)[0])
    return start, end, radius


def _offsets(points: Array, start: Array, end: Array) -> tuple[Array, Array]:
    """From the nearest place of an axis to each point (n, 3), and where that is, 0..1."""
    axis = end - start
    t = np.clip((points - start) @ axis / max(float(axis @ axis), 1e-12), 0.0, 1.0)
    return points - start - t[:, None] * axis, t


def _vertex_areas(vertices: Array, faces: IntArray) -> Array:
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    third = np.linalg.norm(normals, axis=-1) / 6
    sums = np.bincount(faces.ravel(), np.repeat(third, 3), minlength=len(vertices))
    return np.asarray(sums, np.float64)
