"""InterHuman (Liang et al. 2024): SMPL-H without fingers, Z up. Facts: datasets.md 2.

    motions_processed/person1/<id>.npy, person2/      joints and rotations, 30 frames a second
    motions/<id>.pkl                                  raw: shapes and genders; or taken alone
    annots/<id>.txt (three sentences)                 split files and ignore_list.txt: in split/, or
                                                      in the root as InterGen's loader wants them
The data are the user's, CC BY-NC-SA 4.0.

The processed files are taken where they are, because their joints tell where bodies touch, which
shapes do only with the body that they belong to. A raw file that tells no frame rate is taken for
60 a second, which the facts hold likely.

The processed files leave out the root's rotation and the shape; both are in the joint positions.
With C_j the product of the known rotations from the root to joint j, its bone b_j to its parent is
    p_j - p_parent = R C_parent b_j,
solved in turns for R of every frame (Kabsch) and for the bones, the same in all frames; the first
bones are a body's. How far R is off: with the open body and a skeleton like SMPL's 1.3 degrees for
people who hardly move, less than 0.7 for lively ones; joints are within a millimetre.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import rotmat_from_rot6d
from engine.body.shape import Body, bone_lengths, fit_betas, load_body
from engine.body.skeleton import JOINT_COUNT, PARENTS
from engine.formats.fields import Fields
from engine.formats.pickles import load_numeric_dict, load_numeric_npy
from trainer.data.readers.listing import (
    listed_sources,
    read_captions,
    read_lines,
    read_splits,
)
from trainer.data.readers.people import (
    FIT_TOLERANCE,
    RawPerson,
    body_recording,
    measured_rest,
    motion_of,
    person_of,
)
from trainer.data.readers.recording import Recording, Source, kind_of, recorded

PEOPLE = ("person1", "person2")
RAW_RATE, PROCESSED_RATE = 60.0, 30.0
PROCESSED_WIDTH = 492
"""62 joints x 3, then 51 rotations x 6: 21 of the body, 30 of the hands."""
POSITIONS = slice(0, 3 * JOINT_COUNT)
BODY_ROT6D = slice(62 * 3, 62 * 3 + 6 * (JOINT_COUNT - 1))
ROUNDS = 30
"""Rounds of solving in turns."""


def sources(root: Path) -> list[Source]:
    splits = read_splits(root, ["split", "."])
    for name in read_lines(root / "ignore_list.txt") + read_lines(root / "split/ignore_list.txt"):
        splits.pop(name, None)

    def raw(name: str) -> tuple[Path, ...]:
        return (root / "motions" / f"{name}.pkl",)

    def processed(name: str) -> tuple[Path, ...]:
        return tuple(root / "motions_processed" / f"person{i}" / f"{name}.npy" for i in (1, 2))

    return listed_sources(root, splits, [processed, raw])


def read(source: Source, body: Body | None = None) -> Recording:
    if source.paths[0].suffix == ".pkl":
        return _read_raw(source, body)
    return _read_processed(source, body or load_body())


# ---------------------------------------------------------------------------------------------- raw
def _read_raw(source: Source, body: Body | None) -> Recording:
    path = source.paths[0]
    content = _raw_content(path)
    return body_recording(
        source,
        [_raw_person(path, content, key) for key in PEOPLE],
        Fields(path, {"fps": RAW_RATE} | content).rate(),
        body=body,
        body_kind="smplh",
        up="z",
        captions=read_captions(path.parents[1] / "annots" / f"{source.name}.txt"),
    )


def _raw_content(path: Path) -> dict[str, Any]:
    return load_numeric_dict(path, "a dict with person1 and person2; download it again")


def _raw_person(path: Path, content: dict[str, Any], key: str) -> RawPerson:
    table = content.get(key)
    if not isinstance(table, dict):
        raise Fields(path, content).fail(
            key, f"is no dict of a person; the file has {', '.join(map(str, content))}"
        )
    return person_of(Fields(path, table, f"{key}."))


# ---------------------------------------------------------------------------------------- processed
def _read_processed(source: Source, body: Body) -> Recording:
    joints, turns, rest = zip(
        *(_processed_person(path, body) for path in source.paths), strict=True
    )
    root = source.paths[0].parents[2]
    raw = root / "motions" / f"{source.name}.pkl"
    rest_joints = np.stack(rest)
    betas, genders = fit_betas(body, bone_lengths(rest_joints)), ("neutral", "neutral")
    if raw.is_file():
        first, second = (_raw_person(raw, _raw_content(raw), key) for key in PEOPLE)
        betas, genders = np.stack([first.betas, second.betas]), (first.gender, second.gender)
    people = [
        RawPerson(turns[i], joints[i][:, 0] - rest_joints[i, 0], betas[i], genders[i])
        for i in range(2)
    ]
    return recorded(
        source,
        motion_of(source, people, PROCESSED_RATE),
        rest_joints,
        body_kind="smplh" if raw.is_file() else kind_of(body),
        genders=genders,
        captions=read_captions(root / "annots" / f"{source.name}.txt"),
        up="z",
    )


def _processed_person(path: Path, body: Body) -> tuple[Array, Array, Array]:
    """Joints (frame, 22, 3), rotmats (frame, 22, 3, 3), rest joints (22, 3)."""
    fields = Fields(path, {"rows": load_numeric_npy(path)})
    rows = fields.numbers("rows", (None, PROCESSED_WIDTH))
    joints = rows[:, POSITIONS].reshape(-1, JOINT_COUNT, 3)
    rot6d = rows[:, BODY_ROT6D].reshape(-1, JOINT_COUNT - 1, 6)
    rotmats, rest_joints, error = with_root(joints, rotmat_from_rot6d(rot6d), body)
    if not error < FIT_TOLERANCE:
        raise fields.fail(
            "rows",
            "[:, 186:312] are not the rotations of the joints [:, :66]: they meet them within "
            f"{100 * error:.1f} cm in mean, expected less than {100 * FIT_TOLERANCE:.0f}; "
            "download it again",
        )
    return joints, rotmats, rest_joints


def with_root(joints: Array, local: Array, body: Body) -> tuple[Array, Array, float]:
    """The root's rotation and the rest joints that go with joints and the rotations below the root.

    joints (frame, 22, 3), local (frame, 21, 3, 3)
    returns rotmats (frame, 22, 3, 3), rest joints (22, 3), mean error of the joints in metres
    """
    frames = len(joints)
    parents = list(PARENTS[1:])
    root: Array = np.broadcast_to(np.eye(3), (frames, 1, 3, 3))
    rest: Array = body.rest_joints(np.zeros(10)).astype(np.float64)
    _, below = forward_kinematics(rest, np.concatenate([root, local], 1), np.zeros((frames, 3)))
    below = below[:, parents]
    bones, moved = rest[1:] - rest[parents], joints[:, 1:] - joints[:, parents]
    for _ in range(ROUNDS):
        root = _kabsch((below @ bones[..., None])[..., 0], moved)[:, None]
        bones = np.einsum("tjba,tjb->ja", root @ below, moved) / frames
    rotmats = np.concatenate([root, local], axis=1)
    return rotmats, *measured_rest(rotmats, joints, rest[0])


def _kabsch(start: Array, goal: Array) -> Array:
    """The rotations R (frame, 3, 3) of least sum |goal - R start|^2 over (frame, n, 3)."""
    u, _, vt = np.linalg.svd(np.einsum("tni,tnj->tij", goal, start))
    flip = np.ones((len(u), 3))
    flip[:, 2] = np.linalg.det(u @ vt)
    return np.asarray((u * flip[:, None]) @ vt)
