"""Signed distances against spheres and boxes, whose distance is known."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from engine.body.pose import Pose
from engine.body.shape import load_body
from engine.motion.motion import features_from_pose
from trainer.evaluation.metrics import penetration


def test_distances_to_a_box_are_the_analytic_ones() -> None:
    box = trimesh.creation.box((2, 2, 2)).subdivide()
    points = np.random.default_rng(0).uniform(-2, 2, (300, 3))
    outside = np.linalg.norm(np.maximum(np.abs(points) - 1, 0), axis=-1)
    inside = np.minimum((np.abs(points) - 1).max(axis=-1), 0)
    found = penetration.signed_distances(points, np.array(box.vertices), np.array(box.faces))
    assert found == pytest.approx(outside + inside, abs=1e-9)


@pytest.mark.parametrize("apart", [1.7, 1.99, 2.005])
def test_two_spheres_meet_by_radii_minus_distance(apart: float) -> None:
    ball = trimesh.creation.icosphere(subdivisions=4)
    vertices, faces = np.array(ball.vertices), np.array(ball.faces)
    meshes = [vertices, vertices + np.array([apart, 0, 0])]
    assert penetration.mesh_gap(meshes, faces) == pytest.approx(apart - 2, abs=2e-3)


def test_meshes_far_apart_have_no_gap_to_speak_of() -> None:
    ball = trimesh.creation.icosphere(subdivisions=1)
    vertices, faces = np.array(ball.vertices), np.array(ball.faces)
    assert penetration.mesh_gap([vertices, vertices + 3], faces) == np.inf


def test_the_measures_count_touching_pairs_and_average_depths_over_all() -> None:
    gaps = np.array([-0.04, 0.01, 0.02, np.inf])
    assert penetration.contact_ratio(gaps) == 50
    assert penetration.penetration(gaps) == pytest.approx(1.0)


def test_a_body_that_moves_towards_another_touches_and_then_enters_it() -> None:
    body = load_body()
    still = np.tile(np.eye(3, dtype=np.float32), (3, 2, 22, 1, 1))
    transl = np.zeros((3, 2, 3), np.float32)
    transl[:, 1, 2] = [1.0, 0.2, 0.1]
    gaps = penetration.pair_gaps(
        body, features_from_pose(Pose(still, transl)), np.zeros((3, 2, 10), np.float32)
    )
    assert gaps[0] == np.inf
    assert gaps[2] < gaps[1] < 0
