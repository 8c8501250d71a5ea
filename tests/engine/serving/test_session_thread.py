"""Laws of the session thread: one function at a time, in order, and none that spreads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from engine.serving.session_thread import SessionThread


def run_with(body: Callable[[SessionThread], Awaitable[None]]) -> None:
    async def main() -> None:
        thread = SessionThread()
        try:
            await body(thread)
        finally:
            await asyncio.to_thread(thread.close)

    asyncio.run(main())


def test_functions_run_on_one_thread_in_the_order_they_came() -> None:
    log: list[int] = []
    threads: set[str] = set()

    def note(number: int) -> int:
        log.append(number)
        threads.add(threading.current_thread().name)
        return number

    async def body(thread: SessionThread) -> None:
        results = await asyncio.gather(*(thread.run(note, number) for number in range(20)))
        assert results == list(range(20))

    run_with(body)
    assert log == list(range(20))
    assert len(threads) == 1
    assert threading.current_thread().name not in threads


def test_what_a_function_raises_reaches_who_waits_and_nobody_else() -> None:
    async def body(thread: SessionThread) -> None:
        with pytest.raises(ZeroDivisionError):
            await thread.run(lambda: 1 // 0)
        assert await thread.run(lambda: 7) == 7

    run_with(body)


def test_who_gives_up_before_his_turn_leaves_no_work_behind() -> None:
    log: list[str] = []
    is_open = threading.Event()

    async def body(thread: SessionThread) -> None:
        first = asyncio.ensure_future(thread.run(lambda: is_open.wait(10)))
        second = asyncio.ensure_future(thread.run(lambda: log.append("second")))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        is_open.set()
        await first
        await thread.run(lambda: log.append("third"))

    run_with(body)
    assert log == ["third"]


def test_time_at_work_is_counted() -> None:
    now = iter([0.0, 1.0, 5.0, 7.0])

    async def main() -> float:
        thread = SessionThread(clock=lambda: next(now))
        await thread.run(lambda: None)
        await thread.run(lambda: None)
        thread.close()
        return thread.busy_s

    assert asyncio.run(main()) == 3.0
