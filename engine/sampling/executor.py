"""The executor: the one thread that owns the models.

Windows of all sessions come in from any thread and share denoiser calls; anything else that needs
the models (pair generation, text) runs between two calls. Knows no session and no socket. One
window that fails takes no other with it, and nothing a caller passes in can end the thread.

An `Executor` works in turns and owns no thread: whatever makes the turns (`Turns`) is given to it.
"""

from __future__ import annotations

import logging
import math
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from engine.backends import Loop
from engine.errors import BackendError, ContraposeError, OverloadedError
from engine.motion.motion import POSE_FEATURES, WINDOW_FRAMES
from engine.sampling.meters import BusyMeter
from engine.sampling.models import Models
from engine.sampling.one_by_one import OneByOne
from engine.sampling.request import SampledWindow, WindowRequest
from engine.sampling.sampler import WindowInProgress, advance_windows, begin_windows
from engine.sampling.scheduler import CallCosts, Scheduler, even_costs

logger = logging.getLogger(__name__)

T = TypeVar("T")
OnDone = Callable[["SampledWindow | ContraposeError"], None]
"""Called on the executor thread with the window, or why there is none. Must not block."""
Pieces = Generator[None, None, T]
"""Work in pieces: each runs up to its next `yield`; the result is returned at the end."""

PATIENCE_S = 0.5
"""Seconds after which offline work has one call in spite of live windows: it gets on, if slowly."""
LIVE_SECONDS = 3.0
"""Without a window with a deadline for so long, offline work has the machine to itself."""
BEGIN_WEIGHT = 0.1
"""Weight of the newest windows in the average of what they took to begin."""
CLOSE_SECONDS = 5.0
"""How long closing waits for the call that is running: one that hangs has no end."""
TIMED_CALLS = 3
"""Calls of each bucket when costs are measured, after one that warms up."""


@dataclass(frozen=True, kw_only=True)
class ExecutorFigures:
    windows_in_progress: int
    windows: int
    """Finished since the start, failed ones left out."""
    live_windows: int
    """Those of them that had a deadline."""
    late_windows: int
    """Those of them that were finished after it."""
    denoiser_calls: int
    rows: int
    """Rows of all denoiser calls."""
    live_s: float
    """Seconds at work since the start while a window with a deadline waited."""
    begin_s: float
    """Seconds that a window takes before its first denoiser call, on average of late."""
    busy: float
    """Part of the last seconds in which the executor thread was at work, 0 to 1."""

    @property
    def mean_batch(self) -> float:
        return self.rows / max(self.denoiser_calls, 1)


@dataclass(frozen=True)
class _Submitted:
    request: WindowRequest
    deadline: float
    on_done: OnDone


class _Work(Generic[T]):
    """Something to run in pieces on the executor thread, and the future of its result.

    Pending until its last piece has run, so that it can be cancelled between two.
    """

    def __init__(self, begin: Callable[[Models], Pieces[T]]) -> None:
        self.future: Future[T] = Future()
        self._begin = begin
        self._pieces: Pieces[T] | None = None

    def advance(self, models: Models) -> bool:
        """Run the next piece; returns whether there are more."""
        if self.future.cancelled():
            return False
        try:
            if self._pieces is None:
                self._pieces = self._begin(models)
            next(self._pieces)
        except StopIteration as end:
            self.finish(end.value)
        except Exception as exc:
            self.finish(exc)
        else:
            return True
        return False

    def finish(self, result: T | Exception) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        if isinstance(result, Exception):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)


class Turns(Protocol):
    """What makes an executor's turns."""

    def start(self, executor: Executor) -> None:
        """From now on make turns, one at a time, while the executor has work."""

    def wake(self) -> None:
        """There is work. Any thread."""

    def stop(self) -> None:
        """Make no turn after the one under way; waits for that, unless it hangs."""


