"""A small part of the golden set: the engine sends what it sent when `data` was made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.golden.__main__ import reported
from tests.golden.arrays import differences
from tests.golden.items import SMALL

DATA = Path(__file__).parent / "data"
TOLERANCE = 1e-3
"""Metres, or parts of a unit quaternion: what a token rounds a turn to, so that one which another
processor rounds the other way passes. Elsewhere f32 with other instructions is off by 1e-6, where
a bent arm or a fitted shape magnifies it by up to 3e-4 (AVX2 and AVX-512, both ways of numpy)."""


@pytest.mark.parametrize("name", SMALL)
def test_the_engine_sends_what_it_sent(name: str) -> None:
    assert reported(DATA, name, TOLERANCE) == []


def test_a_turn_and_a_missing_value_are_differences_and_a_negated_quaternion_is_none() -> None:
    quats = np.array([[0, 0, 0, 1], [0, 0.6, 0, 0.8]], np.float32)
    before = {"a.rotations": quats.ravel(), "number": np.array([1, 2])}
    assert differences(before, {**before, "a.rotations": -quats.ravel()}, TOLERANCE) == []
    assert len(differences(before, {**before, "a.rotations": -quats.ravel()})) == 1
    assert len(differences(before, {**before, "a.rotations": quats.ravel() + 0.01}, 0.001)) == 1
    assert len(differences(before, {**before, "number": np.array([1, 3])}, TOLERANCE)) == 1
    assert len(differences(before, {**before, "number": np.array([1])}, TOLERANCE)) == 1
