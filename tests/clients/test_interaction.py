"""A live session from the client's side, against a server that is a list of answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import grpc.aio
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2
from contrapose_client import Client, Intent, Offer
from contrapose_client.interaction import Interaction

from tests.clients.test_playout import chunk

ACCEPTED = pb.StreamInteractionResponse(accepted=pb.SessionAccepted(frame_rate=10, playout_delay=5))
A_NEW_PART = pb.StreamInteractionResponse.FromString(b"\x9a\x06\x02hi")
"""Field 99: what a server of a later minor may send."""


class ScriptedStream:
    """The part of grpc's StreamStreamCall that a session uses; answers come as they are asked."""

    def __init__(self, answers: Sequence[pb.StreamInteractionResponse]) -> None:
        self._answers = list(answers)
        self.written: list[pb.StreamInteractionRequest] = []

    async def read(self) -> Any:
        return self._answers.pop(0) if self._answers else grpc.aio.EOF

    async def write(self, request: pb.StreamInteractionRequest) -> None:
        self.written.append(request)

    def cancel(self) -> None:
        self._answers.clear()


def received(*answers: pb.StreamInteractionResponse) -> Interaction:
    """The session when all answers have come."""

    async def run() -> Interaction:
        stream = ScriptedStream([ACCEPTED, *answers])
        session = Interaction(stream, pb.SessionHeader(), "nowhere:1")
        session.clock.begin(time.monotonic())
        async with session:
            await session.closed()
        return session

    return asyncio.run(run())


def test_a_part_that_only_a_newer_server_knows_is_passed_over() -> None:
    assert A_NEW_PART.WhichOneof("part") is None
    frames = pb.StreamInteractionResponse(frames=chunk(0, 3))
    session = received(A_NEW_PART, frames, A_NEW_PART)
    assert session.playout.planned == [0, 1, 2]


def test_a_quality_that_only_a_newer_server_knows_is_unspecified() -> None:
    newer = chunk(0, 1)
    newer.frames[0].quality = 9  # type: ignore[assignment]
    session = received(pb.StreamInteractionResponse(frames=newer))
    frame = session.playout.show(10)
    assert frame is not None
    assert frame.quality == "UNSPECIFIED"
    assert types_pb2.FrameQuality.Name(0).endswith(frame.quality)


def test_times_of_poses_grow_when_a_pong_puts_the_clock_back_and_on_the_next_stream() -> None:
    streams = [ScriptedStream([ACCEPTED]) for _ in range(2)]

    async def run() -> None:
        before = None
        for stream in streams:
            session = Interaction(stream, pb.SessionHeader(), "nowhere:1", resumes=before)
            async with session:
                for seconds_back in (0.0, 0.5, 2.0):
                    await session.send_trackers({})
                    now = time.monotonic()
                    session.clock.add(sent=now, received=now, session_time=-seconds_back)
                    await session.send_trackers({})
            before = session

    asyncio.run(run())
    poses = [each.pose for stream in streams for each in stream.written if each.HasField("pose")]
    times = [pose.time_code for pose in poses]
    assert len(times) == 12
    assert times[0] >= 0
    assert all(earlier < later for earlier, later in pairwise(times))


# ------------------------------------------------------------------------------------------- intent
def test_what_the_player_is_about_is_told_by_name() -> None:
    status = pb.SessionStatus(
        intent=pb.Intent(
            kind="right_hand",
            phase=pb.INTENT_PHASE_COMING,
            hand=pb.INTENT_HAND_RIGHT,
            seconds_to_contact=0.5,
            kinds=["nothing", "right_hand"],
            probabilities=[0.25, 0.75],
            contact_point=[-0.25, 0.125, 0.5],
        )
    )
    intent = received(pb.StreamInteractionResponse(status=status)).intent
    assert intent == Intent(
        kind="right_hand",
        phase="coming",
        hand="right",
        seconds_to_contact=0.5,
        probabilities={"nothing": 0.25, "right_hand": 0.75},
        contact_point=(-0.25, 0.125, 0.5),
    )


def test_a_server_that_tells_no_intent_has_none() -> None:
    assert received().intent is None
    assert received(pb.StreamInteractionResponse(status=pb.SessionStatus())).intent is None


def test_a_phase_and_a_hand_that_only_a_newer_server_knows_are_none() -> None:
    newer = pb.Intent(kind="push", phase=99, hand=9)  # type: ignore[arg-type]
    intent = received(pb.StreamInteractionResponse(status=pb.SessionStatus(intent=newer))).intent
    assert intent is not None
    assert (intent.phase, intent.hand, intent.seconds_to_contact) == ("none", None, None)
    assert intent.contact_point is None


def test_offers_wait_for_the_client_and_are_confirmed_by_number() -> None:
    asked = pb.SessionEvent(
        kind=pb.SESSION_EVENT_KIND_OFFER,
        offer=pb.Offer(offer_id=3, kind="wave", until_frame_index=42),
    )
    stream = ScriptedStream([ACCEPTED, pb.StreamInteractionResponse(event=asked)])

    async def run() -> list[Offer]:
        header = pb.SessionHeader()
        async with Interaction(stream, header, "nowhere:1") as session:
            await session.closed()
            await session.control(respond="ask", kinds=["wave"])
            await session.confirm(session.offers[0].id)
            return list(session.offers)

    assert asyncio.run(run()) == [Offer(id=3, kind="wave", until=42)]
    controls = [each.control for each in stream.written if each.HasField("control")]
    assert controls == [
        pb.SessionControl(respond=pb.RESPOND_ASK, kinds=pb.Kinds(names=["wave"])),
        pb.SessionControl(confirm=3),
    ]


@pytest.mark.parametrize("respond", ["ASK", "sometimes"])
def test_a_way_to_respond_that_there_is_not_is_refused_at_once(respond: str) -> None:
    async def open_one() -> None:
        Client("127.0.0.1:1").interact(respond=respond)

    with pytest.raises(ValueError, match="expected one of always, never, ask"):
        asyncio.run(open_one())
