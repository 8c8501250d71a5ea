"""Resampling: the same motion at another frame rate. Knows rotations and time, no file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.arrays import Array
from engine.body.rotations import quat_from_rotmat, rotmat_from_quat, slerp_rotmat
from engine.errors import InputError
from engine.motion.motion import MOST_FRAMES, RATES, RATES_TEXT, Motion

CHUNK = 4096
"""Frames made at a time, so that memory follows the result and not its matrices."""


def resampled(motion: Motion, frame_rate: float) -> Motion:
    """The motion at `frame_rate`: rotations along the shortest arc, translations along the chord.

    The first frame stays; the last is the last whole step of the new rate that the motion reaches.
    Raises InputError for a rate out of range, and for more frames than a motion may have.
    """
    if not RATES[0] <= frame_rate <= RATES[1]:
        raise InputError(
            f"a frame rate of {frame_rate:g}; expected {RATES_TEXT}", field="frame_rate"
        )
    if frame_rate == motion.frame_rate:
        return motion
    count = int((motion.frames - 1) / motion.frame_rate * frame_rate + 1e-6) + 1
    if count * motion.people > MOST_FRAMES:
        raise InputError(
            f"{motion.frames} frames at {motion.frame_rate:g} a second are {count:,} at "
            f"{frame_rate:g}, of {motion.people}; expected at most {MOST_FRAMES:,} in all",
            field="frame_rate",
        )
    steps = np.arange(count) / frame_rate * motion.frame_rate
    curls = None if motion.curls is None else _curls_at(motion.curls, steps)
    chunks = [_at(motion, steps[start : start + CHUNK]) for start in range(0, count, CHUNK)]
    return replace(
        motion,
        quats_xyzw=np.concatenate([quats for quats, _ in chunks], axis=1),
        transl=np.concatenate([transl for _, transl in chunks], axis=1),
        frame_rate=frame_rate,
        curls=curls,
    )


def _curls_at(curls: Array, times: Array) -> Array:
    """(person, t, 10) at `times`, in frames, from (person, frame, 10)."""
    last = curls.shape[1] - 1
    at = np.minimum(times, last)
    first = at.astype(np.int64)
    second, part = np.minimum(first + 1, last), (at - first)[:, None]
    return np.asarray((1 - part) * curls[:, first] + part * curls[:, second], np.float32)


def _at(motion: Motion, times: Array) -> tuple[Array, Array]:
    """Rotations (person, t, 22, 4) and translations (person, t, 3) at `times`, in frames."""
    at = np.minimum(times, motion.frames - 1)
    first = np.minimum(at.astype(np.int64), max(motion.frames - 2, 0))
    second = np.minimum(first + 1, motion.frames - 1)
    part = at - first
    rotmats = slerp_rotmat(
        rotmat_from_quat(motion.quats_xyzw[:, first]).astype(np.float64),
        rotmat_from_quat(motion.quats_xyzw[:, second]).astype(np.float64),
        part[:, None],
    )
    start, end = motion.transl[:, first], motion.transl[:, second]
    return (
        quat_from_rotmat(rotmats).astype(np.float32),
        (start + part[:, None] * (end - start)).astype(np.float32),
    )
