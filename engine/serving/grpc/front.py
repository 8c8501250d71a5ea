"""One address before several engines: sessions are assigned by load, bytes are passed on.

Knows gRPC, calls and how busy engines are. Knows no message but the answer of GetServerInfo, which
it merges; sessions are resumed by their clients, with a token that any engine takes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from contrapose.v1 import server_info_pb2
from grpc_health.v1 import health, health_pb2

from engine.errors import OverloadedError
from engine.serving.calls import CallKind, Calls
from engine.serving.grpc.ending import CODES, DETAILS, Context, Metadata, trailers_of
from engine.serving.grpc.fleet import EngineProcess, Fleet
from engine.serving.grpc.listening import SERVICES, set_health
from engine.serving.server_info import merged
from engine.serving.statuses import status_of

logger = logging.getLogger(__name__)

Write = Callable[[bytes], Awaitable[None]]
INFO_METHOD = f"/{server_info_pb2.DESCRIPTOR.services_by_name['ServerInfoService'].full_name}/"
INFO_METHOD += "GetServerInfo"
TRIED_ELSEWHERE = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
"""Refusals that another engine may not repeat."""
WRITE_FAILED = "Internal error from Core"
"""What grpc.aio makes of a call that ends while it is written to; the status is lost."""
OF_THE_CONNECTION = ("user-agent", "te", "content-type", "authorization")
"""Metadata that say something to the front and nothing to an engine."""
CALL_TYPES = {"StreamInteraction": "bidi_stream", "GenerateMotion": "server_stream"}
POLL_SECONDS = 0.5
"""Between two questions to an engine how it is, and the time it has to answer one."""
INFO_SECONDS = 2.0
"""Time for an engine to answer a client who asks how all are."""
MOST_UNANSWERED = 4
"""Questions in a row, 2 s of silence, after which an engine is given up: its calls end, and it is
started again. Counted, because a machine that stops for longer stops us as well, and costs one."""


class Front:
    """Which engine gets a call, and the calls under way. On one event loop."""

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        probe: health.aio.HealthServicer,
        *,
        engine_token: str | None = None,
    ) -> None:
        self.fleet = Fleet(commands, on_change=self._changed)
        self.calls = Calls()
        """So far, at every door."""
        self.is_draining = False
        self._authorization = _authorization(engine_token)
        self._probe = probe
        self._tasks: set[asyncio.Task[None]] = set()

    def _changed(self) -> None:
        """Health is SERVING while any engine is."""
        if self.is_draining:
            return
        kinds = health_pb2.HealthCheckResponse
        status = kinds.SERVING if self.fleet.ready() else kinds.NOT_SERVING
        task = asyncio.get_running_loop().create_task(set_health(self._probe, status))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- calls -------------------------------------------------------------------------------------
    async def forward(self, method: str, incoming: AsyncIterator[bytes], context: Context) -> None:
        """A call of gRPC, to its end."""
        with self.calls.counted(_kind(method)) as call:
            end = await self.converse(
                method,
                call.received(incoming),
                call.sent(context.write),
                metadata=_of_client(context.invocation_metadata() or ()),
                timeout=context.time_remaining(),
            )
            call.code = end.code.name
        if end.code is grpc.StatusCode.OK:
            context.set_trailing_metadata(end.trailers)
        else:
            await context.abort(end.code, end.details, end.trailers)

    async def converse(
        self,
        method: str,
        incoming: AsyncIterator[bytes],
        write: Write,
        *,
        metadata: Metadata = (),
        timeout: float | None = None,
    ) -> End:
        """Pass a call on to the least busy engine, or the next one if it refuses."""
        requests = ClientMessages(incoming)
        metadata = (*metadata, *self._authorization)
        end = End.of(OverloadedError("no engine is ready; try again", reason="NOT_READY"))
        try:
            for engine in by_load(self.fleet.ready()):
                engine.calls += 1
                try:
                    end = await _passed_on(engine, method, requests, write, metadata, timeout)
                finally:
                    engine.calls -= 1
                if end.code not in TRIED_ELSEWHERE or not requests.can_be_repeated:
                    break
        finally:
            await requests.close()
        return end

    # -- server info -------------------------------------------------------------------------------
    async def server_info(self) -> server_info_pb2.GetServerInfoResponse:
        answers = await asyncio.gather(*map(self._info_of, self.fleet.ready()))
        found = [info for info in answers if info is not None]
        info = merged(found)
        info.is_ready = info.is_ready and not self.is_draining
        return info

    async def poll(self) -> None:
        """Ask engines how they are, for as long as it runs; give up one that does not say."""
        while True:
            next_time = asyncio.create_task(asyncio.sleep(POLL_SECONDS))
            await asyncio.gather(*map(self.look_at, self.fleet.ready()))
            await next_time

    async def look_at(self, engine: EngineProcess) -> None:
        """Ask an engine once how it is. One that is not ready any more hangs in a graph call."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        info = await self._info_of(engine, POLL_SECONDS)
        if info is not None and info.is_ready:
            engine.unanswered = 0
            engine.busy = info.load.engine_busy
        elif loop.time() - asked < 2 * POLL_SECONDS:  # else it was us that were held up
            engine.unanswered += 1
        if engine.unanswered >= MOST_UNANSWERED and not self.is_draining:
            self.fleet.give_up(engine)

    async def _info_of(
        self, engine: EngineProcess, seconds: float = INFO_SECONDS
    ) -> server_info_pb2.GetServerInfoResponse | None:
        return await _info_of(engine, self._authorization, seconds)


