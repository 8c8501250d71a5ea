"""Rotations: the only module that converts between their forms.

Forms and their names: `rotmat` (..., 3, 3); `rot6d` (..., 6); `quat_xyzw` (..., 4); `axis_angle`
(..., 3) radians; `euler` (..., 3) radians. All functions broadcast over leading axes.
6D layout (Ponimator, facts/ponimator.md 2.2): the first two COLUMNS of the matrix, row by row:
(R00, R01, R10, R11, R20, R21). PyTorch3D's is the first two rows; do not mix them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from engine.arrays import Array
from engine.body.vectors import cross, dots, lengths

NO_ANGLE = 1e-30
"""Radians whose sine is the angle itself, and may be divided by."""
Angle = TypeVar("Angle", float, Array)


def _matrix_of(linear: Callable[..., list[list[float]]], inputs: int) -> Array:
    """The matrix (inputs, outputs) of a linear function, from its values at the unit vectors.

    With it a conversion is one product of matrices, not dozens of small sums.
    """
    return np.stack([np.ravel(linear(*row)) for row in np.eye(inputs)])


_QUAT_PRODUCTS = _matrix_of(
    lambda m00, m01, m02, m10, m11, m12, m20, m21, m22: [
        [m00 - m11 - m22, m01 + m10, m02 + m20, m21 - m12],
        [m01 + m10, m11 - m00 - m22, m12 + m21, m02 - m20],
        [m02 + m20, m12 + m21, m22 - m00 - m11, m10 - m01],
        [m21 - m12, m02 - m20, m10 - m01, m00 + m11 + m22],
    ],
    9,
)
"""With 1 added on the diagonal: 4 q q^T of the quaternion q of a rotation matrix."""
_ROTMAT = _matrix_of(
    lambda xx, xy, xz, xw, yx, yy, yz, yw, zx, zy, zz, zw, wx, wy, wz, ww: [
        [ww + xx - yy - zz, 2 * (xy - zw), 2 * (xz + yw)],
        [2 * (xy + zw), ww - xx + yy - zz, 2 * (yz - xw)],
        [2 * (xz - yw), 2 * (yz + xw), ww - xx - yy + zz],
    ],
    16,
)
"""From the products q q^T of a unit quaternion to its matrix."""


def _mapped(values: Array, matrix: Array) -> Array:
    return np.asarray(values @ matrix.astype(values.dtype, copy=False))


def rotmat_from_rot6d(rot6d: Array) -> Array:
    """Gram-Schmidt on the two columns (Zhou et al. 2019, eq. 15): any independent ones will do."""
    columns = rot6d.reshape(*rot6d.shape[:-1], 3, 2)
    x, y = columns[..., 0], columns[..., 1]
    x = x / lengths(x)[..., None]
    y = y - dots(x, y)[..., None] * x
    y = y / lengths(y)[..., None]
    return np.stack([x, y, cross(x, y)], axis=-1)


def rot6d_from_rotmat(rotmat: Array) -> Array:
    return rotmat[..., :, :2].reshape(*rotmat.shape[:-2], 6)


def rotmat_from_quat(quat_xyzw: Array) -> Array:
    """Unit quaternions, or nearly so: the length is divided out."""
    products = quat_xyzw[..., :, None] * quat_xyzw[..., None, :]
    products /= dots(quat_xyzw, quat_xyzw)[..., None, None]
    shape = quat_xyzw.shape[:-1]
    return _mapped(products.reshape(*shape, 16), _ROTMAT).reshape(*shape, 3, 3)


def quat_from_rotmat(rotmat: Array) -> Array:
    """Unit quaternion x, y, z, w with w >= 0.

    There are four ways to write the quaternion from the matrix (Shepperd 1978). Each row takes the
    one with the largest divisor, so no angle loses precision.
    """
    products = _mapped(rotmat.reshape(-1, 9), _QUAT_PRODUCTS)
    products[:, ::5] += 1
    largest = np.argmax(products[:, ::5], axis=-1)
    quat = products.reshape(-1, 4).take(4 * np.arange(len(products)) + largest, axis=0)
    length = lengths(quat)
    quat /= np.where(quat[:, 3] < 0, -length, length)[:, None]
    return np.asarray(quat.reshape(*rotmat.shape[:-2], 4))


def rotmat_from_axis_angle(axis_angle: Array) -> Array:
    """Rodrigues' formula, exact at zero angle:

    cos(a) I + (sin(a) / a) [v]x + ((1 - cos(a)) / a^2) v v^T  for a vector v of length a
    """
    squared = dots(axis_angle, axis_angle)
    half = np.maximum(np.sqrt(squared) / 2, NO_ANGLE)
    half_sine = np.sin(half) / half
    sine, versine = half_sine * np.cos(half), 0.5 * half_sine**2
    cosine = 1 - versine * squared
    x, y, z = axis_angle[..., 0], axis_angle[..., 1], axis_angle[..., 2]
    v_x, v_y, v_z = versine * x, versine * y, versine * z
    s_x, s_y, s_z = sine * x, sine * y, sine * z
    xy, xz, yz = v_x * y, v_x * z, v_y * z
    rotmat = np.empty((*axis_angle.shape, 3), axis_angle.dtype)
    rotmat[..., 0, 0], rotmat[..., 0, 1], rotmat[..., 0, 2] = cosine + v_x * x, xy - s_z, xz + s_y
    rotmat[..., 1, 0], rotmat[..., 1, 1], rotmat[..., 1, 2] = xy + s_z, cosine + v_y * y, yz - s_x
    rotmat[..., 2, 0], rotmat[..., 2, 1], rotmat[..., 2, 2] = xz - s_y, yz + s_x, cosine + v_z * z
    return rotmat


def axis_angle_from_rotmat(rotmat: Array) -> Array:
    """The rotation vector, its length in 0..pi."""
    quat = quat_from_rotmat(rotmat)
    sine = lengths(quat[..., :3])
    angle = 2 * np.arctan2(sine, quat[..., 3])
    scale = np.divide(angle, sine, out=np.full_like(angle, 2.0), where=sine > 1e-8)
    return np.asarray(quat[..., :3] * scale[..., None])


_PLANES = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}
"""The axes that a rotation about an axis turns into each other."""


def rotmat_about(axis: str, angle: Array | float) -> Array:
    """Rotation by `angle` radians about the axis 'x', 'y' or 'z'; shape of angle + (3, 3)."""
    first, second = _PLANES[axis]
    cosine, sine = np.cos(angle), np.sin(angle)
    rotmat = np.zeros((*np.shape(angle), 3, 3), cosine.dtype)
    rotmat[..., [0, 1, 2], [0, 1, 2]] = 1
    rotmat[..., first, first] = rotmat[..., second, second] = cosine
    rotmat[..., first, second], rotmat[..., second, first] = -sine, sine
    return rotmat


def rotmat_from_euler(euler: Array, order: str) -> Array:
    """Intrinsic angles in the order they are written: "zxy" is Rz(a) Rx(b) Ry(c), as in BVH.

    Each further rotation mixes two columns, which is far less than a product of matrices.
    """
    result = rotmat_about(order[0], euler[..., 0])
    for column, axis in enumerate(order[1:], start=1):
        first, second = _PLANES[axis]
        cosine, sine = np.cos(euler[..., column, None]), np.sin(euler[..., column, None])
        a, b = result[..., first], result[..., second]
        result[..., first], result[..., second] = a * cosine + b * sine, b * cosine - a * sine
    return result


def euler_zxy_from_rotmat(rotmat: Array) -> Array:
    """Angles (z, x, y) with rotmat = Rz Rx Ry; at gimbal lock (x = +-90 degrees) y is zero."""
    cosine = np.hypot(rotmat[..., 0, 1], rotmat[..., 1, 1])
    x = np.arctan2(rotmat[..., 2, 1], cosine)
    locked = cosine < 1e-7
    z = np.where(
        locked,
        np.arctan2(rotmat[..., 1, 0], rotmat[..., 0, 0]),
        np.arctan2(-rotmat[..., 0, 1], rotmat[..., 1, 1]),
    )
    y = np.where(locked, 0.0, np.arctan2(-rotmat[..., 2, 0], rotmat[..., 2, 2]))
    return np.stack([z, x, y], axis=-1)


def wrapped(angle: Angle) -> Angle:
    """The same angle in radians, in -pi..pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def geodesic_angle(a: Array, b: Array) -> Array:
    """Angle in radians of the rotation between two rotation matrices."""
    turn = np.swapaxes(a, -1, -2) @ b
    return lengths(axis_angle_from_rotmat(turn))


def slerp_rotmat(a: Array, b: Array, fraction: Array) -> Array:
    """From a (fraction 0) to b (fraction 1) by the shortest arc; fraction broadcasts over (...)."""
    step = axis_angle_from_rotmat(np.swapaxes(a, -1, -2) @ b)
    return np.asarray(a @ rotmat_from_axis_angle(step * np.asarray(fraction)[..., None]))
