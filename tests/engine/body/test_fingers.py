"""Fingers: a curl bends the joints of a finger as hands do, on the open body and on avatars."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body import fingers
from engine.body.fingers import (
    FINGERS,
    ORDER,
    FingerJoints,
    curls_from_rotmats,
    finger_rotmats,
    first_finger,
    quats_of_curls,
    straight_hands,
)
from engine.body.kinematics import forward_kinematics
from engine.body.pose import Pose
from engine.body.rotations import axis_angle_from_rotmat, quat_from_rotmat, rotmat_about
from engine.body.shape import Body, load_body
from engine.body.skeleton import HAND_JOINT_NAMES, JOINT_COUNT, PARENTS
from engine.formats import read_motion, write_motion
from engine.motion.motion import Motion
from tests.data.make_hand_vectors import VECTORS, vectors

HANGING = {
    "index": (18, 28, 10),
    "middle": (24, 33, 12),
    "ring": (28, 36, 14),
    "pinky": (30, 38, 15),
}
"""Degrees of knuckle, middle and last joint of a hand that hangs."""
GRIPPING = ((40, 55), (45, 60), (20, 32))
DAILY = ((19, 71), (23, 87), (10, 64))
"""Degrees that hands use in daily life (Bain 2015, Hume 1990)."""


def open_body() -> FingerJoints:
    joints = load_body().fingers
    assert joints is not None
    return joints


def bends(shape: Array, finger: str) -> Array:
    """Degrees of the three joints of a finger in a hand shape, as of a hand that rests straight."""
    rotmats = finger_rotmats(straight_hands(), np.tile(shape, 2))
    turns = axis_angle_from_rotmat(rotmats[ORDER[0, FINGERS.index(finger)]])
    return np.degrees(np.linalg.norm(turns, axis=-1))


@pytest.mark.parametrize("finger", HANGING)
def test_a_relaxed_hand_is_bent_as_one_that_hangs(finger: str) -> None:
    np.testing.assert_allclose(bends(fingers.RELAXED, finger), HANGING[finger], atol=6)


@pytest.mark.parametrize("finger", HANGING)
def test_a_grip_is_bent_as_round_a_hand(finger: str) -> None:
    for bend, (least, most) in zip(bends(fingers.GRIP, finger), GRIPPING, strict=True):
        assert least - 1 <= bend <= most


@given(st.floats(0.23, 0.8))
def test_a_curl_in_the_middle_is_within_what_hands_use(curl: float) -> None:
    for bend, (least, most) in zip(bends(np.full(5, curl), "middle"), DAILY, strict=True):
        assert least - 1 <= bend <= most


def test_who_points_has_the_index_straight_and_the_others_closed() -> None:
    assert bends(fingers.POINT, "index").max() < 5
    knuckle, middle, _ = bends(fingers.POINT, "ring")
    assert 70 <= knuckle <= 85
    assert middle >= 85


def hand(curls: Array) -> Array:
    """(30, 3) finger joints of the open body in its T pose, seen from the wrists' rest."""
    body = load_body()
    rest = body.all_rest_joints(np.zeros(10)).astype(np.float64)
    rotmats = np.tile(np.eye(3), (len(body.parents), 1, 1))
    rotmats[-30:] = finger_rotmats(open_body(), curls)
    joints, _ = forward_kinematics(rest, rotmats, np.zeros(3), body.parents)
    return joints[-30:]


def test_the_fingers_of_the_open_body_are_straight_where_curls_are_none() -> None:
    joints = hand(np.zeros(10))
    for side in (0, 1):
        for finger in range(1, 5):
            first, second, third = joints[ORDER[side, finger]]
            one, two = second - first, third - second
            cosine = one @ two / (np.linalg.norm(one) * np.linalg.norm(two))
            assert np.degrees(np.arccos(min(cosine, 1.0))) < 1
            assert abs(one[1]) < 0.01 * np.linalg.norm(one), "level with the palm"


def test_a_fist_brings_the_last_joints_back_under_the_palm() -> None:
    flat, fist = hand(np.zeros(10)), hand(np.ones(10))
    last = ORDER[0, 1:, 2]
    assert (fist[last, 0] < flat[last, 0] - 0.05).all()
    assert (fist[last, 1] < flat[last, 1] - 0.015).all()


@given(st.lists(st.floats(0, 1), min_size=10, max_size=10))
def test_both_hands_are_mirrored(curls: list[float]) -> None:
    left = np.array([*curls[:5], *curls[:5]])
    joints = hand(left)
    np.testing.assert_allclose(joints[15:], joints[:15] * [-1, 1, 1], atol=1e-5)


