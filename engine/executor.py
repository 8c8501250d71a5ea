"""The executor: the one thread that owns the models.

Windows of all sessions come in from any thread and share denoiser calls; anything else that needs
the models (pair generation, text) runs between two calls. Knows no session and no socket. One
window that fails takes no other with it, and nothing a caller passes in can end the thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from engine.arrays import Array
from engine.errors import BackendError, ContraposeError
from engine.sampler import (
    Models,
    WindowInProgress,
    WindowRequest,
    advance_windows,
    begin_windows,
)
from engine.scheduler import Scheduler

logger = logging.getLogger(__name__)

T = TypeVar("T")
OnDone = Callable[["Array | ContraposeError"], None]
"""Called on the engine thread with x0 (2, 30, 135), or why there is none. Must not block."""


@dataclass(frozen=True, kw_only=True)
class ExecutorStatus:
    windows_in_progress: int
    denoiser_calls: int
    rows: int
    """Rows of all denoiser calls; rows / denoiser_calls is the mean batch."""
    busy_s: float


@dataclass(frozen=True)
class _Submitted:
    request: WindowRequest
    deadline: float
    on_done: OnDone


@dataclass(frozen=True)
class _Call:
    function: Callable[[Models], Any]
    future: Future[Any]

    def run(self, models: Models) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.function(models))
        except Exception as exc:
            self.future.set_exception(exc)


class Executor:
    """Start it, submit, close it. Also a context manager.

    models    what windows are sampled with; only this thread touches it
    max_rows  the largest batch of a denoiser call
    Deadlines of all callers must be on one clock.
    """

    def __init__(self, models: Models, *, max_rows: int = 16) -> None:
        self._models = models
        self._max_rows = max_rows
        self._changed = threading.Condition()
        self._submitted: deque[_Submitted] = deque()
        self._calls: deque[_Call] = deque()
        self._is_closing = False
        self._scheduler: Scheduler[WindowInProgress] = Scheduler()
        self._on_done: dict[int, OnDone] = {}
        self._status = ExecutorStatus(windows_in_progress=0, denoiser_calls=0, rows=0, busy_s=0.0)
        self._thread = threading.Thread(target=self._run, name="contrapose-engine", daemon=True)
        self._thread.start()

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, request: WindowRequest, deadline: float, on_done: OnDone) -> None:
        """Denoise a window; more urgent deadlines (seconds) go first. Any thread.

        Raises BackendError once the executor is closed.
        """
        with self._changed:
            self._require_open()
            self._submitted.append(_Submitted(request, deadline, on_done))
            self._changed.notify()

    def call(self, function: Callable[[Models], T]) -> Future[T]:
        """Run `function(models)` on the engine thread, between two denoiser calls. Any thread."""
        future: Future[T] = Future()
        with self._changed:
            self._require_open()
            self._calls.append(_Call(function, future))
            self._changed.notify()
        return future

    def status(self) -> ExecutorStatus:
        return self._status

    def close(self) -> None:
        """Stop after the call that is running; what is unfinished gets a BackendError."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()

    def _require_open(self) -> None:
        if self._is_closing:
            raise _closed()

    # -- the engine thread -------------------------------------------------------------------------
    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._has_work() or self._is_closing):
                    self._changed.wait()
                if self._is_closing:
                    break
                submitted = list(self._submitted)
                self._submitted.clear()
                call = self._calls.popleft() if self._calls else None
            started = time.monotonic()
            if call is not None:
                call.run(self._models)
            self._begin(submitted)
            rows = self._advance()
            self._deliver()
            self._count(rows, time.monotonic() - started)
        self._give_up()

    def _has_work(self) -> bool:
        return bool(self._submitted or self._calls or len(self._scheduler))

    def _begin(self, submitted: Sequence[_Submitted]) -> None:
        if not submitted:
            return
        try:
            windows = begin_windows(self._models, [entry.request for entry in submitted])
        except Exception as exc:
            if len(submitted) == 1:
                _report(submitted[0].on_done, _translated(exc))
                return
            for entry in submitted:
                self._begin([entry])
            return
        for window, entry in zip(windows, submitted, strict=True):
            self._on_done[id(window)] = entry.on_done
            self._scheduler.submit(window, entry.deadline)

    def _advance(self) -> int:
        rows = self._scheduler.next_rows(self._max_rows)
        if rows:
            self._advance_rows(rows)
        return len(rows)

    def _advance_rows(self, rows: Sequence[WindowInProgress]) -> None:
        """One denoiser call; if it fails, one for each row, so that only the culprit is lost."""
        try:
            advance_windows(self._models, list(rows))
        except Exception as exc:
            if len(rows) > 1:
                for row in rows:
                    self._advance_rows([row])
                return
            self._scheduler.drop(rows)
            _report(self._on_done.pop(id(rows[0])), _translated(exc))

    def _deliver(self) -> None:
        for window in self._scheduler.take_done():
            assert window.x0 is not None
            _report(self._on_done.pop(id(window)), window.x0)

    def _count(self, rows: int, elapsed_s: float) -> None:
        before = self._status
        self._status = ExecutorStatus(
            windows_in_progress=len(self._scheduler),
            denoiser_calls=before.denoiser_calls + (rows > 0),
            rows=before.rows + rows,
            busy_s=before.busy_s + elapsed_s,
        )

    def _give_up(self) -> None:
        for on_done in [*self._on_done.values(), *(entry.on_done for entry in self._submitted)]:
            _report(on_done, _closed())
        for call in self._calls:
            if call.future.set_running_or_notify_cancel():
                call.future.set_exception(_closed())


def _report(on_done: OnDone, result: Array | ContraposeError) -> None:
    try:
        on_done(result)
    except Exception:
        logger.exception("a window's receiver failed; the engine goes on")


def _translated(exc: Exception) -> ContraposeError:
    if isinstance(exc, ContraposeError):
        return exc
    logger.error("denoiser failed", exc_info=exc)
    return BackendError(f"the denoiser failed: {type(exc).__name__}: {exc}")


def _closed() -> BackendError:
    return BackendError("the engine is shutting down; open the session again", reason="CLOSED")
