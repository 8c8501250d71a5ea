"""Motion in npz files: ours, and those of AMASS's kind.

Ours holds everything that forward kinematics needs, so other tools read it without our body:
    format "contrapose-motion", version 1, joint_names (22), parents (22), body (name)
    quats_xyzw (person, frame, 22, 4), transl (person, frame, 3), frame_rate
    betas (person, 10), rest_joints (person, 22, 3): the pelvis is at rest_joints[:, 0] + transl
and, where the motion says how hands are held:
    curls (person, frame, 10) in 0..1 (`body/fingers.py`), which is what we read, and the same as
    hand_quats_xyzw (person, frame, 30, 4), hand_joint_names (30), hand_parents (30) and
    hand_rest_joints (person, 30, 3) of the finger joints, which follow the 22
AMASS's hold axis-angle rotations and SMPL translations, mostly with Z up (facts/datasets.md 7, 10).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from engine.arrays import Array
from engine.body.fingers import CURLS, curls_from_rotmats, quats_of_curls, straight_hands
from engine.body.kinematics import turned_about_origin
from engine.body.rotations import quat_from_rotmat, rotmat_about, rotmat_from_axis_angle
from engine.body.shape import Body, bone_lengths, fit_betas
from engine.body.skeleton import (
    HAND_JOINT_NAMES,
    HAND_PARENTS,
    JOINT_COUNT,
    JOINT_NAMES,
    PARENTS,
)
from engine.errors import InputError
from engine.formats.fields import RATE_KEYS, Archive, Fields
from engine.formats.stored import archive_of
from engine.motion.motion import Motion

FORMAT = "contrapose-motion"
VERSION = 1
QUAT_TOLERANCE = 0.05
"""How far a quaternion's length may be from 1 before it is taken for something else."""
SAME_BODY = 1e-3
"""Rest joints that differ by more (metres) are another body's: its betas mean nothing to ours."""
SMPLX_VERTICES = 10475
MOST_PEOPLE = 64
TRANSLATION_KEYS = ("trans", "transl")
MOST_TURN = 2 * np.pi
"""Radians of a finger's joint, beyond which a number is none."""
HAND_KEYS = (("pose_hand",), ("pose_lhand", "pose_rhand"), ("poses",))


# ------------------------------------------------------------------------------------------ writing
def write_npz(path: Path, motion: Motion, body: Body) -> None:
    """Write our format; `body` is the one that the motion's betas belong to."""
    hands: dict[str, Any] = {}
    if motion.curls is not None:
        hands["curls"] = motion.curls.astype(np.float32)
    if motion.curls is not None and body.fingers is not None:
        quats = quats_of_curls(body.fingers, motion.curls.astype(np.float64))
        joints = body.all_rest_joints(motion.betas)[:, -len(HAND_JOINT_NAMES) :]
        hands |= {
            "hand_quats_xyzw": quats.astype(np.float32),
            "hand_joint_names": np.array(HAND_JOINT_NAMES),
            "hand_parents": np.array(HAND_PARENTS),
            "hand_rest_joints": joints.astype(np.float32),
        }
    arrays = {
        "format": np.array(FORMAT),
        "version": np.array(VERSION),
        "joint_names": np.array(JOINT_NAMES),
        "parents": np.array(PARENTS),
        "body": np.array(body.name),
        "quats_xyzw": motion.quats_xyzw.astype(np.float32),
        "transl": motion.transl.astype(np.float32),
        "betas": motion.betas.astype(np.float32),
        "rest_joints": body.rest_joints(motion.betas).astype(np.float32),
        "frame_rate": np.array(motion.frame_rate),
    }
    # Compressing spares a quarter of the bytes, takes longer than all else that is done here, and
    # makes other bytes of the same motion with another library.
    path.write_bytes(archive_of(arrays | hands))


# ------------------------------------------------------------------------------------------ reading
def read_npz(path: Path, body: Body, up: Literal["y", "z"] | None = None) -> Motion:
    """Read our format or AMASS's; raises InputError that names the file and the key.

    up  of AMASS-like files; None: the axis that the bodies stand along, in mean over the file
    """
    fields = Fields(path, Archive(path))
    if "quats_xyzw" in fields.values:
        return _own_motion(fields, body)
    if "poses" in fields.values or "root_orient" in fields.values:
        return _amass_motion(fields, body, up)
    raise InputError(
        f"{path}: holds {', '.join(fields.values) or 'nothing'}; expected quats_xyzw (our format), "
        "poses, or root_orient and pose_body (AMASS)",
        field="path",
    )


