"""Pairs of Acclaim recordings, as in the CMU data base: free to use, also in products.

CMU's trials of two people stand under two subjects, at the same number: 18_01.amc and 19_01.amc,
with 18.asf and 19.asf. Subjects 18 and 19, 20 and 21, 22 and 23, 33 and 34 met each other. Other
files make pairs as `pairing.py` says. The skeleton of NAME.amc is NAME.asf or, from the name up to
its first "_", SUBJECT.asf, beside it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.body.shape import Body
from engine.formats.asf import CMU_RIG, read_amc, skeleton_of
from engine.formats.retarget import UNITS
from trainer.data.readers.pairing import pair_sources
from trainer.data.readers.recording import Recording, Source
from trainer.data.readers.skeletons import skeleton_recording

CMU_COUPLES = {"18": "19", "20": "21", "22": "23", "33": "34"}


def sources(root: Path) -> list[Source]:
    def partner(first: Path) -> Path | None:
        subject, _, trial = first.stem.partition("_")
        if subject not in CMU_COUPLES or not trial:
            return None
        other = CMU_COUPLES[subject]
        places = (first.parent, first.parent.parent / other)
        paths = (place / f"{other}_{trial}.amc" for place in places)
        return next((path for path in paths if path.is_file()), None)

    return pair_sources(root, ".amc", partner)


def read(source: Source, body: Body | None = None) -> Recording:
    people = [read_amc(path, skeleton_of(path)) for path in source.paths[:2]]
    rig = replace(CMU_RIG, metres_per_unit=UNITS["CMU"])
    return skeleton_recording(source, people, rig, body)
