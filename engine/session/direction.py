"""Direction: what the one who made a session wants of it, beside the player's motion.

Plain data; knows no plan and no message. What it does to the plan is `session.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from engine.arrays import Array
from engine.body.pose import Pose


class Mode(Enum):
    REACT = "react"
    """The player drives; the partner reacts."""
    FOLLOW_PLAN = "follow_plan"
    """Both are generated from the first pose on."""
    INBETWEEN = "inbetween"
    """As REACT, towards the targets."""
    PAUSED = "paused"
    """The partner comes to rest and waits."""


@dataclass(frozen=True, kw_only=True)
class ContactTarget:
    """The partner's hand (index of a wrist) touches a part of the player (index of its joint) by
    `frame` and for `hold_frames`."""

    partner_joint: int
    player_joint: int
    frame: int
    hold_frames: int = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class PlaceTarget:
    """The partner's pelvis over `position` (3,), metres, facing `heading` radians about +Y (0 is
    +Z; None: any way), by `frame`; None: as soon as possible."""

    position: Array
    heading: float | None = None
    frame: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseTarget:
    """Poses at a frame; the player's may be left open."""

    frame: int
    partner: Pose
    player: Pose | None = None


Target = ContactTarget | PlaceTarget | PoseTarget


@dataclass(frozen=True, kw_only=True)
class TargetEvent:
    """A target was reached, or cannot be: it is no longer wanted."""

    is_reached: bool
    text: str
    """One line for people: which target, and how near or why not."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Direction:
    mode: Mode = Mode.REACT
    text: Array | None = None
    """The text vector (width,); None: no words."""
    act: str | None = None
    """What these words ask of the partner alone, one of ACTS; None: whatever the network makes of
    them."""
    energy: float = 1.0
    """0.5 to 1.5: how lively the partner moves; 1 is as the network made it."""
    contact: ContactTarget | None = None
    place: PlaceTarget | None = None
    poses: tuple[PoseTarget, ...] = ()
    """In order of their frames; at most one a frame."""

    @property
    def is_free(self) -> bool:
        """Whether the partner may go to places and touch the player."""
        return self.mode in (Mode.REACT, Mode.INBETWEEN)

    def without(self, target: Target) -> Direction:
        """The same, without one of its targets."""
        return replace(
            self,
            contact=None if self.contact is target else self.contact,
            place=None if self.place is target else self.place,
            poses=tuple(pose for pose in self.poses if pose is not target),
        )
