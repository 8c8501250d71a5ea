"""Intent to the wire, and from it what the partner may do about it.

Knows messages, settings and what sessions tell; no session and no socket. What is wrong raises
ConfigError whose `field` is the path of the offending field.
"""

from __future__ import annotations

from contrapose.v1 import interaction_pb2

from engine.errors import ConfigError
from engine.motion.answers import ANSWERED
from engine.motion.intent import KINDS
from engine.session.config import Respond
from engine.session.responding import IntentReport, Offer, Phase

Settings = interaction_pb2.SessionHeader | interaction_pb2.SessionControl
RESPOND: dict[int, Respond] = {
    interaction_pb2.RESPOND_ALWAYS: Respond.ALWAYS,
    interaction_pb2.RESPOND_NEVER: Respond.NEVER,
    interaction_pb2.RESPOND_ASK: Respond.ASK,
}
PHASE = {
    Phase.NONE: interaction_pb2.INTENT_PHASE_UNSPECIFIED,
    Phase.SEEN: interaction_pb2.INTENT_PHASE_SEEN,
    Phase.OFFERED: interaction_pb2.INTENT_PHASE_OFFERED,
    Phase.COMING: interaction_pb2.INTENT_PHASE_COMING,
    Phase.MET: interaction_pb2.INTENT_PHASE_MET,
    Phase.LEAVING: interaction_pb2.INTENT_PHASE_LEAVING,
}
HAND = {
    "right_hand": interaction_pb2.INTENT_HAND_RIGHT,
    "left_hand": interaction_pb2.INTENT_HAND_LEFT,
    "both_hands": interaction_pb2.INTENT_HAND_BOTH,
    "high_five_right": interaction_pb2.INTENT_HAND_RIGHT,
    "high_five_left": interaction_pb2.INTENT_HAND_LEFT,
    "high_five_both": interaction_pb2.INTENT_HAND_BOTH,
    "open_arms": interaction_pb2.INTENT_HAND_BOTH,
}


def respond_from_wire(message: Settings, field: str) -> dict[str, Respond | tuple[str, ...]]:
    """Those of the settings `respond` and `kinds` that a header or a control has."""
    wanted: dict[str, Respond | tuple[str, ...]] = {}
    if message.respond != interaction_pb2.RESPOND_UNSPECIFIED:
        if message.respond not in RESPOND:
            names = ", ".join(each.name for each in RESPOND.values())
            raise ConfigError.at(f"{field}.respond", f"{message.respond}, expected one of {names}")
        wanted["respond"] = RESPOND[message.respond]
    if message.HasField("kinds"):
        for number, name in enumerate(message.kinds.names):
            if name not in ANSWERED:
                raise ConfigError.at(
                    f"{field}.kinds.names[{number}]",
                    f"{name!r:.40}, expected one of {', '.join(ANSWERED)}",
                )
        allowed = set(message.kinds.names or ANSWERED)
        wanted["kinds"] = tuple(kind for kind in ANSWERED if kind in allowed)
    return wanted


def confirmed_from_wire(control: interaction_pb2.SessionControl) -> int | None:
    """The number of the offer that a control confirms; None: none."""
    if not control.HasField("confirm"):
        return None
    if control.confirm == 0:
        raise ConfigError.at("control.confirm", "0, expected an offer_id; they begin with 1")
    return control.confirm


def offer_event(offer: Offer) -> interaction_pb2.SessionEvent:
    return interaction_pb2.SessionEvent(
        kind=interaction_pb2.SESSION_EVENT_KIND_OFFER,
        text=f"{offer.kind}: confirm offer {offer.number} within a second to have it answered",
        offer=interaction_pb2.Offer(
            offer_id=offer.number, kind=offer.kind, until_frame_index=offer.until
        ),
    )


def intent_to_wire(report: IntentReport) -> interaction_pb2.Intent:
    return interaction_pb2.Intent(
        kind=report.kind,
        phase=PHASE[report.phase],
        hand=HAND.get(report.kind, interaction_pb2.INTENT_HAND_UNSPECIFIED),
        seconds_to_contact=report.seconds_to_contact,
        contact_point=[] if report.contact_point is None else report.contact_point.tolist(),
        kinds=KINDS,
        probabilities=report.probabilities.tolist(),
    )
