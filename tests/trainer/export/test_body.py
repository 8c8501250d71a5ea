"""The maker of the open body, on bodies small enough to need no source package."""

from __future__ import annotations

import numpy as np

from engine.arrays import Array, IntArray
from trainer.export.body import (
    NAMES,
    Samples,
    body_parents,
    decimated,
    joint_regressor,
    mirrored_joints,
    principal_shapes,
    straightened,
    without_cavities,
)


def ball(rings: int = 24, segments: int = 48) -> tuple[Array, IntArray]:
    """A closed unit ball whose faces mirror across x = 0."""
    turns = np.arange(segments) * 2 * np.pi / segments
    tilts = np.arange(1, rings) * np.pi / rings
    circle = np.stack([np.sin(turns), np.zeros(segments), np.cos(turns)], axis=-1)
    points = [circle * np.sin(tilt) + [0, np.cos(tilt), 0] for tilt in tilts]
    points = np.concatenate([*points, [[0, 1, 0]], [[0, -1, 0]]])
    grid = np.arange(segments * (rings - 1)).reshape(rings - 1, segments)
    after = np.roll(grid, -1, axis=1)
    faces = [
        np.stack([grid[:-1], grid[1:], after[1:]], -1).reshape(-1, 3),
        np.stack([grid[:-1], after[1:], after[:-1]], -1).reshape(-1, 3),
        np.stack([np.full(segments, grid.size), grid[0], after[0]], -1),
        np.stack([np.full(segments, grid.size + 1), after[-1], grid[-1]], -1),
    ]
    return points, np.concatenate(faces)


def samples(count: int = 12, seed: int = 0) -> Samples:
    """Balls of different sizes around random skeletons."""
    rng = np.random.default_rng(seed)
    points, faces = ball()
    scales = 1 + 0.1 * rng.normal(size=(count, 1, 3))
    joints = rng.uniform(-0.5, 0.5, (len(NAMES), 3))
    joints = (joints + joints[list(mirrored_joints())] * [-1, 1, 1]) / 2
    weights = np.zeros((len(points), len(NAMES)))
    weights[:, 0] = 1
    return Samples(points * scales, joints * scales, weights, faces, np.zeros(len(faces), bool))


def edges_of(faces: IntArray) -> set[tuple[int, int]]:
    return {
        (int(a), int(b)) for face in faces for a, b in zip(face, np.roll(face, -1), strict=True)
    }


def test_a_thinned_mesh_is_still_closed_and_exactly_symmetric() -> None:
    thin = decimated(samples(), 300)
    template = thin.vertices.mean(axis=0)
    assert 250 < len(template) <= 300
    edges = edges_of(thin.faces)
    assert len(edges) == 3 * len(thin.faces)
    assert all((b, a) in edges for a, b in edges)
    assert len(template) - len(edges) // 2 + len(thin.faces) == 2
    points = {tuple(point) for point in template.round(9) + 0.0}
    assert points == {tuple(point) for point in (template * [-1, 1, 1]).round(9) + 0.0}
    a, b, c = np.moveaxis(template[thin.faces], 1, 0)
    assert np.all(np.sum((a + b + c) * np.cross(b - a, c - a), axis=-1) > 0)


def test_holes_left_by_cavities_are_closed() -> None:
    whole = samples()
    cavity = np.zeros(len(whole.faces), bool)
    cavity[[100, 22 * 48 + 100, 900]] = True
    closed = without_cavities(
        Samples(whole.vertices, whole.joints, whole.weights, whole.faces, cavity)
    )
    edges = edges_of(closed.faces)
    assert all((b, a) in edges for a, b in edges)


def test_straightened_arms_and_legs_point_along_the_axes() -> None:
    straight = straightened(samples())
    joints = {name: straight.joints[:, i] for i, name in enumerate(NAMES)}
    for start, end, direction in (
        ("left_shoulder", "left_elbow", [1, 0, 0]),
        ("right_elbow", "right_wrist", [-1, 0, 0]),
        ("left_knee", "left_ankle", [0, -1, 0]),
    ):
        bone = joints[end] - joints[start]
        bone /= np.linalg.norm(bone, axis=-1, keepdims=True)
        np.testing.assert_allclose(bone, np.tile(direction, (len(bone), 1)), atol=1e-6)
    before = np.linalg.norm(samples().joints[:, 5] - samples().joints[:, 8], axis=-1)
    after = np.linalg.norm(straight.joints[:, 5] - straight.joints[:, 8], axis=-1)
    np.testing.assert_allclose(before, after, atol=1e-9)


def test_the_regressor_gives_the_joints_of_mean_and_directions() -> None:
    mean, directions, explained = principal_shapes(samples())
    assert 0.999 < explained.sum() <= 1.000001
    count = len(NAMES)
    regressor = joint_regressor(mean, directions, count)
    np.testing.assert_allclose(regressor.sum(axis=1), 1)
    np.testing.assert_allclose(regressor @ mean[:-count], mean[-count:], atol=1e-3)
    moved = np.einsum("jv,vck->jck", regressor, directions[:-count])
    np.testing.assert_allclose(moved, directions[-count:], atol=1e-3)


def test_fingers_hang_on_their_own_wrist_in_chains_of_three() -> None:
    parents = body_parents()
    for joint, name in enumerate(NAMES[22:], start=22):
        parent = NAMES[parents[joint]]
        number = int(name[-1])
        side = name.partition("_")[0]
        assert parent == (f"{side}_wrist" if number == 1 else f"{name[:-1]}{number - 1}")
