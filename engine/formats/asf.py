"""Acclaim recordings (.asf skeleton, .amc motion), as the CMU data base has them, read as BVH.

Knows the two text formats. What becomes of the joints is `engine/formats/retarget.py`'s business.
Format: www.cs.wisc.edu/graphics/Courses/cs-838-1999/Jeff/ASF-AMC.html. A bone's angles turn it
about its own axes C:  local = C Rz Ry Rx C^T.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.body.rotations import euler_zxy_from_rotmat, rotmat_from_euler
from engine.errors import InputError
from engine.formats.bvh import Bvh
from engine.formats.rig import RigMap

FRAME_RATE = 120.0
"""The files do not tell; all of CMU's are at 120."""
CMU_RIG = RigMap(
    joints={
        "pelvis": "root",
        "spine1": "lowerback",
        "spine2": "upperback",
        "spine3": "thorax",
        "neck": "lowerneck",
        "head": "head",
    }
    | {
        f"{side}_{ours}": f"{side[0]}{theirs}"
        for side in ("left", "right")
        for ours, theirs in {
            "hip": "femur",
            "knee": "tibia",
            "ankle": "foot",
            "foot": "toes",
            "collar": "clavicle",
            "shoulder": "humerus",
            "elbow": "radius",
            "wrist": "hand",
        }.items()
    },
    up="y",
)
_POSITIONS = ("Xposition", "Yposition", "Zposition")
_ROTATIONS = ("Zrotation", "Xrotation", "Yrotation")


@dataclass(frozen=True)
class _Bone:
    name: str
    offset: Array
    """(3,) from its start to its end."""
    axes: Array
    """(3, 3)"""
    dofs: tuple[str, ...]


def read_acclaim(motion: Path) -> Bvh:
    """A recording with the skeleton beside it: NAME.asf, or SUBJECT.asf of SUBJECT_TRIAL.amc."""
    return read_amc(motion, skeleton_of(motion))


def skeleton_of(motion: Path) -> Path:
    """The skeleton of NAME.amc, beside it. Raises InputError if there is none."""
    own = motion.with_suffix(".asf")
    path = own if own.is_file() else motion.with_name(f"{motion.stem.partition('_')[0]}.asf")
    if not path.is_file():
        raise InputError(
            f"{motion}: neither {own.name} nor {path.name} is beside it; put its skeleton there",
            field="path",
        )
    return path


def read_amc(motion: Path, skeleton: Path) -> Bvh:
    """One recording; each joint is named after the bone that starts there. Raises InputError."""
    try:
        bones, parent_of = _read_skeleton(skeleton.read_text())
        frames = list(_read_frames(motion.read_text()))
        names = ["root", *bones]
        parents = (-1, *(names.index(parent_of[name]) for name in bones))
        locals_ = [_local(frames, n, bones[n]) if n in bones else _root(frames) for n in names]
    except (OSError, ValueError, KeyError, IndexError) as exc:
        raise InputError(
            f"{motion}: not a readable recording on {skeleton.name} ({exc!r}); "
            "expected the ASF and AMC text formats of the CMU data base; download both again",
            field="path",
        ) from exc
    offsets = [bones[names[p]].offset if p > 0 else np.zeros(3) for p in parents]
    angles = [np.degrees(euler_zxy_from_rotmat(local)) for local in locals_]
    position = np.array([frame["root"][:3] for frame in frames])
    return Bvh(
        names=tuple(names),
        parents=parents,
        offsets=np.array(offsets),
        channels=(_POSITIONS + _ROTATIONS, *[_ROTATIONS] * len(bones)),
        values=np.concatenate([position, *angles], axis=1),
        frame_rate=FRAME_RATE,
    )


def _root(frames: list[dict[str, list[float]]]) -> Array:
    angles = np.radians([frame["root"][3:] for frame in frames])
    return rotmat_from_euler(angles[:, ::-1], "zyx")


def _local(frames: list[dict[str, list[float]]], name: str, bone: _Bone) -> Array:
    angles = np.zeros((len(frames), 3))
    for column, dof in enumerate(bone.dofs):
        angles[:, "zyx".index(dof[1])] = [frame[name][column] for frame in frames]
    return np.asarray(bone.axes @ rotmat_from_euler(np.radians(angles), "zyx") @ bone.axes.T)


def _read_skeleton(text: str) -> tuple[dict[str, _Bone], dict[str, str]]:
    """Bones by name, in the file's order, and the parent of each."""
    sections = {}
    for section in text.split("\n:")[1:]:
        title, _, rest = section.partition("\n")
        sections[title.split()[0]] = rest
    bones = {}
    for block in sections["bonedata"].split("begin")[1:]:
        lines = {words[0]: words[1:] for line in block.splitlines() if (words := line.split())}
        direction = np.array([float(v) for v in lines["direction"]])
        axis = np.radians([float(v) for v in lines["axis"][:3]])
        bones[lines["name"][0]] = _Bone(
            name=lines["name"][0],
            offset=direction * float(lines["length"][0]),
            axes=rotmat_from_euler(axis[::-1], "zyx"),
            dofs=tuple(lines.get("dof", ())),
        )
    parents: dict[str, str] = {}
    for line in sections["hierarchy"].splitlines():
        parent, *children = line.split() or [""]
        if children:
            parents |= dict.fromkeys(children, parent)
    return bones, parents


def _read_frames(text: str) -> Iterator[dict[str, list[float]]]:
    frame: dict[str, list[float]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 1 and words[0].isdigit():
            if frame:
                yield frame
            frame = {}
        elif len(words) > 1 and not line.startswith(("#", ":")):
            frame[words[0]] = [float(word) for word in words[1:]]
    if frame:
        yield frame
