"""A live session from the client's side, against a server that is a list of answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import grpc.aio
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2
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
