"""Easing: how a motion sets off and arrives."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from engine.arrays import Array, BoolArray

Number = TypeVar("Number", float, Array)


def smoothstep(x: Number) -> Number:
    """From 0 to 1 while x goes from 0 to 1, at rest at both ends."""
    return x * x * (3 - 2 * x)


def eased_between(value: Array | float, first: float, second: float) -> Array:
    """0 up to the first of two limits, 1 from the second on, smoothly from one to the other."""
    return np.asarray(smoothstep(np.clip((value - first) / (second - first), 0.0, 1.0)))


def min_jerk(fraction: Array | float) -> Array:
    """0 to 1 without speed or acceleration at the ends (Flash and Hogan 1985); clamps outside."""
    u = np.clip(fraction, 0.0, 1.0)
    return np.asarray(u * u * u * (10 + u * (6 * u - 15)))


def frames_from(is_fixed: BoolArray) -> Array:
    """How many frames (T,) each is away from the nearest fixed one; far from any if none is."""
    frames = np.arange(len(is_fixed))
    distance = np.abs(frames[:, None] - frames[is_fixed])
    return np.asarray(distance.min(axis=1, initial=10**9).astype(np.float64))


def away_from(is_fixed: BoolArray, frames: int) -> Array:
    """0 at fixed frames (T,), rising smoothly to 1 `frames` away from them."""
    return smoothstep(np.minimum(frames_from(is_fixed) / frames, 1.0))
