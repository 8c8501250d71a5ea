"""Hands: what fingers do follows from what the hands are about."""

from __future__ import annotations

import tracemalloc
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body import fingers
from engine.body.pose import Pose, chained
from engine.motion.hands import LOOKBACK, STRETCH, curls_of, curls_over, with_hands
from engine.motion.motion import pose_from_features
from tests.engine.formats.random_motion import random_motion
from trainer.choreography.clips import make_clip

SEEDS = range(100, 108)


@cache
def clip(kind: str, seed: int) -> tuple[Pose, Array, Array]:
    """Two people who do something: poses (2, frame), rest joints, and curls (2, frame, 2, 5)."""
    made = make_clip(seed, kind=kind)
    pose = pose_from_features(np.swapaxes(made.features, 0, 1).astype(np.float64))
    rest = made.rest_joints.astype(np.float64)
    return pose, rest, curls_over(pose, rest).reshape(2, -1, 2, 5)


def held(kind: str, shape: Array, *, within: float = 0.07) -> float:
    """Part of the clips of a kind in which some hand has a shape for 0.3 s."""
    found = []
    for seed in SEEDS:
        curls = clip(kind, seed)[2]
        has = np.abs(curls - shape).mean(axis=-1) < within
        found.append((has[:, 2:] & has[:, 1:-1] & has[:, :-2]).any())
    return float(np.mean(found))


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("handshake", "GRIP"),
        ("hold_hands_and_walk", "GRIP"),
        ("high_five", "FLAT"),
        ("wave", "FLAT"),
        ("hug", "LAID"),
        ("pat_shoulder", "LAID"),
        ("point_and_look", "POINT"),
        ("block_punch", "FIST"),
        ("idle_together", "RELAXED"),
    ],
)
def test_a_hand_takes_the_shape_of_what_it_is_about(kind: str, shape: str) -> None:
    assert held(kind, getattr(fingers, shape)) >= 0.75


@pytest.mark.parametrize("shape", ["POINT", "FIST"])
@pytest.mark.parametrize(
    "kind", ["handshake", "high_five", "hug", "bow", "dance", "idle_together", "follow_along"]
)
def test_nobody_points_or_makes_a_fist_for_nothing(kind: str, shape: str) -> None:
    assert held(kind, getattr(fingers, shape)) <= 0.125


@pytest.mark.parametrize("kind", ["idle_together", "follow_along", "bow"])
def test_nothing_is_gripped_where_nobody_is_near(kind: str) -> None:
    assert held(kind, fingers.GRIP) <= 0.125


def test_hands_that_hang_keep_still_but_not_dead_still() -> None:
    pose, rest, _ = clip("idle_together", SEEDS[0])
    long = Pose(np.repeat(pose.rotmats[:, :1], 600, axis=1), np.repeat(pose.transl[:, :1], 600, 1))
    curls = curls_over(long, rest)
    degrees = np.linalg.norm(fingers.CLOSING, axis=-1).max()
    assert 2 < np.ptp(curls, axis=1).max() * degrees < 8
    assert np.abs(np.diff(curls, axis=1)).max() * degrees < 1


@pytest.mark.parametrize("people", [1, 2])
def test_hands_that_hang_stir_by_two_slow_waves(people: int) -> None:
    standing = Pose(np.tile(np.eye(3), (people, 60, 22, 1, 1)), np.zeros((people, 60, 3)))
    standing.transl[..., 0] += 5.0 * np.arange(people)[:, None]
    rest = np.zeros((people, 22, 3))
    seconds, finger = np.arange(-1, 60)[:, None] / 10, np.arange(10 * people).reshape(people, 1, 10)
    stirring = sum(
        np.sin(2 * np.pi * seconds / period + phase * finger)
        for period, phase in ((5.3, 0.8), (8.9, 1.8))
    )
    each = np.tile(fingers.RELAXED, 2) + 0.015 * stirring
    found = curls_over(standing, rest)[:, 1:]
    np.testing.assert_allclose(found, (each[:, 1:-1] + each[:, 2:]) / 2, atol=1e-12)


@given(st.sampled_from(["handshake", "high_five", "hug", "point_and_look"]), st.integers(5, 25))
@settings(max_examples=20, deadline=None)
def test_a_frame_follows_from_itself_and_the_few_before(kind: str, first: int) -> None:
    pose, rest, curls = clip(kind, SEEDS[1])
    later = pose[:, first - LOOKBACK : first + 8]
    again = curls_over(later, rest, first=first - LOOKBACK).reshape(2, -1, 2, 5)
    np.testing.assert_allclose(again[:, LOOKBACK:], curls[:, first : first + 8], atol=1e-9)


@pytest.mark.parametrize("frame_rate", [10.0, 30.0])
def test_a_long_motion_is_looked_at_in_stretches_and_takes_little_room(frame_rate: float) -> None:
    clips = [clip(kind, SEEDS[0])[0] for kind in ("handshake", "wave", "point_and_look", "hug")]
    pose, rest = chained(clips * 6, axis=1), clip("hug", SEEDS[0])[1]
    whole = curls_of(*pose.in_world(rest[:, None]), rest, first=5, frame_rate=frame_rate)
    tracemalloc.start()
    made = curls_over(pose, rest, first=5, frame_rate=frame_rate)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pose.transl.shape[1] > 3 * STRETCH
    np.testing.assert_array_equal(made, whole)
    assert most < 8e6


@pytest.mark.parametrize("people", [1, 2, 3])
@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_curls_of_whatever_people_do_lie_in_their_range(people: int, seed: int) -> None:
    motion = random_motion(seed, people=people, frames=5)
    rest = np.zeros((people, 22, 3)) + np.arange(22)[:, None] * [0.02, 0.03, 0.01]
    made = with_hands(motion, rest)
    assert made.curls is not None
    assert made.curls.shape == (people, 5, 10)
    assert made.curls.min() >= 0
    assert made.curls.max() <= 1
    assert with_hands(made, rest) is made


def test_a_third_person_far_away_changes_nothing() -> None:
    pose, rest, curls = clip("handshake", SEEDS[0])
    far = Pose(pose.rotmats[:1], pose.transl[:1] + np.array([20.0, 0.0, 0.0]))
    three = Pose(
        np.concatenate([pose.rotmats, far.rotmats]), np.concatenate([pose.transl, far.transl])
    )
    found = curls_over(three, np.concatenate([rest, rest[:1]]))[:2]
    np.testing.assert_allclose(found.reshape(curls.shape), curls, atol=1e-9)
