"""Good clients beside whatever else happens to a server, and what the server spends meanwhile.

Knows the simulated players, server info and /proc; not what else happens.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
import numpy as np
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import server_info_pb2, server_info_pb2_grpc

from engine.bench.doors import grpc_stream
from engine.bench.simulated_players import (
    PlayerFigures,
    SimulatedPlayer,
    pose_requests,
    varied,
)
from engine.commands.recorded_player import DEMO_PLAYER
from engine.formats import read_motion

RATE = 10.0
LOOK_SECONDS = 0.5
PATIENCE_S = 30.0
"""How long sessions of the last clients may take to go, and an answer to come."""
SETTLE_SECONDS = 10.0
"""How long files and threads may take to be closed."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the server holds: sessions, resident megabytes, open files and threads."""

    slots: int
    rss_mb: float
    files: int
    threads: int


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What good clients saw for some seconds, and the server's longest lag.

    lag_ms  that the event loop was held up, by the server's own measure
    """

    players: tuple[PlayerFigures, ...]
    lag_ms: float

    @property
    def frames(self) -> int:
        return sum(player.frames for player in self.players)

    @property
    def late(self) -> int:
        return sum(player.late_frames for player in self.players)

    @property
    def errors(self) -> list[str]:
        found = [player.error or player.refusal for player in self.players]
        return [error for error in found if error]

    def reaction_ms(self, percent: float) -> float:
        times = [ms for player in self.players for ms in player.reactions_ms]
        return float(np.percentile(times, percent)) if times else float("nan")


def players_of(count: int) -> list[list[bytes]]:
    """The poses of so many different players."""
    recording = read_motion(DEMO_PLAYER)
    return [pose_requests(varied(recording, seed), RATE) for seed in range(count)]


async def seen_by(
    players: Sequence[Sequence[bytes]], address: str, seconds: float, horizon: int | None = None
) -> Seen:
    """Good clients play; the server says meanwhile how late its event loop is."""
    header = pb.SessionHeader(client_name="good", horizon_frames=horizon)
    good = [SimulatedPlayer(poses, RATE, header) for poses in players]
    playing = asyncio.gather(*(player.play(grpc_stream(address), seconds) for player in good))
    lag_ms = 0.0
    async with grpc.aio.insecure_channel(address) as channel:
        stub = server_info_pb2_grpc.ServerInfoServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        while not playing.done():
            await asyncio.wait({playing}, timeout=LOOK_SECONDS)
            try:
                request = server_info_pb2.GetServerInfoRequest()
                info = await stub.GetServerInfo(request, timeout=PATIENCE_S)
            except grpc.aio.AioRpcError:
                continue
            lag_ms = max(lag_ms, info.load.loop_lag_ms)
    await playing
    return Seen(players=tuple(player.figures for player in good), lag_ms=lag_ms)


def held(address: str, pid: int) -> Held:
    folder = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    return Held(
        slots=_info(address).active_sessions,
        rss_mb=int(status["VmRSS"].split()[0]) / 1024,
        files=len(list((folder / "fd").iterdir())),
        threads=int(status["Threads"]),
    )


def settled(address: str, pid: int, before: Held | None = None) -> Held:
    """What is held once the sessions have gone, and files and threads are as before; or what is
    left after some patience."""
    begun = time.monotonic()
    while True:
        now, waited = held(address, pid), time.monotonic() - begun
        is_as_before = before is None or (
            now.files <= before.files and now.threads <= before.threads
        )
        if now.slots == 0 and (is_as_before or waited > SETTLE_SECONDS):
            return now
        if waited > PATIENCE_S:
            return now
        time.sleep(LOOK_SECONDS)


def _info(address: str) -> server_info_pb2.GetServerInfoResponse:
    with grpc.insecure_channel(address) as channel:
        stub = server_info_pb2_grpc.ServerInfoServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        request = server_info_pb2.GetServerInfoRequest()
        info: server_info_pb2.GetServerInfoResponse
        info = stub.GetServerInfo(request, timeout=PATIENCE_S)
    return info


class Abuser:
    """An abuse in a process of its own."""

    def __init__(self, name: str, address: str, seconds: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.abuses", name, address, str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
        )

    def outcomes(self) -> dict[str, int]:
        """What came of its calls, once it has ended."""
        assert self._process.stdout is not None
        said = self._process.stdout.read()
        return {} if self._process.wait() else dict(json.loads(said))

    def kill(self) -> None:
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@contextmanager
def abused(name: str, address: str, seconds: float) -> Iterator[Abuser]:
    """An abuse goes on for the block, and has gone after it."""
    abuser = Abuser(name, address, seconds)
    try:
        yield abuser
    finally:
        abuser.kill()
