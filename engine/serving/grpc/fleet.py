"""The engine processes of one host: started, watched, started again when they end.

Knows processes and their addresses. Knows no message and nothing of what an engine computes; what
goes to which engine is `front.py`'s business.
"""

from __future__ import annotations

import asyncio
import logging
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import grpc.aio

from engine.serving.process import READY, own_group

logger = logging.getLogger(__name__)

CLOSING_SECONDS = 5.0
"""Time in which calls to an engine that has gone end by themselves."""
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", 1 << 24),
    ("grpc.use_local_subchannel_pool", 1),
]


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How long to wait before an engine that ended is started again, seconds."""

    first: float = 0.5
    most: float = 30.0
    calm: float = 60.0
    """An engine that ran for so long is not taken to fail in a row."""

    def delay(self, failures: int) -> float:
        """The delay after that many failures in a row, from 1 on: doubled each time."""
        return min(self.first * 2.0 ** min(failures - 1, 30), self.most)


@dataclass(eq=False)
class EngineProcess:
    """One engine; its address and channel are those of the process that runs now."""

    index: int
    command: Sequence[str]
    process: Process | None = None
    channel: grpc.aio.Channel | None = None
    calls: int = 0
    """Forwarded to it now."""
    busy: float = 0.0
    """Part of the last seconds in which it was denoising, as it last said."""
    unanswered: int = 0
    """Times in a row that it was asked how it is, and did not say that it serves."""

    @property
    def is_ready(self) -> bool:
        return self.channel is not None


class Fleet:
    """Engines by index. Start it, ask for `ready`, stop it; all on one event loop.

    commands   of each engine: a `contrapose serve` that ends with its standard input
    on_change  called when an engine has become ready or has gone
    """

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        *,
        on_change: Callable[[], None],
        backoff: Backoff | None = None,
    ) -> None:
        self.engines = [EngineProcess(i, command) for i, command in enumerate(commands)]
        self._on_change = on_change
        self._backoff = Backoff() if backoff is None else backoff
        self._watchers: list[asyncio.Task[None]] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    def ready(self) -> list[EngineProcess]:
        return [engine for engine in self.engines if engine.is_ready]

    async def start(self) -> int:
        """Start the first engine, then the others at once; they find what it has compiled.

        Returns 0, or what the first exited with before it was ready: it has said why itself.
        """
        first, *others = self.engines
        if not await self._launch(first):
            assert first.process is not None
            return await first.process.wait() or 1
        await asyncio.gather(*(self._launch(engine) for engine in others))
        self._watchers = [asyncio.create_task(self._watch(engine)) for engine in self.engines]
        return 0

    async def stop(self, seconds: float) -> None:
        """Let every engine drain, and end those that take longer than these seconds."""
        self._is_stopping = True
        processes = [e.process for e in self.engines if e.process is not None]
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()  # tells it on any system; Windows knows no SIGTERM
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(process.wait() for process in processes))
        for process in processes:
            with suppress(ProcessLookupError):
                if process.returncode is None:
                    process.kill()
            await process.wait()
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        for engine in self.engines:
            self._lost(engine)
        await asyncio.gather(*self._closing)

    async def _launch(self, engine: EngineProcess) -> bool:
        """Start a process and wait until it is ready; returns whether it ever was."""
        # A session of its own: Ctrl-C is for us, and engines are told by us.
        engine.process = process = await asyncio.create_subprocess_exec(
            *engine.command, stdin=PIPE, stdout=PIPE, **own_group()
        )
        assert process.stdout is not None
        while line := await process.stdout.readline():
            text = line.decode(errors="replace").strip()
            if text.startswith(READY):
                address = text.removeprefix(READY)
                engine.channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
                engine.unanswered = 0
                logger.info("engine %d: process %d on %s", engine.index, process.pid, address)
                self._on_change()
                return True
        return False

    def give_up(self, engine: EngineProcess) -> None:
        """End a process that hangs, with all its calls; another takes its place, as for one that
        ended by itself."""
        if engine.process is None or engine.channel is None:
            return
        logger.warning("engine %d: process %d hangs", engine.index, engine.process.pid)
        with suppress(ProcessLookupError):
            engine.process.kill()
        self._lost(engine)
        self._on_change()

    def _lost(self, engine: EngineProcess) -> None:
        """No call goes there any more. Those under way find out by themselves.

        They fail as the connection does; closing the channel at once would cancel those that wait.
        """
        channel, engine.channel = engine.channel, None
        if channel is not None:
            task = asyncio.create_task(channel.close(CLOSING_SECONDS))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _watch(self, engine: EngineProcess) -> None:
        """Start the engine again whenever it ends."""
        failures = 0
        while not self._is_stopping:
            assert engine.process is not None
            started = time.monotonic()
            code = await engine.process.wait()
            self._lost(engine)
            self._on_change()
            if self._is_stopping:
                return
            was_calm = time.monotonic() - started >= self._backoff.calm
            failures = 1 if was_calm else failures + 1
            delay = self._backoff.delay(failures)
            logger.warning(
                "engine %d: ended with %d; starting it again in %g s", engine.index, code, delay
            )
            await asyncio.sleep(delay)
            if not self._is_stopping:
                await self._launch(engine)
