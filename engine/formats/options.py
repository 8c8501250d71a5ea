"""Which part of a motion is written, and how: what the commands' options say.

Knows motions and time. Knows no file and no command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from engine.errors import InputError
from engine.formats.resample import resampled
from engine.motion.motion import Motion

Who = Literal["player", "partner", "both"]
Unit = Literal["cm", "m"]
Layout = Literal["ours", "amass", "interx"]
WHO: tuple[Who, ...] = get_args(Who)
UNITS: dict[Unit, float] = {"cm": 0.01, "m": 1.0}
"""Metres per unit of a BVH file."""


@dataclass(frozen=True, kw_only=True)
class WriteOptions:
    """The same for every kind of file, but for `units` (.bvh) and `layout` (.npz)."""

    person: Who = "both"
    frame_rate: float | None = None
    """Frames a second; None: what tools expect of the kind of file, or the motion's own."""
    trim: tuple[float, float] = (0.0, np.inf)
    """Seconds from the first frame; both ends are kept."""
    units: Unit = "cm"
    layout: Layout = "ours"


WHOLE = WriteOptions()
"""Everything there is, as it is."""


def selected(motion: Motion, options: WriteOptions, usual_rate: float | None) -> Motion:
    """The part of a motion that the options name, at their rate or else the usual one.

    Raises InputError that names the option where the motion has no such person or time.
    """
    motion = _of_person(motion, options.person)
    motion = resampled(motion, options.frame_rate or usual_rate or motion.frame_rate)
    return _trimmed(motion, *options.trim)


def _of_person(motion: Motion, person: Who) -> Motion:
    if person == "both":
        return motion
    index = WHO.index(person)
    if index >= motion.people:
        raise InputError.at("--person", f"{person}, but the motion has one person; leave it out")
    return motion.cut(slice(index, index + 1))


def _trimmed(motion: Motion, start: float, end: float) -> Motion:
    first = int(np.ceil(start * motion.frame_rate - 1e-6))
    last = min(np.floor(end * motion.frame_rate + 1e-6), motion.frames - 1)
    if first > last:
        seconds = (motion.frames - 1) / motion.frame_rate
        raise InputError.at(
            "--trim", f"{start:g}:{end:g} holds no frame; the motion lasts from 0 to {seconds:g} s"
        )
    return motion.cut(frames=slice(first, int(last) + 1))
