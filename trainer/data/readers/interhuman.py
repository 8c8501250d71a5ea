"""InterHuman (Liang et al. 2024): SMPL-H without fingers, Z up. Facts: datasets.md 2.

    motions/<id>.pkl                                  raw, taken where it is there
    motions_processed/person1/<id>.npy, person2/      else: 30 frames a second, no root rotation
    annots/<id>.txt (three sentences)                 split files and ignore_list.txt: in split/, or
                                                      in the root as InterGen's loader wants them
The data are the user's, CC BY-NC-SA 4.0.

A raw file without a frame rate has 30 a second times as often as its frames go into those of the
processed file beside it; without that file, 60, which is what the facts hold likely.

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
from engine.body.shape import Body, load_body
from engine.body.skeleton import JOINT_COUNT, PARENTS
from engine.errors import InputError
from engine.formats.fields import RATE_KEYS, Fields
from engine.formats.pickles import load_numeric_npy, load_numeric_pickle
from trainer.data.readers.listing import (
    gender_of,
    listed_sources,
    read_captions,
    read_lines,
    read_splits,
)
from trainer.data.readers.people import (
    FIT_TOLERANCE,
    Person,
    axis_angle_pose,
    betas_of,
    body_recording,
    measured_rest,
    motion_of,
)
from trainer.data.readers.recording import Recording, Source, recorded

RAW_RATE, PROCESSED_RATE = 60.0, 30.0
PROCESSED_WIDTH = 492
"""62 joints x 3, then 51 rotations x 6: 21 of the body, 30 of the hands."""
POSITIONS = slice(0, 3 * JOINT_COUNT)
BODY_ROT6D = slice(62 * 3, 62 * 3 + 6 * (JOINT_COUNT - 1))
ROUNDS = 30
"""Of solving in turns."""


def sources(root: Path) -> list[Source]:
    splits = read_splits(root, ["split", "."])
    for name in read_lines(root / "ignore_list.txt") + read_lines(root / "split/ignore_list.txt"):
        splits.pop(name, None)

    def raw(name: str) -> tuple[Path, ...]:
        return (root / "motions" / f"{name}.pkl",)

    def processed(name: str) -> tuple[Path, ...]:
        return _processed_files(root, name)

    return listed_sources(root, splits, [raw, processed])


def _processed_files(root: Path, name: str) -> tuple[Path, ...]:
    return tuple(root / "motions_processed" / f"person{i}" / f"{name}.npy" for i in (1, 2))


def read(source: Source, body: Body | None = None) -> Recording:
    if source.paths[0].suffix == ".pkl":
        return _read_raw(source, body)
    return _read_processed(source, body or load_body())


# ---------------------------------------------------------------------------------------------- raw
def _read_raw(source: Source, body: Body | None) -> Recording:
    path = source.paths[0]
    content = load_numeric_pickle(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, expected a dict with person1 and person2; "
            "download it again",
            field="path",
        )
    people = [_raw_person(path, content, key) for key in ("person1", "person2")]
    return body_recording(
        source,
        people,
        _raw_rate(source, Fields(path, content), len(people[0].transl)),
        body=body,
        body_kind="smplh",
        up="z",
        captions=read_captions(path.parents[1] / "annots" / f"{source.name}.txt"),
    )


def _raw_person(path: Path, content: dict[str, Any], key: str) -> Person:
    table = content.get(key)
    if not isinstance(table, dict):
        raise Fields(path, content).fail(
            key, f"is no dict of a person; the file has {', '.join(map(str, content))}"
        )
    fields = Fields(path, table, f"{key}.")
    rotmats = axis_angle_pose(fields, "root_orient", "pose_body")
    return Person(
        rotmats=rotmats,
        transl=fields.numbers("trans", (len(rotmats), 3)),
        betas=betas_of(fields),
        gender=gender_of(fields.values.get("gender")),
    )


def _raw_rate(source: Source, fields: Fields, frames: int) -> float:
    if any(key in fields.values for key in RATE_KEYS):
        return fields.rate()
    processed = _processed_files(source.paths[0].parents[1], source.name)[0]
    if not processed.is_file():
        return RAW_RATE
    return PROCESSED_RATE * max(round(frames / len(_processed_rows(processed))), 1)


# ---------------------------------------------------------------------------------------- processed
def _processed_rows(path: Path) -> Array:
    return Fields(path, {"rows": load_numeric_npy(path)}).numbers("rows", (None, PROCESSED_WIDTH))


def _read_processed(source: Source, body: Body) -> Recording:
    people, rest = [], []
    for path in source.paths:
        rows = _processed_rows(path)
        joints = rows[:, POSITIONS].reshape(-1, JOINT_COUNT, 3)
        rot6d = rows[:, BODY_ROT6D].reshape(-1, JOINT_COUNT - 1, 6)
        rotmats, rest_joints, error = with_root(joints, rotmat_from_rot6d(rot6d), body)
        if not error < FIT_TOLERANCE:
            raise InputError(
                f"{path}: rows[:, 186:312] are not the rotations of the joints in rows[:, :66]: "
                f"they meet them within {100 * error:.1f} cm in mean, expected less than "
                f"{100 * FIT_TOLERANCE:.0f}; download it again",
                field="rows",
            )
        people.append(Person(rotmats, joints[:, 0] - rest_joints[0], np.zeros(10), "neutral"))
        rest.append(rest_joints)
    root = source.paths[0].parents[2]
    return recorded(
        source,
        motion_of(source, people, PROCESSED_RATE),
        np.stack(rest),
        body_kind="smplh",
        captions=read_captions(root / "annots" / f"{source.name}.txt"),
        up="z",
    )


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
    moved = joints[:, 1:] - joints[:, parents]
    error = np.inf
    for _ in range(ROUNDS):
        bones = below[:, parents] @ (rest[1:] - rest[parents])[..., None]
        root = _kabsch(bones[..., 0], moved)[:, None]
        rest, error = measured_rest(np.concatenate([root, local], 1), joints, rest[0])
    return np.concatenate([root, local], axis=1), rest, error


def _kabsch(start: Array, goal: Array) -> Array:
    """The rotations R (frame, 3, 3) of least sum |goal - R start|^2 over (frame, n, 3)."""
    u, _, vt = np.linalg.svd(np.einsum("tni,tnj->tij", goal, start))
    flip = np.ones((len(u), 3))
    flip[:, 2] = np.linalg.det(u @ vt)
    return np.asarray((u * flip[:, None]) @ vt)
