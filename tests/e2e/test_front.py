"""Several engines behind one address: real processes, one of which is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import grpc
import numpy as np
import pytest
from contrapose.v1 import server_info_pb2, server_info_pb2_grpc
from contrapose_client import People, ServerError, connect
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.e2e.conftest import PATIENCE_S, RunningServer, started_server, until
from tests.e2e.test_server import HERE, STILL, played

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="engines are found in /proc"
)


@pytest.fixture(scope="module")
def front(tiny_bundle: Path) -> Iterator[RunningServer]:
    with started_front(tiny_bundle) as running:
        yield running


def started_front(bundle: Path) -> AbstractContextManager[RunningServer]:
    """Two engines with a place each: so many there are on any machine, however slow."""
    return started_server(bundle, "--engines", "2", "--threads", "1", "--max-sessions", "1")


def engines_of(front: RunningServer) -> list[int]:
    pid = front.process.pid
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def info(channel: grpc.Channel) -> server_info_pb2.GetServerInfoResponse:
    stub = server_info_pb2_grpc.ServerInfoServiceStub(channel)
    return stub.GetServerInfo(server_info_pb2.GetServerInfoRequest(), timeout=PATIENCE_S)


def health(channel: grpc.Channel) -> int:
    stub = health_pb2_grpc.HealthStub(channel)
    return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S).status)


def test_sessions_are_spread_and_those_of_other_engines_outlive_a_crash(
    front: RunningServer,
) -> None:
    async def run() -> None:
        first_engines = engines_of(front)
        assert len(first_engines) == 2
        async with (
            connect(front.address) as client,
            client.interact(seed=1) as one,
            client.interact(seed=2) as two,
        ):
            assert len(await played(one, 5)) == len(await played(two, 5)) == 5
            whole = await client.server_info()
            assert (whole.active_sessions, whole.max_sessions) == (2, 2)

            os.kill(first_engines[0], signal.SIGKILL)
            ends = {asyncio.create_task(each.closed()): each for each in (one, two)}
            (lost,), (alive,) = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            with pytest.raises(ServerError, match="resume the session with its token") as caught:
                await lost
            assert caught.value.code is grpc.StatusCode.UNAVAILABLE
            assert len(await played(ends[alive], 15)) == 10
            await ends[alive].finish()
            await alive
            async with asyncio.timeout(PATIENCE_S):  # until its place is free
                while (await client.server_info()).active_sessions:
                    await asyncio.sleep(0.05)
            async with client.resume(ends[lost]) as again:  # on the engine that is left
                assert len(await played(again, 10)) > 0
                assert again.accepted.session_id == ends[lost].accepted.session_id
                assert again.accepted.resumed_at_frame > 0

    asyncio.run(run())
    with grpc.insecure_channel(front.address) as channel:
        assert health(channel) == health_pb2.HealthCheckResponse.SERVING
        assert until(lambda: info(channel).max_sessions == 2)  # it has come back


def test_generation_and_refusals_come_through_as_from_one_server(front: RunningServer) -> None:
    async def run() -> None:
        async with connect(front.address) as client:
            with pytest.raises(ServerError) as caught:
                async with client.interact(steps=99):
                    pass
            assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
            assert "header.steps" in str(caught.value)
            person = People(quats_xyzw=STILL[None], transl=HERE[None], betas=np.zeros((1, 10)))
            made = await client.generate_pair(single=person, seed=3)
            assert made.info.seed == 3

    asyncio.run(run())


def test_sigterm_drains_every_engine(tiny_bundle: Path) -> None:
    with started_front(tiny_bundle) as front:
        engines = engines_of(front)
        front.process.terminate()
        assert front.process.wait(PATIENCE_S) == 0
        assert not any(is_running(pid) for pid in engines)


def test_engines_do_not_outlive_a_front_that_is_killed(tiny_bundle: Path) -> None:
    with started_front(tiny_bundle) as front:
        engines = engines_of(front)
        front.process.kill()
        assert until(lambda: not any(is_running(pid) for pid in engines))


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
