"""A live stream without a socket: what it does with slow, silent and hasty clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

import numpy as np
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2

from engine.arrays import Array, IntArray
from engine.errors import BackendError, InputError, OverloadedError, SessionError
from engine.sampling.kinds import Kinds
from engine.sampling.models import Models, encode_text
from engine.serving.load import LoadLevel
from engine.serving.stream import CHANGE_SECONDS, PING_SECONDS, PINGS_AT_ONCE
from engine.serving.stream_session import MOST_FAILURES
from engine.session.direction import Direction
from engine.testing import InlineSessionThread, run_virtually, with_animator
from tests.engine.streaming import (
    Requests,
    chunks_in,
    events_in,
    live_poses,
    models_with,
    new_executor,
    new_session,
    new_stream,
    responses_to,
    still_pose,
)

P = ParamSpec("P")
T = TypeVar("T")


def test_a_client_that_reads_slowly_gets_fewer_chunks_and_all_frames() -> None:
    async def read_slowly(response: pb.StreamInteractionResponse) -> None:
        if response.HasField("frames"):
            await asyncio.sleep(0.25)

    chunks = chunks_in(responses_to(live_poses(8), write=read_slowly))
    sent = {
        chunk.first_frame_index + offset for chunk in chunks for offset in range(len(chunk.frames))
    }
    assert sent == set(range(max(sent) + 1))
    assert 1 <= len(chunks) <= 5


def test_a_client_that_stops_reading_is_written_to_once_and_ends_when_it_goes() -> None:
    async def session() -> int:
        stream = new_stream(new_executor())
        written = 0

        async def stalled(response: pb.StreamInteractionResponse) -> None:
            nonlocal written
            written += 1
            await asyncio.sleep(3600)

        task = asyncio.ensure_future(stream.run(live_poses(600), stalled))
        await asyncio.sleep(60)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return written

    assert run_virtually(session()) == 1


def out_of_order(inputs: Mapping[str, Array | IntArray]) -> dict[str, Array]:
    raise BackendError("the device is gone")


def test_windows_that_keep_failing_end_the_stream_with_their_error() -> None:
    with pytest.raises(BackendError, match="the device is gone"):
        responses_to(live_poses(50), models=models_with(out_of_order))


def test_a_session_outlives_a_device_that_is_full() -> None:
    calls: list[int] = []

    def full(inputs: Mapping[str, Array | IntArray]) -> dict[str, Array]:
        calls.append(len(inputs["x_t"]))
        raise OverloadedError("no room", reason="OUT_OF_MEMORY")

    responses = responses_to(live_poses(2 * MOST_FAILURES), models=models_with(full))
    assert responses[-1].HasField("summary")
    assert len(calls) > MOST_FAILURES


def test_a_silent_client_is_ended_after_the_idle_limit() -> None:
    async def silence() -> Requests:
        await asyncio.sleep(60)
        yield pb.StreamInteractionRequest()

    with pytest.raises(SessionError) as refusal:
        responses_to(silence(), idle_seconds=10)
    assert refusal.value.reason == "IDLE_TIMEOUT"


def test_a_pose_that_the_session_refuses_ends_the_stream_with_its_field() -> None:
    async def requests() -> Requests:
        yield still_pose(1)
        await asyncio.sleep(0.5)
        bad = still_pose(10)
        bad.pose.body.rotations[3] = 0.2
        yield bad
        await asyncio.sleep(60)

    with pytest.raises(InputError) as refusal:
        responses_to(requests())
    assert refusal.value.field == "pose.body.rotations[pelvis]"


def test_time_codes_that_run_ahead_of_the_clock_are_brought_back() -> None:
    async def burst() -> Requests:
        for sequence in range(1, 101):
            yield still_pose(sequence)

    responses = responses_to(burst())
    assert responses[-1].summary.poses_received == 100
    last = max(r.frames.first_frame_index + len(r.frames.frames) for r in responses)
    assert last < 60


def test_a_client_at_90_hz_is_answered_as_one_at_10_hz_and_drops_nothing() -> None:
    responses = responses_to(live_poses(180, rate=90.0))
    summary = responses[-1].summary
    assert summary.poses_received == 180
    assert summary.poses_dropped == 0
    assert events_in(responses) == []
    slow = chunks_in(responses_to(live_poses(20)))
    assert len(chunks_in(responses)) <= len(slow) + 5


def test_chunks_name_the_window_and_what_it_cost() -> None:
    chunks = chunks_in(responses_to(live_poses(5)))
    assert any(frame.window for chunk in chunks for frame in chunk.frames)
    for chunk in chunks:
        is_generated = [f.quality == types_pb2.FRAME_QUALITY_GENERATED for f in chunk.frames]
        assert is_generated == [frame.window > 0 for frame in chunk.frames]
        assert chunk.steps == (4 if is_generated[0] else 0)
        assert (chunk.latency.denoised_ms > 0) == is_generated[0]


def test_a_reaction_takes_what_was_waited_and_denoised() -> None:
    """Four calls of 2 ms each, on a clock on which nothing else takes time."""
    first = next(c for c in chunks_in(responses_to(live_poses(5))) if c.latency.reaction_ms)
    assert first.latency.denoised_ms == pytest.approx(8.0, abs=0.01)
    assert first.latency.reaction_ms == pytest.approx(8.0, abs=0.01)


# ---------------------------------------------------------------------------------------------- end
class SlowSessions(InlineSessionThread):
    """Each step takes 0.15 s, in which a frame becomes due: there is always another one to plan."""

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(0.15)
        return await super().run(function, *args, **kwargs)


async def ignored(response: pb.StreamInteractionResponse) -> None:
    pass


def test_a_stream_ends_when_it_is_told_to_though_steps_take_longer_than_frames() -> None:
    async def session() -> tuple[pb.StreamInteractionResponse, float]:
        stream = new_stream(new_executor(), session_thread=SlowSessions())
        responses: list[pb.StreamInteractionResponse] = []
        loop = asyncio.get_running_loop()
        told = 0.0

        async def requests() -> Requests:
            nonlocal told
            async for request in live_poses(30):
                yield request
            told = loop.time()
            yield pb.StreamInteractionRequest(end=pb.EndOfInput())

        async def write(response: pb.StreamInteractionResponse) -> None:
            responses.append(response)

        async with asyncio.timeout(20):
            await stream.run(requests(), write)
        return responses[-1], loop.time() - told

    last, seconds = run_virtually(session())
    assert last.summary.poses_received == 30
    assert seconds < 0.5


def test_what_a_client_says_last_is_looked_at_before_the_summary() -> None:
    async def requests() -> Requests:
        yield still_pose(1)
        bad = still_pose(2)
        bad.pose.body.rotations[3] = 0.2
        yield bad

    async def session() -> None:
        stream = new_stream(new_executor(), session_thread=SlowSessions())
        with pytest.raises(InputError, match=r"rotations\[pelvis\]"):
            await stream.run(requests(), ignored)

    run_virtually(session())


def test_a_stream_that_is_ended_from_outside_waits_for_no_step() -> None:
    class Hanging(InlineSessionThread):
        async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
            await asyncio.sleep(3600)
            return await super().run(function, *args, **kwargs)

    async def session() -> float:
        stream = new_stream(new_executor(), session_thread=Hanging())
        running = asyncio.ensure_future(stream.run(live_poses(100), ignored))
        await asyncio.sleep(1.0)
        stream.end(SessionError("elsewhere", reason="TAKEN_OVER"))
        with pytest.raises(SessionError, match="elsewhere"):
            await running
        return asyncio.get_running_loop().time()

    assert run_virtually(session()) < 2.5


def test_a_client_that_does_not_read_the_end_is_ended_after_the_idle_limit() -> None:
    async def stalled(response: pb.StreamInteractionResponse) -> None:
        await asyncio.sleep(3600)

    with pytest.raises(SessionError, match="was not read") as refusal:
        responses_to(live_poses(5), write=stalled, idle_seconds=10)
    assert refusal.value.reason == "IDLE_TIMEOUT"


# ------------------------------------------------------------------------------------------- status
def test_a_status_comes_after_each_revision_and_at_least_once_a_second() -> None:
    responses = responses_to(live_poses(60))
    told = [response.status for response in responses if response.HasField("status")]
    revisions = {chunk.revision for chunk in chunks_in(responses)}
    assert revisions <= {status.revision for status in told}
    frames = [status.frame_index for status in told]
    assert frames[0] == 0
    assert max(np.diff(frames)) <= 10
    assert all(status.planned_until >= status.frame_index for status in told)
    assert {status.steps for status in told} == {4}


# --------------------------------------------------------------------------------------------- load
def test_what_is_given_up_is_told_reaches_the_windows_and_comes_back() -> None:
    async def session() -> list[pb.StreamInteractionResponse]:
        stream = new_stream(new_executor())
        responses: list[pb.StreamInteractionResponse] = []

        async def write(response: pb.StreamInteractionResponse) -> None:
            responses.append(response)

        async def load() -> None:
            for level in (LoadLevel(steps=2), LoadLevel(steps=2, revision_frames=8), LoadLevel()):
                await asyncio.sleep(2)
                stream.limit(level)
                stream.limit(level)  # says nothing new

        await asyncio.gather(stream.run(live_poses(80), write), load())
        return responses

    responses = run_virtually(session())
    told = [(event.kind, event.steps, event.revision_frames) for event in events_in(responses)]
    assert told == [
        (pb.SESSION_EVENT_KIND_DEGRADED, 2, 4),
        (pb.SESSION_EVENT_KIND_DEGRADED, 2, 8),
        (pb.SESSION_EVENT_KIND_RECOVERED, 4, 4),
    ]
    steps = [chunk.steps for chunk in chunks_in(responses) if chunk.frames[0].window]
    assert (steps[0], 2 in steps, steps[-1]) == (4, True, 4)
    statuses = [response.status for response in responses if response.HasField("status")]
    assert {(s.steps, s.revision_frames) for s in statuses} == {(4, 4), (2, 4), (2, 8)}


def test_a_client_that_asks_for_more_steps_than_there_are_gets_them_afterwards() -> None:
    async def session() -> list[int]:
        stream = new_stream(new_executor())
        steps: list[int] = []

        async def write(response: pb.StreamInteractionResponse) -> None:
            if response.HasField("status"):
                steps.append(response.status.steps)

        async def requests() -> Requests:
            yield still_pose(1)
            stream.limit(LoadLevel(steps=2))
            yield pb.StreamInteractionRequest(control=pb.SessionControl(steps=20))
            await asyncio.sleep(2)
            stream.limit(LoadLevel())
            await asyncio.sleep(2)

        await stream.run(requests(), write)
        return steps

    steps = run_virtually(session())
    assert steps[-1] == 20
    assert set(steps) == {2, 20}


def test_changes_without_end_are_heard_now_and_then_and_frames_come_in_time() -> None:
    """A first one at once; then as much time lies between them as they weigh."""

    async def session() -> tuple[int, float, list[types_pb2.FrameChunk]]:
        heard = new_session()
        stream = new_stream(new_executor(), session=heard)
        responses: list[pb.StreamInteractionResponse] = []
        told, direct, loop = 0, heard.direct, asyncio.get_running_loop()

        def counted(direction: Direction) -> None:
            nonlocal told
            told += 1
            direct(direction)

        heard.direct = counted  # type: ignore[method-assign]
        body = still_pose(1).pose.body
        targets = [pb.PoseTarget(frame_index=500 + at, partner=body) for at in range(64)]

        async def requests() -> Requests:
            yield still_pose(1)
            for _ in range(30):
                yield pb.StreamInteractionRequest(
                    control=pb.SessionControl(
                        mode=pb.SESSION_MODE_INBETWEEN, targets=targets, clear_targets=True
                    )
                )

        async def write(response: pb.StreamInteractionResponse) -> None:
            responses.append(response)

        await stream.run(requests(), write)
        return told, loop.time(), chunks_in(responses)

    told, seconds, chunks = run_virtually(session())
    assert told == 30
    assert 28 * 17 * CHANGE_SECONDS < seconds < 30 * 17 * CHANGE_SECONDS
    sent = [chunk.first_frame_index + len(chunk.frames) for chunk in chunks]
    assert sent[-1] > 10 * seconds


# -------------------------------------------------------------------------------------------- words
def test_words_of_a_client_reach_the_next_windows_without_a_notice(talking_models: Models) -> None:
    heard: list[Array] = []

    def condition(inputs: Mapping[str, Array | IntArray]) -> dict[str, Array]:
        heard.append(np.asarray(inputs["text"][0]))
        return talking_models.animator.condition(inputs)

    async def requests() -> Requests:
        yield still_pose(1)
        await asyncio.sleep(0.3)
        yield pb.StreamInteractionRequest(control=pb.SessionControl(text="hug her"))
        await asyncio.sleep(0.7)

    models = with_animator(talking_models, condition=condition)
    assert events_in(responses_to(requests(), models=models, takes_text=True)) == []
    assert not heard[0].any()
    np.testing.assert_array_equal(heard[-1], encode_text(talking_models, ["hug her"])[0])


def test_words_far_from_all_that_the_bundle_knows_are_told(talking_models: Models) -> None:
    async def requests() -> Requests:
        yield still_pose(1)
        for words in ("hug", "wave"):
            yield pb.StreamInteractionRequest(control=pb.SessionControl(text=words))
            await asyncio.sleep(0.5)

    hug = encode_text(talking_models, ["hug"])
    kinds = Kinds(
        names=("hug",),
        texts=("a hug",),
        kind_of=np.array([0]),
        vectors=hug / np.linalg.norm(hug, axis=1, keepdims=True),
    )
    wave = encode_text(talking_models, ["wave"])[0]
    is_far = bool(kinds.notice("wave", wave))
    told = events_in(responses_to(requests(), models=talking_models, takes_text=True, kinds=kinds))
    assert [event.text for event in told] == [kinds.notice("wave", wave)] * is_far
    assert is_far


def test_of_words_that_come_too_fast_the_newest_are_heard(talking_models: Models) -> None:
    async def requests() -> Requests:
        yield still_pose(1)
        for words in ["hug", "push", "wave"] * 30:
            yield pb.StreamInteractionRequest(control=pb.SessionControl(text=words))
        await asyncio.sleep(0.7)

    async def session() -> tuple[int, Array | None]:
        executor = new_executor(talking_models)
        heard = new_session()
        stream = new_stream(executor, session=heard, takes_text=True)
        calls, call = 0, executor.call

        def counted(*args: object) -> object:
            nonlocal calls
            calls += 1
            return call(*args)  # type: ignore[arg-type]

        executor.call = counted  # type: ignore[method-assign, assignment]

        async def ignore(response: pb.StreamInteractionResponse) -> None:
            pass

        await stream.run(requests(), ignore)
        return calls, heard.direction.text

    calls, text = run_virtually(session())
    assert calls <= 3
    assert text is not None
    np.testing.assert_array_equal(text, encode_text(talking_models, ["wave"])[0])


def test_words_that_cannot_steer_are_answered_with_a_notice() -> None:
    async def requests() -> Requests:
        yield pb.StreamInteractionRequest(control=pb.SessionControl(text="hug"))
        yield pb.StreamInteractionRequest(control=pb.SessionControl(text=""))

    events = events_in(responses_to(requests()))
    assert [event.kind for event in events] == [pb.SESSION_EVENT_KIND_NOTICE]


# ----------------------------------------------------------------------------------------- trackers
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

    responses = responses_to(requests())
    assert chunks_in(responses)
    told = [e for e in events_in(responses) if e.kind == pb.SESSION_EVENT_KIND_TRACKING]
    assert [event.text for event in told] == ["no device lost", "lost: left_hand"]
    states = {status.role: status.state for status in told[-1].trackers}
    assert states[types_pb2.TRACKER_ROLE_LEFT_HAND] == types_pb2.TRACKING_STATE_BRIDGED
    assert states[types_pb2.TRACKER_ROLE_HIPS] == types_pb2.TRACKING_STATE_ABSENT


def test_a_flood_of_pings_is_read_at_its_own_pace_and_a_few_at_once() -> None:
    async def pinging() -> Requests:
        yield still_pose(1, 10.0)
        for number in range(10 * PINGS_AT_ONCE):
            ping = pb.ClockPing(ping_id=number, client_time=loop_time())
            yield pb.StreamInteractionRequest(ping=ping)

    def loop_time() -> float:
        return asyncio.get_running_loop().time()

    read: list[float] = []

    async def note(response: pb.StreamInteractionResponse) -> None:
        if response.HasField("pong"):
            read.append(response.pong.client_time)

    responses_to(pinging(), write=note)
    times = np.array(read) - read[0]
    assert len(times) == 10 * PINGS_AT_ONCE
    assert times[PINGS_AT_ONCE - 1] < PING_SECONDS
    last = PING_SECONDS * (len(times) - 1 - PINGS_AT_ONCE)
    assert abs(times[-1] - last) < 2 * PING_SECONDS
