"""The real server, end to end: streams, generation, health, and how it stops."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import contrapose_client
import grpc
import grpc.aio
import numpy as np
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import server_info_pb2, server_info_pb2_grpc
from contrapose_client import Interaction, People, PlanFrame, ServerError, connect
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from engine.body.rotations import geodesic_angle, rotmat_from_quat
from engine.serving.grpc.listening import SERVICES
from tests.builders import HERE, STILL
from tests.e2e.conftest import PATIENCE_S, RunningServer, header, pose, started_server, until
from tests.e2e.refusals import refused_stream

MOST_FRAMES = 600
"""A minute. A quick machine does in two seconds what is waited for."""
PACKAGES_OF_THE_PAGE = ["starlette", "uvicorn", "websockets", "prometheus_client", "cryptography"]


async def played(session: Interaction, count: int) -> list[PlanFrame]:
    """The partner's frames for a player who stands still and sends ten poses a second."""
    await session.send_pose(STILL, HERE)
    frames = []
    async for frame in session.frames(count):
        frames.append(frame)
        await session.send_pose(STILL, HERE, curls=np.full(10, 0.3))
    return frames


def active_sessions(channel: grpc.Channel) -> int:
    stub = server_info_pb2_grpc.ServerInfoServiceStub(channel)
    info = stub.GetServerInfo(server_info_pb2.GetServerInfoRequest(), timeout=PATIENCE_S)
    return int(info.active_sessions)


# ------------------------------------------------------------------------------------------ streams
def test_a_session_plays_every_frame_in_time_and_ends_with_a_summary(
    server: RunningServer,
) -> None:
    async def session() -> None:
        async with connect(server.address) as client, client.interact(seed=7) as session:
            frames = await played(session, 25)
            report, summary = session.playout.report(), await session.finish()
        # a slow machine shows its first frame later
        assert [frame.index for frame in frames] == list(range(25))[-len(frames) :]
        assert report.late_frames == 0
        assert all(np.isfinite(frame.quats_xyzw).all() for frame in frames)
        np.testing.assert_allclose(
            [np.linalg.norm(frame.quats_xyzw, axis=-1) for frame in frames], 1, atol=1e-5
        )
        hands = [curls for frame in frames for curls in (frame.curls, frame.player_curls)]
        assert all(curls is not None and curls.shape == (10,) for curls in hands)
        assert frames[-1].quality == "GENERATED"
        assert frames[-1].window > 1
        assert summary.poses_received == len(frames) + 1
        assert summary.revisions >= 1
        assert 0 < summary.reaction_ms.p50 <= summary.reaction_ms.p95
        assert session.accepted.bundle == "tiny"
        assert session.accepted.backend == "openvino"
        assert session.accepted.precision == "f32"
        assert session.accepted.steps == 4
        assert session.accepted.seed == 7

    asyncio.run(session())


