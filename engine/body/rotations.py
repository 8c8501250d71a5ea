"""Rotations: the only module that converts between their forms.

Forms and their names: `rotmat` (..., 3, 3); `rot6d` (..., 6); `quat_xyzw` (..., 4); `axis_angle`
(..., 3) radians; `euler` (..., 3) radians. All functions broadcast over leading axes.
6D layout (Ponimator, facts/ponimator.md 2.2): the first two COLUMNS of the matrix, row by row:
(R00, R01, R10, R11, R20, R21). PyTorch3D's is the first two rows; do not mix them.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array

IDENTITY_6D = np.array([1, 0, 0, 1, 0, 0], np.float32)


def _normalised(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def rotmat_from_rot6d(rot6d: Array) -> Array:
    """Gram-Schmidt on the two columns (Zhou et al. 2019, eq. 15): any independent ones will do."""
    columns = rot6d.reshape(*rot6d.shape[:-1], 3, 2)
    x = _normalised(columns[..., 0])
    y = columns[..., 1]
    y = _normalised(y - np.sum(x * y, axis=-1, keepdims=True) * x)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def rot6d_from_rotmat(rotmat: Array) -> Array:
    return rotmat[..., :, :2].reshape(*rotmat.shape[:-2], 6)


def rotmat_from_quat(quat_xyzw: Array) -> Array:
    """Unit quaternions, or nearly so: the length is divided out."""
    x, y, z, w = np.moveaxis(_normalised(quat_xyzw), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def quat_from_rotmat(rotmat: Array) -> Array:
    """Unit quaternion x, y, z, w with w >= 0.

    Of the four ways to write the quaternion from the matrix (Shepperd 1978) each row takes the one
    whose divisor is largest, so no angle loses precision.
    """
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = (
        rotmat[..., row, column] for row in range(3) for column in range(3)
    )
    rows = (
        (1 + m00 - m11 - m22, m01 + m10, m02 + m20, m21 - m12),
        (m01 + m10, 1 - m00 + m11 - m22, m12 + m21, m02 - m20),
        (m02 + m20, m12 + m21, 1 - m00 - m11 + m22, m10 - m01),
        (m21 - m12, m02 - m20, m10 - m01, 1 + m00 + m11 + m22),
    )
    candidates = np.empty((*rotmat.shape[:-2], 4, 4), rotmat.dtype)
    for row, entries in enumerate(rows):
        for column, entry in enumerate(entries):
            candidates[..., row, column] = entry
    largest = np.argmax(np.diagonal(candidates, axis1=-2, axis2=-1), axis=-1)
    quat = np.take_along_axis(candidates, largest[..., None, None], axis=-2)[..., 0, :]
    quat = _normalised(quat)
    return np.where(quat[..., 3:] < 0, -quat, quat)


def rotmat_from_axis_angle(axis_angle: Array) -> Array:
    """Rodrigues' formula; exact at zero angle."""
    angle = np.linalg.norm(axis_angle, axis=-1)[..., None, None]
    cross = np.zeros((*axis_angle.shape, 3), axis_angle.dtype)
    for row, column, part in ((2, 1, 0), (0, 2, 1), (1, 0, 2)):
        cross[..., row, column] = axis_angle[..., part]
        cross[..., column, row] = -axis_angle[..., part]
    sine = np.sinc(angle / np.pi)
    versine = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    identity = np.eye(3, dtype=axis_angle.dtype)
    return np.asarray(identity + sine * cross + versine * (cross @ cross))


def axis_angle_from_rotmat(rotmat: Array) -> Array:
    """The rotation vector, its length in 0..pi."""
    quat = quat_from_rotmat(rotmat)
    sine = np.linalg.norm(quat[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quat[..., 3:])
    scale = np.divide(angle, sine, out=np.full_like(angle, 2.0), where=sine > 1e-8)
    return np.asarray(quat[..., :3] * scale)


def rotmat_about(axis: str, angle: Array | float) -> Array:
    """Rotation by `angle` radians about the axis 'x', 'y' or 'z'; shape of angle + (3, 3)."""
    c, s = np.cos(angle), np.sin(angle)
    one, zero = np.ones_like(c), np.zeros_like(c)
    entries = {
        "x": [one, zero, zero, zero, c, -s, zero, s, c],
        "y": [c, zero, s, zero, one, zero, -s, zero, c],
        "z": [c, -s, zero, s, c, zero, zero, zero, one],
    }[axis]
    return np.stack(entries, axis=-1).reshape(*np.shape(c), 3, 3)


def rotmat_from_euler(euler: Array, order: str) -> Array:
    """Intrinsic angles in the order they are written: "zxy" is Rz(a) Rx(b) Ry(c), as in BVH."""
    result = rotmat_about(order[0], euler[..., 0])
    for axis, column in zip(order[1:], (1, 2), strict=True):
        result = result @ rotmat_about(axis, euler[..., column])
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


def geodesic_angle(a: Array, b: Array) -> Array:
    """Angle in radians of the rotation between two rotation matrices."""
    turn = np.swapaxes(a, -1, -2) @ b
    return np.asarray(np.linalg.norm(axis_angle_from_rotmat(turn), axis=-1))


def slerp_rotmat(a: Array, b: Array, fraction: Array) -> Array:
    """From a (fraction 0) to b (fraction 1) by the shortest arc; fraction broadcasts over (...)."""
    step = axis_angle_from_rotmat(np.swapaxes(a, -1, -2) @ b)
    return np.asarray(a @ rotmat_from_axis_angle(step * np.asarray(fraction)[..., None]))


def unrolled_quats(quat_xyzw: Array) -> Array:
    """Flip signs along the frame axis of (..., frame, joint, 4) so that neighbours are close."""
    dots = np.sum(quat_xyzw[..., 1:, :, :] * quat_xyzw[..., :-1, :, :], axis=-1)
    signs = np.cumprod(np.where(dots < 0, -1.0, 1.0), axis=-2)
    first = np.ones_like(signs[..., :1, :])
    return quat_xyzw * np.concatenate([first, signs], axis=-2)[..., None].astype(quat_xyzw.dtype)
