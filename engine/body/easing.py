"""Easing: how a motion sets off and arrives."""

from __future__ import annotations

import numpy as np

from engine.arrays import Array


def smoothstep(x: Array) -> Array:
    """From 0 to 1 while x goes from 0 to 1, at rest at both ends."""
    return np.asarray(x * x * (3 - 2 * x))
