"""Capsules against the mesh they stand for, and their distances against brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body.capsules import (
    Capsules,
    Segments,
    drifted_capsules,
    fitted_capsules,
    gaps,
    near_pairs,
    skin_parts,
)
from engine.body.pose import Pose
from engine.body.rotations import rotmat_from_axis_angle
from engine.body.shape import load_body
from engine.body.skeleton import JOINT_NAMES

BODY = load_body()
MEAN_ERROR = {"hip": 0.008, "ankle": 0.009}
WORST_ERROR = {"knee": 0.029, "ankle": 0.029, "hip": 0.027}
"""Metres, where parts are worse than the rest: calves, heels, buttocks."""
MOST_MEAN_ERROR, MOST_ERROR = 0.0065, 0.024


def shape(seed: int, scale: float = 1.0) -> Array:
    return (scale * np.random.default_rng(seed).standard_normal(10)).astype(np.float32)


def outside(points: Array, segments: Segments, radii: Array) -> Array:
    """Signed distances (V,) of points from the union of capsules."""
    from_start = points[:, None] - segments.starts
    along = np.einsum("vci,ci->vc", from_start, segments.axes) / (segments.axes**2).sum(axis=-1)
    offsets = from_start - np.clip(along, 0, 1)[..., None] * segments.axes
    return np.asarray((np.linalg.norm(offsets, axis=-1) - radii).min(axis=1))


def posed(capsules: Capsules, betas: Array, pose: Pose) -> Segments:
    return capsules.posed(*pose.in_world(BODY.rest_joints(betas).astype(float)))


def only(capsules: Capsules, joint: int) -> Capsules:
    keep = capsules.joints == joint
    return Capsules(
        joints=capsules.joints[keep],
        starts=capsules.starts[keep],
        axes=capsules.axes[keep],
        radii=capsules.radii[keep],
        cover=lambda: capsules.covers[keep],
    )


def one_of(capsules: Capsules, row: int) -> Capsules:
    return replace(
        capsules,
        starts=capsules.starts[row],
        axes=capsules.axes[row],
        radii=capsules.radii[row],
    )


@pytest.mark.parametrize("seed", range(3))
def test_each_part_of_the_skin_is_within_millimetres_of_its_capsules(seed: int) -> None:
    betas = shape(seed, scale=0.0 if seed == 0 else 1.0)
    capsules, parts = fitted_capsules(BODY, betas), skin_parts(BODY)
    still = Pose(np.broadcast_to(np.eye(3), (22, 3, 3)), np.zeros(3))
    skin = BODY.vertices(still, betas).astype(float)
    for joint in np.unique(parts):
        own = only(capsules, joint)
        error = np.abs(outside(skin[parts == joint], posed(own, betas, still), own.radii))
        kind = JOINT_NAMES[joint].rpartition("_")[2]
        assert error.mean() < MEAN_ERROR.get(kind, MOST_MEAN_ERROR), JOINT_NAMES[joint]
        assert error.max() < WORST_ERROR.get(kind, MOST_ERROR), JOINT_NAMES[joint]


def test_drifted_capsules_are_as_near_to_the_skin_as_fitted_ones() -> None:
    betas, parts = np.stack([shape(seed) for seed in range(12)]), skin_parts(BODY)
    drifted = drifted_capsules(BODY, betas)
    still = Pose(np.broadcast_to(np.eye(3), (22, 3, 3)), np.zeros(3))

    def error(capsules: Capsules, of: Array) -> float:
        skin, squares = BODY.vertices(still, of).astype(float), 0.0
        for joint in np.unique(parts):
            own = only(capsules, joint)
            off = outside(skin[parts == joint], posed(own, of, still), own.radii)
            squares += float(off @ off)
        return squares

    ours = [error(one_of(drifted, row), of) for row, of in enumerate(betas)]
    fitted = [error(fitted_capsules(BODY, of), of) for of in betas]
    assert sum(ours) < 1.02 * sum(fitted)


def test_all_skin_lies_within_the_covers_in_any_pose() -> None:
    rng = np.random.default_rng(1)
    for seed in range(12):
        betas = shape(seed)
        rotmats = rotmat_from_axis_angle(rng.normal(0, 0.5, (22, 3)))
        pose = Pose(rotmats, rng.normal(0, 1, 3))
        capsules = fitted_capsules(BODY, betas)
        skin = BODY.vertices(pose, betas).astype(float)
        assert outside(skin, posed(capsules, betas, pose), capsules.covers).max() <= 0


def test_a_body_is_fitted_once() -> None:
    assert fitted_capsules(BODY, shape(1)) is fitted_capsules(BODY, shape(1))


def segments(rng: np.random.Generator, count: int) -> Segments:
    return Segments(
        starts=rng.normal(0, 0.4, (2, count, 3)), axes=rng.normal(0, 0.2, (2, count, 3))
    )


@given(st.integers(0, 2**32 - 1))
def test_near_pairs_are_all_pairs_that_are_near_and_their_least_distances(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = segments(rng, 5), segments(rng, 4)
    radii, radii_second = rng.uniform(0.01, 0.1, 5), rng.uniform(0.01, 0.1, 4)
    pairs = near_pairs(first, radii, second, radii_second, 0.15)
    t = np.linspace(0, 1, 41)[:, None]
    a = first.starts[:, :, None] + t * first.axes[:, :, None]
    b = second.starts[:, :, None] + t * second.axes[:, :, None]
    apart = np.linalg.norm(a[:, :, None, :, None] - b[:, None, :, None], axis=-1).min(axis=(3, 4))
    brute = apart - radii[:, None] - radii_second
    found = np.full_like(brute, np.inf)
    found[pairs.frames, pairs.first, pairs.second] = pairs.gaps
    assert np.isfinite(found[brute < 0.15]).all()
    near = np.isfinite(found)
    assert (found[near] <= brute[near] + 1e-9).all()
    assert (brute[near] - found[near] < 0.02).all()
    between = np.linalg.norm(pairs.points[:, 0] - pairs.points[:, 1], axis=-1)
    surfaces = between - radii[pairs.first] - radii_second[pairs.second]
    np.testing.assert_allclose(surfaces, pairs.gaps, atol=1e-9)
    for frame in range(2):
        of_frame = (
            Segments(starts=people.starts[frame], axes=people.axes[frame])
            for people in (first, second)
        )
        all_gaps = gaps(next(of_frame), radii, next(of_frame), radii_second)
        np.testing.assert_allclose(all_gaps[near[frame]], found[frame][near[frame]], atol=1e-9)
        assert (all_gaps[~near[frame]] >= 0.15).all()


def test_parallel_and_crossing_axes_have_the_distance_they_show() -> None:
    along_x = np.array([[[1.0, 0, 0]]])
    for start, axis, expected in [
        ((0.2, 0.5, 0), (1.0, 0, 0), 0.5),
        ((3.0, 0, 0), (1.0, 0, 0), 2.0),
        ((0.5, 0, -1), (0, 0, 2.0), 0.0),
        ((0.5, 0.3, -1), (0, 0, 2.0), 0.3),
        ((-1.0, 1, 0), (0, -2.0, 0), 1.0),
    ]:
        other = Segments(starts=np.array([[start]], float), axes=np.array([[axis]], float))
        origin = Segments(starts=np.zeros((1, 1, 3)), axes=along_x)
        pairs = near_pairs(origin, np.zeros(1), other, np.zeros(1), 10.0)
        assert pairs.gaps[0] == pytest.approx(expected, abs=1e-6)
