"""Responding: what a client is asked before the partner answers, and what it is told of the player.

An offer names one time that the player is about something; it stands for a second, and is confirmed
or over. Plain data, in frames of the session's clock; knows no plan and no message.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from engine.arrays import Array
from engine.motion.answers import CONTACTS, Answer
from engine.motion.intent import KINDS
from engine.motion.motion import FRAME_RATE

NOTHING = KINDS[0]
OFFER_FRAMES = int(FRAME_RATE)
"""For which an offer stands."""


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
    probabilities       (KINDS,)
    """

    kind: str
    phase: Phase
    seconds_to_contact: float | None
    probabilities: Array


def phase_of(kind: str, answer: Answer | None, offer: Offer | None, frame: int) -> Phase:
    if answer is not None:
        if answer.until is not None and frame >= answer.until:
            return Phase.LEAVING
        return Phase.MET if frame >= answer.arrives else Phase.COMING
    if kind == NOTHING:
        return Phase.NONE
    is_offered = offer is not None and offer.is_open(frame)
    return Phase.OFFERED if is_offered else Phase.SEEN


def seconds_to_contact(answer: Answer | None, frame: int) -> float | None:
    """None: no touch is under way."""
    if answer is None or answer.kind not in CONTACTS:
        return None
    if answer.until is not None and frame >= answer.until:
        return None
    return max(answer.arrives - frame, 0) / FRAME_RATE
