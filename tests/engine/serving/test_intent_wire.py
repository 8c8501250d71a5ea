"""What a client is told of the player's intent, and what it may say to it; bad values are refused
in tests/e2e/test_bad_input.py."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

import pytest
from contrapose.v1 import interaction_pb2 as pb

from engine.errors import ConfigError
from engine.motion.answers import ANSWERED
from engine.motion.intent import KINDS
from engine.serving import wire
from engine.serving.intent_wire import PHASE, RESPOND, confirmed_from_wire
from engine.session.config import Respond, SessionConfig
from engine.session.responding import Phase
from engine.testing import run_virtually
from tests.data.make_contract import current_contract
from tests.engine.session.test_responding import ASK, new_session, offered_at, offering
from tests.engine.streaming import Requests, events_in, new_executor, new_stream
from tests.proto.limits import comments

Responses = list[pb.StreamInteractionResponse]


# ----------------------------------------------------------------------------------------- settings
def test_every_word_of_the_wire_is_one_of_the_engine() -> None:
    assert set(RESPOND) == set(pb.Respond.values()) - {pb.RESPOND_UNSPECIFIED}
    assert set(RESPOND.values()) == set(Respond)
    assert set(PHASE.values()) == set(pb.IntentPhase.values())
    assert set(PHASE) == set(Phase)


def test_the_contract_names_the_kinds_that_there_are() -> None:
    named = {
        f"{message.name}.{field.name}": set(re.findall(r'"(\w+)"', comment))
        for file in current_contract(with_comments=True).file
        for message, field, comment in comments(file)
    }
    assert named["Kinds.names"] == set(ANSWERED)
    assert named["Intent.kinds"] == set(KINDS) ^ set(ANSWERED)  # what only one of both has


def test_a_header_and_a_control_say_what_the_partner_may_answer() -> None:
    config = wire.session_config(pb.SessionHeader(), SessionConfig())
    assert (config.respond, config.kinds) == (Respond.ALWAYS, ANSWERED)
    named = pb.Kinds(names=["wave", "right_hand", "wave"])
    config = wire.session_config(pb.SessionHeader(respond=pb.RESPOND_ASK, kinds=named), config)
    assert (config.respond, config.kinds) == (Respond.ASK, ("right_hand", "wave"))
    assert wire.changed_config(config, pb.SessionControl(text="x")) is config
    config = wire.changed_config(config, pb.SessionControl(kinds=pb.Kinds()))
    assert (config.respond, config.kinds) == (Respond.ASK, ANSWERED)
    config = wire.changed_config(config, pb.SessionControl(respond=pb.RESPOND_NEVER))
    assert config.respond is Respond.NEVER


def test_a_name_of_no_kind_is_shown_in_one_line() -> None:
    bad = pb.SessionHeader(kinds=pb.Kinds(names=["x\n" * 1000]))
    with pytest.raises(ConfigError) as found:
        wire.session_config(bad, SessionConfig())
    assert found.value.field == "header.kinds.names[0]"
    assert "\n" not in str(found.value)
    assert len(str(found.value)) < 250


def test_a_control_confirms_by_number() -> None:
    assert confirmed_from_wire(pb.SessionControl()) is None
    assert confirmed_from_wire(pb.SessionControl(confirm=2**64 - 1)) == 2**64 - 1


# ------------------------------------------------------------------------------------ a live stream
def pose(frame: int) -> pb.StreamInteractionRequest:
    body = offering().pose[frame]
    player = pb.PlayerPose(sequence=frame + 1, time_code=frame / 10, body=wire.pose_to_wire(body))
    return pb.StreamInteractionRequest(pose=player)


def control(**settings: Any) -> pb.StreamInteractionRequest:
    return pb.StreamInteractionRequest(control=pb.SessionControl(**settings))


def answered(frames: int, *, agrees: bool, first: pb.SessionControl | None = None) -> Responses:
    """What a stream answers whose player holds out a hand; the client may agree to be answered."""
    responses: Responses = []
    confirmed: set[int] = set()

    async def requests() -> Requests:
        if first is not None:
            yield pb.StreamInteractionRequest(control=first)
        for frame in range(frames):
            yield pose(frame)
            await asyncio.sleep(0.1)
            for event in events_in(responses):
                number = event.offer.offer_id
                if agrees and number and number not in confirmed:
                    confirmed.add(number)
                    yield control(confirm=number)

    async def write(response: pb.StreamInteractionResponse) -> None:
        responses.append(response)

    async def run() -> None:
        stream = new_stream(new_executor(), session=new_session(ASK), tells_intent=True)
        await stream.run(requests(), write)

    run_virtually(run())
    return responses


def statuses_in(responses: Responses) -> list[pb.SessionStatus]:
    return [response.status for response in responses if response.HasField("status")]


def test_a_client_is_asked_and_told_how_far_the_answer_is() -> None:
    frame, _ = offered_at()
    responses = answered(frame + 30, agrees=True)
    (event,) = events_in(responses)
    assert event.kind == pb.SESSION_EVENT_KIND_OFFER
    assert event.offer.offer_id == 1
    assert event.offer.kind == "right_hand"
    assert event.text == "right_hand: confirm offer 1 within a second to have it answered"
    statuses = statuses_in(responses)
    told = [status.intent for status in statuses if status.HasField("intent")]
    order = list(dict.fromkeys((intent.kind, intent.phase) for intent in told))
    assert order == [
        ("nothing", pb.INTENT_PHASE_UNSPECIFIED),
        ("right_hand", pb.INTENT_PHASE_OFFERED),
        ("right_hand", pb.INTENT_PHASE_COMING),
        ("right_hand", pb.INTENT_PHASE_MET),
    ]
    offered = next(s for s in statuses if s.intent.phase == pb.INTENT_PHASE_OFFERED)
    assert abs(offered.frame_index - (event.offer.until_frame_index - 10)) <= 1
    for intent in told:
        assert tuple(intent.kinds) == KINDS
        assert sum(intent.probabilities) == pytest.approx(1, abs=1e-4)
        is_touch = intent.phase in (pb.INTENT_PHASE_COMING, pb.INTENT_PHASE_MET)
        assert intent.HasField("seconds_to_contact") is is_touch
        is_right = intent.kind == "right_hand"
        assert (intent.hand == pb.INTENT_HAND_RIGHT) is is_right


def test_intent_adds_a_message_when_it_changes_and_not_at_every_tick() -> None:
    """One at its beginning, its end as an offer, its answer, its touch: four at most."""
    frames = offered_at()[0] + 30
    responses = answered(frames, agrees=True)
    chunks = sum(response.HasField("frames") for response in responses)
    assert len(statuses_in(responses)) <= chunks + 4 + frames // 9


def test_a_client_that_confirms_what_does_not_stand_is_told_so() -> None:
    (event,) = events_in(answered(5, agrees=False, first=pb.SessionControl(confirm=7)))
    assert event.kind == pb.SESSION_EVENT_KIND_NOTICE
    assert event.text == "offer 7 does not stand any more, and is not answered"


@pytest.mark.parametrize(
    ("tells_intent", "responses", "notices"), [(True, True, 0), (False, True, 1), (True, False, 1)]
)
def test_a_client_that_waits_for_offers_is_told_if_none_will_come(
    tells_intent: bool, responses: bool, notices: int
) -> None:
    told: Responses = []

    async def requests() -> Requests:
        yield pose(0)
        yield control(respond=pb.RESPOND_NEVER)
        yield control(respond=pb.RESPOND_ASK)

    async def write(response: pb.StreamInteractionResponse) -> None:
        told.append(response)

    async def run() -> None:
        session = new_session(replace(ASK, respond=Respond.ALWAYS, responses=responses))
        stream = new_stream(new_executor(), session=session, tells_intent=tells_intent)
        stream.accept(pb.SessionAccepted())
        await stream.run(requests(), write)

    run_virtually(run())
    notice = "this server answers nothing that the player is about, and offers nothing"
    assert [event.text for event in events_in(told)] == [notice] * notices
