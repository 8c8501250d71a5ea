"""Augmentation: clips seen in a mirror, and with the two people in each other's place.

Knows features and clips. Knows neither windows nor known frames.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from engine.body.skeleton import JOINT_COUNT, MIRROR
from trainer.data.shards import Clips

MIRROR_ROT6D_SIGNS = np.array([1, -1, -1, 1, -1, 1], np.float32)
"""A rotation mirrored across the YZ plane, in the engine's 6D layout (facts/ponimator.md 2.2)."""


def draw_augmentation(
    clips: Clips, chosen: IntArray, rng: np.random.Generator
) -> tuple[BoolArray, BoolArray]:
    """Which of the chosen clips are mirrored, and in which the people change places."""
    flipped, swapped = rng.random((2, len(chosen))) < 0.5
    return flipped & clips.is_mirrorable[chosen], swapped


def augmented(
    motion: Array, rest: Array, flipped: BoolArray, swapped: BoolArray
) -> tuple[Array, Array]:
    """Motion (batch, 2, frame, 135) and rest joints, chosen rows mirrored, people swapped."""
    flip, swap = flipped[:, None, None, None], swapped[:, None, None, None]
    motion_m, rest_m = mirrored(motion, rest)
    motion, rest = np.where(flip, motion_m, motion), np.where(flip, rest_m, rest)
    return np.where(swap, motion[:, ::-1], motion), np.where(swap, rest[:, ::-1], rest)


def mirrored(features: Array, rest_joints: Array) -> tuple[Array, Array]:
    """Left becomes right: features (..., 135) and rest joints (..., 22, 3) across the YZ plane.

    The rest joints are mirrored too, so a body that is not quite symmetric stays consistent.
    """
    rot6d = features[..., :-3].reshape(*features.shape[:-1], JOINT_COUNT, 6)
    rot6d = rot6d[..., MIRROR, :] * MIRROR_ROT6D_SIGNS
    flip = np.array([-1, 1, 1], np.float32)
    flat = rot6d.reshape(*features.shape[:-1], 6 * JOINT_COUNT)
    return (
        np.concatenate([flat, features[..., -3:] * flip], axis=-1),
        rest_joints[..., MIRROR, :] * flip,
    )
