"""Where one stands for an answer and afterwards, and what a push does to a body."""

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
    HARD,
    MOST_BESIDE,
    PUSH,
    PUSHED_FRAMES,
    Answer,
    bearing_for,
    bent,
    shove_of,
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


@pytest.mark.parametrize("bearing", [0.0, 1.2, np.pi, -2.0])
@pytest.mark.parametrize("faces", [0.0, 2.0])
def test_a_trunk_that_is_pushed_is_thrown_along_the_push_and_comes_back(
    bearing: float, faces: float
) -> None:
    pushed = Answer(kind=PUSH, begins=4, arrives=5, apart=0.7, bearing=bearing, speed=HARD)
    rest = load_body().rest_joints(np.zeros(10)).astype(np.float64)
    rotmats = np.repeat(hanging()[None], 30, axis=0)
    rotmats[:, 0] = rotmat_about("y", faces)
    frames = np.arange(30)
    thrown = bent(rotmats, pushed, pushed.weights(frames))
    transl = np.zeros((30, 3))
    neck = forward_kinematics(rest, thrown, transl)[0][:, JOINT["neck"]]
    moved = (neck - neck[0])[:, [0, 2]]
    along, across = (
        moved @ [np.sin(bearing), np.cos(bearing)],
        moved
        @ [
            np.cos(bearing),
            -np.sin(bearing),
        ],
    )
    assert np.all(moved[:5] == 0)
    assert along[5 + PUSHED_FRAMES[0]] == pytest.approx(along.max())
    assert 0.1 < along.max() < 0.25
    assert np.abs(across).max() < 0.03
    assert pushed.last is not None
    assert np.abs(moved[pushed.last :]).max() < 1e-9


def test_only_who_is_pushed_is_shoved_and_no_sooner_than_hands_are_there() -> None:
    assert shove_of(None, np.arange(3)) is None
    assert shove_of(CLOSER, np.arange(3)) is None
    pushed = Answer(kind=PUSH, begins=4, arrives=6, apart=0.7, bearing=np.pi / 2, speed=1.5)
    shove = shove_of(pushed, np.arange(20))
    assert shove is not None
    assert np.all(shove[:6] == 0)
    np.testing.assert_allclose(shove[6], [1.5, 0.0], atol=1e-12)
    assert np.all(np.diff(shove[6:, 0]) < 0)
