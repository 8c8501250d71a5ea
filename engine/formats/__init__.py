"""Motion in files and pictures: what the engine reads and writes, foreign skeletons included.

Knows layouts and suffixes. Knows no network, no session and no server.
"""

from __future__ import annotations

from engine.formats.files import (
    PICTURES,
    READABLE,
    WRITABLE,
    check_writable,
    read_motion,
    write_motion,
)
from engine.formats.options import WriteOptions
from engine.formats.resample import resampled
from engine.formats.rig import RigMap, read_rig_map

__all__ = [
    "PICTURES",
    "READABLE",
    "WRITABLE",
    "RigMap",
    "WriteOptions",
    "check_writable",
    "read_motion",
    "read_rig_map",
    "resampled",
    "write_motion",
]
