"""More sessions than a slow machine can carry: what they give up, what they get back, who waits.

Times are the machine's own, as the executor and the sockets are real; nothing is asserted of them
but their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import numpy as np
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose_client import Interaction, connect

from engine.serving.host import ServiceConfig
from engine.serving.load import LoadConfig
from engine.session.config import SessionConfig
from tests.builders import STILL
from tests.e2e.conftest import PATIENCE_S, header
from tests.e2e.refusals import refused_stream
from tests.e2e.slow_server import slow_server

HASTY = LoadConfig(look_s=0.5, patience_s=0.5, python_room=10.0, python_calm=10.0)
"""Players take their part of the interpreter that the server counts: that must not be short."""
CONFIG = ServiceConfig(session=SessionConfig(steps=10), load=HASTY)


async def walk(session: Interaction, until: asyncio.Event) -> None:
    """A player who goes a metre a second, so that every plan departs from them."""
    frame = 0
    while not until.is_set():  # a task that is cancelled while it writes ends the whole stream
        await session.send_pose(STILL, np.float32([0.1 * frame, 1.2, 0]))
        await asyncio.sleep(0.1)
        frame += 1


@dataclass
class Crowd:
    """Sessions that walk, each until it is told to stop."""

    address: str
    stack: AsyncExitStack
    sessions: list[Interaction] = field(default_factory=list)
    walks: list[tuple[asyncio.Task[None], asyncio.Event]] = field(default_factory=list)

    async def add(self, count: int) -> None:
        for seed in range(count):
            client = await self.stack.enter_async_context(connect(self.address))
            session = await self.stack.enter_async_context(client.interact(seed=seed))
            self.sessions.append(session)
            enough = asyncio.Event()
            self.walks.append((asyncio.create_task(walk(session, enough)), enough))

    async def end(self, count: int) -> None:
        await self.stand(count)
        for _ in range(count):
            await self.sessions.pop().finish()

    async def stand(self, count: int | None = None) -> None:
        """Let the last `count` players, or all, walk no further."""
        first = 0 if count is None else -count
        for _, enough in self.walks[first:]:
            enough.set()
        await asyncio.gather(*(walking for walking, _ in self.walks[first:]))
        del self.walks[first:]


async def until_true(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


def test_an_overloaded_server_gives_up_steps_then_revisions_and_recovers(tiny_bundle: Path) -> None:
    async def sessions() -> tuple[list[pb.SessionEvent], list[tuple[int, int]]]:
        seen: list[tuple[int, int]] = []
        async with (
            slow_server(tiny_bundle, CONFIG, row_s=0.012) as server,
            AsyncExitStack() as stack,
        ):
            crowd = Crowd(server.address, stack)
            await crowd.add(8)
            first = crowd.sessions[0]
            await until_true(lambda: server.host.load_watch.level.revision_frames is not None)
            await until_true(lambda: first.status is not None and first.status.revision_frames > 4)
            assert first.status is not None
            seen.append((first.status.steps, first.status.revision_frames))
            assert first.status.engine_load > 0.5
            await crowd.end(7)
            await until_true(lambda: pb.SESSION_EVENT_KIND_RECOVERED in kinds_of(first.events))
            await crowd.stand()
            return first.events, seen

    events, seen = asyncio.run(sessions())
    assert seen[0] in ((4, 8), (4, 12))  # as busy as the machine is beside the players
    told = [(event.steps, event.revision_frames) for event in events]
    # For a while at least: the machine is as busy as it is.
    recovered = kinds_of(events).index(pb.SESSION_EVENT_KIND_RECOVERED)
    assert set(kinds_of(events)[:recovered]) == {pb.SESSION_EVENT_KIND_DEGRADED}
    assert told[0] == (4, 4)
    assert told[recovered] == (10, 4)


def kinds_of(events: Sequence[pb.SessionEvent]) -> list[int]:
    return [event.kind for event in events]


def test_who_could_not_be_served_is_refused_until_someone_leaves(tiny_bundle: Path) -> None:
    async def sessions() -> None:
        async with (
            slow_server(tiny_bundle, CONFIG, row_s=0.046, learns=False) as server,
            AsyncExitStack() as stack,
        ):
            crowd = Crowd(server.address, stack)
            room = server.host.capacity(CONFIG.session)
            assert 2 <= room <= 4
            await crowd.add(room)
            with grpc.insecure_channel(server.address) as channel:
                refusal = await asyncio.to_thread(refused_stream, channel, [header()])
            assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert refusal.reason == "OVERLOADED"
            assert refusal.has_retry_delay
            await crowd.end(1)
            await until_true(lambda: len(server.host.slots) < room)
            await crowd.add(1)
            assert len(server.host.slots) == room
            await crowd.stand()

    asyncio.run(sessions())


@pytest.mark.parametrize("steps", [1, 50])
def test_one_session_is_let_in_on_however_slow_a_machine(tiny_bundle: Path, steps: int) -> None:
    async def session() -> int:
        async with (
            slow_server(tiny_bundle, CONFIG, row_s=1.0) as server,
            connect(server.address) as client,
            client.interact(steps=steps) as session,
        ):
            return len(session.accepted.session_id)

    assert asyncio.run(session()) > 0


def test_nothing_is_left_of_sessions_that_were_cut_off(tiny_bundle: Path) -> None:
    async def sessions() -> None:
        async with slow_server(tiny_bundle, CONFIG, row_s=0.002) as server:
            async with AsyncExitStack() as stack:
                crowd = Crowd(server.address, stack)
                await crowd.add(6)
                await asyncio.sleep(0.5)
                await crowd.stand()
            await until_true(lambda: not server.host.slots)
            loaded = server.host.loaded
            assert loaded is not None
            await until_true(lambda: loaded.executor.figures().windows_in_progress == 0)
            async with asyncio.timeout(PATIENCE_S):
                await server.host.session_thread.run(lambda: None)  # and nothing waits before it

    asyncio.run(sessions())
