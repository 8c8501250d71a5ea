"""The session thread: the one on which all sessions run, in turn.

Sessions cost milliseconds of numpy a frame. Here they cost them beside the event loop, and as there
is one thread, sessions need no locks. Knows neither sessions nor messages.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from engine.serving.pools import started_pool

P = ParamSpec("P")
T = TypeVar("T")


class SessionThread:
    """Runs short functions one after the other, first come first. Close it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pool = started_pool(1, "contrapose-sessions")
        self.busy_s = 0.0
        """Seconds at work since the start."""
        self.cpu_s = 0.0
        """Seconds of the processor that were spent since the start."""

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result, or what it raises; not run at all if cancelled before its turn."""
        return await asyncio.wrap_future(
            self._pool.submit(self._timed, partial(function, *args, **kwargs))
        )

    def close(self) -> None:
        """Wait for the function that is running; those that wait are dropped."""
        self._pool.shutdown(cancel_futures=True)

    def _timed(self, function: Callable[[], T]) -> T:
        started, cpu_s = self._clock(), time.thread_time()
        try:
            return function()
        finally:
            self.busy_s += self._clock() - started
            self.cpu_s += time.thread_time() - cpu_s
