"""Files of motion: which reader or writer a file needs. Knows suffixes, no layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from engine.body.shape import Body, load_body
from engine.errors import InputError
from engine.formats.bvh import read_bvh, write_bvh
from engine.formats.estimator import read_estimate
from engine.formats.npz import read_npz, write_npz
from engine.formats.resample import resampled
from engine.formats.retarget import motion_from_bvh
from engine.formats.rig import RigMap
from engine.motion.motion import Motion

READABLE = (".npz", ".bvh", ".pkl", ".pickle")
WRITABLE = (".npz", ".glb", ".bvh", ".gif", ".mp4", ".png")
USUAL_RATES = {".glb": 30.0}
"""Frames a second that tools expect in a kind of file; other kinds keep the motion's."""


def read_motion(
    path: Path,
    *,
    rig: RigMap | None = None,
    body: Body | None = None,
    up: Literal["y", "z"] | None = None,
) -> Motion:
    """Read a motion or a pose from any file that we know; its suffix says which kind it is.

    .npz   ours or AMASS's (`up` overrides the axis found)
    .bvh   one person of any humanoid rig (`rig` names its joints where names do not)
    .pkl   BUDDI (two people), SMPLest-X or Motion-X (one): a single frame
    body   what betas and floor are made for; None: the open body
    Raises InputError that names the file and what is wrong.
    """
    path, body = Path(path), body or load_body()
    suffix = path.suffix.lower()
    if suffix not in READABLE:
        raise InputError(
            f"{path}: cannot read files named *{suffix}; expected one of {', '.join(READABLE)}",
            field="path",
        )
    if not path.is_file():
        raise InputError(f"{path}: no such file", field="path")
    if suffix == ".npz":
        return read_npz(path, body, up)
    if suffix == ".bvh":
        return motion_from_bvh(read_bvh(path), body, rig or RigMap(), source=path.name, up=up)
    return read_estimate(path, body)


def write_motion(
    path: Path,
    motion: Motion,
    body: Body,
    *,
    caption: str = "",
    metres_per_unit: float = 0.01,
    frame_rate: float | None = None,
) -> list[Path]:
    """Write a motion in the kind of file that the suffix says; returns the paths written.

    frame_rate        frames a second; None: 30 in .glb, the motion's own in all others

    .npz              ours
    .glb              all people, skinned, in one file
    .bvh              one file a person: OUT.bvh, or OUT_person0.bvh and OUT_person1.bvh for two
    .gif .mp4 .png    pictures, with the caption; needs the extra `engine`
    Raises InputError for other suffixes and places that cannot be written to.
    """
    path = Path(path)
    check_writable(path)
    suffix = path.suffix.lower()
    motion = resampled(motion, frame_rate or USUAL_RATES.get(suffix, motion.frame_rate))
    try:
        if suffix == ".npz":
            write_npz(path, motion, body)
        elif suffix == ".bvh":
            return _write_people(path, motion, body, metres_per_unit)
        elif suffix == ".glb":
            from engine.formats.glb import write_glb

            write_glb(path, motion, body)
        else:
            from engine.formats.render import write_animation

            write_animation(path, motion, body, caption)
    except OSError as exc:
        raise InputError(f"{path}: cannot be written ({exc})", field="output") from exc
    return [path]


def check_writable(path: Path) -> None:
    """Raise InputError if no motion can be written there; commands ask before they compute."""
    suffix = path.suffix.lower()
    if suffix not in WRITABLE:
        raise InputError(
            f"{path}: cannot write files named *{suffix}; expected one of {', '.join(WRITABLE)}",
            field="output",
        )
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it first", field="output")


def _write_people(path: Path, motion: Motion, body: Body, metres_per_unit: float) -> list[Path]:
    paths = [path]
    if motion.people > 1:
        paths = [path.with_stem(f"{path.stem}_person{i}") for i in range(motion.people)]
    for person, target in enumerate(paths):
        write_bvh(target, motion, body, person=person, metres_per_unit=metres_per_unit)
    return paths
