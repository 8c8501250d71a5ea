"""Stalls: a thread that does not get done with one piece of work.

A graph call that hangs in a driver raises nothing and ends never. Knows the numbers of pieces of
work; no thread, no clock and no session.
"""

from __future__ import annotations

from collections.abc import Callable

STALLED_LOOKS = 40
"""Looks at one and the same piece after which it is taken to hang; with looks a quarter of a second
apart, 10 s. Counted in looks because a process that was stopped, and goes on, looks but once."""


class StallWatch:
    """Look at it every quarter of a second.

    under_way  number of the piece of work that is under way, another one each time; None: no work
    """

    def __init__(self, under_way: Callable[[], int | None]) -> None:
        self._under_way = under_way
        self._piece: int | None = None
        self._looks = 0

    def look(self) -> bool:
        """Whether the thread hangs."""
        piece = self._under_way()
        self._looks = self._looks + 1 if piece is not None and piece == self._piece else 0
        self._piece = piece
        return self._looks >= STALLED_LOOKS
