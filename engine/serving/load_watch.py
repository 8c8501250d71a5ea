"""The load watch: what sessions cost, how busy the machine is, what they all give up for it.

Measures; `load.py` decides. Runs on the event loop. Knows no message and no socket.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from engine.sampling.loaded import LoadedBundle
from engine.sampling.meters import PeakMeter
from engine.serving.load import (
    USUAL_PYTHON,
    LoadConfig,
    LoadControl,
    LoadLevel,
    LoadSample,
    PythonCost,
    SessionCost,
    windows_a_second,
)
from engine.serving.process import usage_of
from engine.serving.session_thread import SessionThread
from engine.serving.stream import LiveStream
from engine.session.config import SessionConfig

logger = logging.getLogger(__name__)

PYTHON_WEIGHT = 0.02
"""Weight of each session at the newest look, in the average of what one costs."""

COMPANY = 1.7
"""Times as dear as alone that a session is taken to be to the interpreter, before there are any: 11
on two cores were 1.7 to 2.2 times."""


@dataclass(frozen=True, kw_only=True)
class _Look:
    """When the sessions were looked at, and what they had cost the interpreter by then."""

    now: float
    python_s: float
    windows: int


class LoadWatch:
    """Look at it now and then, once it has begun.

    session         the settings of a session that asks for nothing
    session_thread  where sessions run
    """

    def __init__(
        self, session: SessionConfig, config: LoadConfig, session_thread: SessionThread
    ) -> None:
        self._session = session
        self._config = config
        self._session_thread = session_thread
        self._loaded: LoadedBundle | None = None
        self._control = LoadControl((), session, config)
        self._python, self._python_s, self._expected_s = USUAL_PYTHON, COMPANY, 1.0
        """What a session and second took of the interpreter of late, and what it would have taken
        as measured before there was one."""
        self._looked: _Look | None = None
        self.event_loop_lag = PeakMeter()
        """Seconds that the event loop was held up."""

    def begin(self, loaded: LoadedBundle, python: PythonCost) -> None:
        """python: what a session costs of the interpreter, measured before there is one."""
        schedules = [spec.steps for spec in loaded.bundle.manifest.animator.schedules]
        self._control = LoadControl(schedules, self._session, self._config)
        self._python = python
        self._expected_s = python.at(windows_a_second(self._session))
        self._python_s = COMPANY * self._expected_s
        self._loaded = loaded

    @property
    def level(self) -> LoadLevel:
        """What sessions get now."""
        return self._control.level

    def capacity(self, config: SessionConfig, sessions: int) -> int | None:
        """How many sessions like this could be open at once where there are that many; None: not
        known yet.

        One always may: a session alone on a machine that is too slow waits for nothing better.
        """
        if self._loaded is None:
            return None
        return max(self._control.capacity(config, self._cost(self._loaded, sessions)), 1)

    def look(
        self, now: float, streams: Sequence[LiveStream], sessions: int, most_steps: int
    ) -> None:
        """See how things go; tell the sessions when they must give something up, or get it back.

        streams     of the `sessions` that are open, those that have been accepted
        most_steps  that any of them asked for
        On the event loop's thread, whose processor time it reads.
        """
        if self._loaded is None:
            return
        status = self._loaded.executor.figures()
        self._weigh(now, sum(stream.has_begun for stream in streams), status.live_windows)
        sample = LoadSample(
            now=now,
            executor_s=status.live_s,
            rows=status.rows,
            session_thread_s=self._session_thread.busy_s,
            windows=status.live_windows,
            late_windows=status.late_windows,
            sessions=sessions,
            most_steps=most_steps,
            cost=self._cost(self._loaded, max(sessions, 1)),
        )
        if self._control.update(sample):
            logger.info("load: %d sessions, now %s", sessions, self.level)
            for stream in streams:
                stream.limit(self.level)

    def _cost(self, loaded: LoadedBundle, sessions: int) -> SessionCost:
        return SessionCost(
            begin_s=loaded.executor.figures().begin_s,
            step_s=loaded.executor.costs.seconds_a_row(sessions),
            python=self._python.times(self._python_s / self._expected_s),
        )

    def _weigh(self, now: float, sessions: int, windows: int) -> None:
        """Learn how much dearer a session is to the interpreter, on both of our threads, than was
        measured before there was one: others use the processor's caches, too."""
        spent = self._session_thread.cpu_s + time.thread_time()
        before, self._looked = self._looked, _Look(now=now, python_s=spent, windows=windows)
        if before is None or not sessions:
            return
        span = sessions * max(now - before.now, 1e-3)
        weight = 1 - (1 - PYTHON_WEIGHT) ** sessions
        taken = (spent - before.python_s) / span
        expected = self._python.at((windows - before.windows) / span)
        self._python_s += weight * (taken - self._python_s)
        self._expected_s += weight * (expected - self._expected_s)


def resident_mb() -> float:
    """Megabytes that this process holds in memory; 0 where the system does not say (not Linux)."""
    usage = usage_of()
    return 0.0 if usage is None else usage.resident_mb
