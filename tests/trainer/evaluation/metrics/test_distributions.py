"""Measures of sets of vectors against independent implementations and figures of the hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from trainer.evaluation.metrics import distributions


def clouds(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (90, 6)), rng.normal(0.5, 2, (70, 6)) @ rng.normal(0, 0.4, (6, 6))


def test_frechet_distance_is_that_of_a_general_matrix_root() -> None:
    real, made = clouds()
    mean = real.mean(axis=0) - made.mean(axis=0)
    covariances = np.cov(real, rowvar=False), np.cov(made, rowvar=False)
    root = sqrtm(covariances[0] @ covariances[1])
    expected = mean @ mean + np.trace(sum(covariances) - 2 * np.real(root))
    assert distributions.frechet_distance(real, made) == pytest.approx(expected, rel=1e-6)
    assert distributions.frechet_distance(real, real) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_a_shifted_set_is_the_squared_shift() -> None:
    real, _ = clouds()
    moved = real + np.array([3, 4, 0, 0, 0, 0])
    assert distributions.frechet_distance(real, moved) == pytest.approx(25)


@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_are_those_of_a_plain_loop(k: int) -> None:
    real, made = clouds()

    def covered(manifold: np.ndarray, points: np.ndarray) -> float:
        inside = 0
        for point in points:
            for centre in manifold:
                radius = sorted(np.sqrt(((manifold - centre) ** 2).sum(axis=1)))[k]
                if np.sqrt(((point - centre) ** 2).sum()) <= radius:
                    inside += 1
                    break
        return inside / len(points)

    expected = covered(real, made), covered(made, real)
    assert distributions.precision_recall(real, made, k) == pytest.approx(expected)
    assert 0 < expected[1] < 1  # else the case says nothing


def test_two_points_differ_by_their_distance_however_pairs_are_drawn() -> None:
    points = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert distributions.diversity(points, np.random.default_rng(0)) == pytest.approx(5)


def test_multimodality_is_the_mean_over_pairs_of_one_condition_only() -> None:
    first = np.array([[0.0], [1.0], [3.0]])  # pairs 1, 3, 2
    assert distributions.multimodality(np.stack([first, first + 100])) == pytest.approx(2)


def test_r_precision_counts_nearer_wrong_captions() -> None:
    motion = np.arange(4.0)[:, None]
    text = np.array([[0.0], [1.6], [1.5], [4.55]])  # wrong ones nearer: 0, 1, 1, 2
    own = np.eye(4, dtype=bool)
    rng = np.random.default_rng(0)
    assert distributions.r_precision(motion, text, own, rng) == [0.25, 0.75, 1.0]
    own[1, 2] = True  # 1.5 says the same as 1.6
    assert distributions.r_precision(motion, text, own, rng) == [0.5, 0.75, 1.0]


def test_r_precision_of_noise_is_that_of_chance_in_its_pool() -> None:
    rng = np.random.default_rng(0)
    motion, text = rng.normal(size=(2, 2000, 8))
    found = distributions.r_precision(motion, text, np.eye(2000, dtype=bool), rng)
    assert found == pytest.approx([1 / 32, 2 / 32, 3 / 32], abs=0.015)


def test_matched_distance_pairs_rows() -> None:
    assert distributions.matched_distance(np.zeros((2, 2)), np.array([[3, 4], [0, 1]])) == 3


def test_an_interval_is_1_96_standard_errors_wide() -> None:
    found = distributions.estimated([1.0, 2.0, 3.0, 4.0])
    assert found.mean == 2.5
    assert found.interval == pytest.approx(1.96 * np.sqrt(5 / 3) / 2)
    assert distributions.estimated([7.0]).interval is None
