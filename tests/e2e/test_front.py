"""Several engines behind one address: real processes, one of which is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import grpc
import numpy as np
import pytest
from contrapose.v1 import generation_pb2, server_info_pb2, server_info_pb2_grpc
from contrapose.v1 import interaction_pb2 as pb
from contrapose_client import People, ServerError, connect
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc

from engine.serving.access import new_token, token_line
from tests.builders import HERE, STILL, children_of, is_running
from tests.e2e.conftest import (
    PATIENCE_S,
    RunningServer,
    header,
    pose,
    started_server,
    until,
)
from tests.e2e.fetching import fetched
from tests.e2e.refusals import doors, heard, websocket
from tests.e2e.test_server import played

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="engines are found in /proc"
)


@pytest.fixture(scope="module")
def front(tiny_bundle: Path) -> Iterator[RunningServer]:
    with started_front(tiny_bundle, http=True) as running:
        yield running


def started_front(
    bundle: Path, *flags: str, http: bool = False
) -> AbstractContextManager[RunningServer]:
    """Two engines with a place each: so many there are on any machine, however slow."""
    fixed = ("--engines", "2", "--threads", "1", "--max-sessions", "1")
    return started_server(bundle, *fixed, *flags, http=http)


def engines_of(front: RunningServer) -> list[int]:
    return children_of(front.process.pid)


def info(channel: grpc.Channel) -> server_info_pb2.GetServerInfoResponse:
    stub = server_info_pb2_grpc.ServerInfoServiceStub(channel)
    return stub.GetServerInfo(server_info_pb2.GetServerInfoRequest(), timeout=PATIENCE_S)


def health(channel: grpc.Channel) -> int:
    stub = health_pb2_grpc.HealthStub(channel)
    return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S).status)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_sessions_are_spread_and_those_of_other_engines_outlive_a_crash_and_a_hang(
    front: RunningServer, fault: signal.Signals
) -> None:
    async def run() -> None:
        first_engines = engines_of(front)
        assert len(first_engines) == 2
        async with (
            connect(front.address) as client,
            client.interact(seed=1) as one,
            client.interact(seed=2) as two,
        ):
            assert (await played(one, 10))[-1].index == (await played(two, 10))[-1].index == 9
            whole = await client.server_info()
            assert (whole.active_sessions, whole.max_sessions) == (2, 2)

            os.kill(first_engines[0], fault)
            ends = {asyncio.create_task(each.closed()): each for each in (one, two)}
            (lost,), (alive,) = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            with pytest.raises(ServerError, match="resume the session with its token") as caught:
                await lost
            assert caught.value.code is grpc.StatusCode.UNAVAILABLE
            assert len(await played(ends[alive], 20)) == 10
            await ends[alive].finish()
            await alive
            async with asyncio.timeout(PATIENCE_S):  # until its place is free
                while (await client.server_info()).active_sessions:
                    await asyncio.sleep(0.05)
            async with client.resume(ends[lost]) as again:  # on the engine that is left
                assert len(await played(again, 20)) > 0
                assert again.accepted.session_id == ends[lost].accepted.session_id
                assert again.accepted.resumed_at_frame > 0

    asyncio.run(run())
    with grpc.insecure_channel(front.address) as channel:
        assert health(channel) == health_pb2.HealthCheckResponse.SERVING
        assert until(lambda: info(channel).max_sessions == 2)  # it has come back
    assert until(lambda: len(engines_of(front)) == 2)


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


def test_sessions_of_browsers_are_spread_too_and_refused_in_the_same_words(
    front: RunningServer,
) -> None:
    with grpc.insecure_channel(front.address) as channel:
        assert until(lambda: info(channel).max_sessions == 2)
        assert until(lambda: not info(channel).active_sessions)
        for messages in ([header(steps=0)], [pose(1)], [header(bundle="another")]):
            refusal, *others = (refused(messages) for refused in doors(front, channel).values())
            assert others == [refusal]
        with websocket(front) as one, websocket(front) as two:
            for connection in (one, two):
                connection.send(header().SerializeToString())
                assert connection.recv()
            assert info(channel).active_sessions == 2
            refusal, *others = (refused([header()]) for refused in doors(front, channel).values())
            assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert [other.code for other in others] == [refusal.code]
            assert all(other.has_retry_delay for other in (refusal, *others))
            end = pb.StreamInteractionRequest(end=pb.EndOfInput())
            for connection in (one, two):
                connection.send(end.SerializeToString())
                said, code, _ = heard(connection)
                assert (said[-1].WhichOneof("part"), code) == ("summary", 1000)
    assert fetched(front, "readyz").status == 200
    request = json_format.MessageToJson(generation_pb2.GeneratePairRequest(seed=3)).encode()
    answer = fetched(front, "v1/pair", request, {"content-type": "application/json"})
    assert (answer.status, json.loads(answer.text)["field"]) == (400, "text")
    assert 'door="websocket",grpc_code="INVALID_ARGUMENT"' in fetched(front, "metrics").text


def test_sigterm_drains_every_engine_and_none_is_open_past_the_front(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    tokens, token = tmp_path / "tokens", new_token()
    tokens.write_text(token_line("game", token))
    with started_front(tiny_bundle, "--token-file", str(tokens)) as front:
        engines = engines_of(front)
        for pid in engines:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            engine_tokens = Path(words[words.index("--token-file") + 1])
            assert engine_tokens.read_text().startswith("front ")

        async def ask(token: str | None) -> int:
            async with connect(front.address, token=token) as client:
                return (await client.server_info()).max_sessions

        assert asyncio.run(ask(token)) == 2
        with pytest.raises(ServerError, match="no token"):
            asyncio.run(ask(None))
        front.process.terminate()
        assert front.process.wait(PATIENCE_S) == 0
        assert not any(is_running(pid) for pid in engines)


def test_engines_do_not_outlive_a_front_that_is_killed(tiny_bundle: Path) -> None:
    with started_front(tiny_bundle) as front:
        engines = engines_of(front)
        front.process.kill()
        assert until(lambda: not any(is_running(pid) for pid in engines))
