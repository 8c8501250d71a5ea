"""Motions as plain arrays, for programs that have no Motion; found by the entry points
`contrapose.motions`.

    quats_xyzw (person, frame, 22, 4), transl (person, frame, 3), betas (person, 10), frame_rate,
    curls (person, frame, 10) or None

Knows files and bodies; not who asks.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics
from engine.body.shape import load_body
from engine.formats.files import read_motion, write_motion
from engine.motion.motion import Motion


def write(
    path: Path,
    quats_xyzw: Array,
    transl: Array,
    betas: Array,
    frame_rate: float,
    curls: Array | None = None,
) -> list[Path]:
    """Write the kind of file that the suffix says; returns the paths written."""
    motion = _motion(quats_xyzw, transl, betas, frame_rate, curls)
    return write_motion(path, motion, load_body())


def read(path: Path) -> tuple[Array, Array, Array, float, Array | None]:
    """Any motion or pose that we read."""
    motion = read_motion(path)
    return motion.quats_xyzw, motion.transl, motion.betas, motion.frame_rate, motion.curls


def joints(
    quats_xyzw: Array,
    transl: Array,
    betas: Array,
    frame_rate: float,
    curls: Array | None = None,
) -> Array:
    """(person, frame, 22, 3) metres in the world."""
    motion = _motion(quats_xyzw, transl, betas, frame_rate, curls)
    rest = load_body().rest_joints(motion.betas)[:, None]
    return forward_kinematics(rest, motion.rotmats, motion.transl)[0]


def picture(
    quats_xyzw: Array,
    transl: Array,
    betas: Array,
    frame_rate: float,
    curls: Array | None = None,
) -> bytes:
    """A contact sheet as PNG; needs the extra `engine`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sheet.png"
        write(path, quats_xyzw, transl, betas, frame_rate, curls)
        return path.read_bytes()


def _motion(
    quats_xyzw: Array, transl: Array, betas: Array, frame_rate: float, curls: Array | None
) -> Motion:
    return Motion(
        quats_xyzw=quats_xyzw, transl=transl, betas=betas, frame_rate=frame_rate, curls=curls
    )
