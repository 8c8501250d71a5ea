"""Responding: what a client is asked before the partner answers, and what it is told of the player.

An offer names one time that the player is about something; it stands for a second, and is confirmed
or over. Plain data, in frames of the session's clock; knows no plan and no message.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from engine.arrays import Array
from engine.body.vectors import lengths, unit
from engine.motion.answers import CONTACTS, PELVIS, UP, Answer, touched
from engine.motion.intent import KINDS
from engine.motion.motion import FRAME_RATE

NOTHING = KINDS[0]
OFFER_FRAMES = int(FRAME_RATE)
"""For which an offer stands."""
THERE = 0.13
"""Metres that a palm may be from its place, to have met."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """number  from 1 on; since: the frame since which the player is about this kind
    until   the frame from which it is too late to confirm
    """

    number: int
    kind: str
    since: int
    until: int
    is_confirmed: bool = False

    def is_open(self, frame: int) -> bool:
        return not self.is_confirmed and frame < self.until


class Phase(Enum):
    """How far the answer to the player is."""

    NONE = "none"
    SEEN = "seen"
    OFFERED = "offered"
    COMING = "coming"
    MET = "met"
    LEAVING = "leaving"


@dataclass(frozen=True, kw_only=True, eq=False)
class IntentReport:
    """What the client is told of the player at a frame.

    seconds_to_contact  until hands meet, 0 while they do; None: no touch is under way
    contact_point       (3,) metres, in the player's frame: left, up, forward of the pelvis; None:
                        nothing is offered that is touched
    probabilities       (KINDS,)
    """

    kind: str
    phase: Phase
    seconds_to_contact: float | None
    probabilities: Array
    contact_point: Array | None = None


def places_of(kind: str, player: tuple[Array, Array, Array]) -> dict[int, Array]:
    """Where the partner's palms go for a kind of intent, (3,) by hand; of those that touch nothing,
    none.

    player  joints (22, 3), world (22, 3, 3), rest (22, 3)
    """
    return touched(kind, player) if kind in CONTACTS else {}


def in_front(places: dict[int, Array], joints: Array, world: Array) -> Array | None:
    """(3,) the middle of the places in the player's frame: left, up, forward of the pelvis."""
    if not places:
        return None
    forward = unit(world[PELVIS, :, 2] * [1.0, 0.0, 1.0])
    axes = np.stack([np.cross(UP, forward), UP, forward])
    return np.asarray(axes @ (np.mean(list(places.values()), axis=0) - joints[PELVIS]))


def frames_until(places: dict[int, Array], palms: Array) -> int | None:
    """Frames until palms (frame, 2, 3) are where they go; None: not in those frames."""
    away = [lengths(palms[:, side] - place) for side, place in places.items()]
    is_there = np.max(away, axis=0) < THERE
    return int(is_there.argmax()) if is_there.any() else None


def phase_of(
    kind: str, answer: Answer | None, offer: Offer | None, frame: int, *, is_met: bool
) -> Phase:
    if answer is not None:
        if answer.until is not None and frame >= answer.until:
            return Phase.LEAVING
        return Phase.MET if is_met else Phase.COMING
    if kind == NOTHING:
        return Phase.NONE
    is_offered = offer is not None and offer.is_open(frame)
    return Phase.OFFERED if is_offered else Phase.SEEN
