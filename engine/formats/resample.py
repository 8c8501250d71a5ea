"""Resampling: the same motion at another frame rate. Knows rotations and time, no file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.body.rotations import quat_from_rotmat, slerp_rotmat
from engine.errors import InputError
from engine.motion.motion import Motion


def resampled(motion: Motion, frame_rate: float) -> Motion:
    """The motion at `frame_rate`: rotations along the shortest arc, translations along the chord.

    The first frame stays; the last is the last whole step of the new rate that the motion reaches.
    Raises InputError unless the rate is a positive number.
    """
    if not (np.isfinite(frame_rate) and frame_rate > 0):
        raise InputError(
            f"a frame rate of {frame_rate:g} frames a second; expected a number above 0",
            field="frame_rate",
        )
    if frame_rate == motion.frame_rate:
        return motion
    count = int((motion.frames - 1) / motion.frame_rate * frame_rate + 1e-6) + 1
    at = np.minimum(np.arange(count) / frame_rate * motion.frame_rate, motion.frames - 1)
    first = np.minimum(at.astype(np.int64), max(motion.frames - 2, 0))
    second = np.minimum(first + 1, motion.frames - 1)
    part = at - first
    rotmats = slerp_rotmat(
        motion.rotmats[:, first].astype(np.float64),
        motion.rotmats[:, second].astype(np.float64),
        part[:, None],
    )
    start, end = motion.transl[:, first], motion.transl[:, second]
    return replace(
        motion,
        quats_xyzw=quat_from_rotmat(rotmats).astype(np.float32),
        transl=(start + part[:, None] * (end - start)).astype(np.float32),
        frame_rate=frame_rate,
    )
