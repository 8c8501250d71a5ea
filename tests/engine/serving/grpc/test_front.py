"""One address before several engines: who gets a call, what is passed on, what a loss becomes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from contrapose.v1 import server_info_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health

from engine.serving.grpc.fleet import Backoff, EngineProcess
from engine.serving.grpc.front import (
    INFO_METHOD,
    MOST_UNANSWERED,
    ClientMessages,
    Front,
    FrontHandler,
    by_load,
)
from engine.serving.grpc.listening import SERVICES
from engine.serving.server_info import merged

METHOD = f"/{SERVICES[0]}/Call"
Answer = Callable[[AsyncIterator[bytes], Any], Coroutine[Any, Any, None]]


def _engine(index: int, *, calls: int = 0, busy: float = 0.0) -> EngineProcess:
    return EngineProcess(index, [], calls=calls, busy=busy)


# ----------------------------------------------------------------------------- who gets a call
def test_the_engine_with_the_fewest_calls_is_asked_first_and_of_equals_the_idler() -> None:
    engines = [
        _engine(0, calls=2),
        _engine(1, calls=1, busy=0.9),
        _engine(2, calls=1, busy=0.2),
    ]
    assert [engine.index for engine in by_load(engines)] == [2, 1, 0]


def test_an_engine_that_does_not_answer_any_more_is_asked_last() -> None:
    engines = [_engine(0, calls=0), _engine(1, calls=9)]
    engines[0].unanswered = 1
    assert [engine.index for engine in by_load(engines)] == [1, 0]


def test_an_engine_that_fails_in_a_row_waits_longer_each_time_but_not_for_ever() -> None:
    delays = [Backoff().delay(failures) for failures in range(1, 2000)]
    assert delays[:3] == [0.5, 1.0, 2.0]
    assert delays == sorted(delays)
    assert delays[-1] == 30.0


# ----------------------------------------------------------------------------- all as one
def _info(sessions: int, **load: Any) -> server_info_pb2.GetServerInfoResponse:
    return server_info_pb2.GetServerInfoResponse(
        is_ready=True,
        bundle="walk",
        max_sessions=16,
        active_sessions=sessions,
        load=server_info_pb2.ServerLoad(**load),
    )


def test_sessions_and_windows_add_up_and_the_worst_of_the_rest_is_told() -> None:
    whole = merged(
        [
            _info(3, windows=10, mean_batch=1, engine_busy=0.2, steps=10, loop_lag_ms=1),
            _info(1, windows=30, mean_batch=3, engine_busy=0.6, steps=4, loop_lag_ms=9),
        ]
    )
    assert (whole.bundle, whole.max_sessions, whole.active_sessions) == ("walk", 32, 4)
    assert whole.load.windows == 40
    assert whole.load.mean_batch == 2.5
    assert whole.load.engine_busy == pytest.approx(0.4)
    assert (whole.load.steps, whole.load.loop_lag_ms) == (4, 9)


def test_without_any_engine_the_answer_is_that_none_is_ready() -> None:
    assert not merged([]).is_ready
    assert merged([]).server_version


# ----------------------------------------------------------------------------- messages
async def _three() -> AsyncIterator[bytes]:
    for message in (b"1", b"2", b"3"):
        await asyncio.sleep(0)
        yield message


def test_the_first_message_is_said_to_each_engine_and_the_rest_to_the_one_that_answers() -> None:
    async def run() -> tuple[list[bytes], list[bytes]]:
        requests = ClientMessages(_three())
        first: list[bytes] = []
        second: list[bytes] = []

        async def refuse(message: bytes) -> None:
            first.append(message)
            raise asyncio.InvalidStateError

        with pytest.raises(asyncio.InvalidStateError):
            await requests.send_to(refuse)
        assert requests.can_be_repeated

        async def accept(message: bytes) -> None:
            second.append(message)
            requests.answered()

        await requests.send_to(accept)
        assert not requests.can_be_repeated
        return first, second

    assert asyncio.run(run()) == ([b"1"], [b"1", b"2", b"3"])


def test_a_sender_that_is_cancelled_while_it_waits_loses_no_message() -> None:
    async def run() -> list[bytes]:
        coming: asyncio.Queue[bytes] = asyncio.Queue()
        got: list[bytes] = []

        async def messages() -> AsyncIterator[bytes]:
            for _ in range(2):
                yield await coming.get()

        async def accept(message: bytes) -> None:
            got.append(message)
            requests.answered()

        requests = ClientMessages(messages())
        waiting = asyncio.create_task(requests.send_to(accept))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        coming.put_nowait(b"1")
        coming.put_nowait(b"2")
        await requests.send_to(accept)
        return got

    assert asyncio.run(run()) == [b"1", b"2"]


# ----------------------------------------------------------------------------- calls
class _Service(grpc.GenericRpcHandler):
    """Every method, answered by one function on bytes."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        return grpc.stream_stream_rpc_method_handler(self._answer)