def _own_motion(fields: Fields, body: Body) -> Motion:
    tag = fields.values.get("format")
    if tag is not None and str(tag) != FORMAT:
        raise fields.fail("format", f"is {str(tag)!r}, expected {FORMAT!r}")
    version = fields.values.get("version", np.array(VERSION))
    if version is None or version.size != 1 or str(version.item()) != str(VERSION):
        raise fields.fail("version", f"is {version}, this program reads {VERSION}; update it")
    names = fields.values.get("joint_names")
    if names is not None and tuple(map(str, names.ravel()[: JOINT_COUNT + 1])) != JOINT_NAMES:
        raise fields.fail("joint_names", f"are others than ours, expected {', '.join(JOINT_NAMES)}")
    frame_rate = fields.rate(("frame_rate",))
    quats = fields.numbers("quats_xyzw", (None, None, JOINT_COUNT, 4))
    people, frames = quats.shape[:2]
    _check_people(fields, "quats_xyzw", people)
    lengths = np.linalg.norm(quats, axis=-1)
    if np.any(np.abs(lengths - 1) > QUAT_TOLERANCE):
        worst = np.unravel_index(int(np.abs(lengths - 1).argmax()), lengths.shape)
        raise fields.fail(
            "quats_xyzw",
            f"has length {lengths[worst]:.3g} at person, frame, joint {tuple(map(int, worst))}, "
            "expected unit quaternions x, y, z, w",
        )
    transl = fields.numbers("transl", (people, frames, 3))
    betas = fields.numbers("betas", (people, 10))
    if "rest_joints" in fields.values:
        rest = fields.numbers("rest_joints", (people, JOINT_COUNT, 3))
        if np.abs(rest - body.rest_joints(betas)).max() > SAME_BODY:
            betas = fit_betas(body, bone_lengths(rest))
            transl = transl + (rest - body.rest_joints(betas))[:, None, 0]
    return Motion(
        quats_xyzw=(quats / lengths[..., None]).astype(np.float32),
        transl=transl.astype(np.float32),
        betas=betas.astype(np.float32),
        frame_rate=frame_rate,
        curls=_own_curls(fields, people, frames),
    )


def _own_curls(fields: Fields, people: int, frames: int) -> Array | None:
    if "curls" not in fields.values:
        return None
    curls = fields.numbers("curls", (people, frames, CURLS))
    if not np.all((curls >= 0) & (curls <= 1)):
        raise fields.fail("curls", "has values outside 0..1, from straight to closed")
    return curls.astype(np.float32)


def _amass_motion(fields: Fields, body: Body, up: Literal["y", "z"] | None) -> Motion:
    """poses (T, 156 or 165), or root_orient (T, 3) and pose_body (T, 63 or 21, 3); trans (T, 3).

    Two people share a file when all arrays have one more axis, the person, in front.
    """
    frame_rate = fields.rate(RATE_KEYS)
    axis_angle = _axis_angle(fields)
    people, frames = axis_angle.shape[:2]
    _check_people(fields, "poses" if "poses" in fields.values else "root_orient", people)
    key = next((key for key in TRANSLATION_KEYS if key in fields.values), TRANSLATION_KEYS[0])
    two = _person_axes(fields.values.get(key))
    transl = fields.numbers(key, (frames, 3), extra_axes=two)
    transl = transl if two else transl[None]
    if len(transl) != people:
        raise fields.fail(key, f"is of {len(transl)} people, the poses are of {people}")
    betas = betas_for(body, _betas(fields, people), is_smplx=_is_smplx(fields))

    rotmats = rotmat_from_axis_angle(axis_angle)
    if (up or standing_axis(rotmats)) == "z":
        # Turned with the pelvis of the file's body: transl is relative to it (facts, datasets 7).
        pelvis = body.rest_joints(betas)[:, None, 0].astype(np.float64)
        rotmats[:, :, 0], transl = turned_about_origin(
            rotmat_about("x", -np.pi / 2), rotmats[:, :, 0], transl, pelvis
        )
    return Motion(
        quats_xyzw=quat_from_rotmat(rotmats).astype(np.float32),
        transl=transl.astype(np.float32),
        betas=betas,
        frame_rate=frame_rate,
        curls=_curls_of(fields, people, frames),
    )


