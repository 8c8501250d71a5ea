"""Runs: which run of each session is the newest that began on this server.

A session has one run after the other, each on a stream of its own: the first from a header, a later
one from a token of the one before. Numbers grow with the clock, so that those of two servers and of
two sessions of the same name can be compared. Knows names and numbers; no stream and no token.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from engine.errors import SessionError

TICKS = 1_000_000
"""Numbers that a second has."""
KEPT_SECONDS = 700.0
"""How long a run is remembered: tokens of runs before it have expired by then, even where clocks
differ by a minute."""


@dataclass(eq=False)
class Run:
    """One run of a session."""

    number: int
    is_told: bool = False
    """Whether its client has had a token of it. Without one, the client holds that of before."""

    def told(self) -> None:
        self.is_told = True


class Runs:
    """The newest run of each session, on one event loop.

    clock  seconds of the wall clock
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._newest: dict[str, int] = {}
        """By session id, the oldest first."""

    @contextmanager
    def begun(self, session_id: str, after: int | None) -> Iterator[Run]:
        """The next run of a session, which lasts as long as the block.

        after  the run whose token it goes on from; None: the session is new
        Raises SessionError RESUME_REPLACED unless `after` is the newest run of that name.
        """
        before = self._newest.get(session_id)
        if before is not None and after is not None and after < before:
            raise SessionError(
                f"header.resume_token: a newer run of {session_id} has begun; go on with its "
                "token, or open a new session",
                field="header.resume_token",
                reason="RESUME_REPLACED",
            )
        run = Run(max(int(TICKS * self._clock()), (after or 0) + 1, (before or 0) + 1))
        self._note(session_id, run.number)
        try:
            yield run
        finally:
            if not run.is_told and self._newest.get(session_id) == run.number:
                self._take_back(session_id, before)

    def _note(self, session_id: str, number: int) -> None:
        self._newest.pop(session_id, None)
        self._newest[session_id] = number
        while (number - next(iter(self._newest.values()))) / TICKS > KEPT_SECONDS:
            del self._newest[next(iter(self._newest))]

    def _take_back(self, session_id: str, before: int | None) -> None:
        if before is None:
            del self._newest[session_id]
        else:
            self._newest[session_id] = before
