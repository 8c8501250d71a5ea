"""Laws of foot locking: planted feet stand, swinging ones are left alone, given frames are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arrays import Array, BoolArray
from engine.body.pose import Pose
from engine.body.rotations import geodesic_angle, rotmat_about
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.motion.feet import locked, sole_heights
from engine.motion.standing import standing_pose
from tests.builders import joints_of

BODY = load_body()
BETAS = np.array([np.zeros(10), 0.7 * np.ones(10)])
REST = BODY.rest_joints(BETAS).astype(np.float64)
FEET = [JOINT["left_foot"], JOINT["right_foot"]]
ANKLES = [JOINT["left_ankle"], JOINT["right_ankle"]]
FRAMES = 30
NOTHING = np.zeros((2, FRAMES), np.bool_)


def soles(motion: Pose) -> Array:
    joints, world = motion.in_world(REST[:, None])
    return sole_heights(joints, world, REST[:, None])


def crouched(bend: Array) -> Pose:
    """Two people over the floor whose knees bend by (frame,) radians, feet flat and in place."""
    frames = len(bend)
    rotmats = np.broadcast_to(standing_pose(), (2, frames, 22, 3, 3)).copy()
    for side in ("left", "right"):
        rotmats[:, :, JOINT[f"{side}_hip"]] = rotmat_about("x", -bend / 2)
        rotmats[:, :, JOINT[f"{side}_knee"]] = rotmat_about("x", bend)
        rotmats[:, :, JOINT[f"{side}_ankle"]] = rotmat_about("x", -bend / 2)
    transl = np.zeros((2, frames, 3))
    motion = Pose(rotmats, transl)
    joints = joints_of(motion, REST)
    transl[..., [0, 2]] -= (joints - joints[:, :1])[:, :, FEET[0]][..., [0, 2]]
    transl[..., 1] -= soles(motion).min(axis=-1)
    return motion


def drifting(seed: int, size: float = 0.03) -> Pose:
    """People who stand and sway with their feet, by centimetres, up, down, and about."""
    time = np.linspace(0, 2 * np.pi, FRAMES)
    waves = np.stack([np.sin(time), np.cos(time), np.sin(2 * time)])
    random = np.random.default_rng(seed)
    motion = crouched(np.full(FRAMES, 0.6))
    rotmats = motion.rotmats
    sway = size / 2 * np.einsum("wt,pwc->ptc", waves, random.uniform(-1, 1, (2, 3, 3)))
    motion.transl[:] += sway * [1.0, 0.3, 1.0]
    turn = size * np.einsum("wt,pw->pt", waves, random.uniform(-1, 1, (2, 3)))
    rotmats[:, :, ANKLES[0]] = rotmats[:, :, ANKLES[0]] @ rotmat_about("x", turn)
    rotmats[:, :, ANKLES[1]] = rotmats[:, :, ANKLES[1]] @ rotmat_about("z", turn)
    return motion


def walking() -> Pose:
    """Steps in place without a flaw: one foot stands flat, the other is lifted 12 cm, in turns."""
    motion = crouched(np.full(FRAMES, 0.3))
    rotmats = motion.rotmats
    phase = (np.arange(FRAMES) - 4) / 8
    for number, side in enumerate(("left", "right")):
        is_up = (phase > 0) & (phase.astype(int) % 2 == number)
        lift = np.where(is_up, 0.9 * np.sin(np.pi * (phase % 1)) ** 2, 0.0)
        for part, share in (("hip", -1.0), ("knee", 2.0), ("ankle", -1.0)):
            joint = JOINT[f"{side}_{part}"]
            rotmats[:, :, joint] = rotmats[:, :, joint] @ rotmat_about("x", share * lift)
    return motion


def known_until(last: int) -> BoolArray:
    return np.broadcast_to(np.arange(FRAMES) <= last, (2, FRAMES))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31))
def test_standing_feet_stay_within_two_millimetres_and_flat_on_the_floor(seed: int) -> None:
    result = locked(drifting(seed), NOTHING, REST, 0.0)
    feet = joints_of(result, REST)[:, :, FEET + ANKLES]
    assert np.linalg.norm(feet - feet[:, :1], axis=-1).max() < 0.002
    np.testing.assert_allclose(soles(result), 0.0, atol=5e-4)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31))
def test_the_upper_body_stays_where_it_was(seed: int) -> None:
    motion = drifting(seed)
    moved = joints_of(locked(motion, NOTHING, REST, 0.0), REST) - joints_of(motion, REST)
    hands = [JOINT["left_wrist"], JOINT["right_wrist"], JOINT["head"]]
    assert np.linalg.norm(moved[:, :, hands], axis=-1).max() < 0.0101


def test_a_walk_without_a_flaw_is_left_alone() -> None:
    motion = walking()
    assert soles(motion).max() > 0.1
    moved = joints_of(locked(motion, NOTHING, REST, 0.0), REST) - joints_of(motion, REST)
    assert np.linalg.norm(moved, axis=-1).max() < 0.002


@pytest.mark.parametrize("seed", range(4))
def test_locking_twice_is_locking_once(seed: int) -> None:
    once = locked(drifting(seed), NOTHING, REST, 0.0)
    twice = locked(once, NOTHING, REST, 0.0)
    assert np.linalg.norm(joints_of(twice, REST) - joints_of(once, REST), axis=-1).max() < 0.002


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), last=st.integers(0, 20))
def test_given_frames_are_kept_to_the_bit_and_their_lock_goes_on(seed: int, last: int) -> None:
    motion = drifting(seed, 0.02)
    is_given = known_until(last)
    result = locked(motion, is_given, REST, 0.0)
    np.testing.assert_array_equal(result.rotmats[is_given], motion.rotmats[is_given])
    np.testing.assert_array_equal(result.transl[is_given], motion.transl[is_given])
    ground = joints_of(result, REST)[:, last:, FEET][..., [0, 2]]
    assert np.linalg.norm(ground - ground[:, :1], axis=-1).max() < 0.002


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), size=st.floats(0.01, 0.3))
def test_no_sole_ends_under_the_floor_whatever_the_feet_do(seed: int, size: float) -> None:
    motion = drifting(seed, size)
    sunk = Pose(motion.rotmats, motion.transl - [0.0, 0.03, 0.0])
    result = locked(sunk, NOTHING, REST, 0.0)
    assert soles(result).min() > -1e-3


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), last=st.integers(8, 20))
def test_a_revision_holds_a_foot_where_the_frames_that_were_shown_hold_it(
    seed: int, last: int
) -> None:
    made = drifting(seed)
    shown = locked(made, NOTHING, REST, 0.0)
    other = drifting(seed + 1)
    blend = np.clip((np.arange(FRAMES) - last) / 6, 0, 1)[:, None]
    revised = Pose(made.rotmats, made.transl + blend * (other.transl - made.transl))
    result = locked(revised, known_until(last), REST, 0.0, shown)
    np.testing.assert_array_equal(result.transl[:, : last + 1], shown.transl[:, : last + 1])
    feet = joints_of(result, REST)[:, :, FEET]
    assert np.linalg.norm(feet[:, last:] - feet[:, last : last + 1], axis=-1).max() < 0.002


def test_a_foot_that_is_dragged_along_steps_instead() -> None:
    motion = crouched(np.full(FRAMES, 0.35))
    motion.transl[..., 2] += 0.012 * np.arange(FRAMES)
    result = locked(motion, NOTHING, REST, 0.0)
    toes = joints_of(result, REST)[:, :, FEET]
    speed = np.linalg.norm(np.diff(toes[..., [0, 2]], axis=1), axis=-1)
    assert (speed < 1e-3).mean() > 0.5
    assert soles(result).max() > 0.02
    travelled = toes[:, -1] - toes[:, 0]
    assert travelled[..., 2].min() > 0.15
    both_up = (speed > 1e-3).all(axis=-1)
    assert both_up.mean() < 0.2


def test_no_joint_is_jerked_where_a_lock_begins_or_ends() -> None:
    motion = walking()
    motion.transl[..., 0] += 0.03 * np.sin(np.arange(FRAMES) / 4)
    result = locked(motion, NOTHING, REST, 0.0)
    before, after = (
        np.linalg.norm(np.diff(joints_of(each, REST), n=2, axis=1), axis=-1).max()
        for each in (motion, result)
    )
    assert after < 1.3 * before
    turned, before = (
        geodesic_angle(each.rotmats[:, 1:], each.rotmats[:, :-1]) for each in (result, motion)
    )
    assert turned.max() < 1.5 * before.max()