def _curls_of(fields: Fields, people: int, frames: int) -> Array | None:
    """(person, frame, 10) that come nearest to the file's hands, left and right at the end of
    `poses` or under keys of their own; None where they are still, or not there as expected."""
    keys = next((keys for keys in HAND_KEYS if all(key in fields.values for key in keys)), ())
    arrays = [np.asarray(fields.values[key]) for key in keys]
    rows, width = people * frames, 3 * len(HAND_JOINT_NAMES)
    if not arrays or any(each.dtype.kind != "f" or each.size % rows for each in arrays):
        return None
    found = np.concatenate([each.reshape(rows, -1) for each in arrays], axis=1)
    if keys == ("poses",):
        found = found[:, -width:]
    is_hands = found.shape == (rows, width) and np.abs(found).max() <= MOST_TURN
    if not is_hands or not found.any():
        return None
    rotmats = rotmat_from_axis_angle(found.astype(np.float64).reshape(people, frames, -1, 3))
    return curls_from_rotmats(straight_hands(), rotmats).astype(np.float32)


def _axis_angle(fields: Fields) -> Array:
    """(person, frame, 22, 3)"""
    if "root_orient" in fields.values and "pose_body" in fields.values:
        two = _person_axes(fields.values["root_orient"])
        root = fields.numbers("root_orient", (None, 3), extra_axes=two)
        people = root.shape[:two]
        size: tuple[int, ...] = (*people, root.shape[-2], 3 * (JOINT_COUNT - 1))
        if fields.shape("pose_body")[-2:] == (JOINT_COUNT - 1, 3):
            size = (*size[:-1], JOINT_COUNT - 1, 3)
        joints = fields.numbers("pose_body", size).reshape(*people, root.shape[-2], -1)
        poses = np.concatenate([root, joints], axis=-1)
    else:
        array = fields.values.get("poses")
        two = _person_axes(array)
        width = 0 if array is None or array.ndim == 0 else array.shape[-1]
        if array is not None and width not in (66, 156, 165):
            raise fields.fail(
                "poses", f"has shape {array.shape}, expected (frames, 156) or (frames, 165)"
            )
        poses = fields.numbers("poses", (None, width), extra_axes=two)[..., : 3 * JOINT_COUNT]
    poses = poses if two else poses[None]
    return np.asarray(poses.reshape(*poses.shape[:2], JOINT_COUNT, 3))


def _check_people(fields: Fields, key: str, people: int) -> None:
    if people > MOST_PEOPLE:
        raise fields.fail(key, f"is of {people} people, expected at most {MOST_PEOPLE}")


def _person_axes(array: Any) -> int:
    """1 if an array of rows (frame, n) has the person in front, else 0."""
    return int(array is not None and array.ndim == 3)


def _is_smplx(fields: Fields) -> bool:
    return fields.shape("poses")[-1:] in ((), (165,))


def _betas(fields: Fields, people: int) -> Array:
    """(person, 10): the first ten of as many as the file has; zeros where it has none."""
    betas = fields.values.get("betas")
    if betas is None:
        return np.zeros((people, 10))
    betas = fields.numbers("betas", (None,), extra_axes=max(betas.ndim - 1, 0))
    if betas.shape not in ((betas.shape[-1],), (people, betas.shape[-1])) or betas.shape[-1] < 10:
        raise fields.fail("betas", f"has shape {betas.shape}, expected (at least 10,) a person")
    return np.broadcast_to(betas[..., :10], (people, 10))


def betas_for(body: Body, betas: Array, *, is_smplx: bool = True) -> Array:
    """Shapes as far as `body` understands them, else zeros, its mean shape.

    SMPL-X's mean nothing to the open body, nor SMPL-H's to SMPL-X.

    betas (..., 10) -> (..., 10) float32
    """
    keeps = is_smplx and len(body.template) == SMPLX_VERTICES
    return (betas if keeps else np.zeros_like(betas)).astype(np.float32)


def standing_axis(rotmats: Array) -> Literal["y", "z"]:
    """The world axis along which bodies stand, by rotmats (person, frame, 22, 3, 3), in mean."""
    mean = rotmats[:, :, 0, :, 1].mean(axis=(0, 1))
    return "y" if abs(mean[1]) > abs(mean[2]) else "z"
