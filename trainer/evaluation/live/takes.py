"""Recordings of people for the group "real": one walk of our own, and whatever folders hold.

No training has used the walk, CMU 35_01 on the open body; `cmu_35_01.txt` says whose it is. Knows
files and takes; no episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.errors import InputError
from engine.formats import read_motion
from trainer.choreography.base_motion import Take, load_takes, take_of

WALK = Path(__file__).parent / "cmu_35_01.npz"
SHORTEST_S = 1.0
"""Less cannot be lengthened by playing it forwards and backwards."""


def shipped_walk() -> Take:
    return take_of(read_motion(WALK), WALK.stem)


def takes_in(folders: Sequence[Path]) -> tuple[Take, ...]:
    """Raises InputError for a folder without a recording."""
    takes: list[Take] = []
    for folder in folders:
        found = load_takes([folder], SHORTEST_S)
        if not found:
            raise InputError.at(
                "--real", f"{folder}: holds no .bvh and no .amc file of {SHORTEST_S:g} s or more"
            )
        takes += found
    return tuple(takes)
