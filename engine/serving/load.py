"""Load control: what all sessions give up while the machine cannot keep up, and who is let in.

Pure: knows figures and the times it is told; no stream, no thread, no clock. Quality goes first
(fewer denoiser steps), then how often plans are revised, and both come back when load falls. A
session that could not be served even at the lowest level is not let in: none is ever starved.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.motion.motion import FRAME_RATE, WINDOW_FRAMES
from engine.session.config import SessionConfig

PUBLISHED_STEPS = (50, 20, 10, 4)
"""What is stepped down through for a bundle that lists no schedules of its own."""

LEAST_REFILL = 8
"""Frames of plan that are left when more is asked for, at the least."""


# ------------------------------------------------------------------------------------------- levels
@dataclass(frozen=True, kw_only=True)
class LoadLevel:
    """What every session has at most of one and at least of the other; None: as it was asked for.

    steps            denoiser calls per window, at most
    revision_frames  between two revisions, at least
    """

    steps: int | None = None
    revision_frames: int | None = None

    def applied(self, config: SessionConfig) -> SessionConfig:
        """A session's settings at this level.

        What a window adds to the plan is played between two revisions or held in reserve: with rare
        revisions the plan is refilled later, or it would take as many windows as before.
        """
        limited = replace(config, steps=min(config.steps, self.steps or config.steps))
        frames = self.revision_frames or 0
        if frames <= config.revision_frames:
            return limited
        reserve = min(max(_new_frames(config) - frames, LEAST_REFILL), config.refill_frames)
        return replace(limited, revision_frames=frames, refill_frames=reserve)


def stretched_revisions(config: SessionConfig) -> tuple[int, ...]:
    """Multiples of the usual distance of two revisions that leave a reserve of the new frames of a
    window."""
    usual, most = config.revision_frames, _new_frames(config) - LEAST_REFILL
    return tuple(range(2 * usual, most + 1, usual)) or (max(most, usual),)


def windows_a_second(config: SessionConfig) -> float:
    """For a player who departs from every plan."""
    return FRAME_RATE / config.revision_frames


def _new_frames(config: SessionConfig) -> int:
    """Frames of a window that are new."""
    return WINDOW_FRAMES - config.history_frames


# -------------------------------------------------------------------------------------------- costs
@dataclass(frozen=True, kw_only=True)
class PythonCost:
    """What sessions cost of the interpreter, in seconds.

    second_s  for each session and second: looking at the player, moving messages
    window_s  for each window: asking for it, joining it to the plan
    """

    second_s: float = 0.0
    window_s: float = 0.0

    def at(self, windows: float) -> float:
        """For each session and second, with so many windows in it."""
        return self.second_s + windows * self.window_s

    def times(self, factor: float) -> PythonCost:
        return PythonCost(second_s=factor * self.second_s, window_s=factor * self.window_s)


USUAL_PYTHON = PythonCost(second_s=0.012, window_s=0.008)
"""Of one processor, where it was not measured."""


@dataclass(frozen=True, kw_only=True)
class SessionCost:
    """What sessions cost, in seconds.

    begin_s  of the executor for each window, before its first step
    step_s   of the executor for each step of a window, in company
    python   of the interpreter
    """

    begin_s: float
    step_s: float
    python: PythonCost

    def window_s(self, steps: int) -> float:
        return self.begin_s + steps * self.step_s


@dataclass(frozen=True, kw_only=True)
class LoadConfig:
    busy: float = 0.92
    """Part of its time over which the executor, or the session thread, has no room for a burst."""
    late_share: float = 0.05
    """Part of the windows; if more are late, too many are."""
    calm: float = 0.65
    """Below it quality may come back."""
    look_s: float = 1.0
    """What is looked back on before a decision, at least."""
    patience_s: float = 5.0
    """Seconds of calm before quality comes back; doubled each time that proves too early."""
    most_patience_s: float = 60.0
    executor_room: float = 0.9
    """Part of the executor that accepted sessions may take at the lowest level."""
    python_room: float = 0.9
    """Part of one core that accepted sessions may take of the interpreter."""
    python_calm: float = 0.75
    """The same at a level that comes back."""


@dataclass(frozen=True, kw_only=True)
class LoadSample:
    """What was counted until `now`; all but the last three since the start.

    executor_s        seconds in which the executor was at work for live sessions
    rows              of denoiser calls
    session_thread_s  seconds in which the session thread was at work
    windows           done for live sessions, and of these late
    sessions          open now; the most steps that any of them asked for; what one costs
    """

    now: float
    executor_s: float
    rows: int
    session_thread_s: float
    windows: int
    late_windows: int
    sessions: int
    most_steps: int
    cost: SessionCost


def _most_at_once(config: SessionConfig, cost: SessionCost) -> float:
    """How many windows can be asked for at once, just after a denoiser call was begun, so that the
    last one is there before the frames are played that were left."""
    left_s = min(config.refill_frames, config.horizon_frames) / FRAME_RATE
    return left_s / (cost.window_s(config.steps) + cost.step_s)


class LoadControl:
    """Give it a sample now and then; ask for the level, and for room.

    schedules  numbers of steps to go down through; none: the published ones
    usual      what a session gets that asks for nothing
    """

    def __init__(
        self,
        schedules: Sequence[int],
        usual: SessionConfig,
        config: LoadConfig | None = None,
    ) -> None:
        self._schedules = tuple(sorted(schedules or PUBLISHED_STEPS, reverse=True))
        self._usual = usual
        self._revisions = stretched_revisions(usual)
        self._config = config or LoadConfig()
        self._level = LoadLevel()
        self._samples: deque[LoadSample] = deque()
        self._calm_since: float | None = None
        self._recovered_at = float("-inf")
        self._patience_s = self._config.patience_s

    @property
    def level(self) -> LoadLevel:
        return self._level

    def update(self, sample: LoadSample) -> bool:
        """Take a sample; returns whether the level has changed."""
        before = self._level
        if sample.sessions == 0:
            self._reset()
            return self._level != before
        self._require_able(sample)
        if self._level != before:
            return True
        self._samples.append(sample)
        while len(self._samples) > 1 and sample.now - self._samples[1].now >= self._config.look_s:
            self._samples.popleft()
        first = self._samples[0]
        span = sample.now - first.now
        if span < self._config.look_s:
            return False
        executor = (sample.executor_s - first.executor_s) / span
        sessions = (sample.session_thread_s - first.session_thread_s) / span
        late = sample.late_windows - first.late_windows
        is_late = late > max(1.0, self._config.late_share * (sample.windows - first.windows))
        if executor > self._config.busy or sessions > self._config.busy or is_late:
            self._degrade(sample, is_executor=executor >= sessions)
        elif self._is_calm(executor, sessions) and late == 0:
            rows_s = (sample.rows - first.rows) / span * sample.cost.step_s
            self._recover(sample, executor_load=rows_s)
        else:
            self._calm_since = None
        return self._level != before

    # -- admission ---------------------------------------------------------------------------------
    def capacity(self, config: SessionConfig, cost: SessionCost) -> int:
        """How many sessions like this can be open at once without one being starved.

        At some level of the fewest steps the executor and the interpreter must keep some time free,
        and all windows must be there in time even if asked for at once.
        """
        levels = [
            LoadLevel(steps=self._schedules[-1], revision_frames=frames)
            for frames in (None, *self._revisions)
        ]
        return int(max(self._room(level.applied(config), cost) for level in levels))

    def _room(self, config: SessionConfig, cost: SessionCost) -> float:
        executor_s = cost.window_s(config.steps) * windows_a_second(config)
        limits = [_most_at_once(config, cost), self._config.executor_room / executor_s]
        python_s = cost.python.at(windows_a_second(config))
        if python_s > 0:
            limits.append(self._config.python_room / python_s)
        return min(limits)

    # -- levels ------------------------------------------------------------------------------------
    def _is_calm(self, executor: float, sessions: float) -> bool:
        """Whether what comes back next finds room: steps cost the session thread nothing."""
        busiest = executor if self._level.revision_frames is None else max(executor, sessions)
        return busiest < self._config.calm

    def _require_able(self, sample: LoadSample) -> None:
        """So few steps, or the fewest, that all windows are in time even if asked for at once; and
        revisions so rare that the interpreter has room for all sessions."""
        while not self._is_able(self._level, sample):
            fewer = self._fewer_steps(sample)
            if fewer is None:
                break
            self._changed(fewer)
        while self._python_s(self._level, sample) > self._config.python_room:
            rarer = self._rarer_revisions()
            if rarer is None or not self._is_able(rarer, sample):
                break
            self._changed(rarer)

    def _degrade(self, sample: LoadSample, *, is_executor: bool) -> None:
        """One level down. Fewer steps help the executor alone."""
        is_too_early = sample.now - self._recovered_at < 2 * self._config.patience_s
        doubled = min(2 * self._patience_s, self._config.most_patience_s)
        self._patience_s = doubled if is_too_early else self._config.patience_s
        self._recovered_at = float("-inf")
        fewer = self._fewer_steps(sample) if is_executor else None
        lower = fewer or self._rarer_revisions()
        if lower is not None and (self._is_able(lower, sample) or lower == fewer):
            self._changed(lower)

    def _fewer_steps(self, sample: LoadSample) -> LoadLevel | None:
        steps = min(sample.most_steps, self._level.steps or sample.most_steps)
        fewer = next((count for count in self._schedules if count < steps), None)
        return None if fewer is None else replace(self._level, steps=fewer)

    def _rarer_revisions(self) -> LoadLevel | None:
        least = self._level.revision_frames or 0
        rarer = next((frames for frames in self._revisions if frames > least), None)
        return None if rarer is None else replace(self._level, revision_frames=rarer)

    def _is_able(self, level: LoadLevel, sample: LoadSample) -> bool:
        """Whether all windows are in time even if asked for at once."""
        dearest = level.applied(replace(self._usual, steps=sample.most_steps))
        return sample.sessions <= _most_at_once(dearest, sample.cost)

    def _python_s(self, level: LoadLevel, sample: LoadSample) -> float:
        """Of the interpreter in a second, for all sessions at that level."""
        windows = windows_a_second(level.applied(self._usual))
        return sample.sessions * sample.cost.python.at(windows)

    def _recover(self, sample: LoadSample, *, executor_load: float) -> None:
        """One level up, after some time of calm, if the executor could bear it."""
        above, growth = self._above(sample)
        if above == self._level:
            return
        if self._calm_since is None:
            self._calm_since = sample.now
        is_bearable = executor_load * growth < self._config.busy and self._is_able(above, sample)
        if above.revision_frames != self._level.revision_frames:
            is_bearable &= self._python_s(above, sample) <= self._config.python_calm
        if sample.now - self._calm_since >= self._patience_s and is_bearable:
            self._changed(above)
            self._recovered_at = sample.now

    def _above(self, sample: LoadSample) -> tuple[LoadLevel, float]:
        """The level above, and how many times more rows it may take."""
        frames = self._level.revision_frames
        if frames is not None:
            more_often = [other for other in self._revisions if other < frames]
            usual = max(more_often) if more_often else None
            growth = frames / (usual or self._revisions[0] / 2)
            return replace(self._level, revision_frames=usual), growth
        steps = self._level.steps
        if steps is not None:
            more = [count for count in self._schedules if steps < count < sample.most_steps]
            growth = (min(more) if more else max(sample.most_steps, steps)) / steps
            return replace(self._level, steps=min(more) if more else None), growth
        return self._level, 1.0

    def _changed(self, level: LoadLevel) -> None:
        self._level = level
        self._samples.clear()
        self._calm_since = None

    def _reset(self) -> None:
        self._changed(LoadLevel())
        self._recovered_at = float("-inf")
        self._patience_s = self._config.patience_s


# ---------------------------------------------------------------------------------------- the queue
class SlotQueue:
    """When a place is likely to be free for someone who is refused.

    Sessions are taken to end at a constant rate: all time spent in sessions, by how many ended.
    """

    LEAST_S, MOST_S = 1.0, 60.0

    def __init__(self) -> None:
        self._open: dict[str, float] = {}
        self._ended = 0
        self._spent_s = 0.0
        self._promised: deque[float] = deque(maxlen=1000)
        """Times at which someone was told to come again."""

    def opened(self, session_id: str, now: float) -> None:
        self._open[session_id] = now

    def closed(self, session_id: str, now: float) -> None:
        self._spent_s += now - self._open.pop(session_id)
        self._ended += 1

    def refused(self, now: float) -> float:
        """Seconds after which to try again: one of those who wait for each place that gets free."""
        while self._promised and self._promised[0] <= now:
            self._promised.popleft()
        spent = self._spent_s + sum(now - since for since in self._open.values())
        between = spent / (self._ended + 1) / max(len(self._open), 1)
        delay = between * (1 + len(self._promised))
        delay = min(max(delay, self.LEAST_S), self.MOST_S)
        self._promised.append(now + delay)
        return delay
