"""Vectors in space, (..., 3): products, lengths and turns, quick also where there are few of them.

np.linalg.norm and np.cross take several times as long on the arrays of one pose.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array


def dots(a: Array, b: Array) -> Array:
    """(...,)"""
    return np.asarray(np.vecdot(a, b))


def lengths(vectors: Array) -> Array:
    """(...,)"""
    return np.asarray(np.sqrt(np.vecdot(vectors, vectors)))


def unit(vectors: Array) -> Array:
    """Directions; of nothing, nothing."""
    return np.asarray(vectors / np.maximum(lengths(vectors), 1e-9)[..., None])


def cross(a: Array, b: Array) -> Array:
    a_x, a_y, a_z = a[..., 0], a[..., 1], a[..., 2]
    b_x, b_y, b_z = b[..., 0], b[..., 1], b[..., 2]
    x = a_y * b_z - a_z * b_y
    result = np.empty((*x.shape, 3), x.dtype)
    result[..., 0] = x
    result[..., 1] = a_z * b_x - a_x * b_z
    result[..., 2] = a_x * b_y - a_y * b_x
    return result


def rotated(rotation: Array, vectors: Array) -> Array:
    """(..., 3, 3) applied to (..., 3)."""
    return np.asarray((rotation @ vectors[..., None])[..., 0])
