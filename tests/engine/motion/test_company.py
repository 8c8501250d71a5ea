"""Laws of one who keeps company."""

from __future__ import annotations

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics
from engine.body.pose import Pose
from engine.body.rotations import axis_angle_from_rotmat
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.body.vectors import lengths
from engine.motion.company import (
    OFF_WAY,
    Companion,
    Course,
    accompany,
    companion_of,
    expected,
)
from engine.motion.floor import floor_height
from engine.motion.gait import on_legs, rooted, swinging
from engine.motion.guard import hanging

REST = load_body().rest_joints(np.zeros(10)).astype(np.float64)
GAP = 1.3


def standing() -> Pose:
    """At the origin, facing +Z, feet on the floor."""
    rotmats = hanging()
    transl = -REST[0] * [1.0, 0.0, 1.0]
    transl[1] -= floor_height(Pose(rotmats, transl), REST)
    return Pose(rotmats, transl)


def companion() -> Companion:
    pose = standing()
    return companion_of(pose, pose, REST, 0.0)


def walking(speed: float, frames: int, way: float = 0.0, begin: int = 10) -> Array:
    """(frame, 2) of one who stands GAP ahead and goes off at `way` radians from straight away."""
    gone = speed / 10 * np.maximum(np.arange(1, frames + 1) - begin, 0)
    return np.array([0.0, GAP]) + gone[:, None] * [np.sin(way), np.cos(way)]


def facing_us(other: Array, off: float = 0.0) -> Array:
    """(frame, 3) the same, facing the origin but for `off` radians."""
    return np.column_stack([other, np.full(len(other), np.pi + off)])


def beside(other: Array) -> Course:
    return accompany(companion(), facing_us(other), REST)


def test_before_one_who_stands_nothing_moves() -> None:
    course = beside(walking(0.0, 60))
    assert course.pace.max() == 0
    assert np.ptp(course.places, axis=0).max() == 0


@pytest.mark.parametrize("speed", [0.8, 1.5, 3.0])
@pytest.mark.parametrize("way", [0.0, 1.2])
def test_one_who_leaves_is_followed_and_not_run_into(speed: float, way: float) -> None:
    other = walking(speed, 80, way)
    course = beside(other)
    apart = np.linalg.norm(course.hips[:, :2] - other, axis=-1)
    assert apart.max() < 3.0
    assert apart.min() > 0.6
    to_other = np.arctan2(*(other - course.hips[:, :2]).T)
    off = np.abs((to_other - course.hips[:, 2] + np.pi) % (2 * np.pi) - np.pi)
    assert off[30:].max() < 0.3


def test_who_comes_and_stands_is_waited_for() -> None:
    other = np.array([0.0, 4.0]) - np.minimum(np.arange(60), 28)[:, None] * [0.0, 0.1]
    course = beside(other)
    assert course.pace.max() < 0.3
    assert np.linalg.norm(course.hips[-1, :2] - other[-1]) > 1.0


def test_who_walks_into_us_is_made_room_for() -> None:
    other = np.array([0.05, 3.0]) - np.arange(60)[:, None] * [0.0, 0.1]
    course = beside(other)
    assert np.linalg.norm(course.hips[:, :2] - other, axis=-1).min() > 0.45


def test_a_foot_that_stands_never_slides_and_one_foot_is_always_down_in_a_walk() -> None:
    course = beside(walking(1.2, 70))
    stands = course.lift == 0
    both = stands[1:] & stands[:-1]
    moved = np.linalg.norm(np.diff(course.places[..., :2], axis=0), axis=-1)
    assert moved[both].max() < 1e-9
    assert stands.any(axis=1).all()
    assert (~stands).any(axis=0).all()


@pytest.mark.parametrize("off", [1.3, -1.3, 2.2, -3.0])
def test_who_stands_and_faces_elsewhere_is_come_round_to(off: float) -> None:
    other = facing_us(walking(0.0, 100), off)
    course = accompany(companion(), other, REST)
    away = course.hips[:, :2] - other[:, :2]
    apart = np.linalg.norm(away, axis=-1)
    seen = np.abs((np.arctan2(*away.T) - other[:, 2] + np.pi) % (2 * np.pi) - np.pi)
    assert course.pace[:10].max() == 0  # a moment of looking elsewhere moves nobody
    assert seen[-1] < np.radians(30)
    assert (np.diff(seen) < 0.02).all()  # by the shorter way
    assert apart.min() > 0.9
    assert apart.max() < 1.7
    assert course.pace.max() < 1.1
    assert course.pace[-5:].max() < 0.1
    yaw = course.hips[:, 2]
    apart = course.places[:, 0, :2] - course.places[:, 1, :2]
    width = apart[:, 0] * np.cos(yaw) - apart[:, 1] * np.sin(yaw)
    assert width.min() > -0.08  # legs do not cross


