"""Pairs of BVH files of any humanoid rig, in one world. Which files make a pair: `pairing.py`.

A `rig.toml` beside the files (engine/formats/rig.py) tells joints, unit and axis that they do not.
"""

from __future__ import annotations

from pathlib import Path

from engine.body.shape import Body
from engine.formats.bvh import read_bvh
from engine.formats.rig import RigMap, read_rig_map
from trainer.data.readers.pairing import pair_sources
from trainer.data.readers.recording import Recording, Source
from trainer.data.readers.skeletons import skeleton_recording


def sources(root: Path) -> list[Source]:
    return pair_sources(root, ".bvh")


def read(source: Source, body: Body | None = None) -> Recording:
    rig_file = source.paths[0].with_name("rig.toml")
    rig = read_rig_map(rig_file) if rig_file.is_file() else RigMap()
    people = [read_bvh(path) for path in source.paths[:2]]
    return skeleton_recording(source, people, rig, body)
