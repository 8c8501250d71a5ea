"""The scheduler: which windows in progress go into the next denoiser call.

Knows deadlines and whether a window is done. Knows no session, no network and no thread. Windows of
all sessions share calls at the level of single denoising steps, so a new window joins the next call
and one whose deadline is near overtakes (earliest deadline first; Liu and Layland 1973).
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import count
from typing import Generic, Protocol, TypeVar


class InProgress(Protocol):
    @property
    def is_done(self) -> bool: ...


W = TypeVar("W", bound=InProgress)


class Scheduler(Generic[W]):
    """Windows in progress, each with the time in seconds by which it should be done."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, W]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._waiting)

    def submit(self, window: W, deadline: float) -> None:
        heapq.heappush(self._waiting, (deadline, next(self._order), window))

    def next_rows(self, limit: int) -> list[W]:
        """The rows of the next denoiser call, at most `limit`: the most urgent, first come first.

        They stay here until they are done or dropped, so the same window is chosen step after step.
        """
        return [window for _, _, window in heapq.nsmallest(limit, self._waiting)]

    def take_done(self) -> list[W]:
        """Remove and return the windows that are done."""
        done = [window for _, _, window in sorted(self._waiting) if window.is_done]
        self.drop(done)
        return done

    def drop(self, windows: Sequence[W]) -> None:
        """Forget windows, whatever their state."""
        dropped = {id(window) for window in windows}
        self._waiting = [entry for entry in self._waiting if id(entry[2]) not in dropped]
        heapq.heapify(self._waiting)
