"""Capsules: a body's skin as a few dozen rounded cylinders, for distances between two people.

Fitted to the mesh of one shape, a few to each body part, so that arms, hands and the flat trunk
come out within millimetres (`tests/engine/body/test_capsules.py` states how many). Knows bodies and
poses; knows no plan and no session.
Source: closest points of two segments, Ericson, "Real-Time Collision Detection" (2005) 5.1.9.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from engine.body.shape import SHAPE_COUNT, Body
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
    """A person's capsules, resting on the joints; or several people's, by the leading axes.

    joints  (C,) the joint that each follows, ascending: its body part
    starts  (..., C, 3) from that joint to one end of the axis in the rest pose, metres
    axes    (..., C, 3) from there to the other end
    radii   (..., C) to the skin, in the mean
    cover   works out `covers`, which few ask for; None: nobody does
    """

    joints: IntArray
    starts: Array
    axes: Array
    radii: Array
    cover: Callable[[], Array] | None = None

    @cached_property
    def covers(self) -> Array:
        """(..., C) radii within which all skin lies, in any pose."""
        assert self.cover is not None
        return self.cover()

    def __len__(self) -> int:
        return len(self.joints)

    def __getitem__(self, rows: IntArray) -> Capsules:
        """Those of some of the people on the first axis, without `covers`."""
        return replace(
            self,
            starts=self.starts[rows],
            axes=self.axes[rows],
            radii=self.radii[rows],
            cover=None,
        )

    def posed(self, joints_world: Array, world_from_joint: Array) -> Segments:
        """The axes under poses: (..., 22, 3) and (..., 22, 3, 3) of forward kinematics, whose
        leading axes are broadcast against the people's."""
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

    def __getitem__(self, frames: IntArray) -> Segments:
        return Segments(starts=self.starts[frames], axes=self.axes[frames])


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

    first, second  (frame, C, 3) and (frame, D, 3); radii (C,) and (D,), or of each frame
    Spheres about the capsules leave out what is far; a hug of 30 frames takes half a millisecond.
    """
    middles, halves = _spheres(first)
    middles_second, halves_second = _spheres(second)
    bounds = halves + first_radii, halves_second + second_radii
    is_close = are_close(middles, middles_second, *bounds, reach)
    if not is_close.any():
        return NO_PAIRS
    (count, first_count), second_count = middles.shape[:-1], middles_second.shape[-2]
    rows, j = np.divmod(np.flatnonzero(is_close), second_count)
    frames, i = np.divmod(rows, first_count)
    rows_second = frames * second_count + j
    points = _closest_points(
        first.starts.reshape(-1, 3).take(rows, axis=0),
        first.axes.reshape(-1, 3).take(rows, axis=0),
        second.starts.reshape(-1, 3).take(rows_second, axis=0),
        second.axes.reshape(-1, 3).take(rows_second, axis=0),
    )
    apart = lengths(points[:, 0] - points[:, 1])
    apart -= np.broadcast_to(first_radii, (count, first_count))[frames, i]
    apart -= np.broadcast_to(second_radii, (count, second_count))[frames, j]
    near = np.flatnonzero(apart < reach)
    return NearPairs(
        frames=frames[near], first=i[near], second=j[near], gaps=apart[near], points=points[near]
    )


def are_close(
    first: Array, second: Array, first_radii: Array, second_radii: Array, reach: float
) -> BoolArray:
    """(..., C, D) which spheres about (..., C, 3) are nearer than `reach` metres to which about
    (..., D, 3); those of both of which a negative reach leaves nothing count as near."""
    # |a - b|^2 - (r + s)^2 = (a, |a|^2 - r^2, 1, r) . (-2 b, 1, |b|^2 - s^2, -2 s), the reach in r:
    # all of a frame in one product of matrices
    bounds = first_radii + reach
    left = _with_columns(first, dots(first, first) - bounds**2, 1.0, bounds)
    at = dots(second, second) - second_radii**2
    right = _with_columns(-2 * second, 1.0, at, -2 * second_radii)
    return np.asarray(left @ right.swapaxes(-1, -2) < 0)


def gaps(first: Segments, first_radii: Array, second: Segments, second_radii: Array) -> Array:
    """Metres (..., C, D) between the surfaces of all of (..., C, 3) and all of (..., D, 3)."""
    of_first = (each[..., :, None, :] for each in (first.starts, first.axes))
    of_second = (each[..., None, :, :] for each in (second.starts, second.axes))
    points = _closest_points(*np.broadcast_arrays(*of_first, *of_second))
    apart = lengths(points[..., 0, :] - points[..., 1, :])
    return np.asarray(apart - first_radii[:, None] - second_radii)


def _spheres(segments: Segments) -> tuple[Array, Array]:
    """Middles (frame, C, 3), and the largest half length (C,) over frames."""
    middles = segments.starts + segments.axes / 2
    return middles, lengths(segments.axes).max(axis=0, initial=0.0) / 2


def _with_columns(vectors: Array, *columns: Array | float) -> Array:
    result = np.empty((*vectors.shape[:-1], 3 + len(columns)))
    result[..., :3] = vectors
    for number, column in enumerate(columns, start=3):
        result[..., number] = column
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
@dataclass(frozen=True, kw_only=True, eq=False)
class _Fit:
    """Capsules while they are fitted: both ends of the axes (C, 3), and radii (C,)."""

    starts: Array
    ends: Array
    radii: Array

    def __getitem__(self, rows: IntArray) -> _Fit:
        return _Fit(
            starts=self.starts.take(rows, axis=0),
            ends=self.ends.take(rows, axis=0),
            radii=self.radii.take(rows),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Skin:
    """Vertices in the order of the capsules that are fitted to them.

    vertices  (n,) indices into the body's; owners (n,) the capsule of each, ascending
    firsts    (C,) where each capsule's begin; counts (C,) how many they are
    areas     (n,) of the skin about each vertex
    """

    vertices: IntArray
    owners: IntArray
    firsts: IntArray
    counts: IntArray
    areas: Array

    def products(self, left: Array, right: Array) -> Array:
        """(a, n) and (b, n) -> (C, a, b): of the one with the transpose of the other."""
        result = np.empty((len(self.firsts), len(left), len(right)))
        ends = (self.firsts + self.counts).tolist()
        for capsule, (first, end) in enumerate(zip(self.firsts.tolist(), ends, strict=True)):
            np.matmul(left[:, first:end], right[:, first:end].T, out=result[capsule])
        return result

    def sums(self, values: Array) -> Array:
        """(..., n) -> (..., C) over the vertices of each capsule."""
        return np.asarray(np.add.reduceat(values, self.firsts, axis=-1))


def _skin(groups: Sequence[IntArray], areas: Array) -> _Skin:
    """groups: the vertices of each capsule; areas (V,) of all of the body."""
    sizes = [len(group) for group in groups]
    vertices = np.concatenate(groups)
    return _Skin(
        vertices=vertices,
        owners=np.repeat(np.arange(len(groups)), sizes),
        firsts=np.cumsum([0, *sizes[:-1]]),
        counts=np.array(sizes),
        areas=areas[vertices],
    )


def fitted_capsules(body: Body, betas: Array) -> Capsules:
    """The capsules of a body of shape `betas` (10,); each shape is fitted once in a process."""
    return _fitted(body, np.asarray(betas, np.float32).tobytes())


@lru_cache(maxsize=64)
def _fitted(body: Body, betas_bytes: bytes) -> Capsules:
    betas = np.frombuffer(betas_bytes, np.float32)
    vertices = body.rest_vertices(betas).astype(np.float64)
    template = _template(body)
    skin, fit = template.skin, template.fit
    moved = (vertices - body.template).take(skin.vertices, axis=0)
    shift = (skin.sums(np.ascontiguousarray(moved.T)) / skin.counts).T
    guess = _Fit(starts=fit.starts + shift, ends=fit.ends + shift, radii=fit.radii)
    fit = _refined(vertices.take(skin.vertices, axis=0), skin, guess, WARM_ROUNDS)
    joints_rest = body.rest_joints(betas).astype(np.float64)[template.joints]
    return Capsules(
        joints=template.joints,
        starts=fit.starts - joints_rest,
        axes=fit.ends - fit.starts,
        radii=fit.radii,
        cover=partial(_covers, body, betas, fit),
    )


def drifted_capsules(body: Body, betas: Array) -> Capsules:
    """The capsules of many people of one body, of shapes (..., 10): those of the mean shape, moved
    by what each direction of shape does to them.

    Nothing is fitted, so they take next to no time. Their skin is hardly farther off than that of
    fitted ones: by 0.5 % in shapes of the usual spread, by 5 % in those of twice that (root of the
    mean square).
    """
    mean, drifts = _drifts(body)
    # A product for each person, so that company changes no bit of it.
    moved = betas[..., None, :] @ drifts.reshape(SHAPE_COUNT, -1)
    numbers = mean + moved.reshape(*betas.shape[:-1], *mean.shape)
    return Capsules(
        joints=_template(body).joints,
        starts=numbers[..., :3],
        axes=numbers[..., 3:6],
        radii=np.maximum(numbers[..., 6], LEAST_RADIUS),
    )


@lru_cache(maxsize=4)
def _drifts(body: Body) -> tuple[Array, Array]:
    """Start, axis and radius of the mean shape's capsules, (C, 7), and what one unit of each
    direction of shape adds to them, (10, C, 7)."""

    def numbers(betas: Array) -> Array:
        fitted = fitted_capsules(body, betas)
        return np.column_stack([fitted.starts, fitted.axes, fitted.radii])

    drifts = [(numbers(unit) - numbers(-unit)) / 2 for unit in np.eye(SHAPE_COUNT)]
    return numbers(np.zeros(SHAPE_COUNT)), np.stack(drifts)


def _covers(body: Body, betas: Array, fit: _Fit) -> Array:
    """Radii (C,) within which all skin lies, in any pose."""
    template, vertices = _template(body), body.rest_vertices(betas).astype(np.float64)
    return np.asarray(fit.radii + _sticking_out(template, vertices, fit) + template.bulges)


def _sticking_out(template: _Template, vertices: Array, fit: _Fit) -> Array:
    """Metres (C,) by which a part's skin sticks out of the capsule that is nearest to it."""
    points = vertices[template.part_vertices]
    apart = np.full(template.part_capsules.shape, np.inf)
    for column, capsules in enumerate(template.part_capsules.T):
        rows = np.flatnonzero(capsules >= 0)
        apart[rows, column] = _apart(points.take(rows, axis=0), fit[capsules.take(rows)])
    nearest = np.arange(len(points)), apart.argmin(axis=1)
    result = np.zeros(len(fit.radii))
    np.maximum.at(result, template.part_capsules[nearest], apart[nearest])
    return result


