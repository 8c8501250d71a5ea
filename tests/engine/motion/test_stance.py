"""Stance: feet stand still, and walk with hips that walk."""

from __future__ import annotations

import numpy as np
import pytest

from engine.arrays import Array
from engine.motion.stance import Feet, standing, stepped

HOME = np.array([[0.11, -0.01], [-0.11, -0.01]])
RATE = 30.0


def walked(speed: float, seconds: float = 4.0) -> tuple[Array, list[Feet]]:
    """Hips that go ahead after half a second at rest, (frame,) z; and the feet."""
    stance, feet = standing(np.zeros(3), HOME, 0.0), []
    times = np.arange(1, seconds * RATE) / RATE
    ways = speed * np.maximum(times - 0.5, 0.0)
    for time_s, way in zip(times, ways, strict=True):
        stance, now = stepped(stance, np.array([0.0, way, 0.0]), HOME, float(time_s))
        feet.append(now)
    return ways, feet


def test_feet_of_hips_that_sway_stay_where_they_are() -> None:
    stance = standing(np.zeros(3), HOME, 0.0)
    first = stance.goal
    for frame in range(1, 200):
        hips = np.array([0.06 * np.sin(frame / 20), 0.04 * np.cos(frame / 15), 0.2])
        stance, feet = stepped(stance, hips, HOME, frame / RATE)
        np.testing.assert_array_equal(feet.places, first)
        np.testing.assert_array_equal(feet.lift, 0)


@pytest.mark.parametrize("speed", [0.5, 1.2, 2.0])
def test_feet_keep_up_with_hips_and_never_slide_while_they_are_down(speed: float) -> None:
    ways, feet = walked(speed)
    places = np.stack([each.places for each in feet])
    lift = np.stack([each.lift for each in feet])
    assert np.abs(places[..., 1] - ways[:, None]).max() < 0.75
    is_down = (lift[1:] == 0) & (lift[:-1] == 0)
    moved = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    assert moved[is_down].max() < 0.01
    assert (lift.max(axis=0) > 0.02).all()


def test_one_foot_at_a_time_leaves_the_floor_in_a_walk() -> None:
    _, feet = walked(0.8)
    assert not any((each.lift > 0).all() for each in feet)


def test_feet_of_someone_put_elsewhere_stand_under_him_at_once() -> None:
    stance = standing(np.zeros(3), HOME, 0.0)
    _, feet = stepped(stance, np.array([5.0, 5.0, 1.0]), HOME, 0.1)
    np.testing.assert_allclose(feet.places[:, :2].mean(axis=0), [5.0, 5.0], atol=0.02)
