"""Files of motion: which reader or writer a file needs. Knows suffixes, no layouts."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from engine.body.shape import Body, load_body
from engine.errors import InputError
from engine.formats.asf import read_acclaim
from engine.formats.blender import blender_command, write_fbx
from engine.formats.bvh import read_bvh, write_bvh
from engine.formats.estimator import read_estimate
from engine.formats.glb import write_glb
from engine.formats.humanoids import read_gltf
from engine.formats.joint_table import write_joint_table
from engine.formats.npz import read_npz, write_npz
from engine.formats.options import UNITS, WHOLE, Layout, WriteOptions, selected
from engine.formats.retarget import motion_from_bvh
from engine.formats.rig import RigMap
from engine.formats.smplx_npz import write_amass, write_interx
from engine.formats.vrma import write_vrma
from engine.motion.motion import Motion

GLTF = (".glb", ".vrma", ".vrm")
FARTHEST = 1e5
"""Metres from the origin: farther, a float32 no longer tells a centimetre."""
READABLE = (".npz", ".bvh", ".amc", *GLTF, ".pkl", ".pickle")
USD = (".usd", ".usdc", ".usda")
EACH = (".bvh", ".vrma")
"""Kinds that hold one person a file."""
PICTURES = (".gif", ".mp4", ".png")
WRITABLE = (".npz", ".glb", ".vrma", ".bvh", ".fbx", *USD, ".csv", *PICTURES)
USUAL_RATES = dict.fromkeys((".glb", ".vrma", ".bvh", ".fbx", *USD), 30.0) | {"interx": 120.0}
"""Frames a second that tools expect of a kind of file; others keep the motion's."""


def read_motion(
    path: Path,
    *,
    rig: RigMap | None = None,
    body: Body | None = None,
    up: Literal["y", "z"] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Motion:
    """Read a motion or a pose from any file that we know; its suffix says which kind it is.

    .npz   ours or AMASS's (`up` overrides the axis found)
    .bvh   one person of any humanoid rig (`rig` names its joints where names do not)
    .amc   the same, with its .asf beside it, as CMU's data base has them
    .glb   all people in the first animation, of any humanoid rig; .vrma and .vrm alike
    .pkl   BUDDI (two people), SMPLest-X or Motion-X (one): a single frame
    tell   told in one line what was guessed of a skeleton
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
        motion = read_npz(path, body, up)
    elif suffix in (".bvh", ".amc"):
        read = read_bvh if suffix == ".bvh" else read_acclaim
        motion = motion_from_bvh(
            read(path), body, rig or RigMap(), source=path.name, up=up, tell=tell
        )
    elif suffix in GLTF:
        motion = read_gltf(path, body, rig or RigMap(), up, tell)
    else:
        motion = read_estimate(path, body)
    _check_numbers(path, motion)
    return motion


def _check_numbers(path: Path, motion: Motion) -> None:
    """Raises InputError for a motion that no tool could show, whatever made it so."""
    arrays = (motion.quats_xyzw, motion.transl, motion.betas)
    if not all(np.isfinite(array).all() for array in arrays):
        raise InputError(f"{path}: some numbers in it are too large or too small", field="path")
    farthest = float(np.abs(motion.transl).max())
    if farthest > FARTHEST:
        raise InputError(
            f"{path}: somebody is {farthest:.3g} m from the origin, expected at most "
            f"{FARTHEST:g}; check its unit of length",
            field="path",
        )


def write_motion(
    path: Path,
    motion: Motion,
    body: Body,
    *,
    caption: str = "",
    options: WriteOptions = WHOLE,
) -> list[Path]:
    """Write a motion in the kind of file that the suffix says; returns the paths written.

    .npz .csv             ours, joint positions; at the motion's own frame rate
    .npz as amass         a file a person
    .npz as interx        a folder OUT with P1.npz and P2.npz, at 120 frames a second
    .glb .usd .usdc .fbx  all people, skinned, in one file
    .bvh .vrma            a file a person: OUT.bvh, or OUT_person0.bvh and OUT_person1.bvh for two
    .gif .mp4 .png        pictures, with the caption; needs the extra `engine`
    What is not a table or a picture is written at 30 frames a second, unless `options` say another.
    Raises InputError for other suffixes, and for places that cannot be written to.
    """
    path = Path(path)
    check_writable(path)
    suffix = path.suffix.lower()
    layout = options.layout if suffix == ".npz" else "ours"
    chosen = selected(motion, options, USUAL_RATES.get(layout) or USUAL_RATES.get(suffix))
    try:
        if suffix in EACH or layout != "ours":
            return _write_each(path, layout, chosen, body, options)
        _write_all(path, suffix, chosen, body, caption)
    except OSError as exc:
        raise InputError(f"{path}: cannot be written ({exc})", field="output") from exc
    return [path]


def _write_all(path: Path, suffix: str, motion: Motion, body: Body, caption: str) -> None:
    """Everybody in one file. What needs an extra is imported when it is needed."""
    if suffix == ".npz":
        write_npz(path, motion, body)
    elif suffix == ".csv":
        write_joint_table(path, motion, body)
    elif suffix == ".glb":
        write_glb(path, motion, body)
    elif suffix == ".fbx":
        write_fbx(path, motion, body)
    elif suffix in USD:
        from engine.formats.usd import write_usd

        write_usd(path, motion, body)
    else:
        from engine.formats.render import write_animation

        write_animation(path, motion, body, caption)


def _write_each(
    path: Path, layout: Layout, motion: Motion, body: Body, options: WriteOptions
) -> list[Path]:
    """A file a person; the names tell them apart."""
    paths = [path]
    if layout == "interx":
        folder = path.with_suffix("")
        folder.mkdir(exist_ok=True)
        paths = [folder / f"P{i + 1}.npz" for i in range(motion.people)]
    elif motion.people > 1:
        paths = [path.with_stem(f"{path.stem}_person{i}") for i in range(motion.people)]
    for person, target in enumerate(paths):
        if layout == "amass":
            write_amass(target, motion, body, person=person)
        elif layout == "interx":
            write_interx(target, motion, body, person=person)
        elif target.suffix.lower() == ".vrma":
            write_vrma(target, motion, body, person=person)
        else:
            unit = UNITS[options.units]
            write_bvh(target, motion, body, person=person, metres_per_unit=unit)
    return paths


def check_writable(path: Path) -> None:
    """Raise InputError if no motion can be written there; commands ask before they compute."""
    suffix = path.suffix.lower()
    if suffix == ".fbx":
        blender_command(path)
    elif suffix in USD and find_spec("pxr") is None:
        raise ModuleNotFoundError(name="pxr")
    if suffix not in WRITABLE:
        raise InputError(
            f"{path}: cannot write files named *{suffix}; expected one of {', '.join(WRITABLE)}",
            field="output",
        )
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it first", field="output")
