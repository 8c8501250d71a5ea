"""A live stream without a socket: what it does with slow, silent and hasty clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2

from engine.arrays import Array
from engine.body.shape import load_body
from engine.errors import BackendError, ContraposeError, OverloadedError, SessionError
from engine.executor import Executor
from engine.sampler import WINDOW_SHAPE, Models, SampledWindow, WindowRequest, encode_text
from engine.session import Session, SessionConfig
from engine.stream import MOST_FAILURES, LiveStream
from engine.testing import window_of
from engine.tracked_player import TrackedPlayer, calibration_from_wire

Requests = AsyncIterator[pb.StreamInteractionRequest]
Result = SampledWindow | ContraposeError


class InstantExecutor:
    """Answers every window at once with the same result."""

    def __init__(self, result: Array | ContraposeError) -> None:
        self._result = result if isinstance(result, ContraposeError) else window_of(result)
        self.submitted = 0

    def submit(
        self, request: WindowRequest, deadline: float, on_done: Callable[[Result], None]
    ) -> None:
        self.submitted += 1
        on_done(self._result)


class ListeningExecutor(Executor):
    """Remembers the words of each window it was asked for."""

    def __init__(self, models: Models) -> None:
        super().__init__(models)
        self.texts: list[Array | None] = []

    def submit(
        self, request: WindowRequest, deadline: float, on_done: Callable[[Result], None]
    ) -> None:
        self.texts.append(request.text)
        super().submit(request, deadline, on_done)


def new_session() -> Session:
    rest_joints = load_body().rest_joints(np.zeros((2, 10)))
    return Session(SessionConfig(steps=4), rest_joints=rest_joints, seed=1)


def new_player() -> TrackedPlayer:
    return TrackedPlayer(calibration_from_wire(pb.SessionHeader(), load_body()))


def stream_with(result: Array | ContraposeError, idle_seconds: float = 5.0) -> LiveStream:
    return stream_on(InstantExecutor(result), idle_seconds)


def stream_on(executor: InstantExecutor, idle_seconds: float = 5.0) -> LiveStream:
    return LiveStream(
        new_session(),
        executor,  # type: ignore[arg-type]
        session_id="test",
        idle_seconds=idle_seconds,
        player=new_player(),
    )


def still_pose(sequence: int) -> pb.StreamInteractionRequest:
    body = types_pb2.BodyPose(root_translation=[0, 1.2, 0], rotations=[0, 0, 0, 1] * 22)
    pose = pb.PlayerPose(sequence=sequence, time_code=(sequence - 1) / 10, body=body)
    return pb.StreamInteractionRequest(pose=pose)


async def live_poses(count: int) -> Requests:
    for sequence in range(1, count + 1):
        yield still_pose(sequence)
        await asyncio.sleep(0.1)


def test_a_client_that_reads_slowly_gets_fewer_chunks_and_all_frames() -> None:
    async def session() -> list[types_pb2.FrameChunk]:
        chunks: list[types_pb2.FrameChunk] = []

        async def slow_write(response: pb.StreamInteractionResponse) -> None:
            if response.HasField("frames"):
                chunks.append(response.frames)
                await asyncio.sleep(0.25)

        stream = stream_with(np.zeros(WINDOW_SHAPE, np.float32))
        await stream.run(live_poses(8), slow_write)
        return chunks

    chunks = asyncio.run(session())
    sent = {
        chunk.first_frame_index + offset for chunk in chunks for offset in range(len(chunk.frames))
    }
    assert sent == set(range(max(sent) + 1))
    assert 1 <= len(chunks) <= 5


async def ignore(response: pb.StreamInteractionResponse) -> None:
    pass


def test_windows_that_keep_failing_end_the_stream_with_their_error() -> None:
    async def session() -> None:
        await stream_with(BackendError("the device is gone")).run(live_poses(50), ignore)

    with pytest.raises(BackendError, match="the device is gone"):
        asyncio.run(session())


def test_a_session_outlives_a_device_that_is_full() -> None:
    executor = InstantExecutor(OverloadedError("no room", reason="OUT_OF_MEMORY"))

    async def session() -> list[pb.StreamInteractionResponse]:
        responses: list[pb.StreamInteractionResponse] = []

        async def write(response: pb.StreamInteractionResponse) -> None:
            responses.append(response)

        await stream_on(executor).run(live_poses(2 * MOST_FAILURES), write)
        return responses

    responses = asyncio.run(session())
    assert responses[-1].HasField("summary")
    assert executor.submitted > MOST_FAILURES


def test_a_silent_client_is_ended_after_the_idle_limit() -> None:
    async def silence() -> Requests:
        await asyncio.sleep(60)
        yield pb.StreamInteractionRequest()

    async def session() -> None:
        stream = stream_with(np.zeros(WINDOW_SHAPE, np.float32), idle_seconds=0.05)
        await stream.run(silence(), ignore)

    with pytest.raises(SessionError) as refusal:
        asyncio.run(session())
    assert refusal.value.reason == "IDLE_TIMEOUT"


def test_time_codes_that_run_ahead_of_the_clock_are_brought_back() -> None:
    async def burst() -> Requests:
        for sequence in range(1, 101):
            yield still_pose(sequence)

    async def session() -> list[pb.StreamInteractionResponse]:
        responses: list[pb.StreamInteractionResponse] = []

        async def write(response: pb.StreamInteractionResponse) -> None:
            responses.append(response)

        await stream_with(np.zeros(WINDOW_SHAPE, np.float32)).run(burst(), write)
        return responses

    responses = asyncio.run(session())
    assert responses[-1].summary.poses_received == 100
    last = max(r.frames.first_frame_index + len(r.frames.frames) for r in responses)
    assert last < 60


def test_chunks_name_the_window_and_what_it_cost() -> None:
    async def session() -> list[types_pb2.FrameChunk]:
        chunks: list[types_pb2.FrameChunk] = []

        async def write(response: pb.StreamInteractionResponse) -> None:
            if response.HasField("frames"):
                chunks.append(response.frames)

        await stream_with(np.zeros(WINDOW_SHAPE, np.float32)).run(live_poses(5), write)
        return chunks

    for chunk in asyncio.run(session()):
        is_generated = [f.quality == types_pb2.FRAME_QUALITY_GENERATED for f in chunk.frames]
        assert is_generated == [frame.window > 0 for frame in chunk.frames]
        assert chunk.steps == (4 if is_generated[0] else 0)
        assert (chunk.latency.denoised_ms > 0) == is_generated[0]


def test_words_of_a_client_reach_the_next_windows_without_a_notice(talking_models: Models) -> None:
    async def session(executor: Executor) -> list[pb.SessionEvent]:
        events: list[pb.SessionEvent] = []

        async def write(response: pb.StreamInteractionResponse) -> None:
            if response.HasField("event"):
                events.append(response.event)

        async def requests() -> Requests:
            yield still_pose(1)
            await asyncio.sleep(0.3)
            yield pb.StreamInteractionRequest(control=pb.SessionControl(text="hug her"))
            await asyncio.sleep(0.7)

        stream = LiveStream(
            new_session(),
            executor,
            session_id="test",
            idle_seconds=5,
            player=new_player(),
            takes_text=True,
        )
        await stream.run(requests(), write)
        return events

    with ListeningExecutor(talking_models) as executor:
        assert asyncio.run(session(executor)) == []
    expected = encode_text(talking_models, ["hug her"])[0]
    assert executor.texts[0] is None
    np.testing.assert_array_equal(executor.texts[-1], expected)


def test_words_that_cannot_steer_are_answered_with_a_notice() -> None:
    async def session() -> list[int]:
        kinds: list[int] = []

        async def write(response: pb.StreamInteractionResponse) -> None:
            if response.HasField("event"):
                kinds.append(response.event.kind)

        async def requests() -> Requests:
            yield pb.StreamInteractionRequest(control=pb.SessionControl(text="hug"))
            yield pb.StreamInteractionRequest(control=pb.SessionControl(text=""))

        await stream_with(np.zeros(WINDOW_SHAPE, np.float32)).run(requests(), write)
        return kinds

    assert asyncio.run(session()) == [pb.SESSION_EVENT_KIND_NOTICE]


def devices(sequence: int, *, has_left_hand: bool) -> pb.StreamInteractionRequest:
    """Headset and controllers of someone who stands, on their joints."""
    places = {1: [0.0, 1.52, 0.0], 2: [0.3, 0.9, 0.0], 3: [-0.3, 0.9, 0.0]}
    trackers = [
        types_pb2.Tracker(role=role, position=place, rotation=[0, 0, 0, 1])
        for role, place in places.items()
        if has_left_hand or role != 2
    ]
    pose = pb.PlayerPose(
        sequence=sequence, time_code=sequence / 10, trackers=types_pb2.TrackerSet(trackers=trackers)
    )
    return pb.StreamInteractionRequest(pose=pose)


def test_a_client_with_trackers_gets_plans_and_hears_which_device_is_lost() -> None:
    async def requests() -> Requests:
        for sequence in range(1, 7):
            yield devices(sequence, has_left_hand=sequence < 4)
            await asyncio.sleep(0.1)

    async def session() -> list[pb.StreamInteractionResponse]:
        responses: list[pb.StreamInteractionResponse] = []

        async def write(response: pb.StreamInteractionResponse) -> None:
            responses.append(response)

        await stream_with(np.zeros(WINDOW_SHAPE, np.float32)).run(requests(), write)
        return responses

    responses = asyncio.run(session())
    assert any(response.HasField("frames") for response in responses)
    events = [response.event for response in responses if response.HasField("event")]
    told = [event for event in events if event.kind == pb.SESSION_EVENT_KIND_TRACKING]
    assert [event.text for event in told] == ["no device lost", "lost: left_hand"]
    states = {status.role: status.state for status in told[-1].trackers}
    assert states[types_pb2.TRACKER_ROLE_LEFT_HAND] == types_pb2.TRACKING_STATE_BRIDGED
    assert states[types_pb2.TRACKER_ROLE_HIPS] == types_pb2.TRACKING_STATE_ABSENT
