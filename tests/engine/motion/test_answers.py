"""Where one stands who is asked to be nearer or farther off, and afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import rotmat_about
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.motion.answers import (
    AT_EASE,
    CONTACTS,
    MOST_BESIDE,
    Answer,
    bearing_for,
    stand_after,
    stand_for,
)
from engine.motion.guard import hanging

PLAYER = np.array([1.0, 0.0])
CLOSER = Answer(kind="come_closer", begins=0, arrives=6, apart=1.6, bearing=0.0, until=20)
FARTHER = replace(CLOSER, kind="step_back")


def back_from(answer: Answer, distance: float) -> float | None:
    """Metres from the player of where a partner goes back to who stands so far off, behind it."""
    place = stand_after(answer, PLAYER, (1.0, distance, np.pi))
    if place is None:
        return None
    assert place[0] == pytest.approx(PLAYER[0])
    return place[1]


def test_who_was_asked_near_or_far_goes_back_to_where_it_stood() -> None:
    assert back_from(CLOSER, 0.85) == pytest.approx(1.6)
    assert back_from(FARTHER, 2.05) == pytest.approx(1.6)


def test_who_stood_too_near_or_too_far_to_be_at_ease_goes_where_it_is() -> None:
    assert back_from(replace(CLOSER, apart=0.7), 0.85) == pytest.approx(AT_EASE[0])
    assert back_from(replace(FARTHER, apart=3.0), 1.0) is None
    assert back_from(replace(FARTHER, apart=3.0), 2.05) == pytest.approx(AT_EASE[1])


def test_who_has_been_left_or_come_up_to_meanwhile_stays() -> None:
    assert back_from(CLOSER, 1.9) is None
    assert back_from(FARTHER, 1.2) is None


def who_offers() -> tuple[Array, Array, Array]:
    """Joints, orientations and rest of one at the origin, facing +Z, both arms held out."""
    rest = load_body().rest_joints(np.zeros(10)).astype(np.float64)
    rotmats = hanging()
    for shoulder in ("left_shoulder", "right_shoulder"):
        rotmats[JOINT[shoulder]] = rotmat_about("x", -1.2) @ rotmats[JOINT[shoulder]]
    return *forward_kinematics(rest, rotmats, -rest[0]), rest


@pytest.mark.parametrize("kind", CONTACTS)
@pytest.mark.parametrize("beside", [-2.5, -0.3, 0.0, 0.3, 2.5])
def test_what_touches_is_given_from_before_the_player(kind: str, beside: float) -> None:
    joints, world, rest = who_offers()
    partner = 1.3 * np.sin(beside), 1.3 * np.cos(beside), 0.0
    bearing = bearing_for(kind, joints, world, partner)
    assert abs(bearing) <= MOST_BESIDE + 1e-9
    stand = stand_for(kind, (joints, world, rest), bearing, rest)
    assert stand is not None
    assert abs(np.arctan2(*stand)) < np.radians(50.0)
    assert 0.3 < np.hypot(*stand) < 1.2