@dataclass(frozen=True, kw_only=True, eq=False)
class _Template:
    """The capsules of the mean shape, C of all parts, and what each is fitted to in all shapes.

    joints         (C,) that each follows
    skin, fit      what they are fitted to, and how they lie in the mean shape
    bulges         (C,) metres by which the skin sticks out in some poses
    part_vertices  (n,) all skin, a part behind the other
    part_capsules  (n, most) the capsules of its part; -1 where there are fewer
    """

    joints: IntArray
    skin: _Skin
    fit: _Fit
    bulges: Array
    part_vertices: IntArray
    part_capsules: IntArray


def skin_parts(body: Body) -> IntArray:
    """The joint of the 22 that each vertex (V,) follows most, fingers counted to the wrist."""
    return np.asarray(body.body_weights().argmax(axis=1))


@lru_cache(maxsize=4)
def _template(body: Body) -> _Template:
    """Which vertices each capsule is fitted to, the same for all shapes.

    Nearest seeds first, then by turns: fit all capsules of a part, give vertices to the nearest.
    """
    points = body.template.astype(np.float64)
    areas, joint_of = _vertex_areas(points, body.faces), skin_parts(body)
    joints: list[int] = []
    groups: list[IntArray] = []
    bulges: list[float] = []
    parts: list[IntArray] = []
    capsules: list[IntArray] = []
    fits: list[_Fit] = []
    for joint, name in enumerate(JOINT_NAMES):
        kind = name.rpartition("_")[2]
        index = np.flatnonzero(joint_of == joint)
        count = min(COUNTS[kind], len(index) // LEAST_VERTICES)
        if count == 0:
            continue
        own, fit = _template_part(points, areas, index, count)
        numbers = np.full(max(COUNTS.values()), -1)
        numbers[: len(own)] = len(groups) + np.arange(len(own))
        joints += [joint] * len(own)
        bulges += [BULGES.get(kind, LEAST_BULGE)] * len(own)
        groups += own
        fits.append(fit)
        parts.append(index)
        capsules.append(np.broadcast_to(numbers, (len(index), len(numbers))))
    return _Template(
        joints=np.array(joints),
        skin=_skin(groups, areas),
        fit=_together(fits),
        bulges=np.array(bulges),
        part_vertices=np.concatenate(parts),
        part_capsules=np.concatenate(capsules),
    )


def _template_part(
    points: Array, areas: Array, index: IntArray, count: int
) -> tuple[list[IntArray], _Fit]:
    """The vertices of each capsule of one part, and the capsules; at most `count`."""
    owner = _nearest(points[index], _seeds(points[index], count))
    groups = [index[owner == number] for number in range(count)]
    fit = _together([_longest(points[group], areas[group]) for group in groups])
    for _ in range(5):
        apart = np.stack([_apart(points[index], fit[np.array([n])]) for n in range(count)], axis=1)
        owner = apart.argmin(axis=1)
        groups = [index[owner == number] for number in range(count)]
        kept = [number for number, group in enumerate(groups) if len(group) >= LEAST_VERTICES]
        groups, count = [groups[number] for number in kept], len(kept)
        skin = _skin(groups, areas)
        fit = _refined(points[skin.vertices], skin, fit[np.array(kept)])
    return groups, fit


def _together(fits: Sequence[_Fit]) -> _Fit:
    return _Fit(
        starts=np.concatenate([fit.starts for fit in fits]),
        ends=np.concatenate([fit.ends for fit in fits]),
        radii=np.concatenate([fit.radii for fit in fits]),
    )


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


def _apart(points: Array, fit: _Fit) -> Array:
    """Signed distances (n,) of points (n, 3) from the surfaces of capsules (n,), or of one."""
    axes, ahead = fit.ends - fit.starts, points - fit.starts
    t = np.clip(dots(ahead, axes) / np.maximum(dots(axes, axes), 1e-12), 0.0, 1.0)
    return np.asarray(lengths(ahead - t[:, None] * axes) - fit.radii)


def _longest(points: Array, areas: Array) -> _Fit:
    """A first guess, one capsule: the axis along which points are farthest apart."""
    middle = np.average(points, axis=0, weights=areas)
    centred = points - middle
    axis = np.linalg.svd(centred * np.sqrt(areas)[:, None], full_matrices=False)[2][0]
    along = centred @ axis
    around = np.linalg.norm(centred - along[:, None] * axis, axis=1)
    radius = float(np.average(around, weights=areas))
    inset = min(radius, 0.4 * float(np.ptp(along)))
    return _Fit(
        starts=(middle + axis * (along.min() + inset))[None],
        ends=(middle + axis * (along.max() - inset))[None],
        radii=np.array([radius]),
    )


def _refined(points: Array, skin: _Skin, fit: _Fit, rounds: int = ROUNDS) -> _Fit:
    """The capsules whose surfaces are nearest to their points (n, 3), by Gauss-Newton, all at once.

    With n from the axis to a point and t its place along the axis, the residual |n| - r changes by
    -n (1 - t) for the start, -n t for the end and -1 for the radius. A tube says nothing about
    where its axis ends: the damping keeps the ends where they were.
    """
    starts, ends, radii = fit.starts, fit.ends, fit.radii
    damping = 0.01 * skin.sums(skin.areas)[:, None, None] * np.eye(7)
    x_y_z = np.ascontiguousarray(points.T)  # a row an axis: a sum over three rows is quick
    # Fresh memory for arrays of this size costs more than what is done with them.
    of_each, slopes, weighted = (np.full((8, len(points)), -1.0) for _ in range(3))
    ahead, axis, size, radius = of_each[:3], of_each[3:6], of_each[6], of_each[7]
    for _ in range(rounds):
        axes = ends - starts
        capsules = np.column_stack([starts, axes, np.maximum(dots(axes, axes), 1e-12), radii])
        capsules.T.take(skin.owners, axis=1, out=of_each, mode="clip")
        np.subtract(x_y_z, ahead, out=ahead)
        t = np.clip(np.einsum("an,an->n", ahead, axis) / size, 0.0, 1.0)
        offsets = np.subtract(ahead, np.multiply(axis, t, out=axis), out=ahead)
        distances = np.maximum(np.sqrt(np.einsum("an,an->n", offsets, offsets)), 1e-9)
        np.divide(offsets, -distances, out=slopes[:3])
        np.multiply(slopes[:3], t, out=slopes[3:6])
        slopes[:3] -= slopes[3:6]
        np.subtract(radius, distances, out=slopes[7])
        np.multiply(slopes, skin.areas, out=weighted)
        products = skin.products(weighted[:7], slopes)
        step = np.linalg.solve(products[:, :, :7] + damping, products[:, :, 7:])[..., 0]
        starts, ends, radii = starts + step[:, :3], ends + step[:, 3:6], radii + step[:, 6]
        radii = np.maximum(radii, LEAST_RADIUS)
    axes = ends - starts
    reach = lengths(axes)[:, None]
    direction = np.where(reach > 0, axes / np.maximum(reach, 1e-300), np.eye(3)[0])
    ends = np.where(reach < LEAST_LENGTH, starts + LEAST_LENGTH * direction, ends)
    return _Fit(starts=starts, ends=ends, radii=radii)


def _vertex_areas(vertices: Array, faces: IntArray) -> Array:
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    third = np.linalg.norm(normals, axis=-1) / 6
    sums = np.bincount(faces.ravel(), np.repeat(third, 3), minlength=len(vertices))
    return np.asarray(sums, np.float64)
