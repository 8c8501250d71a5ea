"""Servers that are killed, and sessions that go on elsewhere as if nothing had happened."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import interaction_pb2_grpc, types_pb2
from contrapose_client import Device, Interaction, ServerError, calibrate, connect, standing

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import geodesic_angle, rotmat_from_quat
from engine.body.shape import load_body
from engine.bundle import STARTER, Bundle
from engine.commands.recorded_player import DEMO_PLAYER, looped
from engine.formats import read_motion
from engine.sampling.loaded import fingerprint_of
from engine.serving.resume import StreamState, opened, read_keys
from tests.builders import HERE, STILL
from tests.e2e.conftest import PATIENCE_S, RunningServer, header, started_server
from tests.e2e.refusals import Refusal, refused_stream

BODY = load_body()
REST = BODY.rest_joints(np.zeros(10))
DELAY = 0.2
HORIZON = 1.5
"""Seconds for which a client plays on without a server, at the least."""
MOST_METRES, MOST_ANGLE = 0.05, np.radians(10)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "resume.key"
    path.write_bytes(bytes(range(100, 132)))
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def heir(key: Path) -> Iterator[RunningServer]:
    """The server on which sessions go on."""
    with started_server(STARTER, "--resume-key", str(key)) as running:
        yield running


@dataclass
class Player:
    """A client by hand: a recorded player, ten poses a second, and the plan as it holds it."""

    poses: list[types_pb2.BodyPose]
    begun: float = 0.0
    """Of the monotonic clock, at the first pose."""
    sent: int = 0
    held: dict[int, types_pb2.Frame] = field(default_factory=dict)
    revisions: list[int] = field(default_factory=list)
    status: pb.SessionStatus | None = None
    accepted: pb.SessionAccepted | None = None

    @asynccontextmanager
    async def stream(self, address: str, first: pb.SessionHeader) -> AsyncIterator[Any]:
        async with grpc.aio.insecure_channel(address) as channel:
            async with asyncio.timeout(PATIENCE_S):
                call = await self._let_in(channel, first)
            sender = asyncio.create_task(self._send(call))
            try:
                yield call
            finally:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
                call.cancel()

    async def _let_in(self, channel: grpc.aio.Channel, first: pb.SessionHeader) -> Any:
        """An accepted stream; a server that has no room now is asked again."""
        stub = interaction_pb2_grpc.InteractionServiceStub(channel)
        while True:
            call = stub.StreamInteraction()
            try:
                await call.write(pb.StreamInteractionRequest(header=first))
                self.accepted = (await call.read()).accepted
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                await asyncio.sleep(0.5)
            else:
                return call

    async def _send(self, call: Any) -> None:
        """Pose k at k / 10 seconds; those of a gap are never sent."""
        if not self.begun:
            self.begun = time.monotonic()
        while True:
            now = time.monotonic() - self.begun
            self.sent = max(self.sent + 1, int(10 * now) + 1)
            await asyncio.sleep(max((self.sent - 1) / 10 - now, 0))
            pose = pb.PlayerPose(
                sequence=self.sent,
                time_code=(self.sent - 1) / 10,
                body=self.poses[(self.sent - 1) % len(self.poses)],
            )
            await call.write(pb.StreamInteractionRequest(pose=pose))

    async def receive(self, call: Any) -> None:
        """Hold what comes, until the server is gone."""
        with suppress(grpc.aio.AioRpcError):
            while (response := await call.read()) is not grpc.aio.EOF:
                if response.HasField("frames"):
                    self.hold(response.frames)
                elif response.HasField("status"):
                    self.status = response.status

    def hold(self, chunk: types_pb2.FrameChunk) -> None:
        if not self.revisions or chunk.revision > self.revisions[-1]:
            self.held = {i: f for i, f in self.held.items() if i < chunk.first_frame_index}
        self.revisions.append(chunk.revision)
        self.held |= {chunk.first_frame_index + i: f for i, f in enumerate(chunk.frames)}

    def shown(self) -> int:
        """The frame that is shown now."""
        return int(10 * (time.monotonic() - self.begun - DELAY))


def partner_of(frame: types_pb2.Frame) -> tuple[Array, Array]:
    rotmats = rotmat_from_quat(np.array(frame.partner.rotations).reshape(22, 4))
    return rotmats, np.array(frame.partner.root_translation)


def jump(a: types_pb2.Frame, b: types_pb2.Frame) -> tuple[float, float]:
    """Metres and radians, of the joint that moves most."""
    first, second = partner_of(a), partner_of(b)
    joints = [forward_kinematics(REST, *pose)[0] for pose in (first, second)]
    moved = np.linalg.norm(joints[1] - joints[0], axis=-1).max()
    return float(moved), float(geodesic_angle(first[0], second[0]).max())


def recorded_poses(shift: int) -> list[types_pb2.BodyPose]:
    motion = looped(read_motion(DEMO_PLAYER, body=BODY), 400)
    return [
        types_pb2.BodyPose(root_translation=transl, rotations=rotations)
        for transl, rotations in zip(
            np.roll(motion.transl[0], -shift, axis=0).tolist(),
            np.roll(motion.quats_xyzw[0], -shift, axis=0).reshape(400, 88).tolist(),
            strict=True,
        )
    ]


async def cut_and_resumed(
    victim: RunningServer, heir: RunningServer, seed: int, dies: asyncio.Barrier, gap: float
) -> tuple[int, tuple[float, float]]:
    """How far the first frame after is from what the client would have shown without it: the
    frame it had been sent, or else the last one."""
    poses = recorded_poses(37 * seed)
    player = Player(poses if seed % 3 else poses[:1])  # every third stands: plans are not revised
    await asyncio.sleep(0.13 * seed)
    first = pb.SessionHeader(seed=seed, session_id=f"cut-{seed}")
    async with player.stream(victim.address, first) as call:
        receiver = asyncio.create_task(player.receive(call))
        async with asyncio.timeout(PATIENCE_S):
            while player.status is None:
                await asyncio.sleep(0.01)
            await dies.wait()
            await receiver
    assert player.status is not None
    assert 0 < len(player.status.resume_token) <= 6 * 1024
    before, last = dict(player.held), max(player.held)
    await asyncio.sleep(gap)
    resume = pb.SessionHeader(resume_token=player.status.resume_token)
    async with player.stream(heir.address, resume) as call:
        assert player.accepted is not None
        assert player.accepted.session_id == f"cut-{seed}"
        assert player.accepted.seed == seed
        assert player.accepted.resumed_at_frame == player.status.frame_index
        revision = player.revisions[-1]
        receiver = asyncio.create_task(player.receive(call))
        while player.revisions[-1] == revision or player.shown() + 1 not in player.held:
            await asyncio.sleep(0.01)
        following = player.shown() + 1
        result = jump(before[min(following, last)], player.held[following])
        # and it lives on
        until = player.shown() + 15
        async with asyncio.timeout(PATIENCE_S):
            while player.shown() < until or max(player.held) <= until:
                await asyncio.sleep(0.05)
        assert min(player.revisions[player.revisions.index(revision) + 1 :]) >= revision
        receiver.cancel()
        await asyncio.gather(receiver, return_exceptions=True)
    return following - last, result


@pytest.mark.parametrize("lives", [2.9, pytest.param(3.6, marks=pytest.mark.long)])
def test_sessions_of_a_killed_server_go_on_elsewhere_without_a_jump(
    key: Path, heir: RunningServer, lives: float
) -> None:
    """Killed at another moment of each session; gaps from 0.1 to 5 seconds.

    All at once, or as many as a slow machine lets in beside the players and the second server.
    """
    gaps = [0.1, 0.3, 0.7, 1.2, 2.0, 2.6, 3.5, 5.0]
    ends: dict[int, tuple[int, tuple[float, float]]] = {}

    async def some_of_them() -> None:
        with started_server(STARTER, "--resume-key", str(key)) as victim:
            async with connect(victim.address) as client:
                places = (await client.server_info()).max_sessions
            seeds = range(len(ends) + 1, len(gaps) + 1)[: max(places // 2, 1)]
            dies = asyncio.Barrier(len(seeds) + 1)
            sessions = asyncio.gather(
                *(cut_and_resumed(victim, heir, seed, dies, gaps[seed - 1]) for seed in seeds)
            )
            await asyncio.sleep(lives)
            await dies.wait()
            victim.process.kill()
            ends.update(zip(seeds, await sessions, strict=True))

    while len(ends) < len(gaps):
        asyncio.run(some_of_them())
    for seed, (dry, (metres, angle)) in ends.items():
        gap = gaps[seed - 1]
        print(f"gap {gap} s: {100 * metres:.2f} cm, {np.degrees(angle):.2f} degrees")
        assert metres < MOST_METRES, f"gap {gap} s, dry for {dry} frames"
        assert angle < MOST_ANGLE, f"gap {gap} s, dry for {dry} frames"


# ------------------------------------------------------------------------------------- the client's
async def played_until_killed(session: Interaction, count: int) -> int:
    """Returns the number of the last pose."""
    last = await session.send_pose(STILL, HERE)
    async for _ in session.frames(count):
        last = await session.send_pose(STILL, HERE)
    return last


@pytest.fixture
def tiny_heir(tiny_bundle: Path, key: Path) -> Iterator[RunningServer]:
    with started_server(tiny_bundle, "--resume-key", str(key)) as running:
        yield running


def test_the_client_plays_on_and_resumes(
    tiny_bundle: Path, key: Path, tiny_heir: RunningServer
) -> None:
    """One loop shows frames, through the gap; another stream brings them from then on."""

    async def session() -> None:
        with started_server(tiny_bundle, "--resume-key", str(key)) as victim:
            async with connect(victim.address) as first, first.interact(seed=5) as session:
                last = await played_until_killed(session, 15)
                shown: list[int] = []

                async def show() -> None:
                    async for frame in session.frames(70, plays_on=True):
                        shown.append(frame.index)

                showing = asyncio.create_task(show())
                victim.process.kill()
                killed = time.monotonic()
                with pytest.raises(ServerError):
                    await session.closed()
                await asyncio.sleep(0.3)
                async with connect(tiny_heir.address) as second, second.resume(session) as again:
                    away = time.monotonic() - killed
                    assert again.accepted.seed == 5
                    assert again.accepted.resumed_at_frame > 0
                    assert await again.send_pose(STILL, HERE) == last + 1
                    while not showing.done():
                        await again.send_pose(STILL, HERE)
                        await asyncio.sleep(0.1)
                    await showing
                    summary = await again.finish()
                assert shown == list(range(15, 70))
                assert again.playout.report().late_frames == 0 or away > HORIZON
                assert summary.revisions > 0
                assert again.resume_token
                assert min(chunk.revision for chunk in again.chunks) > session.chunks[-1].revision

    asyncio.run(session())


def test_words_and_devices_go_along(key: Path, talking_bundle: Bundle) -> None:
    """Resumed twice: the second token still knows what only the first header said."""
    upright = np.array([0.0, 0.0, 0.0, 1.0])
    places = {"head": [0, 1.6, 0.1], "left_hand": [0.7, 1.4, 0], "right_hand": [-0.7, 1.4, 0]}
    worn = {role: Device(np.array(place, float), upright) for role, place in places.items()}

    async def some_frames(session: Interaction, count: int) -> None:
        await session.send_trackers(worn)
        async for _ in session.frames(count):
            await session.send_trackers(worn)

    async def session(server: RunningServer) -> StreamState:
        async with connect(server.address) as client:
            interact = client.interact(seed=5, text="hug", calibration=calibrate(worn))
            async with interact as first:
                await some_frames(first, 8)
            for frames in (16, 24):
                async with client.resume(first) as again:
                    await some_frames(again, frames)
                assert again.accepted.player_skeleton == first.accepted.player_skeleton
                first = again
        return opened(
            read_keys([key]),
            first.resume_token,
            engine=fingerprint_of(talking_bundle, BODY),
            now=time.time(),
            body=BODY,
        )

    with started_server(talking_bundle.path, "--resume-key", str(key)) as running:
        state = asyncio.run(session(running))
    assert state.text == "hug"
    assert state.session.frame >= 20
    assert state.calibration.has_t_pose


def test_a_session_without_a_token_cannot_be_resumed(tiny_heir: RunningServer) -> None:
    async def session() -> None:
        async with connect(tiny_heir.address) as client, client.interact() as session:
            with pytest.raises(ValueError, match="no resume token"):
                client.resume(session)

    asyncio.run(session())


def token_of(server: RunningServer) -> bytes:
    async def session() -> bytes:
        async with connect(server.address) as client, client.interact(seed=1) as session:
            await played_until_killed(session, 8)
            return session.resume_token

    return asyncio.run(session())


# ----------------------------------------------------------------------------------------- refusals
def refused(server: RunningServer, **settings: object) -> Refusal:
    with grpc.insecure_channel(server.address) as channel:
        return refused_stream(channel, [header(**settings)])


def test_a_token_that_is_not_good_is_refused_with_its_reason(
    tiny_heir: RunningServer, heir: RunningServer, server: RunningServer
) -> None:
    token = token_of(tiny_heir)
    for bad in (token[:-1], token[:40], b"no token", token[:60] + bytes(3) + token[63:]):
        refusal = refused(tiny_heir, resume_token=bad)
        assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
        assert refusal.reason == "RESUME_BAD_TOKEN"
        assert refusal.field == "header.resume_token"
    # a server with a key of its own
    assert refused(server, resume_token=token).reason == "RESUME_BAD_TOKEN"
    refusal = refused(heir, resume_token=token)
    assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION
    assert refusal.reason == "RESUME_OTHER_BUNDLE"
    refusal = refused(tiny_heir, resume_token=token, seed=3)
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.field == "header.seed"


def standing_pose(sequence: int) -> pb.StreamInteractionRequest:
    quats, transl = standing()
    body = types_pb2.BodyPose(root_translation=transl.tolist(), rotations=quats.ravel().tolist())
    pose = pb.PlayerPose(sequence=sequence, time_code=float(sequence), body=body)
    return pb.StreamInteractionRequest(pose=pose)


async def new_token(call: Any) -> bytes:
    """The next token that a stream gives: the one it was opened with is good no more."""
    while not (token := (await call.read()).status.resume_token):
        pass
    return bytes(token)


def test_a_client_that_is_back_takes_its_session_over(tiny_heir: RunningServer) -> None:
    """The server need not have heard that the old connection is dead."""
    token = token_of(tiny_heir)

    async def twice() -> None:
        nonlocal token
        async with grpc.aio.insecure_channel(tiny_heir.address) as channel:
            stub = interaction_pb2_grpc.InteractionServiceStub(channel)
            old, new = stub.StreamInteraction(), stub.StreamInteraction()
            for sequence, call in (1000, old), (1001, new):
                await call.write(header(resume_token=token))
                assert (await call.read()).accepted.resumed_at_frame > 0
                chunk = (await call.read()).frames
                assert len(chunk.frames) > (10 if call is old else 0)  # the plan, at once
                await call.write(standing_pose(sequence))
                token = await new_token(call)
            assert await old.code() is grpc.StatusCode.ABORTED
            assert "goes on over another connection" in await old.details()
            new.cancel()

    asyncio.run(twice())


def test_a_key_that_is_missing_or_short_stops_the_server(tiny_bundle: Path, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_bytes(b"secret")
    for path in (tmp_path / "none", short):
        command = [sys.executable, "-m", "engine.cli", "serve", "--bundle", str(tiny_bundle)]
        done = subprocess.run(
            [*command, "--resume-key", str(path)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 2
        assert done.stderr.startswith("contrapose: error: --resume-key: ")
        assert done.stderr.count("\n") == 1
