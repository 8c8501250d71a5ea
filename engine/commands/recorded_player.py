"""A recorded player to play to a server: for any time, back and forth. Knows motions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError

if TYPE_CHECKING:
    from engine.motion.motion import Motion

DEMO_PLAYER = Path(__file__).parent.parent / "data" / "demo_player.npz"
DEMO_SEED = 0
"""Fixed, so that two runs can be compared."""
MOST_SECONDS = 1_000_000


def frames_of(seconds: float) -> int:
    """How many frames of a session that is. Raises InputError for `--seconds`."""
    from engine.motion.motion import FRAME_RATE

    if not 0.1 <= seconds <= MOST_SECONDS:
        raise InputError.at("--seconds", f"{seconds:g}, expected 0.1 to {MOST_SECONDS}")
    return round(seconds * FRAME_RATE)


def looped(player: Motion, frames: int) -> Motion:
    """Person 0 at 10 frames a second for that many frames, back and forth if it is too short."""
    import numpy as np

    from engine.formats import resampled
    from engine.motion.motion import FRAME_RATE

    source = resampled(player, FRAME_RATE)
    there_and_back = [*range(source.frames), *range(source.frames - 2, 0, -1)]
    index = np.resize(there_and_back, frames)
    return source.cut(slice(1), index)
