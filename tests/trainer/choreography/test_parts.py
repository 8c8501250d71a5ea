"""Inverse kinematics, timing, stepping and the Acclaim reader, each on its own."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from engine.body.easing import min_jerk
from engine.body.ik import soft_limit, swing_and_twist, two_bone
from engine.body.rotations import rotmat_about, rotmat_from_axis_angle
from engine.errors import InputError
from engine.formats.asf import read_amc
from trainer.choreography.stepping import Gait, plan_steps, wished_places
from trainer.choreography.timing import lower_envelope, smoothed

UPPER, LOWER = np.array([0.28, 0.0, 0.0]), np.array([0.24, 0.01, 0.0])


def test_the_end_of_a_limb_meets_its_target() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(0, 1, (50, 3))
    away = rng.normal(0, 1, (50, 3))
    target = root + away / np.linalg.norm(away, axis=-1, keepdims=True) * rng.uniform(
        0.3, 0.5, (50, 1)
    )
    pole = rng.normal(0, 1, (50, 3))
    upper, lower, middle, end = two_bone(
        root, target, pole, UPPER, LOWER, np.array([0.0, -1.0, 0.0])
    )
    np.testing.assert_allclose(end, target, atol=1e-9)
    np.testing.assert_allclose(root + upper @ UPPER, middle, atol=1e-9)
    np.testing.assert_allclose(middle + lower @ LOWER, end, atol=1e-9)
    axis = (end - root) / np.linalg.norm(end - root, axis=-1, keepdims=True)
    aside = pole - np.sum(pole * axis, axis=-1, keepdims=True) * axis
    assert np.all(np.sum((middle - root) * aside, axis=-1) > 0)


def test_a_target_out_of_reach_is_pointed_at() -> None:
    root, target = np.zeros((1, 3)), np.array([[0.0, 0.0, 3.0]])
    _, _, _, end = two_bone(
        root, target, np.array([[0.0, -1.0, 0.0]]), UPPER, LOWER, np.array([0, -1, 0])
    )
    np.testing.assert_allclose(end[0, :2], 0, atol=1e-9)
    assert end[0, 2] < 0.521


def test_swing_and_twist_make_the_rotation_again() -> None:
    rotmat = rotmat_from_axis_angle(np.random.default_rng(1).normal(0, 0.8, (40, 3)))
    axis = np.array([1.0, 0.0, 0.0])
    swing, twist = swing_and_twist(rotmat, axis)
    np.testing.assert_allclose(swing @ rotmat_about("x", twist), rotmat, atol=1e-9)
    np.testing.assert_allclose(swing @ axis, rotmat @ axis, atol=1e-9)


def test_a_soft_limit_is_never_reached() -> None:
    values = np.linspace(-20, 20, 401)
    limited = soft_limit(values, 0.8, 1.0)
    assert np.abs(limited).max() <= 1.0
    np.testing.assert_allclose(limited[np.abs(values) < 0.8], values[np.abs(values) < 0.8])
    assert np.all(np.diff(limited) >= 0)


def test_minimum_jerk_starts_and_stops_gently() -> None:
    u = np.linspace(-0.5, 1.5, 2001)
    s = min_jerk(u)
    assert s[0] == 0
    assert s[-1] == 1
    assert np.all(np.diff(s) >= 0)
    assert np.abs(np.diff(s, 2)).max() / 0.001**2 < 6.0


def test_smoothing_keeps_the_mean_of_a_constant_and_the_shape() -> None:
    values = np.full((40, 2, 3), 1.5)
    np.testing.assert_allclose(smoothed(values, 6), values)


def test_the_lower_envelope_is_below() -> None:
    values = np.random.default_rng(2).normal(0, 1, 200).cumsum()
    assert np.all(lower_envelope(values, 5) <= values + 1e-12)


def test_steps_alternate_on_a_steady_walk_and_close_up_at_its_end() -> None:
    time = np.arange(180) / 30
    path = np.column_stack([0 * time, 3.0 * min_jerk((time - 0.5) / 4.0)])
    gait = Gait()
    steps = plan_steps(path, np.zeros(180), gait, 30.0, np.zeros((2, 3)))
    feet = [step.foot for step in steps]
    assert len(feet) >= 6
    assert all(a != b for a, b in pairwise(feet))
    last = {step.foot: np.array(step.end) for step in steps}
    for foot, place in last.items():
        assert (
            np.linalg.norm((place - wished_places(path, np.zeros(180), gait)[-1, foot])[:2]) < 0.1
        )


def test_one_foot_is_always_on_the_ground() -> None:
    rng = np.random.default_rng(3)
    path = smoothed(rng.normal(0, 0.05, (240, 2)).cumsum(axis=0), 10)
    steps = plan_steps(path, np.zeros(240), Gait(), 30.0, np.zeros((2, 3)))
    for before, after in pairwise(steps):
        assert after.lift_frame > before.land_frame


def test_nobody_steps_who_stands_still() -> None:
    path, heading = np.zeros((90, 2)), np.zeros(90)
    assert plan_steps(path, heading, Gait(), 30.0, np.zeros((2, 3))) == []


SKELETON = """:version 1.10
:units
  mass 1.0
:root
   order TX TY TZ RX RY RZ
:bonedata
  begin
     id 1
     name lfemur
     direction 0 -1 0
     length 2
     axis 0 0 20 XYZ
    dof rx rz
    limits (-1 1)
           (-1 1)
  end
  begin
     id 2
     name ltibia
     direction 0 -1 0
     length 3
     axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root lfemur
    lfemur ltibia
  end
"""


def test_an_acclaim_bone_turns_about_its_own_axes(tmp_path: Path) -> None:
    (tmp_path / "01.asf").write_text(SKELETON)
    (tmp_path / "01_01.amc").write_text(
        "#a comment\n:FULLY-SPECIFIED\n:DEGREES\n1\nroot 1 2 3 10 20 30\nlfemur 40 0\n"
    )
    positions, turns = read_amc(tmp_path / "01_01.amc", tmp_path / "01.asf").world()
    root = rotmat_about("z", np.radians(30)) @ rotmat_about("y", np.radians(20))
    root = root @ rotmat_about("x", np.radians(10))
    axes = rotmat_about("z", np.radians(20))
    femur = root @ axes @ rotmat_about("x", np.radians(40)) @ axes.T
    np.testing.assert_allclose(turns[0, 0], root, atol=1e-9)
    np.testing.assert_allclose(turns[0, 1], femur, atol=1e-9)
    np.testing.assert_allclose(positions[0, 2], np.array([1, 2, 3]) + femur @ [0, -2, 0], atol=1e-9)


def test_a_broken_recording_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "01.asf").write_text(SKELETON)
    (tmp_path / "01_01.amc").write_text("1\nroot 1 2 3 10 20\n")
    with pytest.raises(InputError, match=r"01_01\.amc"):
        read_amc(tmp_path / "01_01.amc", tmp_path / "01.asf")
