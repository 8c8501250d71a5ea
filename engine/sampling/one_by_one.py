"""Callers who go on one by one, in the order in which they come. Knows threads and nothing else."""

from __future__ import annotations

import threading
from collections import deque


class OneByOne:
    """Whose turn it is among callers, which are told apart by identity."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        """The first one's turn it is."""

    def take(self, caller: object) -> None:
        """Wait for the caller's turn, behind all that wait already; it may have had the last one.

        Returns at once if the caller is taken out meanwhile.
        """
        with self._changed:
            self._take_out(caller)
            self._queue.append(caller)
            self._changed.wait_for(lambda: self._queue[0] is caller or caller not in self._queue)

    def leave(self, caller: object) -> None:
        """Neither has the caller the turn nor does it wait for one."""
        with self._changed:
            self._take_out(caller)

    def _take_out(self, caller: object) -> None:
        if caller in self._queue:
            self._queue.remove(caller)
            self._changed.notify_all()
