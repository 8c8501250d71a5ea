"""Hi4D (Yin et al. 2023): SMPL, one file a frame, 30 frames a second. Facts: datasets.md 4.

    pairXX/<action>/meta.npz                          genders and more
    pairXX/<action>/smpl/000XXX.npz                   both people; joints_3d tells their skeletons
The test pairs are CloseInt's. Its Y axis is thought to be up; whichever the people stand along is
taken. The data are the user's, by application to their owners.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.body.shape import Body
from engine.body.skeleton import JOINT_COUNT
from engine.errors import InputError
from engine.formats.fields import Archive, Fields
from engine.formats.npz import standing_axis
from trainer.data.readers.listing import gender_of
from trainer.data.readers.people import (
    FIT_TOLERANCE,
    RawPerson,
    measured_rest,
    motion_of,
    rotmats_of,
)
from trainer.data.readers.recording import Recording, Source, recorded

FRAME_RATE = 30.0
TEST_PAIRS = (23, 27, 28, 32, 37)
POSE_WIDTH = 69
"""23 joints below the root: the hands' two are left out."""


def sources(root: Path) -> list[Source]:
    found = []
    for meta in sorted(root.glob("pair*/*/meta.npz")):
        pair, action = meta.parent.parent.name, meta.parent.name
        is_test = pair.removeprefix("pair").lstrip("0") in map(str, TEST_PAIRS)
        frames = sorted(meta.parent.glob("smpl/*.npz"))
        found.append(Source(f"{pair}/{action}", (meta, *frames), "test" if is_test else "train"))
    if not found:
        raise InputError(
            f"{root}: holds no pair*/*/meta.npz; expected the folder that has pair00, pair01, ...",
            field="source",
        )
    return found


def read(source: Source, body: Body | None = None) -> Recording:
    """`body` is not needed: the files tell their joints."""
    meta, *paths = source.paths
    _require_every_frame(meta, paths)
    poses, transl, joints, betas = (
        np.stack(a, axis=1) for a in zip(*map(_frame, paths), strict=True)
    )
    genders = _genders(Fields(meta, Archive(meta)))
    rotmats = rotmats_of(poses)
    rest = []
    for person in range(2):
        pelvis = (joints[person, :, 0] - transl[person]).mean(axis=0)
        rest_joints, error = measured_rest(rotmats[person], joints[person], pelvis)
        if not error < FIT_TOLERANCE:
            raise InputError(
                f"{paths[0].parent}: joints_3d of person {person} are {100 * error:.1f} cm in mean "
                "off where body_pose and transl put them; unpack the sequence again",
                field="joints_3d",
            )
        rest.append(rest_joints)
    people = [RawPerson(rotmats[i], transl[i], betas[i].mean(axis=0), genders[i]) for i in range(2)]
    return recorded(
        source,
        motion_of(source, people, FRAME_RATE),
        np.stack(rest),
        body_kind="smpl",
        genders=genders,
        kind=re.sub(r"[\d_]+$", "", meta.parent.name).lower(),
        up=standing_axis(rotmats),
    )


def _require_every_frame(meta: Path, paths: list[Path]) -> None:
    numbers = [int(path.stem) for path in paths if path.stem.isdecimal()]
    whole = list(range(numbers[0], numbers[0] + len(paths))) if numbers else []
    if not numbers or numbers != whole:
        missing = next((n for n, m in zip(whole, numbers, strict=False) if n != m), 0)
        raise InputError(
            f"{meta.parent / 'smpl'}: frame {missing:06d} is missing among {len(paths)}; expected "
            "one file a frame, 000XXX.npz; some pairs unpack from two archives into one folder",
            field="smpl",
        )


def _frame(path: Path) -> tuple[Array, Array, Array, Array]:
    """Both people's poses (2, 66), transl (2, 3), joints (2, 22, 3), betas (2, 10)."""
    fields = Fields(path, Archive(path))
    pose = fields.numbers("body_pose", (2, POSE_WIDTH))[:, : 3 * (JOINT_COUNT - 1)]
    return (
        np.concatenate([fields.numbers("global_orient", (2, 3)), pose], axis=1),
        fields.numbers("transl", (2, 3)),
        fields.numbers("joints_3d", (2, 24, 3))[:, :JOINT_COUNT],
        fields.numbers("betas", (2, 10)),
    )


def _genders(meta: Fields) -> tuple[str, str]:
    genders = np.ravel(np.asarray(meta.values.get("genders", ())))
    if len(genders) != 2:
        raise meta.fail("genders", f"has shape {genders.shape}, expected (2,); unpack it again")
    return gender_of(genders[0]), gender_of(genders[1])
