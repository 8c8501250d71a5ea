"""Trackers: what is told is met, what is lost is bridged, and no input breaks the body."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.reach import MOST_TURN
from engine.body.rotations import (
    axis_angle_from_rotmat,
    geodesic_angle,
    rotmat_about,
    rotmat_from_quat,
)
from engine.body.shape import load_body
from engine.body.skeleton import JOINT, MIRROR
from engine.devices.calibration import (
    ROLE_COUNT,
    ROLE_JOINTS,
    Axes,
    Calibration,
    Role,
    TrackerSample,
    uncalibrated,
)
from engine.devices.trackers import Flags, Tracking, begin, solve
from engine.errors import InputError, SessionError
from engine.motion.feet import sole_heights
from engine.motion.standing import standing_pose

ALL = tuple(Role)
THREE = (Role.HEAD, Role.LEFT_HAND, Role.RIGHT_HAND)
MIRRORED_ROLES = [0, 2, 1, 3, 5, 4]
FLIP = np.diag([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def worn() -> Calibration:
    return uncalibrated(load_body(), axes=Axes.JOINTS)


def sample_of(
    worn: Calibration, pose: Pose, time_s: float, roles: tuple[Role, ...] = ALL
) -> TrackerSample:
    joints, world = pose.in_world(worn.rest_joints)
    confidence = np.zeros(ROLE_COUNT)
    confidence[list(roles)] = 1.0
    return TrackerSample(
        time_s=time_s,
        positions=joints[ROLE_JOINTS],
        rotmats=world[ROLE_JOINTS],
        confidence=confidence,
    )


def standing(worn: Calibration) -> Pose:
    return Pose(standing_pose().astype(np.float64), np.array([0.3, -worn.sole, -0.2]))


def solved(worn: Calibration, samples: list[TrackerSample]) -> list[tuple[Pose, Flags]]:
    state, results = begin(worn), []
    for sample in samples:
        state, pose, flags = solve(state, sample)
        results.append((pose, flags))
    return results


def joints_of(worn: Calibration, pose: Pose) -> Array:
    return pose.in_world(worn.rest_joints)[0]


# ----------------------------------------------------------------------------------------- accuracy
def test_six_trackers_of_a_standing_pose_bring_it_back_within_two_centimetres(
    worn: Calibration,
) -> None:
    pose = standing(worn)
    (found, flags), *_ = solved(worn, [sample_of(worn, pose, 0.0)])
    error = np.linalg.norm(joints_of(worn, found) - joints_of(worn, pose), axis=-1)
    assert error.max() < 0.06
    assert error.mean() < 0.02
    assert error[ROLE_JOINTS].max() < 0.02
    assert set(flags.values()) == {Tracking.TRACKED}


def test_three_trackers_of_a_standing_pose_find_the_feet_under_it(worn: Calibration) -> None:
    pose = standing(worn)
    ((found, flags),) = solved(worn, [sample_of(worn, pose, 0.0, THREE)])
    error = np.linalg.norm(joints_of(worn, found) - joints_of(worn, pose), axis=-1)
    assert error.mean() < 0.05
    assert flags[Role.LEFT_FOOT] is Tracking.ABSENT


@given(st.floats(-3, 3), st.floats(-5, 5), st.floats(-5, 5))
@settings(max_examples=6)
def test_where_the_player_stands_and_faces_changes_nothing(
    worn: Calibration, yaw: float, x: float, z: float
) -> None:
    pose = standing(worn)
    turn = rotmat_about("y", yaw)
    moved = pose.rotmats.copy()
    moved[0] = turn @ moved[0]
    rest = worn.rest_joints[0]
    there = turn @ (rest + pose.transl) - rest + [x, 0.0, z]
    ((here, _),) = solved(worn, [sample_of(worn, pose, 0.0, THREE)])
    ((away, _),) = solved(worn, [sample_of(worn, Pose(moved, there), 0.0, THREE)])
    expected = joints_of(worn, here) @ turn.T + [x, 0.0, z]
    np.testing.assert_allclose(joints_of(worn, away), expected, atol=1e-6)


# --------------------------------------------------------------------------------------------- time
@pytest.mark.parametrize("rate", [10, 30, 90])
def test_a_step_is_followed_by_more_than_half_within_one_frame(
    worn: Calibration, rate: int
) -> None:
    pose = standing(worn)
    shift = np.array([0.2, 0.0, 0.0])
    still = [sample_of(worn, pose, i / rate) for i in range(5)]
    there = Pose(pose.rotmats, pose.transl + shift)
    moved = [sample_of(worn, there, (5 + i) / rate) for i in range(max(rate // 10, 1))]
    poses = solved(worn, still + moved)
    way = joints_of(worn, poses[-1][0]) - joints_of(worn, poses[4][0])
    assert way[JOINT["head"], 0] > 0.8 * shift[0]
    assert way[JOINT["left_wrist"], 0] > 0.8 * shift[0]


def test_noise_of_a_still_player_is_halved(worn: Calibration) -> None:
    pose, rng = standing(worn), np.random.default_rng(0)
    clean = [sample_of(worn, pose, i / 90) for i in range(60)]
    noise = rng.normal(0, 0.002, (60, ROLE_COUNT, 3))
    noisy = [
        replace(sample, positions=sample.positions + off)
        for sample, off in zip(clean, noise, strict=True)
    ]
    heads = np.stack([joints_of(worn, p)[JOINT["head"]] for p, _ in solved(worn, noisy)])
    assert np.diff(heads[30:], axis=0).std() < 0.5 * np.diff(noise[30:, 0], axis=0).std()


def test_time_that_does_not_increase_is_refused(worn: Calibration) -> None:
    sample = sample_of(worn, standing(worn), 1.0)
    state, _, _ = solve(begin(worn), sample)
    with pytest.raises(SessionError, match="times must increase"):
        solve(state, sample)


# --------------------------------------------------------------------------------------------- loss
def waving(worn: Calibration, time_s: float, roles: tuple[Role, ...] = ALL) -> TrackerSample:
    pose = standing(worn)
    pose.rotmats[JOINT["right_shoulder"]] = rotmat_about("z", 0.3 * np.sin(3 * time_s) - 0.5)
    pose.transl[0] += 0.3 * time_s
    return sample_of(worn, pose, time_s, roles)


@pytest.mark.parametrize("lost", [Role.HEAD, Role.RIGHT_HAND, Role.HIPS, Role.LEFT_FOOT])
@pytest.mark.parametrize("seconds", [0.2, 1.2])
def test_a_lost_tracker_is_bridged_flagged_and_returns_without_a_jump(
    worn: Calibration, lost: Role, seconds: float
) -> None:
    rate = 30
    others = tuple(role for role in Role if role is not lost)
    times = np.arange(0, 1.7 + seconds, 1 / rate)
    gone = (times >= 0.3) & (times < 0.3 + seconds)
    results = solved(
        worn, [waving(worn, t, others if g else ALL) for t, g in zip(times, gone, strict=True)]
    )
    places = np.stack([joints_of(worn, pose)[ROLE_JOINTS[lost]] for pose, _ in results])
    speed = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    assert speed.max() < 0.10
    assert all(
        flags[lost] is Tracking.BRIDGED for (_, flags), g in zip(results, gone, strict=True) if g
    )
    back = results[int(np.flatnonzero(gone)[-1]) + 1][1]
    assert back[lost] is Tracking.RETURNING
    assert results[-1][1][lost] is Tracking.TRACKED
    truth = waving(worn, float(times[-1])).positions[lost]
    assert np.linalg.norm(places[-1] - truth) < 0.05


def test_a_device_that_froze_while_others_move_counts_as_lost(worn: Calibration) -> None:
    samples = [waving(worn, i / 30) for i in range(60)]
    stuck = np.arange(ROLE_COUNT) == Role.LEFT_HAND
    frozen = [
        replace(
            s,
            positions=np.where(stuck[:, None], samples[0].positions, s.positions),
            rotmats=np.where(stuck[:, None, None], samples[0].rotmats, s.rotmats),
        )
        for s in samples
    ]
    flags = [flags[Role.LEFT_HAND] for _, flags in solved(worn, frozen)]
    assert flags[10] is Tracking.TRACKED
    assert flags[-1] is Tracking.BRIDGED


def test_devices_that_all_stand_still_are_not_taken_for_frozen(worn: Calibration) -> None:
    pose = standing(worn)
    results = solved(worn, [sample_of(worn, pose, i / 10) for i in range(30)])
    assert set(results[-1][1].values()) == {Tracking.TRACKED}


def test_nothing_tracked_at_all_is_a_body_that_stands(worn: Calibration) -> None:
    ((pose, flags),) = solved(worn, [sample_of(worn, standing(worn), 0.0, ())])
    joints = joints_of(worn, pose)
    assert joints[JOINT["head"], 1] > 1.3
    assert set(flags.values()) == {Tracking.ABSENT}


# ------------------------------------------------------------------------------------------- limits
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.3, 3.0]),
    st.sets(st.sampled_from(ALL)),
    st.sampled_from([0.01, 0.1, 2.0]),
)
@settings(max_examples=20)
def test_limits_and_floor_hold_whatever_the_devices_say(
    worn: Calibration, seed: int, spread: float, roles: set[Role], step: float
) -> None:
    rng = np.random.default_rng(seed)
    state = begin(worn)
    for index in range(4):
        sample = sample_of(worn, standing(worn), index * step, tuple(roles))
        sample = replace(
            sample,
            positions=sample.positions + rng.normal(0, spread, (ROLE_COUNT, 3)),
            rotmats=rotmat_from_quat(rng.standard_normal((ROLE_COUNT, 4))),
        )
        state, pose, _ = solve(state, sample)
        identity = np.swapaxes(pose.rotmats, -1, -2) @ pose.rotmats
        np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), (22, 3, 3)), atol=1e-6)
        turns = np.linalg.norm(axis_angle_from_rotmat(pose.rotmats), axis=-1)
        assert np.all(turns[1:] <= MOST_TURN[1:] + 1e-6)
        joints, world = pose.in_world(worn.rest_joints)
        assert joints[:, 1].min() > -1e-6
        assert sole_heights(joints, world, worn.rest_joints).min() > -1e-6


@given(st.integers(0, 2**32 - 1), st.sampled_from([THREE, (*THREE, Role.HIPS), ALL]))
@settings(max_examples=8)
def test_a_mirrored_player_gives_the_mirrored_pose(
    worn: Calibration, seed: int, roles: tuple[Role, ...]
) -> None:
    rng = np.random.default_rng(seed)
    base = sample_of(worn, standing(worn), 0.0, roles)
    drift = rng.normal(0, 0.3, (ROLE_COUNT, 3)) * [1, 0.2, 1]
    turn = rotmat_from_quat(
        rng.standard_normal((ROLE_COUNT, 4)) * [0.1, 0.1, 0.1, 0] + [0, 0, 0, 1]
    )
    state, mirrored = begin(worn), begin(worn)
    for index in range(8):
        sample = replace(
            base,
            time_s=index / 10,
            positions=base.positions + index / 8 * drift,
            rotmats=turn @ base.rotmats,
        )
        other = TrackerSample(
            time_s=index / 10,
            positions=(sample.positions @ FLIP)[MIRRORED_ROLES],
            rotmats=(FLIP @ sample.rotmats @ FLIP)[MIRRORED_ROLES],
            confidence=sample.confidence[MIRRORED_ROLES],
        )
        state, pose, _ = solve(state, sample)
        mirrored, twin, _ = solve(mirrored, other)
    expected = (FLIP @ pose.rotmats @ FLIP)[list(MIRROR)]
    assert geodesic_angle(expected, twin.rotmats).max() < 1e-2


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("part", ["positions", "rotmats"])
def test_numbers_that_are_not_finite_are_refused_by_the_name_of_the_device(
    worn: Calibration, value: float, part: str
) -> None:
    sample = sample_of(worn, standing(worn), 0.0)
    broken = getattr(sample, part).copy()
    broken[Role.LEFT_HAND] = value
    with pytest.raises(InputError) as refusal:
        replace(sample, **{part: broken})
    assert refusal.value.field == "left_hand"
    lost = np.where(np.arange(ROLE_COUNT) == Role.LEFT_HAND, 0.0, 1.0)
    _, pose, _ = solve(begin(worn), replace(sample, confidence=lost, **{part: broken}))
    assert np.isfinite(pose.rotmats).all()