def test_one_may_stand_nearer_beside_another_than_before() -> None:
    place = np.tile([0.0, 0.45], (80, 1))
    before = accompany(companion(), facing_us(place), REST)
    beside = accompany(companion(), facing_us(place, np.pi / 2), REST)
    assert np.linalg.norm(before.hips[-1, :2] - place[-1]) > 0.65
    assert beside.pace.max() == 0


def test_who_faces_elsewhere_and_goes_is_followed_and_not_come_round_to() -> None:
    other = np.column_stack([walking(1.2, 60), np.zeros(60)])
    course = accompany(companion(), other, REST)
    assert 0.5 < np.abs(course.hips[-1, 0]) < OFF_WAY  # a step aside of its way, should it turn
    assert (course.hips[:, 1] < other[:, 1] - 0.5).all()


@pytest.mark.parametrize("speed", [0.8, 1.4])
def test_who_turns_back_at_once_passes_the_one_who_comes_along(speed: float) -> None:
    """Seen four frames later, and with nobody's brakes."""
    other, late = walking(speed, 64), 4
    along = accompany(companion(), facing_us(other), REST)
    turned = other[-1 - late] - speed / 10 * np.arange(30 + late)[:, None] * [0.0, 1.0]
    back = accompany(along.states[-1], facing_us(turned[late:]), REST)
    assert np.linalg.norm(back.hips[:, :2] - turned[late:], axis=-1).min() > 0.45


def test_a_course_that_is_planned_anew_goes_on_where_it_was() -> None:
    """Whatever is then expected of the other: no step begins anew, and no foot jumps."""
    whole = beside(walking(1.2, 40))
    others = walking(1.2, 40) + np.array([0.3, 0.0])
    for cut in range(12, 30):
        again = accompany(whole.states[cut], facing_us(others[cut + 1 :]), REST)
        off = np.linalg.norm((again.places - whole.places[cut + 1 :])[0, :, :2], axis=-1)
        assert off.max() < 0.05
        same = accompany(whole.states[cut], facing_us(walking(1.2, 40)[cut + 1 :]), REST)
        np.testing.assert_allclose(same.places, whole.places[cut + 1 :], atol=0.06)


def test_a_place_to_stand_at_is_gone_to_and_stayed_at() -> None:
    course = accompany(companion(), facing_us(walking(0.0, 50)), REST, stand=(0.1, 0.45))
    np.testing.assert_allclose(course.hips[-1, :2], [0.1, 0.45], atol=0.08)
    assert course.pace[-10:].max() < 0.02


def test_what_is_expected_goes_on_as_it_went_and_slows_down() -> None:
    seen = np.arange(5)[:, None] * np.array([0.1, 0.0])
    ahead = expected(seen, 40)
    steps = np.diff(np.concatenate([seen[-1:], ahead])[:, 0])
    assert steps[0] == pytest.approx(0.1, rel=0.1)
    assert (np.diff(steps) < 0).all()
    assert steps[-1] < 0.005


def test_who_brakes_is_expected_to_stand_where_the_braking_ends() -> None:
    speeds = np.array([1.0, 0.9, 0.8, 0.7])  # at 1 m/s^2: another 0.245 m
    seen = np.concatenate([[0.0], np.cumsum(speeds / 10)])[:, None] * np.array([1.0, 0.0])
    ahead = expected(seen, 30)[:, 0] - seen[-1, 0]
    assert 0.15 < ahead[-1] < 0.30
    assert (np.diff(ahead) >= 0).all()


def on_course(rotmats: Array, course: Course) -> tuple[Array, Array]:
    led = rooted(rotmats, course, REST, 0.0, np.zeros((len(rotmats), 3)))
    return on_legs(led.rotmats, led.transl, course, REST, 0.0), led.transl


