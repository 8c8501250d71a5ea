"""The gateway on a real port: slow readers are bounded, what ends badly is said, stopping stops."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from contrapose.v1 import generation_pb2, server_info_pb2
from contrapose.v1 import interaction_pb2 as pb
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from engine.errors import ConfigError, OverloadedError
from engine.serving.access import MOST_MESSAGE_BYTES, Access
from engine.serving.calls import Calls
from engine.serving.gateway.door import GatewayConfig, opened_gateway
from engine.serving.gateway.ending import close_reason
from engine.serving.gateway.listening import Gateway

Write = Callable[[bytes], Awaitable[None]]
Interact = Callable[[AsyncIterator[bytes], Write], Awaitable[None]]
BIG = bytes(MOST_MESSAGE_BYTES)
MOST_BUFFERED = 64
"""Megabytes that the buffers of any system have room for, and far fewer than a flood."""


class ServedAlone:
    """Sessions as a test wants them; nothing else is asked for."""

    def __init__(self, interact: Interact) -> None:
        self.calls = Calls()
        self.is_ready = True
        self.interact = interact

    async def pair(self, _: Any) -> generation_pb2.GeneratePairResponse:
        raise NotImplementedError

    async def motion(self, _: Any) -> Iterator[generation_pb2.GenerateMotionResponse]:
        raise NotImplementedError

    async def info(self) -> server_info_pb2.GetServerInfoResponse:
        raise NotImplementedError


@asynccontextmanager
async def gateway(interact: Interact) -> AsyncIterator[Gateway]:
    config = GatewayConfig(port=0)
    opened = opened_gateway(config, "127.0.0.1", ServedAlone(interact), Access())
    opened.start()
    try:
        yield opened
    finally:
        await opened.stop()


def session(to: Gateway, **options: Any) -> connect:
    url = to.url.replace("http", "ws", 1) + "v1/interact"
    protocols = [Subprotocol("contrapose.v1")]
    return connect(url, subprotocols=protocols, max_size=None, proxy=None, **options)


async def until_quiet(counts: list[int]) -> None:
    """Until nothing more is counted for half a second of the loop's time."""
    before = -1
    while before != len(counts):
        before = len(counts)
        await asyncio.sleep(0.5)


def test_what_a_client_does_not_read_waits_with_whoever_writes_it() -> None:
    written: list[int] = []
    ended = asyncio.Event()

    async def flood(requests: AsyncIterator[bytes], write: Write) -> None:
        try:
            while len(written) < 100 * MOST_BUFFERED:
                await write(BIG)
                written.append(len(BIG))
        finally:
            ended.set()

    async def run() -> None:
        async with gateway(flood) as opened, session(opened, max_queue=1) as client:
            await until_quiet(written)
            assert 0 < len(written) < MOST_BUFFERED
            stalled = len(written)
            for _ in range(stalled + 8):  # and goes on as soon as it reads
                assert await client.recv() == BIG
            assert len(written) > stalled
            client.transport.abort()
            await ended.wait()

    asyncio.run(run())


def test_what_nobody_reads_of_a_client_waits_with_the_client() -> None:
    read = asyncio.Event()

    async def deaf(requests: AsyncIterator[bytes], write: Write) -> None:
        await read.wait()
        async for _ in requests:
            pass

    async def run() -> None:
        sent: list[int] = []

        async def send_all(client: ClientConnection) -> None:
            while len(sent) < 100 * MOST_BUFFERED:
                await client.send(BIG)
                sent.append(len(BIG))

        async with gateway(deaf) as opened, session(opened) as client:
            sending = asyncio.create_task(send_all(client))
            await until_quiet(sent)
            assert 0 < len(sent) < MOST_BUFFERED
            stalled = len(sent)
            read.set()
            while len(sent) <= stalled + 8:
                await asyncio.sleep(0)
            sending.cancel()
            client.transport.abort()

    asyncio.run(run())


def test_an_error_is_the_last_message_and_a_defect_says_nothing_of_itself() -> None:
    errors: list[Exception] = [
        OverloadedError("no room: " + "é" * 200, retry_s=7.0),
        ZeroDivisionError("the secret"),
    ]

    async def fail(requests: AsyncIterator[bytes], write: Write) -> None:
        await write(b"first")
        raise errors.pop(0)

    async def heard(opened: Gateway) -> tuple[pb.StreamError, int, str]:
        async with session(opened) as client:
            assert await client.recv() == b"first"
            last = pb.StreamInteractionResponse.FromString(await client.recv())
            with pytest.raises(ConnectionClosed):
                await client.recv()
        assert client.close_code is not None
        return last.error, client.close_code, client.close_reason or ""

    async def run() -> None:
        async with gateway(fail) as opened:
            error, code, reason = await heard(opened)
            assert (error.code, error.reason, error.retry_after) == (8, "OVERLOADED", 7.0)
            assert (code, reason) == (4008, close_reason(error.message))
            assert len(reason.encode()) <= 123 < len(error.message.encode())
            error, code, reason = await heard(opened)
            assert (error.code, code, error.reason) == (13, 4013, "")
            assert "secret" not in error.message + reason

    asyncio.run(run())


def test_a_client_that_leaves_ends_its_session_and_is_counted_as_gone() -> None:
    async def run() -> None:
        left = asyncio.Event()

        async def listen(requests: AsyncIterator[bytes], write: Write) -> None:
            await write(b"accepted")
            try:
                async for _ in requests:
                    pass
            finally:
                left.set()

        served = ServedAlone(listen)
        opened = opened_gateway(GatewayConfig(port=0), "127.0.0.1", served, Access())
        opened.start()
        async with session(opened) as client:
            assert await client.recv() == b"accepted"
        await left.wait()
        await opened.stop()
        (figures,) = served.calls.figures.values()
        assert dict(figures.ended) == {"CANCELLED": 1}
        assert (figures.started, figures.sent, figures.received) == (1, 1, 0)

    asyncio.run(run())


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: .*--http-port"):
            opened_gateway(GatewayConfig(port=port), "127.0.0.1", ServedAlone(_nothing), Access())
    for port in (-1, 65536):
        with pytest.raises(ConfigError, match="http_port"):
            GatewayConfig(port=port)


async def _nothing(requests: AsyncIterator[bytes], write: Write) -> None:
    """A session that ends at once."""
