"""The outbox: order, and what becomes of chunks that wait."""

from __future__ import annotations

import asyncio

import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2

from engine.serving.outbox import MOST_MESSAGES, Outbox, merged


def chunk(first: int, marks: list[float]) -> types_pb2.FrameChunk:
    return types_pb2.FrameChunk(
        first_frame_index=first, frames=[types_pb2.Frame(time_code=mark) for mark in marks]
    )


def marks_of(merged_chunk: types_pb2.FrameChunk) -> list[float]:
    return [frame.time_code for frame in merged_chunk.frames]


def test_a_merged_chunk_keeps_the_older_frames_in_front_of_the_newer() -> None:
    both = merged(chunk(3, [1, 1, 1, 1]), chunk(5, [2, 2, 2]), 20)
    assert both.first_frame_index == 3
    assert marks_of(both) == [1, 1, 2, 2, 2]


def test_a_merged_chunk_never_grows_over_its_limit() -> None:
    both = merged(chunk(0, [1] * 10), chunk(10, [2] * 10), 12)
    assert both.first_frame_index == 8
    assert marks_of(both) == [1, 1] + [2] * 10


@pytest.mark.parametrize("first", [1, 20])
def test_chunks_that_do_not_join_are_not_merged(first: int) -> None:
    newer = chunk(first, [2, 2])
    assert merged(chunk(3, [1, 1]), newer, 20) == newer


def test_an_outbox_gives_messages_first_then_one_chunk_then_the_last_word() -> None:
    async def order() -> list[str | None]:
        outbox = Outbox(20)
        outbox.put_chunk(chunk(0, [1, 1]), 5.0)
        outbox.put_chunk(chunk(1, [2, 2]), None)
        outbox.put(pong=pb.ClockPong())
        outbox.close(pb.StreamInteractionResponse(summary=pb.SessionSummary()))
        parts = []
        while (taken := await outbox.take()) is not None:
            response, reacts_to = taken
            parts.append(response.WhichOneof("part"))
            if parts[-1] == "frames":
                assert (marks_of(response.frames), reacts_to) == ([1, 2, 2], 5.0)
        assert outbox.coalesced == 1
        return parts

    assert asyncio.run(order()) == ["pong", "frames", "summary"]


def test_of_small_messages_that_nobody_takes_the_newest_are_kept() -> None:
    async def kept() -> list[int]:
        outbox = Outbox(20)
        for number in range(1000):
            outbox.put(pong=pb.ClockPong(ping_id=number))
        outbox.close(pb.StreamInteractionResponse(summary=pb.SessionSummary()))
        parts = []
        while (taken := await outbox.take()) is not None:
            parts.append(taken[0])
        return [part.pong.ping_id for part in parts[:-1]]

    assert asyncio.run(kept()) == list(range(1000 - MOST_MESSAGES, 1000))
