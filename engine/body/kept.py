"""Kept: what follows from a body's joints alone is worked out once for each body.

Knows arrays by their bytes; not what is worked out of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar, TypeVarTuple

import numpy as np

from engine.arrays import Array

Others = TypeVarTuple("Others")
Made = TypeVar("Made")


def kept_by_joints(
    most: int,
) -> Callable[[Callable[[Array, *Others], Made]], Callable[[Array, *Others], Made]]:
    """Keep what a function makes of joints (..., 22, 3) and of hashable values behind them, for the
    `most` bodies that were asked for last. It gets the joints read-only."""

    def keeping(function: Callable[[Array, *Others], Made]) -> Callable[[Array, *Others], Made]:
        @lru_cache(maxsize=most)
        def of_bytes(
            data: bytes, dtype: str, shape: tuple[int, ...], others: tuple[*Others]
        ) -> Made:
            return function(np.frombuffer(data, dtype).reshape(shape), *others)

        @wraps(function)
        def of_joints(rest_joints: Array, *others: *Others) -> Made:
            joints = rest_joints
            return of_bytes(joints.tobytes(), joints.dtype.str, joints.shape, others)

        return of_joints

    return keeping
