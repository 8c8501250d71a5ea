"""Vectors: the quick forms say what numpy's say, for one vector and for many."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.vectors import cross, dots, lengths, rotated, unit


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4)])
def test_products_and_lengths_are_those_of_numpy(shape: tuple[int, ...]) -> None:
    a, b = np.random.default_rng(0).standard_normal((2, *shape, 3))
    np.testing.assert_allclose(dots(a, b), np.sum(a * b, axis=-1), atol=1e-12)
    np.testing.assert_allclose(lengths(a), np.linalg.norm(a, axis=-1), atol=1e-12)
    np.testing.assert_allclose(cross(a, b), np.cross(a, b), atol=1e-12)
    np.testing.assert_allclose(lengths(unit(a)), np.ones(shape), atol=1e-12)


def test_one_vector_meets_many() -> None:
    many, one = np.random.default_rng(1).standard_normal((4, 3)), np.array([0.0, 0.0, 1.0])
    np.testing.assert_allclose(cross(many, one), np.cross(many, one), atol=1e-12)
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(rotated(turn, many), many @ turn.T, atol=1e-12)


def test_nothing_has_no_direction() -> None:
    np.testing.assert_array_equal(unit(np.zeros((2, 3))), np.zeros((2, 3)))
