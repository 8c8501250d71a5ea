"""Engines: what makes the motions of a batch, in this process or in processes of their own.

On a processor a process a core: each has an interpreter to itself, and graphs on one thread that
wait for no other core. Knows makers and processes; no file of prompts and no terminal.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from engine.backends.open import computes_on_processor
from engine.backends.processor import usable_cores
from engine.batch.making import Maker, load_maker
from engine.batch.prompts import Prompt
from engine.batch.running import Engine, Outcome, made_by
from engine.errors import BackendError
from engine.sampling.loaded import ComputeConfig

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

WORTH = 24
"""Motions from which a process is worth its start: what a core makes while one loads."""
TRIES = 2
"""Times that prompts are begun, whose process ends: together, and then one by one."""
SPAWN = multiprocessing.get_context("spawn")
"""A fork would take along locks that threads of this process hold."""


def open_engines(
    config: ComputeConfig, *, prompts: int, steps: int | None, foot_lock: bool
) -> list[Engine]:
    """Engines for so many prompts, all of them loaded; steps and foot_lock as `Maker` takes them.

    On a processor `config.threads` processes (None: one for each core) with a thread each, or fewer
    for few prompts: one engine in this process whose graphs run on all of these. On a GPU
    two in this process, whose calls take turns: one finishes motions while the other denoises.
    Raises BundleError, ConfigError or BackendError.
    """
    load = partial(load_maker, steps=steps, foot_lock=foot_lock)
    if not computes_on_processor(config.backend):
        maker = load(config, is_alone=False)
        return [OwnThread(maker), OwnThread(maker)]
    cores = usable_cores() if config.threads is None else config.threads
    count = min(cores, prompts // WORTH)
    if count < 2:
        return [OwnThread(load(config))]
    return [*begun_processes(count, partial(load, replace(config, threads=1)))]


class OwnThread:
    """An engine in this process, on the thread that calls it."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker

    def made(self, prompts: Sequence[Prompt], part: Path, suffix: str) -> list[Outcome]:
        return made_by(self._maker, prompts, part, suffix)

    def close(self) -> None:
        self._maker.loaded.executor.close()


def begun_processes(count: int, load: Callable[[], Maker]) -> list[OwnProcess]:
    """So many engines, loaded at the same time. Raises what `load` does."""
    engines = [OwnProcess(load) for _ in range(count)]
    try:
        for engine in engines:
            engine.wait_until_loaded()
    except BaseException:
        for engine in engines:
            engine.close()
        raise
    return engines


class OwnProcess:
    """An engine in a process of its own. When that ends, another one makes what it was making.

    load  makes its maker, there
    """

    def __init__(self, load: Callable[[], Maker]) -> None:
        self._load = load
        self._changing, self._is_closed = threading.Lock(), False
        self._begin()

    def _begin(self) -> None:
        with self._changing:
            if self._is_closed:
                raise _Lost("it was closed")
            self._pipe, theirs = SPAWN.Pipe()
            self._process = SPAWN.Process(target=_work, args=(self._load, theirs), daemon=True)
            with _deaf_to_interrupts():
                self._process.start()
            theirs.close()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def wait_until_loaded(self) -> None:
        """Raises what `load` did, and BackendError if the process ended meanwhile."""
        try:
            self._answer()
        except _Lost as lost:
            raise BackendError(
                f"a process that makes motions ended while it loaded ({lost}); fewer of them need "
                "less memory: --threads",
                field="threads",
            ) from None

    def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """function(maker, *arguments), there. Raises what it does, and _Lost if the process ends
        before it is done."""
        try:
            self._pipe.send((function, *arguments))
        except OSError:
            raise self._lost() from None
        answer: Result = self._answer()
        return answer

    def made(self, prompts: Sequence[Prompt], part: Path, suffix: str) -> list[Outcome]:
        """Motions whose process ended are made again; if that one ends too, one by one, so that
        only those that end it are left out."""
        for _ in range(TRIES):
            try:
                return self.call(made_by, prompts, part, suffix)
            except _Lost as exc:
                lost = exc
                self._begin()
                logger.warning("a process ended (%s): its %d motions again", lost, len(prompts))
                self.wait_until_loaded()
        if len(prompts) > 1:
            return [self.made([prompt], part, suffix)[0] for prompt in prompts]
        problem = f"the process that made it ended, {TRIES} times ({lost})"
        return [Outcome(prompt=prompts[0], problem=problem)]

    def close(self) -> None:
        with self._changing:
            self._is_closed = True
            self._process.kill()
        self._process.join()

    def _answer(self) -> Any:
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            raise self._lost() from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _lost(self) -> _Lost:
        self._process.join()
        code = self._process.exitcode or 0
        return _Lost(f"signal {-code}" if code < 0 else f"exit code {code}")


class _Lost(Exception):
    """A process ended; how."""


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """A process that is begun meanwhile hears no Ctrl-C, which is for the one that began it."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # which would hear them again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --------------------------------------------------------------------------------------- over there
def _work(load: Callable[[], Maker], pipe: Connection) -> None:
    """What the process does: load, then answer calls until whoever began it has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        os.setsid()  # what is meant for whoever began it, is not for it
    maker = _tried(load)
    if isinstance(maker, Exception):
        pipe.send(maker)
        return
    gc.freeze()  # what is loaded stays: no collection need look at it
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        pipe.send(None)
        while True:
            function, *arguments = pipe.recv()
            pipe.send(_tried(function, maker, *arguments))


def _tried(function: Callable[..., Result], *arguments: object) -> Result | Exception:
    """The result, or what was raised, with the lines where: they do not travel by themselves."""
    try:
        return function(*arguments)
    except Exception as exc:
        exc.add_note(traceback.format_exc())
        return exc
