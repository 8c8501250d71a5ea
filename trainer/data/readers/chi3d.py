"""CHI3D (Fieraru et al. 2020): SMPL-X as rotation matrices, 50 frames a second, Z up.

    <subject>/smplx/<action> <number>.json            anywhere below the folder; s01 ... s05
Both people are in one file, on a leading axis; person 0 wears the markers. Facts: datasets.md 5;
rate and axis are its best knowledge: of Y and Z the axis that people stand along is taken.
The data are the user's, by application to their owners.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from engine.body.shape import SHAPE_COUNT, Body
from engine.body.skeleton import JOINT_COUNT
from engine.errors import InputError
from engine.formats.fields import Fields
from trainer.data.readers.people import RawPerson, body_recording, matrices
from trainer.data.readers.recording import Recording, Source

FRAME_RATE = 50.0
TEST_SUBJECTS = ("s01", "s05")


def sources(root: Path) -> list[Source]:
    found = [
        Source(f"{subject}/{path.stem}", (path,), "test" if subject in TEST_SUBJECTS else "train")
        for path in root.glob("**/smplx/*.json")
        for subject in [path.parent.parent.name]
    ]
    if not found:
        raise InputError(
            f"{root}: holds no <subject>/smplx/*.json; expected CHI3D's train or test folder",
            field="source",
        )
    return sorted(found, key=lambda source: source.name)


def read(source: Source, body: Body | None = None) -> Recording:
    path = source.paths[0]
    fields = Fields(path, _table(path))
    shape = fields.shape("transl")
    if len(shape) == 2 or shape[:1] == (1,):
        raise fields.fail(
            "transl",
            f"has shape {shape}: one person, of an older archive; expected (2, frames, 3): "
            "download the archive with both people",
        )
    transl = fields.numbers("transl", (2, None, 3))
    frames = transl.shape[1]
    root = matrices(fields, "global_orient", (2, frames, 1, 3, 3))
    pose = matrices(fields, "body_pose", (2, frames, JOINT_COUNT - 1, 3, 3))
    betas = fields.numbers("betas", (2, frames, SHAPE_COUNT)).mean(axis=1)
    rotmats = np.concatenate([root, pose], axis=2)
    return body_recording(
        source,
        [RawPerson(rotmats[i], transl[i], betas[i], "neutral") for i in range(2)],
        FRAME_RATE,
        body=body,
        body_kind="smplx",
        kind=re.sub(r"[\s_]*\d*$", "", path.stem).lower(),
    )


def _table(path: Path) -> dict[str, object]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise InputError(f"{path}: cannot be read ({exc.strerror})", field="path") from exc
    except (ValueError, RecursionError) as exc:
        raise InputError(
            f"{path}: is no JSON, or a damaged one ({exc}); unpack it again", field="path"
        ) from exc
    if not isinstance(table, dict):
        raise InputError(
            f"{path}: holds a {type(table).__name__}, expected an object with global_orient, "
            "body_pose, transl and betas; unpack it again",
            field="path",
        )
    return table
