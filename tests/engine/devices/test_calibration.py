"""Calibration: a T pose or a height gives the shape, and devices land on their joints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body.rotations import rotmat_about, rotmat_from_quat
from engine.body.shape import load_body
from engine.devices.calibration import (
    ROLE_COUNT,
    ROLE_JOINTS,
    Axes,
    Role,
    TrackerSample,
    calibrated_by_size,
    calibrated_by_t_pose,
    uncalibrated,
)
from engine.errors import InputError


def t_pose(betas: Array, yaw: float, floor: float, seed: int) -> tuple[TrackerSample, Array, Array]:
    """Devices on a body in a T, hips and feet mounted at random; its joints and their turn."""
    rng = np.random.default_rng(seed)
    worn = uncalibrated(load_body(), betas, floor=floor)
    facing = rotmat_about("y", yaw)
    rest = worn.rest_joints
    joints = (rest - rest[0]) @ facing.T + [0.4, floor + rest[0, 1] - worn.sole, -1.0]
    turns, offsets = worn.turns.copy(), worn.offsets.copy()
    turns[Role.HIPS :] = rotmat_from_quat(rng.standard_normal((3, 4)))
    offsets[Role.HIPS :] = rng.normal(0, 0.05, (3, 3))
    device = facing @ np.swapaxes(turns, -1, -2)
    positions = joints[ROLE_JOINTS] - (device @ offsets[..., None])[..., 0]
    sample = TrackerSample(
        time_s=0.0, positions=positions, rotmats=device, confidence=np.ones(ROLE_COUNT)
    )
    return sample, joints, facing


@given(
    st.floats(-2, 2), st.floats(-1.5, 1.5), st.floats(-3, 3), st.floats(-1, 1), st.integers(0, 99)
)
@settings(max_examples=20)
def test_a_t_pose_finds_shape_mounting_and_facing(
    tall: float, wide: float, yaw: float, floor: float, seed: int
) -> None:
    betas = np.array([tall, wide, *[0.0] * 8])
    sample, joints, facing = t_pose(betas, yaw, floor, seed)
    found = calibrated_by_t_pose(load_body(), sample, floor=floor)
    positions, rotmats = found.joints(sample)
    np.testing.assert_allclose(positions, joints[ROLE_JOINTS], atol=0.03)
    np.testing.assert_allclose(rotmats, np.broadcast_to(facing, (ROLE_COUNT, 3, 3)), atol=1e-6)


@given(st.floats(1.5, 1.95), st.floats(-0.06, 0.06))
@settings(max_examples=20)
def test_height_and_arm_span_come_out_as_they_were_told(height: float, longer: float) -> None:
    body = load_body()
    worn = calibrated_by_size(body, height, height + longer)
    extent = np.ptp(body.rest_vertices(worn.betas), axis=0)
    assert extent[1] == pytest.approx(height, abs=0.02)
    assert extent[0] == pytest.approx(height + longer, abs=0.03)


def test_devices_of_openxr_axes_hold_the_t_pose() -> None:
    sample, _, facing = t_pose(np.zeros(10), 0.5, 0.0, 0)
    _, rotmats = uncalibrated(load_body(), axes=Axes.OPENXR).joints(sample)
    np.testing.assert_allclose(rotmats[:3], np.broadcast_to(facing, (3, 3, 3)), atol=1e-12)
    forward = sample.rotmats[Role.HEAD] @ [0.0, 0.0, -1.0]
    np.testing.assert_allclose(forward, facing[:, 2], atol=1e-12)


@pytest.mark.parametrize(
    ("role", "change", "field"),
    [
        (Role.LEFT_HAND, [-1.2, 0.0, 0.0], "left_hand"),
        (Role.HEAD, [0.0, -1.2, 0.0], "head"),
        (Role.LEFT_HAND, [0.0, -1.3, 0.0], "left_hand"),
    ],
)
def test_what_is_no_t_pose_is_refused_by_the_name_of_the_device(
    role: Role, change: list[float], field: str
) -> None:
    sample, _, _ = t_pose(np.zeros(10), 0.0, 0.0, 0)
    sample.positions[role] += change
    with pytest.raises(InputError) as refusal:
        calibrated_by_t_pose(load_body(), sample)
    assert refusal.value.field == field


@pytest.mark.parametrize(("height", "span", "field"), [(0.5, 1.7, "height"), (1.7, 3, "arm_span")])
def test_nobody_is_so_small_or_so_wide(height: float, span: float, field: str) -> None:
    with pytest.raises(InputError) as refusal:
        calibrated_by_size(load_body(), height, span)
    assert refusal.value.field == field


def test_devices_that_come_through_unity_give_the_same_joints_turned_about() -> None:
    """Unity mirrors z, its client mirrors x: half a turn of the world and of each device."""
    sample, _, _ = t_pose(np.zeros(10), 0.5, 0.0, 0)
    about = rotmat_about("y", np.pi)
    through = TrackerSample(
        time_s=0.0,
        positions=sample.positions @ about.T,
        rotmats=about @ sample.rotmats @ about,
        confidence=sample.confidence,
    )
    places, turns = uncalibrated(load_body(), axes=Axes.OPENXR).joints(sample)
    there, turned = uncalibrated(load_body(), axes=Axes.UNITY).joints(through)
    np.testing.assert_allclose(there[:3], places[:3] @ about.T, atol=1e-9)
    np.testing.assert_allclose(turned[:3], about @ turns[:3], atol=1e-9)
