"""Two foreign skeletons recorded together, as two of our bodies that stand where they stood.

Knows Bvh recordings and rigs. Knows no file. Shapes are fitted to the bones; see retarget.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.body.shape import Body, load_body
from engine.errors import InputError
from engine.formats.bvh import Bvh
from engine.formats.retarget import motion_from_bvh, unit_of
from engine.formats.rig import RigMap
from trainer.data.readers.pairing import words_of
from trainer.data.readers.people import RawPerson, motion_of
from trainer.data.readers.recording import Recording, Source, kind_of, recorded


def skeleton_recording(
    source: Source, people: Sequence[Bvh], rig: RigMap, body: Body | None
) -> Recording:
    """Both in the unit of the first person's file: a child's legs are taken for inches else."""
    if people[0].frame_rate != people[1].frame_rate:
        raise InputError(
            f"{source.paths[0]}, {source.paths[1]}: have {people[0].frame_rate:g} and "
            f"{people[1].frame_rate:g} frames a second; expected one take of two people",
            field="frame_rate",
        )
    body = body or load_body()
    rig = replace(rig, metres_per_unit=unit_of(people[0], rig, source.paths[0].name))
    motions = [
        motion_from_bvh(bvh, body, rig, source=path.name, keeps_place=True)
        for bvh, path in zip(people, source.paths[:2], strict=True)
    ]
    motion = motion_of(
        source,
        [RawPerson(m.rotmats[0], m.transl[0], m.betas[0], "neutral") for m in motions],
        people[0].frame_rate,
    )
    words = words_of(source)
    return recorded(
        source,
        motion,
        np.asarray(body.rest_joints(motion.betas)),
        body_kind=kind_of(body),
        kind=words.kind,
        captions=words.captions,
    )
