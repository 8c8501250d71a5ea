"""One of two engines behind a front is killed or stopped: what its clients and new ones wait for.

Knows the Python client and processes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from contrapose_client import Client, Interaction, ServerError, connect, standing

from engine.commands.server_process import ServerProcess

BEFORE_SECONDS, AFTER_SECONDS = 4.0, 8.0
"""How long all is well, and how long clients play on after the fault."""
PROBE_SECONDS = 0.3
"""Between two new calls."""
BACK_PATIENCE_S = 90.0
MOST_OF_IT = 0.8
"""Part of the memory of before that both engines together take again: one alone takes half."""
MOST_TOLD_S, MOST_RESUMED_S, MOST_NEW_S, MOST_BACK_S = 3.0, 1.0, 3.0, 30.0


@dataclass(kw_only=True)
class FailOver:
    """Seconds, of every client that the fault met.

    told     from the fault to the error
    resumed  from the error to the acceptance elsewhere
    new      that a new call waited for its acceptance, from the fault on
    back     from the fault until both engines served again
    """

    told: list[float] = field(default_factory=list)
    resumed: list[float] = field(default_factory=list)
    new: list[float] = field(default_factory=list)
    refused: int = 0
    """New calls that found no room."""
    back: float = float("inf")

    @property
    def missed(self) -> list[str]:
        goals = {
            "no client was met": not self.told,
            f"told after {_worst(self.told):.1f} s": _worst(self.told) > MOST_TOLD_S,
            f"resumed {_worst(self.resumed):.1f} s later": _worst(self.resumed) > MOST_RESUMED_S
            or len(self.resumed) < len(self.told),
            f"a new call waited {_worst(self.new):.1f} s": _worst(self.new) > MOST_NEW_S,
            f"the engine was back after {self.back:.1f} s": self.back > MOST_BACK_S,
        }
        return [goal for goal, is_missed in goals.items() if is_missed]

    def __str__(self) -> str:
        return (
            f"{len(self.told)} clients told after {_worst(self.told):.2f} s, resumed "
            f"{_worst(self.resumed):.2f} s later; {len(self.new)} new calls waited "
            f"{_worst(self.new):.2f} s at most, {self.refused} found no room; back after "
            f"{self.back:.1f} s"
        )


def _worst(seconds: list[float]) -> float:
    return max(seconds, default=0.0)


async def fail_over(front: ServerProcess, fault: signal.Signals, clients: int) -> FailOver:
    """Clients play, and new ones come; the first engine gets a signal."""
    found = FailOver()
    async with connect(front.address) as client:
        whole_mb = (await client.server_info()).load.resident_mb
        end = time.monotonic() + BEFORE_SECONDS + AFTER_SECONDS
        playing = [asyncio.create_task(_play(client, end)) for _ in range(clients)]
        await asyncio.sleep(BEFORE_SECONDS)
        at = time.monotonic()
        engines = _engines_of(front.pid)
        os.kill(engines[0], fault)
        probing = asyncio.create_task(_probe(client, end, found))
        back = asyncio.create_task(_back(client, front.pid, engines, at, whole_mb))
        for lost, again in await asyncio.gather(*playing):
            if lost is not None:
                found.told.append(lost - at)
            if lost is not None and again is not None:
                found.resumed.append(again - lost)
        await probing
        found.back = await back
    return found


def _engines_of(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def _play(client: Client, end: float) -> tuple[float | None, float | None]:
    """Play, and resume once; when the session was lost, and when it went on."""
    async with client.interact() as session:
        try:
            await _send(session, end)
            return None, None
        except ServerError:
            lost = time.monotonic()
    while time.monotonic() < end:
        with suppress(ServerError):
            async with client.resume(session) as again:
                accepted = time.monotonic()
                await _send(again, end)
                return lost, accepted
        await asyncio.sleep(0.1)
    return lost, None


async def _send(session: Interaction, end: float) -> None:
    await session.send_pose(*standing())
    async for _ in session.frames():
        await session.send_pose(*standing())
        if time.monotonic() > end:
            return


async def _probe(client: Client, end: float, found: FailOver) -> None:
    """New calls, one after the other."""
    while time.monotonic() < end:
        begun = time.monotonic()
        try:
            async with client.interact():
                found.new.append(time.monotonic() - begun)
        except ServerError:
            found.new.append(time.monotonic() - begun)
            found.refused += 1
        await asyncio.sleep(PROBE_SECONDS)


async def _back(client: Client, pid: int, before: list[int], at: float, whole_mb: float) -> float:
    """Seconds from the fault until there are two engines that serve, as before: those alone tell
    the front how much memory they take."""
    while time.monotonic() - at < BACK_PATIENCE_S:
        now = _engines_of(pid)
        resident_mb = (await client.server_info()).load.resident_mb
        if len(now) == len(before) and now != before and resident_mb >= MOST_OF_IT * whole_mb:
            return time.monotonic() - at
        await asyncio.sleep(0.2)
    return float("inf")