class ExecutorThread:
    """Turns on a thread of their own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_over = False

    def start(self, executor: Executor) -> None:
        self._thread = threading.Thread(
            target=self._run, args=(executor,), name="contrapose-executor", daemon=True
        )
        self._thread.start()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            logger.error("a graph call hangs, and is left to itself")

    def _run(self, executor: Executor) -> None:
        while self._wait_for_work(executor):
            executor.begin_turn()
            executor.end_turn()

    def _wait_for_work(self, executor: Executor) -> bool:
        """Waits until there is some; returns False when it is time to stop."""
        with self._changed:
            while not (executor.has_work or self._is_over):
                self._changed.wait()
            return not self._is_over


class CallerTurns:
    """Turns on whichever thread brings work, which is done before that goes on. For one caller: it
    need not wait for another thread, and neither waits for the interpreter."""

    def __init__(self) -> None:
        self._turning, self._is_over = threading.Lock(), False

    def start(self, executor: Executor) -> None:
        self._executor = executor

    def wake(self) -> None:
        while True:
            with self._turning:
                if self._is_over or not self._executor.has_work:
                    return
                self._executor.begin_turn()
                self._executor.end_turn()

    def stop(self) -> None:
        self._is_over = True
        with self._turning:
            pass


class Executor:
    """Start it, submit, close it. Also a context manager.

    models  what windows are sampled with; only whoever makes the turns touches it
    costs   of denoiser calls; None: all alike until `measure` or real calls say better
    clock   the time in seconds, on which all deadlines are
    turns   what makes them; None: a thread
    """

    def __init__(
        self,
        models: Models,
        *,
        costs: CallCosts | None = None,
        clock: Callable[[], float] = time.monotonic,
        turns: Turns | None = None,
    ) -> None:
        self._models = models
        self._costs = even_costs(models.animator.buckets) if costs is None else costs
        self._clock = clock
        self._lock = threading.Lock()
        self._submitted: deque[_Submitted] = deque()
        self._taken: list[_Submitted] = []
        """Submitted, but not begun yet."""
        self._calls: deque[_Work[Any]] = deque()
        self._patient: deque[_Work[Any]] = deque()
        self._preparing: dict[int, Pieces[None]] = {}
        """By number of steps: what makes the loop ready for it, while nothing urgent waits."""
        self._unprepared: set[int] = set()
        """Numbers of steps for which it failed to be made ready."""
        self._is_closing = False
        self._scheduler: Scheduler[WindowInProgress] = Scheduler()
        self._on_done: dict[int, OnDone] = {}
        self._is_live = False
        """Whether a window with a deadline is among those of this turn."""
        self._live_at = -math.inf
        """When one was last among them."""
        self._quiet = threading.Event()
        """Set while none is under way."""
        self._quiet.set()
        self.offline = OneByOne()
        """Callers of offline work, where they share the machine with live sessions."""
        self._windows_at = self._pieces_at = clock()
        """When patient windows, and pieces of patient work, last had a call."""
        self._windows = self._live_windows = self._late_windows = 0
        self._denoiser_calls = self._rows = 0
        self._begin_s = self._live_s = 0.0
        self._begun, self._started = 0, clock()
        """The newest turn: its number, and when it began."""
        self._is_at_work = False
        self._busy = BusyMeter(clock())
        self._turns: Turns = ExecutorThread() if turns is None else turns
        self._turns.start(self)

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def costs(self) -> CallCosts:
        """Costs of denoiser calls, as known now; for reading."""
        return self._costs

    @property
    def under_way(self) -> int | None:
        """The number of the turn that is under way, a call of each kind at most; None: no work.
        For reading."""
        return self._begun if self._is_at_work else None

    def submit(self, request: WindowRequest, deadline: float, on_done: OnDone) -> None:
        """Denoise a window; more urgent deadlines (seconds) go first. Any thread.

        deadline  inf: when no other window waits, or a step every half a second
        Raises BackendError once the executor is closed.
        """
        self.submit_together([(request, on_done)], deadline)

    def submit_together(
        self, windows: Sequence[tuple[WindowRequest, OnDone]], deadline: float
    ) -> None:
        """The same for windows none of which is to set off before the others are there."""
        with self._lock:
            self._require_open()
            self._submitted += [_Submitted(request, deadline, done) for request, done in windows]
            if deadline < math.inf:
                self._quiet.clear()
        self._turns.wake()

    def call(self, function: Callable[[Models], T]) -> Future[T]:
        """Run `function(models)` on the executor thread, before the next denoiser call. Any thread.

        No window goes on meanwhile, so it must be short.
        """

        def in_one_piece(models: Models) -> Pieces[T]:
            return function(models)
            yield  # makes this a generator

        return self._enqueue(self._calls, in_one_piece)

    def call_in_pieces(self, begin: Callable[[Models], Pieces[T]]) -> Future[T]:
        """Run `begin(models)` piece by piece while no window with a deadline waits, or else a piece
        every half a second. Any thread.

        Cancel the future to stop it before its next piece.
        """
        return self._enqueue(self._patient, begin)

    def measure(self) -> None:
        """Find out what calls cost, by timing a few of each bucket; blocks until done."""
        buckets = self._models.animator.buckets
        self._costs = self.call(lambda models: measured_costs(models, buckets)).result()

    @property
    def is_shared(self) -> bool:
        """Whether windows with deadlines come. For reading."""
        return self._clock() - self._live_at < LIVE_SECONDS

    def wait_for_quiet(self) -> None:
        """Let the windows with a deadline that are under way be done first, for half a second at
        most. Not on the executor thread."""
        self._quiet.wait(PATIENCE_S)

    def figures(self) -> ExecutorFigures:
        return ExecutorFigures(
            windows_in_progress=len(self._scheduler),
            windows=self._windows,
            live_windows=self._live_windows,
            late_windows=self._late_windows,
            denoiser_calls=self._denoiser_calls,
            rows=self._rows,
            live_s=self._live_s,
            begin_s=self._begin_s,
            busy=self._busy.fraction(self._clock()),
        )

    def close(self) -> None:
        """Stop after the call that is running; what is unfinished gets a BackendError.

        A call that hangs is left to itself, and its thread dies with the process.
        """
        with self._lock:
            self._is_closing = True
        self._turns.stop()
        self._give_up()

    def _enqueue(self, queue: deque[_Work[Any]], begin: Callable[[Models], Pieces[T]]) -> Future[T]:
        work = _Work(begin)
        with self._lock:
            self._require_open()
            queue.append(work)
        self._turns.wake()
        return work.future

    def _require_open(self) -> None:
        if self._is_closing:
            raise _closed()

    # -- turns, for whoever makes them -------------------------------------------------------------
    @property
    def has_work(self) -> bool:
        waiting = (self._submitted, self._calls, self._patient, self._preparing, self._scheduler)
        return any(len(kind) for kind in waiting)

    def begin_turn(self) -> int:
        """Take what has come, and make one call of each kind; returns the rows that moved on."""
        self._begun, self._is_at_work, self._started = self._begun + 1, True, self._clock()
        before = self._rows
        with self._telling_all():
            self._prepare()
            self._advance()
        return self._rows - before

    def end_turn(self) -> None:
        """Hand out what is done; with nothing urgent left, or for once, a piece of patient work."""
        with self._telling_all():
            self._finish()
        self._is_at_work = False
        seconds = self._clock() - self._started
        self._busy.add(self._clock(), seconds)
        self._live_s += seconds * self._is_live

    @contextmanager
    def _telling_all(self) -> Iterator[None]:
        try:
            yield
        except Exception as exc:  # out of memory, say, between two calls
            self._fail_all(_translated(exc))

    # -- the parts of a turn -----------------------------------------------------------------------
    def _prepare(self) -> None:
        """Take what was submitted, run one of the short calls, begin windows."""
        with self._lock:
            self._taken, self._submitted = list(self._submitted), deque()
        if self._calls:
            self._calls.popleft().advance(self._models)
        self._begin(self._taken)
        self._want_loops(self._taken)
        self._taken = []
        self._is_live = self._scheduler.urgent_count > 0
        if self._is_live:
            self._live_at = self._clock()
            self._quiet.clear()

    def _finish(self) -> None:
        self._deliver()
        is_idle = not self._scheduler.urgent_count and not self._submitted
        if is_idle:
            self._quiet.set()
        if self._patient and (is_idle or self._clock() - self._pieces_at > PATIENCE_S):
            self._pieces_at = self._clock()
            work = self._patient.popleft()
            if work.advance(self._models):
                self._patient.append(work)  # the pieces of several take turns
        if self._preparing and is_idle:
            self._prepare_loop(next(iter(self._preparing)))

    def _prepare_loop(self, steps: int) -> None:
        """A part of what windows of so many steps need; without it they go step by step."""
        try:
            next(self._preparing[steps])
        except StopIteration:
            del self._preparing[steps]
        except Exception as exc:
            logger.warning("windows of %d steps go step by step: %s", steps, _translated(exc))
            del self._preparing[steps]
            self._unprepared.add(steps)

    def _begin(self, submitted: Sequence[_Submitted]) -> None:
        if not submitted:
            return
        started = self._clock()
        try:
            windows = begin_windows(self._models, [entry.request for entry in submitted])
        except Exception as exc:
            if len(submitted) == 1:
                _report(submitted[0].on_done, _translated(exc))
                return
            for half in _halves(submitted):
                self._begin(half)
            return
        taken = (self._clock() - started) / len(submitted)
        self._begin_s += (BEGIN_WEIGHT if self._begin_s else 1.0) * (taken - self._begin_s)
        for window, entry in zip(windows, submitted, strict=True):
            self._on_done[id(window)] = entry.on_done
            self._scheduler.submit(window, entry.deadline)

    def _want_loops(self, begun: Sequence[_Submitted]) -> None:
        """Have the loop made ready for what goes step by step because it is not."""
        loop = self._models.animator.loop
        if loop is None:
            return
        wanted = {entry.request.steps_taken for entry in begun} - self._unprepared
        for steps in wanted.difference(self._preparing):
            if not loop.is_ready(steps):
                self._preparing[steps] = preparation(loop, self._models.animator.buckets, steps)

    def _advance(self) -> None:
        started = self._clock()
        rows = self._scheduler.next_patient() if self._is_their_turn(started) else []
        if rows or not self._is_live:
            self._windows_at = started
        rows = rows or self._scheduler.next_rows(started, self._costs)
        if not rows:
            return
        steps = self._advance_rows(rows)
        if steps:
            self._costs.observe(len(rows), (self._clock() - started) / steps)

    def _is_their_turn(self, now: float) -> bool:
        """Whether patient windows have waited for live ones long enough to have one call."""
        return self._is_live and now - self._windows_at > PATIENCE_S

    def _advance_rows(self, rows: Sequence[WindowInProgress]) -> int:
        """One call; if it fails, one for each half: only the culprit is lost, and nobody where
        half the rows fit into memory.

        Returns the steps that the rows moved on; 0 after a failure that tells nothing of the cost
        of a batch. One that did not fit does: what it took in halves is what it costs.
        """
        before = rows[0].step
        try:
            advance_windows(self._models, list(rows))
        except Exception as exc:
            if len(rows) > 1:
                steps = max([self._advance_rows(half) for half in _halves(rows)])
                return steps if isinstance(exc, OverloadedError | MemoryError) else 0
            self._scheduler.drop(rows)
            _report(self._on_done.pop(id(rows[0])), _translated(exc))
            return 0
        steps = rows[0].step - before
        self._denoiser_calls += steps
        self._rows += steps * len(rows)
        return steps

    def _deliver(self) -> None:
        now = self._clock()
        for window, deadline in self._scheduler.take_done():
            assert window.x0 is not None
            self._windows += 1
            self._live_windows += deadline < math.inf
            self._late_windows += now > deadline
            sampled = SampledWindow(x0=window.x0, trace=window.trace)
            _report(self._on_done.pop(id(window)), sampled)

    def _fail_all(self, error: ContraposeError) -> None:
        """Tell everyone whose window was taken that there will be none."""
        receivers = [*self._on_done.values(), *(entry.on_done for entry in self._taken)]
        self._scheduler, self._on_done, self._taken = Scheduler(), {}, []
        for on_done in receivers:
            _report(on_done, error)

    def _give_up(self) -> None:
        self._taken, self._submitted = list(self._submitted), deque()
        self._fail_all(_closed())
        works = [*self._calls, *self._patient]
        self._calls.clear()
        self._patient.clear()
        for work in works:
            work.finish(_closed())


def preparation(loop: Loop, buckets: Sequence[int], steps: int) -> Pieces[None]:
    """Make a loop ready for windows of so many steps, a bucket at a time."""
    for bucket in buckets:
        loop.prepare(bucket, steps)
        yield


def measured_costs(models: Models, buckets: Sequence[int]) -> CallCosts:
    """What a denoiser call of each bucket takes, on windows that nobody asked for."""
    request = WindowRequest(
        known=np.zeros((2, WINDOW_FRAMES, POSE_FEATURES), np.float32),
        known_mask=np.zeros((2, WINDOW_FRAMES, 1), np.float32),
        anchor=np.zeros((2, POSE_FEATURES), np.float32),
        anchor_joints=np.zeros((2, 22, 3), np.float32),
        seed=0,
        steps=1 + TIMED_CALLS,
    )
    seconds: dict[int, float] = {}
    for size in buckets:
        windows = begin_windows(models, [request] * size)
        times: list[float] = []
        while len(times) <= TIMED_CALLS:
            if windows[0].is_done:  # after one call, where the models have a loop
                windows = begin_windows(models, [request] * size)
            before, started = windows[0].step, time.perf_counter()
            advance_windows(models, windows)
            times.append((time.perf_counter() - started) / (windows[0].step - before))
        seconds[size] = statistics.median(times[1:])
    return CallCosts(seconds)


def _halves(items: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    middle = len(items) // 2
    return items[:middle], items[middle:]


def _report(on_done: OnDone, result: SampledWindow | ContraposeError) -> None:
    try:
        on_done(result)
    except Exception:
        logger.exception("a window's receiver failed; the executor goes on")


def _translated(exc: Exception) -> ContraposeError:
    if isinstance(exc, ContraposeError):
        return exc
    if isinstance(exc, MemoryError):
        return OverloadedError("the engine is out of memory; try again", reason="OUT_OF_MEMORY")
    logger.error("denoiser failed", exc_info=exc)
    return BackendError(f"the denoiser failed: {type(exc).__name__}: {exc}")


def _closed() -> BackendError:
    return BackendError("the engine is shutting down; open the session again", reason="CLOSED")
