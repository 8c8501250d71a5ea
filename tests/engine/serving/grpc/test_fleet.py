"""Processes that are watched: started in order, started again, stopped together."""

from __future__ import annotations

import asyncio
import sys

from engine.serving.grpc.fleet import Backoff, Fleet

READY = "print('listening on 127.0.0.1:1', flush=True); "
SERVES = [sys.executable, "-c", READY + "import sys; sys.stdin.read()"]
FAILS = [sys.executable, "-c", "raise SystemExit(3)"]
QUICK = Backoff(first=0.01)


def test_if_the_first_engine_does_not_start_its_exit_code_is_told_and_no_other_is_tried() -> None:
    async def run() -> tuple[int, object]:
        fleet = Fleet([FAILS, SERVES], on_change=lambda: None)
        code = await fleet.start()
        second = fleet.engines[1].process
        await fleet.stop(5)
        return code, second

    assert asyncio.run(run()) == (3, None)


def test_an_engine_that_ends_is_started_again_and_the_others_stay() -> None:
    async def run() -> None:
        changed = asyncio.Event()
        fleet = Fleet([SERVES, SERVES], on_change=changed.set, backoff=QUICK)
        assert await fleet.start() == 0
        before = [engine.process.pid for engine in fleet.engines if engine.process]
        changed.clear()
        assert fleet.engines[0].process is not None
        fleet.engines[0].process.kill()
        await changed.wait()
        assert [engine.index for engine in fleet.ready()] == [1]
        while len(fleet.ready()) < 2:
            changed.clear()
            await changed.wait()
        after = [engine.process.pid for engine in fleet.engines if engine.process]
        assert after[0] != before[0]
        assert after[1] == before[1]
        await fleet.stop(5)

    asyncio.run(run())


def test_stopping_ends_all_and_starts_none_again() -> None:
    async def run() -> None:
        fleet = Fleet([SERVES, SERVES], on_change=lambda: None, backoff=QUICK)
        await fleet.start()
        await fleet.stop(5)
        assert fleet.ready() == []
        assert all(e.process and e.process.returncode is not None for e in fleet.engines)

    asyncio.run(run())
