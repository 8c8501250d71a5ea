"""The scheduler: which windows in progress go into the next denoiser call, and how many.

Knows deadlines, steps left and what a call costs. Knows no session, no network, no thread and no
clock. Windows of all sessions share calls at the level of single denoising steps, so a new window
joins the next call and one whose deadline is near overtakes (earliest deadline first; Liu and
Layland 1973).
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Hashable, Mapping, Sequence
from itertools import count
from typing import Generic, NamedTuple, Protocol, TypeVar

OUTLIER = 4.0
"""A call that took this many times longer than usual was held up; it counts as this much."""


class CallCosts:
    """Seconds that a denoiser call takes, for each batch size ("bucket") that is compiled.

    seconds  of a call, by bucket; to begin with
    weight   of the newest call in the average, 0 to 1; 0: costs never change
    Raises ValueError unless there is a bucket and every cost is over 0.
    """

    def __init__(self, seconds: Mapping[int, float], *, weight: float = 0.1) -> None:
        if not seconds or min(seconds) < 1 or min(seconds.values()) <= 0:
            raise ValueError(f"costs are {dict(seconds)}, must be over 0 s for buckets from 1 on")
        self._seconds = dict(sorted(seconds.items()))
        self._weight = weight

    @property
    def buckets(self) -> tuple[int, ...]:
        return tuple(self._seconds)

    def bucket(self, rows: int) -> int:
        """The smallest that holds that many rows, or else the largest."""
        return next((size for size in self._seconds if size >= rows), max(self._seconds))

    def seconds(self, rows: int) -> float:
        """Time of a call with that many rows, at most the largest bucket's: padding costs, too."""
        return self._seconds[self.bucket(rows)]

    def seconds_a_row(self, rows: int) -> float:
        """With that many rows to choose from: in the bucket that makes most of them a second."""
        largest = self.bucket(rows)
        return min(
            seconds / min(size, rows) for size, seconds in self._seconds.items() if size <= largest
        )

    def observe(self, rows: int, seconds: float) -> None:
        """A call of that many rows took `seconds`."""
        bucket = self.bucket(rows)
        before = self._seconds[bucket]
        seconds = min(seconds, OUTLIER * before)
        self._seconds[bucket] = before + self._weight * (seconds - before)


def even_costs(buckets: Sequence[int]) -> CallCosts:
    """Before anything is measured: every call costs the same, so that the fullest is best."""
    return CallCosts(dict.fromkeys(buckets, 0.01))


def costs_by_rows(buckets: Sequence[int]) -> CallCosts:
    """On a processor: twice the rows take nearly twice as long. They never change, so that the same
    windows always share the same calls."""
    return CallCosts({size: 0.01 * (0.5 + size) for size in buckets}, weight=0.0)


class Left(NamedTuple):
    """What is left of a window: seconds until its deadline, denoiser calls."""

    seconds: float
    steps: int


def best_bucket(waiting: Sequence[Left], costs: CallCosts) -> int:
    """The batch size by which the fewest windows are late, and of those the most rows a second.

    waiting  at least one, the most urgent first

    With calls of b rows that take c seconds, the i-th window is done after about
    c max(steps_i, sum of steps_j over j <= i / b): five rows go as four now and one later where a
    bucket of eight costs more than that, and a row about to run dry goes alone where company would
    make it late. Where company gains nothing, calls are short.
    """

    def rank(bucket: int) -> tuple[int, float]:
        seconds, late, steps = costs.seconds(bucket), 0, 0
        for window in waiting:
            steps += window.steps
            late += seconds * max(window.steps, steps / bucket) > window.seconds
        return late, -min(bucket, len(waiting)) / seconds

    largest = costs.bucket(len(waiting))
    return min((b for b in costs.buckets if b <= largest), key=rank)


class InProgress(Protocol):
    @property
    def is_done(self) -> bool: ...

    @property
    def steps_left(self) -> int: ...

    @property
    def cohort(self) -> Hashable:
        """Windows of different cohorts cannot share a call."""
        ...


W = TypeVar("W", bound=InProgress)


class Scheduler(Generic[W]):
    """Windows in progress, each with the time in seconds by which it should be done.

    A window whose deadline is infinite is *patient*: it takes only what no other needs.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, W]] = []  # the most urgent first
        self._order = count()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def urgent_count(self) -> int:
        """Windows that are not patient."""
        return bisect_left(self._waiting, (math.inf, -1))

    def submit(self, window: W, deadline: float) -> None:
        insort(self._waiting, (deadline, next(self._order), window))

    def next_rows(self, now: float, costs: CallCosts) -> list[W]:
        """The rows of the next denoiser call: the most urgent, first come first.

        They stay here until they are done or dropped, so the same window is chosen step after step.
        Urgent windows decide how many rows there are; patient ones sit where there would be
        padding, and have calls of their own while nobody else waits. All keep the cohort of the
        most urgent one.
        """
        if not self._waiting:
            return []
        cohort = self._waiting[0][2].cohort
        waiting = [entry for entry in self._waiting if entry[2].cohort == cohort]
        deciding = waiting[: bisect_left(waiting, (math.inf, -1))] or waiting
        left = [Left(deadline - now, window.steps_left) for deadline, _, window in deciding]
        return [window for _, _, window in waiting[: best_bucket(left, costs)]]

    def next_patient(self) -> list[W]:
        """The patient window that came first, if there is one."""
        return [window for _, _, window in self._waiting[self.urgent_count :][:1]]

    def take_done(self) -> list[tuple[W, float]]:
        """Remove and return the windows that are done, each with its deadline."""
        done = [(window, deadline) for deadline, _, window in self._waiting if window.is_done]
        self.drop([window for window, _ in done])
        return done

    def drop(self, windows: Sequence[W]) -> None:
        """Forget windows, whatever their state."""
        dropped = {id(window) for window in windows}
        self._waiting = [entry for entry in self._waiting if id(entry[2]) not in dropped]
