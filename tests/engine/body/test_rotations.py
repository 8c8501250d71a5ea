"""Laws of the rotation conversions, and the vectors of facts/ponimator.md 2.2."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.arrays import Array
from engine.body.rotations import (
    axis_angle_from_rotmat,
    euler_zxy_from_rotmat,
    geodesic_angle,
    quat_from_rotmat,
    rot6d_from_rotmat,
    rotmat_about,
    rotmat_from_axis_angle,
    rotmat_from_euler,
    rotmat_from_quat,
    rotmat_from_rot6d,
    slerp_rotmat,
)

unit_quats = arrays(np.float64, (4,), elements=st.floats(-1, 1)).filter(
    lambda q: bool(np.linalg.norm(q) > 0.1)
)
rotmats = unit_quats.map(rotmat_from_quat)
short_axis_angles = arrays(np.float64, (3,), elements=st.floats(-1.8, 1.8))


@given(rotmats)
def test_every_quaternion_becomes_a_proper_rotation(rotmat: Array) -> None:
    np.testing.assert_allclose(rotmat @ rotmat.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotmat) == pytest.approx(1)


@given(rotmats)
def test_rotations_survive_quaternions_and_back(rotmat: Array) -> None:
    quat = quat_from_rotmat(rotmat)
    assert quat[3] >= 0
    assert np.linalg.norm(quat) == pytest.approx(1)
    np.testing.assert_allclose(rotmat_from_quat(quat), rotmat, atol=1e-12)


@given(rotmats)
def test_rotations_survive_6d_and_back(rotmat: Array) -> None:
    np.testing.assert_allclose(rotmat_from_rot6d(rot6d_from_rotmat(rotmat)), rotmat, atol=1e-12)


@given(rotmats)
def test_rotations_survive_axis_angle_and_back(rotmat: Array) -> None:
    axis_angle = axis_angle_from_rotmat(rotmat)
    assert np.linalg.norm(axis_angle) <= np.pi + 1e-9
    np.testing.assert_allclose(rotmat_from_axis_angle(axis_angle), rotmat, atol=1e-7)


@given(short_axis_angles.filter(lambda v: bool(np.linalg.norm(v) < 3.1)))
def test_axis_angles_under_half_a_turn_survive_the_matrix(axis_angle: Array) -> None:
    back = axis_angle_from_rotmat(rotmat_from_axis_angle(axis_angle))
    np.testing.assert_allclose(back, axis_angle, atol=1e-7)


@given(rotmats)
def test_rotations_survive_euler_angles_and_back(rotmat: Array) -> None:
    euler = euler_zxy_from_rotmat(rotmat)
    np.testing.assert_allclose(rotmat_from_euler(euler, "zxy"), rotmat, atol=1e-6)


@pytest.mark.parametrize("x", [np.pi / 2, -np.pi / 2])
def test_euler_angles_hold_at_gimbal_lock(x: float) -> None:
    rotmat = rotmat_from_euler(np.array([0.4, x, -0.9]), "zxy")
    np.testing.assert_allclose(
        rotmat_from_euler(euler_zxy_from_rotmat(rotmat), "zxy"), rotmat, atol=1e-6
    )


@given(unit_quats, unit_quats)
def test_quaternions_multiply_as_their_matrices_do(a: Array, b: Array) -> None:
    (a, b) = (a / np.linalg.norm(a), b / np.linalg.norm(b))
    vector = a[3] * b[:3] + b[3] * a[:3] + np.cross(a[:3], b[:3])
    product = np.append(vector, a[3] * b[3] - a[:3] @ b[:3])
    np.testing.assert_allclose(
        rotmat_from_quat(product), rotmat_from_quat(a) @ rotmat_from_quat(b), atol=1e-12
    )


@given(short_axis_angles)
def test_the_inverse_turns_about_the_same_axis_the_other_way(axis_angle: Array) -> None:
    np.testing.assert_allclose(
        rotmat_from_axis_angle(-axis_angle), rotmat_from_axis_angle(axis_angle).T, atol=1e-12
    )


@given(rotmats, rotmats, rotmats)
def test_the_angle_between_rotations_is_a_metric(a: Array, b: Array, c: Array) -> None:
    assert geodesic_angle(a, a) == pytest.approx(0, abs=1e-6)
    assert geodesic_angle(a, b) == pytest.approx(geodesic_angle(b, a), abs=1e-6)
    assert geodesic_angle(a, c) <= geodesic_angle(a, b) + geodesic_angle(b, c) + 1e-6


@given(rotmats, rotmats, st.floats(0, 1))
def test_slerp_cuts_the_arc_in_the_ratio_of_the_fraction(
    a: Array, b: Array, fraction: float
) -> None:
    between = slerp_rotmat(a, b, np.array(fraction))
    whole = geodesic_angle(a, b)
    assert geodesic_angle(a, between) == pytest.approx(fraction * whole, abs=1e-6)
    assert geodesic_angle(between, b) == pytest.approx((1 - fraction) * whole, abs=1e-6)


@pytest.mark.parametrize(
    ("axis", "rot6d"),
    [("x", [1, 0, 0, 0, 0, 1]), ("y", [0, 0, 0, 1, -1, 0]), ("z", [0, -1, 1, 0, 0, 0])],
)
def test_quarter_turns_have_the_6d_layout_of_the_published_network(
    axis: str, rot6d: list[float]
) -> None:
    np.testing.assert_allclose(rot6d_from_rotmat(rotmat_about(axis, np.pi / 2)), rot6d, atol=1e-12)


def test_6d_numbers_that_are_no_rotation_are_orthogonalised_as_published() -> None:
    rotmat = rotmat_from_rot6d(np.array([1.0, 2, 3, 4, 5, 7]))
    expected = np.array([[0.1690, 0.9487, 0.2673], [0.5071, -0.3162, 0.8018], [0.8452, 0, -0.5345]])
    np.testing.assert_allclose(rotmat, expected, atol=5e-5)
    np.testing.assert_array_equal(rotmat_from_rot6d(np.array([1, 0, 0, 1, 0, 0])), np.eye(3))


def test_euler_orders_are_intrinsic_and_read_left_to_right() -> None:
    angles = np.array([0.3, -0.7, 1.1])
    expected = rotmat_about("x", 0.3) @ rotmat_about("y", -0.7) @ rotmat_about("z", 1.1)
    np.testing.assert_allclose(rotmat_from_euler(angles, "xyz"), expected)


def test_leading_axes_broadcast_and_keep_float32() -> None:
    quats = np.random.default_rng(0).normal(size=(2, 5, 22, 4)).astype(np.float32)
    rotmats = rotmat_from_quat(quats)
    assert rotmats.shape == (2, 5, 22, 3, 3)
    for back in (rot6d_from_rotmat(rotmats), quat_from_rotmat(rotmats)):
        assert back.shape[:3] == (2, 5, 22)
        assert back.dtype == np.float32
