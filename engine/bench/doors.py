"""The two doors of a server, as a simulated player goes through them: gRPC and the WebSocket.

Knows transports and the bytes of requests; not what is said. Both end alike: `read` gives None when
all went well, and raises EndedError otherwise.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Protocol

import grpc
import grpc.aio
from contrapose.v1 import interaction_pb2 as pb

from engine.serving.process import busy_seconds

STREAM = "/contrapose.v1.InteractionService/StreamInteraction"
SUBPROTOCOL = "contrapose.v1"
CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}
BURSTS, BURST_PINGS, REST_S = 5, 50, 1.1
"""A server answers 50 pings of a session as they come, and so many again a second later."""
PINGS_AT_ONCE = 16
"""Fewer than the pongs that a server keeps for a client that does not read."""


class EndedError(Exception):
    """The server ended the stream with an error; `code` is a status's name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Stream(Protocol):
    async def write(self, request: bytes) -> None:
        """Nothing, once the stream has ended: its reader knows why."""

    async def read(self) -> pb.StreamInteractionResponse | None: ...

    async def done_writing(self) -> None: ...


Door = Callable[[], AbstractAsyncContextManager[Stream]]
"""Opens a stream."""


class GrpcStream:
    def __init__(self, call: Any) -> None:
        self._call = call

    async def write(self, request: bytes) -> None:
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self._call.write(request)

    async def read(self) -> pb.StreamInteractionResponse | None:
        try:
            response: Any = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise EndedError(error.code().name, error.details() or "") from error
        return None if response is grpc.aio.EOF else response

    async def done_writing(self) -> None:
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self._call.done_writing()


class WebSocketStream:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def write(self, request: bytes) -> None:
        from websockets.exceptions import ConnectionClosed

        with suppress(ConnectionClosed):
            await self._connection.send(request)

    async def read(self) -> pb.StreamInteractionResponse | None:
        from websockets.exceptions import ConnectionClosed, ConnectionClosedOK

        try:
            message = await self._connection.recv()
        except ConnectionClosedOK:
            return None
        except ConnectionClosed as closed:
            raise EndedError("UNAVAILABLE", str(closed)) from closed
        response = pb.StreamInteractionResponse.FromString(message)
        if response.HasField("error"):
            error = response.error
            raise EndedError(CODE_NAMES.get(error.code, "UNKNOWN"), error.message)
        return response

    async def done_writing(self) -> None:
        await self.write(pb.StreamInteractionRequest(end=pb.EndOfInput()).SerializeToString())


@asynccontextmanager
async def grpc_stream(address: str) -> AsyncIterator[Stream]:
    """A session over a connection of its own to "host:port"."""
    # Else all channels of a process share one connection, as no two players do.
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield GrpcStream(
            channel.stream_stream(
                STREAM, response_deserializer=pb.StreamInteractionResponse.FromString
            )()
        )


@asynccontextmanager
async def websocket_stream(page: str) -> AsyncIterator[Stream]:
    """The same over a WebSocket of the server whose page is there."""
    from websockets.asyncio.client import connect
    from websockets.typing import Subprotocol

    url = f"{page.replace('http', 'ws', 1)}v1/interact"
    async with connect(
        url, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None, max_size=None, proxy=None
    ) as connection:
        yield WebSocketStream(connection)


async def cpu_per_message(door: Door, pid: int, sessions: int) -> float | None:
    """Seconds of a server's processor for a small message, up or down, when it does nothing else.

    Pings are answered by the event loop alone; so many sessions send, one after the other, as many
    as a server answers without waiting, BURSTS times. None where the system does not say.
    """
    header = pb.StreamInteractionRequest(header=pb.SessionHeader(client_name="contrapose-bench"))
    spent = 0.0
    async with AsyncExitStack() as open_streams:
        streams = [await open_streams.enter_async_context(door()) for _ in range(sessions)]
        for stream in streams:
            await stream.write(header.SerializeToString())
            await stream.read()
        for burst in range(-1, BURSTS):  # the first warms up
            before = busy_seconds(pid)
            for stream in streams:
                await _exchange(stream)
            after = busy_seconds(pid)
            if before is None or after is None:
                return None
            spent += after - before if burst >= 0 else 0.0
            await asyncio.sleep(REST_S)
        for stream in streams:
            await stream.done_writing()
            while await stream.read() is not None:
                pass
    return spent / (2 * BURST_PINGS * sessions * BURSTS)


async def _exchange(stream: Stream) -> None:
    """A burst of pings, and their pongs."""
    ping = pb.StreamInteractionRequest(ping=pb.ClockPing(client_time=time.monotonic()))
    message, asked, answered = ping.SerializeToString(), 0, 0
    while answered < BURST_PINGS:
        while asked < min(answered + PINGS_AT_ONCE, BURST_PINGS):
            await stream.write(message)
            asked += 1
        response = await stream.read()
        if response is None:
            raise EndedError("OK", "the server ended the stream while it was pinged")
        answered += response.HasField("pong")