async def _started(handler: grpc.GenericRpcHandler) -> tuple[grpc.aio.Server, str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, f"127.0.0.1:{port}"


@asynccontextmanager
async def _fronted(*answers: Answer) -> AsyncIterator[tuple[grpc.aio.Channel, Front]]:
    """A channel to a front before servers in this process, each with its answer."""
    front = Front([[] for _ in answers], health.aio.HealthServicer())
    servers = []
    for engine, answer in zip(front.fleet.engines, answers, strict=True):
        server, address = await _started(_Service(answer))
        servers.append(server)
        engine.channel = grpc.aio.insecure_channel(address)
    server, address = await _started(FrontHandler(front))
    async with grpc.aio.insecure_channel(address) as channel:
        yield channel, front
    for engine in front.fleet.engines:
        if engine.channel is not None:
            await engine.channel.close()
    for each in (server, *servers):
        await each.stop(None)


async def _echo(incoming: AsyncIterator[bytes], context: Any) -> None:
    async for message in incoming:
        await context.write(b"echo " + message)


async def _full(incoming: AsyncIterator[bytes], context: Any) -> None:
    await anext(incoming)
    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "all sessions are taken")


async def _wrong(incoming: AsyncIterator[bytes], context: Any) -> None:
    await anext(incoming)  # as our services do; what ends while it is written to hides why
    trailers = (("grpc-status-details-bin", b"why"),)
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "steps is 99", trailers)


async def _called(channel: grpc.aio.Channel, *messages: bytes) -> tuple[list[bytes], Any]:
    """What came back, and the call once it is over."""
    call: Any = channel.stream_stream(METHOD)(iter(messages))
    answers = []
    try:
        async for answer in call:
            answers.append(answer)
    except grpc.aio.AioRpcError:
        pass
    return answers, call


def test_bytes_go_through_both_ways_and_the_load_is_shared() -> None:
    async def run() -> None:
        async with _fronted(_echo, _echo) as (channel, front):
            answers, call = await _called(channel, b"1", b"2")
            assert answers == [b"echo 1", b"echo 2"]
            assert await call.code() is grpc.StatusCode.OK
            assert [engine.calls for engine in front.fleet.engines] == [0, 0]
            open_call: Any = channel.stream_stream(METHOD)()
            await open_call.write(b"stay")
            assert await open_call.read() == b"echo stay"
            assert [engine.calls for engine in front.fleet.engines] == [1, 0]
            second: Any = channel.stream_stream(METHOD)()
            await second.write(b"too")
            assert await second.read() == b"echo too"
            assert [engine.calls for engine in front.fleet.engines] == [1, 1]
            await open_call.done_writing()
            await second.done_writing()
            assert await open_call.read() is await second.read() is grpc.aio.EOF

    asyncio.run(run())


def test_a_full_engine_s_call_goes_to_the_next_with_what_was_said() -> None:
    async def run() -> tuple[list[bytes], Any]:
        async with _fronted(_full, _echo) as (channel, _):
            answers, call = await _called(channel, b"1", b"2")
            return answers, await call.code()

    assert asyncio.run(run()) == ([b"echo 1", b"echo 2"], grpc.StatusCode.OK)


def test_if_all_are_full_the_refusal_is_theirs() -> None:
    async def run() -> tuple[Any, Any]:
        async with _fronted(_full, _full) as (channel, _):
            _, call = await _called(channel, b"1")
            return await call.code(), await call.details()

    assert asyncio.run(run()) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "all sessions are taken",
    )


