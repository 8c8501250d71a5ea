"""An episode: what one player does in front of the partner, and how a good partner would answer.

Plain data at 10 frames a second; the floor is y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.motion.motion import FRAME_RATE

LEFT, RIGHT = 0, 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Episode:
    """One player, wholly known beforehand: nothing that the partner does changes a frame of it.

    rotmats      (frame, 22, 3, 3), transl (frame, 3) of the player
    betas        (2, 10), rest_joints (2, 22, 3) of player and partner
    start        rotmats (22, 3, 3), transl (3,) of the partner at the first frame
    truth        rotmats, transl (frame, ...) of a partner who answers well; None: nobody made one
    """

    group: str
    kind: str
    seed: int
    rotmats: Array
    transl: Array
    betas: Array
    rest_joints: Array
    start: tuple[Array, Array]
    truth: tuple[Array, Array] | None = None
    begins: int | None = None
    """Frame at which the player begins what is to be answered."""
    ends: int | None = None
    """Frame at which the player lets go of it."""
    hands: tuple[int, ...] = ()
    """Hands that the player offers."""
    meets: tuple[tuple[int, int], ...] = ()
    """Joints of player and partner that touch in the truth; a wrist stands for its palm."""
    words: tuple[tuple[int, str], ...] = ()
    """From which frame on the partner is told which words."""
    parts: tuple[tuple[int, Episode], ...] = ()
    """Of which a long one is made, and at which frame each begins; they are scored one by one."""

    @property
    def frames(self) -> int:
        return len(self.transl)

    @property
    def name(self) -> str:
        return f"{self.group}/{self.kind}/{self.seed}"


def frame_of(seconds: float) -> int:
    return round(seconds * FRAME_RATE)


def standing_still(episode: Episode) -> tuple[Array, Array]:
    """The partner who never moves: rotmats (frame, 22, 3, 3), transl (frame, 3)."""
    rotmats, transl = episode.start
    return (
        np.broadcast_to(rotmats, (episode.frames, *rotmats.shape)),
        np.broadcast_to(transl, (episode.frames, 3)),
    )
