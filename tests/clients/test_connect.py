"""A client waits for a server that still loads, and says in one line what came of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest
from contrapose_client import ServerError, connect, sync
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

Status = health_pb2.HealthCheckResponse


@asynccontextmanager
async def loading_server() -> AsyncIterator[tuple[str, health.aio.HealthServicer]]:
    server, probe = grpc.aio.server(), health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(probe, server)
    await probe.set("", Status.NOT_SERVING)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}", probe
    finally:
        await server.stop(0)


def test_a_client_comes_in_when_the_server_serves() -> None:
    async def play() -> list[str]:
        told = []
        async with loading_server() as (address, probe):

            async def enter() -> None:
                async with connect(address):
                    told.append("entered")

            entering = asyncio.create_task(enter())
            await asyncio.sleep(0)
            told.append("loaded")
            await probe.set("", Status.SERVING)
            await entering
        return told

    assert asyncio.run(play()) == ["loaded", "entered"]


def test_a_server_that_never_serves_is_said_to_be_loading() -> None:
    async def play() -> None:
        async with loading_server() as (address, _), connect(address, wait=0.2):
            pass

    with pytest.raises(ServerError, match=r"is still loading \(after 0\.2 s\)"):
        asyncio.run(play())


def test_a_script_without_a_server_ends_in_one_line() -> None:
    code = (
        "from contrapose_client import connect, run\n"
        "async def main():\n"
        "    async with connect('127.0.0.1:1', wait=0.2): pass\n"
        "run(main())\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: no server answers at 127.0.0.1:1; start one with")
    assert len(ended.stderr.splitlines()) == 1


def test_the_synchronous_client_refuses_without_the_frames_of_its_thread() -> None:
    client = sync.connect("127.0.0.1:1", wait=0.2)
    with pytest.raises(ServerError, match="no server answers") as caught, client:
        pass
    assert caught.value.__context__ is None
    assert len(caught.traceback) <= 4
