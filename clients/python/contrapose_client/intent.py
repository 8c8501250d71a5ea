"""What the player is about, as the server tells it, and what the partner may do about it.

Knows the wire's messages; no stream. Seconds, frames of the session's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contrapose.v1 import interaction_pb2 as pb

RESPOND = {
    "always": pb.RESPOND_ALWAYS,
    "never": pb.RESPOND_NEVER,
    "ask": pb.RESPOND_ASK,
}
PHASES = {
    pb.INTENT_PHASE_UNSPECIFIED: "none",
    pb.INTENT_PHASE_SEEN: "seen",
    pb.INTENT_PHASE_OFFERED: "offered",
    pb.INTENT_PHASE_COMING: "coming",
    pb.INTENT_PHASE_MET: "met",
    pb.INTENT_PHASE_LEAVING: "leaving",
}
HANDS = {
    pb.INTENT_HAND_LEFT: "left",
    pb.INTENT_HAND_RIGHT: "right",
    pb.INTENT_HAND_BOTH: "both",
}


@dataclass(frozen=True)
class Intent:
    """The kind now seen; the phase of the partner's answer: "none", "seen" (and left alone),
    "offered" (the client can confirm), "coming", "met" or "leaving"; the player's hand ("left",
    "right", "both"); seconds until the partner touches, 0 while it does; all kinds by name; metres
    left, up and forward from the player's pelvis to where palms meet."""

    kind: str
    phase: str
    hand: str | None
    seconds_to_contact: float | None
    probabilities: Mapping[str, float]
    contact_point: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Offer:
    """What the partner answers if `Interaction.confirm(id)` comes before frame `until`."""

    id: int
    kind: str
    until: int


def respond_number(respond: str | None) -> pb.Respond:
    """The wire's number; None is "as before". Raises ValueError for another word."""
    if respond is None:
        return pb.RESPOND_UNSPECIFIED
    if respond not in RESPOND:
        raise ValueError(f"no such respond: {respond}; expected one of {', '.join(RESPOND)}")
    return RESPOND[respond]


def kinds_message(kinds: Iterable[str] | None) -> pb.Kinds | None:
    """None: as before; none at all: every kind."""
    return None if kinds is None else pb.Kinds(names=kinds)


def intent_of(status: pb.SessionStatus | None) -> Intent | None:
    """None: the server does not tell."""
    if status is None or not status.HasField("intent"):
        return None
    told = status.intent
    has_time = told.HasField("seconds_to_contact")
    return Intent(
        kind=told.kind,
        phase=PHASES.get(told.phase, "none"),
        hand=HANDS.get(told.hand),
        seconds_to_contact=told.seconds_to_contact if has_time else None,
        probabilities=dict(zip(told.kinds, told.probabilities, strict=False)),
        contact_point=tuple(told.contact_point) if len(told.contact_point) == 3 else None,
    )


def offer_of(offer: pb.Offer) -> Offer:
    return Offer(id=offer.offer_id, kind=offer.kind, until=offer.until_frame_index)