def test_a_caller_s_mistake_is_not_tried_elsewhere_and_keeps_its_details() -> None:
    async def run() -> tuple[Any, Any, dict[str, bytes]]:
        async with _fronted(_wrong, _echo) as (channel, _):
            answers, call = await _called(channel, b"1")
            assert answers == []
            return await call.code(), await call.details(), dict(await call.trailing_metadata())

    code, details, trailers = asyncio.run(run())
    assert (code, details) == (grpc.StatusCode.INVALID_ARGUMENT, "steps is 99")
    assert trailers["grpc-status-details-bin"] == b"why"


def _reason(trailers: Any) -> str:
    status = status_pb2.Status.FromString(dict(trailers)["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    return str(info.reason)


def test_an_engine_that_goes_ends_its_session_with_the_advice_to_resume() -> None:
    async def vanish(incoming: AsyncIterator[bytes], context: Any) -> None:
        await context.write(b"accepted")
        await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    async def run() -> tuple[list[bytes], Any, Any, str]:
        async with _fronted(vanish, _echo) as (channel, _):
            answers, call = await _called(channel, b"1")
            reason = _reason(await call.trailing_metadata())
            return answers, await call.code(), await call.details(), reason

    answers, code, details, reason = asyncio.run(run())
    assert answers == [b"accepted"]
    assert code is grpc.StatusCode.UNAVAILABLE
    assert "resume" in details
    assert reason == "ENGINE_LOST"


def test_with_no_engine_ready_a_call_is_told_to_come_back() -> None:
    async def run() -> tuple[Any, str]:
        async with _fronted(_echo) as (channel, front):
            ready = front.fleet.engines[0]
            kept, ready.channel = ready.channel, None
            _, call = await _called(channel, b"1")
            ready.channel = kept
            return await call.code(), _reason(await call.trailing_metadata())

    assert asyncio.run(run()) == (grpc.StatusCode.UNAVAILABLE, "NOT_READY")


def test_a_client_that_gives_up_frees_its_engine() -> None:
    async def run() -> None:
        ended = asyncio.Event()

        async def hold(incoming: AsyncIterator[bytes], context: Any) -> None:
            await context.write(b"accepted")
            try:
                await anext(incoming, None)
            finally:
                ended.set()

        async with _fronted(hold) as (channel, front):
            call: Any = channel.stream_stream(METHOD)()
            assert await call.read() == b"accepted"
            call.cancel()
            await ended.wait()
            while front.fleet.engines[0].calls:
                await asyncio.sleep(0)

    asyncio.run(run())


def test_an_engine_that_hangs_is_counted_until_it_answers_again_and_given_up_if_it_does_not() -> (
    None
):
    async def run() -> tuple[list[int], bool, bool, int]:
        hanging = _info(0)
        hanging.is_ready = False
        answers = [None, hanging, _info(0)]

        async def info(incoming: AsyncIterator[bytes], context: Any) -> None:
            answer = answers.pop(0) if answers else None
            if answer is None:
                await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "too late")
            else:
                await context.write(answer.SerializeToString())

        async with _fronted(info) as (_, front):
            engine = front.fleet.engines[0]
            engine.process = await asyncio.create_subprocess_exec("sleep", "1000")
            counted = []
            for _ in range(2 + MOST_UNANSWERED):
                await front.look_at(engine)
                counted.append(engine.unanswered)
            was_ready = engine.is_ready
            await front.look_at(engine)
            return counted, was_ready, engine.is_ready, await engine.process.wait()

    assert asyncio.run(run()) == ([1, 2, 0, 1, 2, 3], True, False, -signal.SIGKILL)


def test_info_is_asked_of_all_engines_and_methods_of_strangers_are_unknown() -> None:
    async def info(incoming: AsyncIterator[bytes], context: Any) -> None:
        async for _ in incoming:
            await context.write(_info(2, engine_busy=0.5).SerializeToString())

    async def run() -> tuple[server_info_pb2.GetServerInfoResponse, float, Any]:
        async with _fronted(info, info) as (channel, front):
            await front.look_at(front.fleet.engines[1])
            answer: Any = await channel.unary_unary(INFO_METHOD)(b"")
            call: Any = channel.unary_unary("/elsewhere.Service/Call")(b"")
            code = await call.code()
            found = server_info_pb2.GetServerInfoResponse.FromString(answer)
            return found, front.fleet.engines[1].busy, code

    whole, busy, code = asyncio.run(run())
    assert (whole.active_sessions, whole.max_sessions, busy) == (4, 32, 0.5)
    assert code is grpc.StatusCode.UNIMPLEMENTED