def by_load(engines: Sequence[EngineProcess]) -> list[EngineProcess]:
    """The one with the fewest calls first; of equals, the less busy. One that does not answer at
    once may hang, and comes last."""
    return sorted(engines, key=lambda e: (e.unanswered > 0, e.calls, e.busy, e.index))


async def _info_of(
    engine: EngineProcess, metadata: Metadata, seconds: float
) -> server_info_pb2.GetServerInfoResponse | None:
    """What an engine says of itself; None if it says nothing in time."""
    if engine.channel is None:
        return None
    call: Any = engine.channel.unary_unary(INFO_METHOD)  # of bytes, which its stubs do not know
    try:
        answer = await call(b"", timeout=seconds, metadata=metadata)
    except grpc.aio.AioRpcError:
        return None
    return server_info_pb2.GetServerInfoResponse.FromString(answer)


# ----------------------------------------------------------------------------- passing on
class ClientMessages:
    """A client's messages. An engine hears the first, which can be said to another one too, and the
    rest once it has answered: what is written while a call ends would hide why it ended."""

    def __init__(self, incoming: AsyncIterator[bytes]) -> None:
        self._incoming = incoming
        self._first: bytes | None = None
        self._answered = asyncio.Event()
        self._reading: asyncio.Future[bytes | None] | None = None
        self._has_ended = False

    @property
    def can_be_repeated(self) -> bool:
        return not self._answered.is_set()

    def answered(self) -> None:
        """An engine has answered: nobody else will be asked."""
        self._answered.set()

    async def send_to(self, write: Callable[[bytes], Any]) -> None:
        """Write what the client says, until it has no more.

        May be cancelled and called again: no message is lost.
        """
        if self._first is None:
            self._first = await self._next()
        if self._first is None:
            return
        await write(self._first)
        await self._answered.wait()
        while (message := await self._next()) is not None:
            await write(message)

    async def _next(self) -> bytes | None:
        if self._has_ended:
            return None
        if self._reading is None:
            self._reading = asyncio.ensure_future(anext(self._incoming, None))
        message = await asyncio.shield(self._reading)
        self._reading = None
        self._has_ended = message is None
        return message

    async def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._reading


@dataclass(frozen=True)
class End:
    """How a call ended, in gRPC's terms."""

    code: grpc.StatusCode
    details: str
    trailers: Metadata

    @staticmethod
    def of(error: OverloadedError) -> End:
        status = status_of(error)
        return End(CODES[status.code], status.message, trailers_of(status))


async def _passed_on(
    engine: EngineProcess,
    method: str,
    requests: ClientMessages,
    write: Write,
    metadata: Metadata,
    timeout: float | None,
) -> End:
    """One call to one engine: what it answers goes to the client, how it ends is returned.

    While `requests` can be repeated, the engine has said nothing.
    """
    if engine.channel is None:  # it went while another was asked
        return _lost_call(engine, "not ready")
    call: Any = engine.channel.stream_stream(method)(metadata=metadata, timeout=timeout)

    async def send() -> None:
        # A call that is over takes no more; its end is told by reading.
        with suppress(Exception):
            await requests.send_to(call.write)
            await call.done_writing()

    sending = asyncio.create_task(send())
    try:
        with suppress(grpc.aio.AioRpcError):
            while (message := await call.read()) is not grpc.aio.EOF:
                requests.answered()
                await write(message)
        code, details = await call.code(), await call.details()
        trailers = tuple((str(key), value) for key, value in await call.trailing_metadata() or ())
    finally:
        sending.cancel()
        call.cancel()
        with suppress(asyncio.CancelledError):
            await sending
    if details == WRITE_FAILED or (
        code is grpc.StatusCode.UNAVAILABLE and DETAILS not in dict(trailers)
    ):
        return _lost_call(engine, details or "")
    return End(code, details or "", trailers)


def _lost_call(engine: EngineProcess, details: str) -> End:
    """A connection that broke, as a status that tells the client what to do."""
    logger.warning("engine %d: lost a call: %s", engine.index, details)
    return End.of(
        OverloadedError(
            "the engine of this call has gone; resume the session with its token",
            reason="ENGINE_LOST",
        )
    )


def _of_client(metadata: Iterable[tuple[str, str | bytes]]) -> Metadata:
    """What a client said about its call, except what belongs to its connection."""
    return tuple(
        (key, value)
        for key, value in metadata
        if not key.startswith((":", "grpc-")) and key not in OF_THE_CONNECTION
    )


def _authorization(token: str | None) -> Metadata:
    return () if token is None else (("authorization", f"Bearer {token}"),)


def _kind(method: str) -> CallKind:
    service, _, name = method.strip("/").rpartition("/")
    return CallKind("grpc", CALL_TYPES.get(name, "unary"), service, name)


class FrontHandler(grpc.GenericRpcHandler):
    """Every method of our services, as bytes; a call with one message is a stream of one."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        method: str = details.method
        if method == INFO_METHOD:
            return grpc.unary_unary_rpc_method_handler(self._info)
        if method.strip("/").rpartition("/")[0] not in SERVICES:
            return None

        async def forward(incoming: AsyncIterator[bytes], context: Context) -> None:
            await self._front.forward(method, incoming, context)

        return grpc.stream_stream_rpc_method_handler(forward)

    async def _info(self, _: bytes, context: Context) -> bytes:
        info = await self._front.server_info()
        return info.SerializeToString()
