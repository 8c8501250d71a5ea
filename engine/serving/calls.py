"""The calls so far: how many began, how they ended, what they moved and took.

Plain counts, so that counting needs no library; the gateway's `/metrics` hands them out. Knows no
message and no socket.
"""

from __future__ import annotations

import bisect
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

BOUNDS_S = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0)
"""Calls are counted by what they took: a pair takes a tenth of a second, a session minutes."""
CANCELLED = "CANCELLED"
"""How a call ends whose client leaves."""
T = TypeVar("T")


class CallKind(NamedTuple):
    """What calls are told apart by: the labels of their figures."""

    door: str
    """grpc, websocket or http."""
    type: str
    """unary, server_stream or bidi_stream."""
    service: str
    method: str


@dataclass
class CallFigures:
    """All calls of one kind so far."""

    started: int = 0
    received: int = 0
    """Messages of clients."""
    sent: int = 0
    ended: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By the names of statuses."""
    seconds: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    """How many took at most each of BOUNDS_S and more than the one before; the rest."""


class Call:
    """One call under way. `code` is how it ends: set it if it does not end well."""

    def __init__(self, figures: CallFigures) -> None:
        self._figures = figures
        self.code = CANCELLED

    def moved(self, *, received: int = 0, sent: int = 0) -> None:
        """Count messages."""
        self._figures.received += received
        self._figures.sent += sent

    async def received(self, messages: AsyncIterator[T]) -> AsyncIterator[T]:
        """The same messages, counted."""
        async for message in messages:
            self._figures.received += 1
            yield message

    def sent(self, write: Callable[[T], Awaitable[None]]) -> Callable[[T], Awaitable[None]]:
        """The same function, its messages counted."""

        async def write_counted(message: T) -> None:
            await write(message)
            self._figures.sent += 1

        return write_counted


class Calls:
    def __init__(self) -> None:
        self.figures: dict[CallKind, CallFigures] = {}

    @contextmanager
    def counted(self, kind: CallKind) -> Iterator[Call]:
        """A call for as long as the block lasts."""
        figures = self.figures.setdefault(kind, CallFigures())
        figures.started += 1
        call, begun = Call(figures), time.monotonic()
        try:
            yield call
        finally:
            took = time.monotonic() - begun
            figures.ended[call.code] += 1
            figures.seconds += took
            figures.within[bisect.bisect_left(BOUNDS_S, took)] += 1
