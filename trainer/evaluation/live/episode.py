"""An episode: what one player does in front of the partner, and how a good partner would answer.

Plain data at 10 frames a second; the floor is y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.arrays import Array
from engine.body.pose import Pose, stacked
from engine.motion.motion import FRAME_RATE

LEFT, RIGHT = 0, 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Episode:
    """One player, wholly known beforehand: nothing that the partner does changes a frame of it.

    pose         (frame) of the player
    betas        (2, 10), rest_joints (2, 22, 3) of player and partner
    start        of the partner at the first frame
    truth        (frame) of a partner who answers well; None: nobody made one
    """

    group: str
    kind: str
    seed: int
    pose: Pose
    betas: Array
    rest_joints: Array
    start: Pose
    truth: Pose | None = None
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
        return len(self.pose.transl)

    @property
    def name(self) -> str:
        return f"{self.group}/{self.kind}/{self.seed}"


def frame_of(seconds: float) -> int:
    return round(seconds * FRAME_RATE)


def standing_still(episode: Episode) -> Pose:
    """The partner (frame) who never moves."""
    return stacked([episode.start] * episode.frames)