@pytest.mark.parametrize("joints", [open_body(), straight_hands()], ids=["open body", "avatar"])
@given(curls=st.lists(st.floats(0, 1), min_size=10, max_size=10))
def test_curls_come_back_from_the_rotations(joints: FingerJoints, curls: list[float]) -> None:
    back = curls_from_rotmats(joints, finger_rotmats(joints, np.array(curls)))
    np.testing.assert_allclose(back, curls, atol=1e-9)


@pytest.mark.parametrize("joints", [open_body(), straight_hands()], ids=["open body", "avatar"])
@given(curls=st.lists(st.floats(0, 1), min_size=10, max_size=10))
def test_quaternions_are_those_of_the_rotations(joints: FingerJoints, curls: list[float]) -> None:
    expected = quat_from_rotmat(finger_rotmats(joints, np.array(curls)))
    np.testing.assert_allclose(quats_of_curls(joints, np.array(curls)), expected, atol=1e-9)


def test_a_finger_that_is_also_spread_is_bent_as_much() -> None:
    joints, curls = straight_hands(), np.full(10, 0.5)
    rotmats = finger_rotmats(joints, curls)
    rotmats[ORDER[0, 1, 0]] = rotmat_about("y", 0.2) @ rotmats[ORDER[0, 1, 0]]
    np.testing.assert_allclose(curls_from_rotmats(joints, rotmats), curls, atol=0.02)


def test_a_body_without_finger_joints_has_hands_of_one_piece() -> None:
    assert first_finger(PARENTS) is None
    assert first_finger(load_body().parents) == JOINT_COUNT


def test_curls_move_the_skin_of_hands_and_nothing_else() -> None:
    body = load_body()
    pose = Pose(np.tile(np.eye(3), (JOINT_COUNT, 1, 1)), np.zeros(3))
    still = body.vertices(pose, np.zeros(10), np.tile(fingers.FLAT, 2))
    bent = body.vertices(pose, np.zeros(10), np.tile(fingers.FIST, 2))
    moved = np.linalg.norm(bent - still, axis=-1)
    is_finger = body.weights[:, JOINT_COUNT:].sum(axis=1) > 0
    assert moved[~is_finger].max() < 1e-6
    assert moved[is_finger].max() > 0.08


def test_the_joints_of_a_hand_are_named_once() -> None:
    assert sorted(ORDER.ravel().tolist()) == list(range(len(HAND_JOINT_NAMES)))


def test_the_vectors_for_other_languages_are_up_to_date() -> None:
    kept, now = json.loads(VECTORS.read_text()), vectors()
    assert list(kept) == list(now), "python -m tests.data.make_hand_vectors"
    assert kept["joints"] == list(HAND_JOINT_NAMES)
    for body in ("open_body", "avatar"):
        for name, values in now[body].items():
            np.testing.assert_allclose(kept[body][name], values, atol=2e-6)
        for case, made in zip(kept["cases"], now["cases"], strict=True):
            np.testing.assert_allclose(case[body], made[body], atol=2e-6)


def without_fingers(body: Body) -> Body:
    """The body as files had it that fold what follows a finger into the wrist."""
    return replace(
        body,
        joint_regressor=body.joint_regressor[:JOINT_COUNT],
        weights=body.body_weights(),
        parents=body.parents[:JOINT_COUNT],
        joint_template=body.joint_template[:JOINT_COUNT],
        joint_directions=body.joint_directions[:JOINT_COUNT],
    )


def test_a_body_of_22_joints_keeps_its_hands_of_one_piece(tmp_path: Path) -> None:
    old, whole = without_fingers(load_body()), load_body()
    assert old.fingers is None
    pose = Pose(np.tile(np.eye(3), (JOINT_COUNT, 1, 1)), np.zeros(3))
    closed = np.ones(10)
    np.testing.assert_allclose(
        old.vertices(pose, np.zeros(10), closed), whole.vertices(pose, np.zeros(10)), atol=1e-6
    )
    motion = Motion(
        quats_xyzw=np.tile(np.float32([0, 0, 0, 1]), (1, 2, JOINT_COUNT, 1)),
        transl=np.zeros((1, 2, 3), np.float32),
        betas=np.zeros((1, 10), np.float32),
        curls=np.ones((1, 2, 10), np.float32),
    )
    for name in ("old.npz", "old.glb", "old.vrma", "old.bvh"):
        (path,) = write_motion(tmp_path / name, motion, old)
        assert read_motion(path, body=old).people == 1