def test_legs_and_root_go_along_the_course_with_feet_on_the_floor() -> None:
    course = beside(walking(1.0, 60))
    rotmats = np.broadcast_to(hanging(), (60, 22, 3, 3))
    rotmats = swinging(rotmats, rotmats, course)
    carried, transl = on_course(rotmats, course)
    joints, _ = forward_kinematics(REST, carried, transl)
    np.testing.assert_allclose(joints[:, 0, [0, 2]], course.hips[:, :2], atol=1e-9)
    ankles = joints[:, [JOINT["left_ankle"], JOINT["right_ankle"]]]
    stands = course.lift == 0
    np.testing.assert_allclose(
        ankles[..., [0, 2]][stands], course.places[..., :2][stands], atol=0.06
    )
    assert np.abs(floor_height(Pose(carried, transl), REST)).max() < 0.02


def test_arms_swing_against_the_legs() -> None:
    course = beside(walking(1.2, 60))
    rotmats = np.broadcast_to(hanging(), (60, 22, 3, 3))
    carried, transl = on_course(swinging(rotmats, rotmats, course), course)
    joints, _ = forward_kinematics(REST, carried, transl)
    forward = np.stack([np.sin(course.hips[:, 2]), np.cos(course.hips[:, 2])], axis=-1)
    hand = joints[:, JOINT["left_wrist"]] - joints[:, 0]
    ahead = (hand[:, [0, 2]] * forward).sum(axis=-1)[25:]
    foot = course.ahead[25:, 1]
    assert np.corrcoef(ahead, foot)[0, 1] > 0.9


def test_elbows_are_bent_more_ahead_than_behind_and_more_at_a_run() -> None:
    bends = []
    for speed in (1.2, 3.0):
        course = beside(walking(speed, 60))
        rotmats = swinging(*2 * [np.broadcast_to(hanging(), (60, 22, 3, 3))], course)[25:]
        arms = [JOINT["left_elbow"], JOINT["right_elbow"]]
        bend = lengths(axis_angle_from_rotmat(rotmats[:, arms]))
        assert np.corrcoef(bend[:, 0], course.ahead[25:, 1])[0, 1] > 0.9
        bends.append(np.degrees(bend))
    # Of real people who walk: 32 on average, 10 to 60 in nine of ten frames.
    assert 25 < bends[0].mean() < 40
    assert 10 < bends[0].min() < bends[0].max() < 60
    assert bends[1].mean() > bends[0].mean() + 20


def test_a_turn_in_place_is_made_with_steps() -> None:
    angle = np.minimum(0.15 * np.arange(60), np.pi)
    other = np.column_stack([GAP * np.sin(angle), GAP * np.cos(angle), angle + np.pi])
    course = accompany(companion(), other, REST)
    assert course.hips[-1, 2] == pytest.approx(np.pi, abs=0.2)
    assert (course.lift > 0).any(axis=0).all()
    rotmats = np.broadcast_to(hanging(), (60, 22, 3, 3))
    _, transl = on_course(rotmats, course)
    assert np.linalg.norm(transl[-1, [0, 2]] + REST[0, [0, 2]]) < 0.2


@pytest.mark.parametrize("way", [np.pi, np.pi / 2, -2.5])
def test_who_is_shoved_goes_along_and_comes_to_stand_on_feet_that_step(way: float) -> None:
    other = facing_us(walking(0.0, 40))
    speed = 1.4 * np.exp(-np.maximum(np.arange(40) - 5, 0) / 3.0) * (np.arange(40) >= 5)
    shove = speed[:, None] * [np.sin(way), np.cos(way)]
    course = accompany(companion(), other, REST, shove=shove)
    assert np.all(course.hips[:5, :2] == 0)
    gone = course.hips[12, :2] @ [np.sin(way), np.cos(way)]
    assert 0.3 < gone < 0.7
    assert course.pace[20:].max() < 1.0
    slides = np.diff(course.places[..., :2], axis=0)[
        (course.lift[1:] == 0) & (course.lift[:-1] == 0)
    ]
    assert np.abs(slides).max(initial=0.0) < 1e-9


def test_who_comes_up_to_touch_is_let_near() -> None:
    """At a walk to 0.65 m, slowing down as people do."""
    time = np.arange(1, 31) / 10
    part = np.clip(time / 1.6, 0, 1)
    way = 10 * part**3 - 15 * part**4 + 6 * part**5
    other = np.column_stack([np.zeros(30), GAP - (GAP - 0.65) * way])
    assert np.abs(beside(other).hips[:, :2]).max() < 0.06


def test_who_stays_close_is_given_room_after_a_while() -> None:
    other = np.array([[0.0, 0.72]] * 90)
    away = 0.72 - beside(other).hips[:, 1]
    assert away[:20].max() < 0.76
    assert away[-1] > 0.82
