"""Pairs of AMASS-style npz files: SMPL-H or SMPL-X, any frame rate, Z up (or Y: it is found).

    poses (T, 156) is SMPL-H, (T, 165) SMPL-X; or root_orient (T, 3) and pose_body (T, 63): SMPL-X
    trans (T, 3), betas (10 or more), gender, mocap_framerate or mocap_frame_rate
Which files make a pair: `pairing.py`. Facts: datasets.md 7. Terms are those of each sub-set.
"""

from __future__ import annotations

from pathlib import Path

from engine.arrays import Array
from engine.body.shape import Body
from engine.body.skeleton import JOINT_COUNT
from engine.errors import InputError
from engine.formats.fields import Archive, Fields
from engine.formats.npz import TRANSLATION_KEYS
from trainer.data.readers.listing import gender_of
from trainer.data.readers.pairing import pair_sources, words_of
from trainer.data.readers.people import (
    RawPerson,
    axis_angle_pose,
    betas_of,
    body_recording,
    rotmats_of,
)
from trainer.data.readers.recording import BodyKind, Recording, Source

KINDS: dict[int, BodyKind] = {156: "smplh", 165: "smplx"}
"""Width of poses -> body."""


def sources(root: Path) -> list[Source]:
    return pair_sources(root, ".npz")


def read(source: Source, body: Body | None = None) -> Recording:
    files = [Fields(path, Archive(path)) for path in source.paths[:2]]
    people, kinds, rates = [], [], []
    for fields in files:
        rotmats, kind = _pose(fields)
        key = next((key for key in TRANSLATION_KEYS if key in fields.values), TRANSLATION_KEYS[0])
        transl = fields.numbers(key, (len(rotmats), 3))
        gender = gender_of(fields.values.get("gender"))
        people.append(RawPerson(rotmats, transl, betas_of(fields), gender))
        kinds.append(kind)
        rates.append(fields.rate())
    for what, values in (("body", kinds), ("frame rate", rates)):
        if values[0] != values[1]:
            raise InputError(
                f"{source.paths[0]}, {source.paths[1]}: differ in {what}, {values[0]} and "
                f"{values[1]}; expected one take of two people: pair files recorded together",
                field=what,
            )
    words = words_of(source)
    return body_recording(
        source,
        people,
        rates[0],
        body=body,
        body_kind=kinds[0],
        kind=words.kind,
        captions=words.captions,
    )


def _pose(fields: Fields) -> tuple[Array, BodyKind]:
    """(frame, 22, 3, 3) and whose."""
    if "poses" not in fields.values and "root_orient" in fields.values:
        return axis_angle_pose(fields, "root_orient", "pose_body"), "smplx"
    shape = fields.shape("poses")
    width = shape[-1] if shape else max(KINDS)
    if width not in KINDS:
        raise fields.fail(
            "poses", f"has shape {shape}, expected (frames, 156) of SMPL-H or (frames, 165)"
        )
    poses = fields.numbers("poses", (None, width))
    return rotmats_of(poses[:, : 3 * JOINT_COUNT]), KINDS[width]