def test_the_example_of_the_client_runs_as_it_stands(
    server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    text = contrapose_client.__doc__ or ""
    lines = [line.removeprefix("    ") for line in text.splitlines() if line.startswith("    ")]
    example = "\n".join(lines).replace("127.0.0.1:50051", server.address).replace("20)", "10)")
    exec(compile(example, "example", "exec"), {})
    assert 1 <= len(capsys.readouterr().out.splitlines()) <= 10


def test_two_sessions_at_once_are_both_in_time(server: RunningServer) -> None:
    async def session(seed: int) -> int:
        async with connect(server.address) as client, client.interact(seed=seed) as session:
            await played(session, 20)
            await session.finish()
            return session.playout.report().late_frames

    async def both() -> list[int]:
        return await asyncio.gather(session(1), session(2))

    assert asyncio.run(both()) == [0, 0]


def test_steps_can_be_changed_while_the_session_runs(server: RunningServer) -> None:
    async def session() -> set[int]:
        async with connect(server.address) as client, client.interact(steps=4) as session:
            await played(session, 5)
            await session.control(steps=8)
            async for _ in session.frames(MOST_FRAMES):
                await session.send_pose(STILL, HERE)
                if session.chunks[-1].steps == 8:
                    break
            return {chunk.steps for chunk in session.chunks}

    assert {4, 8} <= asyncio.run(session())


def test_words_that_a_live_session_cannot_use_are_answered_with_a_notice(
    server: RunningServer,
) -> None:
    async def session() -> list[int]:
        async with connect(server.address) as client, client.interact(text="they hug") as session:
            await session.finish()
            return [event.kind for event in session.events]

    assert asyncio.run(session()) == [pb.SESSION_EVENT_KIND_NOTICE]


def test_pings_come_back_with_the_clock_of_the_session(channel: grpc.Channel) -> None:
    from contrapose.v1 import interaction_pb2_grpc

    ping = pb.StreamInteractionRequest(ping=pb.ClockPing(ping_id=3, client_time=12.5))
    end = pb.StreamInteractionRequest(end=pb.EndOfInput())
    stub = interaction_pb2_grpc.InteractionServiceStub(channel)
    messages = list(
        stub.StreamInteraction(iter([header(), ping, pose(1), ping, end]), timeout=PATIENCE_S)
    )
    assert messages[0].HasField("accepted")
    assert messages[-1].HasField("summary")
    before, after = [m.pong for m in messages if m.HasField("pong")]
    assert (before.ping_id, before.client_time, before.session_time) == (3, 12.5, -1)
    assert 0 <= after.session_time < 5


def test_a_session_id_is_open_once(server: RunningServer, channel: grpc.Channel) -> None:
    async def session() -> None:
        async with grpc.aio.insecure_channel(server.address) as other:
            from contrapose.v1 import interaction_pb2_grpc

            stream = interaction_pb2_grpc.InteractionServiceStub(other).StreamInteraction()
            await stream.write(header(session_id="mine"))
            assert (await stream.read()).accepted.session_id == "mine"
            refusal = await asyncio.to_thread(refused_stream, channel, [header(session_id="mine")])
            assert refusal.code is grpc.StatusCode.ALREADY_EXISTS
            stream.cancel()

    asyncio.run(session())


def test_a_client_that_is_killed_leaves_nothing_behind(
    server: RunningServer, channel: grpc.Channel
) -> None:
    code = (
        "import asyncio\n"
        "from contrapose_client import connect, standing\n"
        "async def main():\n"
        f"    async with connect({server.address!r}) as client, client.interact() as session:\n"
        "        await session.send_pose(*standing())\n"
        "        print('open', flush=True)\n"
        "        async for _ in session.frames(): pass\n"
        "asyncio.run(main())\n"
    )
    assert until(lambda: active_sessions(channel) == 0)
    client = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    assert client.stdout.readline() == "open\n"
    assert active_sessions(channel) == 1
    client.kill()
    client.wait()
    client.stdout.close()
    assert until(lambda: active_sessions(channel) == 0)


# --------------------------------------------------------------------------------------- generation
@pytest.mark.parametrize(("frames", "anchor"), [(30, 0), (30, 29), (45, 20), (1, 0)])
def test_a_motion_holds_its_pair_unchanged_at_the_anchor(
    server: RunningServer, frames: int, anchor: int
) -> None:
    rng = np.random.default_rng(0)
    quats = STILL + 0.1 * rng.standard_normal((2, 22, 4)).astype(np.float32)
    quats /= np.linalg.norm(quats, axis=-1, keepdims=True)
    pair = People(
        quats_xyzw=quats,
        transl=np.float32([[0, 1.2, 0], [0, 1.2, 1.0]]),
        betas=rng.uniform(-1, 1, (2, 10)).astype(np.float32),
    )

    async def motion() -> People:
        async with connect(server.address) as client:
            made = await client.generate_motion(
                pair, frames=frames, anchor_index=anchor, seed=3, steps=4
            )
            again = await client.generate_motion(
                pair, frames=frames, anchor_index=anchor, seed=3, steps=4
            )
        assert made.info.seed == 3
        np.testing.assert_array_equal(made.people.quats_xyzw, again.people.quats_xyzw)
        return made.people

    people = asyncio.run(motion())
    assert people.quats_xyzw.shape == (2, frames, 22, 4)
    assert people.curls is not None
    assert people.curls.shape == (2, frames, 10)
    turned = geodesic_angle(rotmat_from_quat(people.quats_xyzw[:, anchor]), rotmat_from_quat(quats))
    assert turned.max() < 2e-3
    np.testing.assert_allclose(people.transl[:, anchor], pair.transl, atol=1e-4)


def test_a_pair_is_invented_around_a_single_person(server: RunningServer) -> None:
    single = People(quats_xyzw=STILL[None], transl=HERE[None], betas=np.zeros((1, 10), np.float32))

    async def pair() -> People:
        async with connect(server.address) as client:
            return (await client.generate_pair(single=single, seed=1)).people

    people = asyncio.run(pair())
    assert people.betas.shape == (2, 10)
    assert people.curls is not None
    assert people.curls.shape == (2, 10)
    assert (
        geodesic_angle(rotmat_from_quat(people.quats_xyzw[0]), rotmat_from_quat(STILL)).max() < 2e-3
    )
    np.testing.assert_allclose(people.transl[0], HERE, atol=1e-4)


# --------------------------------------------------------------------------------------- operations
def test_health_says_serving_for_the_server_and_each_service(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ("", *SERVICES):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=PATIENCE_S)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_services(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=PATIENCE_S)
    listed = {service.name for service in answer.list_services_response.service}
    assert {*SERVICES, "grpc.health.v1.Health"} <= listed


def test_nobody_answering_is_said_in_one_line() -> None:
    async def ask() -> None:
        async with connect("127.0.0.1:1", wait=0) as client:
            await client.server_info()

    with pytest.raises(ServerError, match=r"no server answers at 127\.0\.0\.1:1"):
        asyncio.run(ask())


def test_a_port_that_is_taken_and_a_full_server_are_refused(
    tiny_bundle: Path, server: RunningServer
) -> None:
    with started_server(tiny_bundle, "--max-sessions", "1") as full:
        port = full.address.rpartition(":")[2]
        flags = ["--bundle", str(tiny_bundle), "--port", port]
        second = subprocess.run(
            [sys.executable, "-m", "engine.cli", "serve", *flags],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert second.returncode == 2
        assert second.stderr.startswith("contrapose: error: cannot listen on")
        assert second.stderr.count("\n") == 1

        async def two() -> None:
            async with connect(full.address) as client, client.interact():
                with grpc.insecure_channel(full.address) as channel:
                    refusal = await asyncio.to_thread(refused_stream, channel, [header()])
                assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert refusal.has_retry_delay

        asyncio.run(two())


def test_a_server_without_a_page_needs_none_of_its_packages_and_ends_an_idle_session(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys; sys.modules.update(dict.fromkeys({PACKAGES_OF_THE_PAGE}))\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    with started_server(tiny_bundle, "--idle-seconds", "0.3", env={"PYTHONPATH": path}) as running:

        async def silent() -> None:
            async with connect(running.address) as client, client.interact() as session:
                await session.closed()

        with pytest.raises(ServerError) as error:
            asyncio.run(silent())
        assert error.value.code is grpc.StatusCode.ABORTED


def test_sigterm_drains(tiny_bundle: Path) -> None:
    """Sessions are told, new ones are refused, health says so, and the process ends with 0."""
    with started_server(tiny_bundle, "--drain-seconds", "4") as running:

        async def session() -> None:
            async with connect(running.address) as client, client.interact() as session:
                await played(session, 3)
                running.process.send_signal(signal.SIGTERM)
                async for _ in session.frames():
                    await session.send_pose(STILL, HERE)
                    if session.events:
                        break
                kinds = [event.kind for event in session.events]
                assert kinds == [pb.SESSION_EVENT_KIND_DRAINING]
                await asyncio.to_thread(refused_while_draining, running.address)
                async for _ in session.frames():
                    pass

        with pytest.raises(ServerError) as error:
            asyncio.run(session())
        assert error.value.code is grpc.StatusCode.UNAVAILABLE
        assert running.process.wait(PATIENCE_S) == 0


def refused_while_draining(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        refusal = refused_stream(channel, [header()])
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S)
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
