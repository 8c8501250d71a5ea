"""Progress of what takes more than a second: told, or shown on stderr where a terminal looks on.

Knows tqdm, which the extra `engine` brings: without it nothing is shown.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
Say = Callable[[str], None]
"""Told in a few words what goes on, by whatever takes seconds."""

DELAY_S = 1.0
"""What is over sooner shows no bar."""
TICK_S = 0.5


def silent(_: str) -> None:
    """A Say for nobody."""


def counted(things: Iterable[T], what: str, total: int, unit: str) -> Iterator[T]:
    """The things one by one, beside a bar that says how many of `total` have come."""
    with _bar(desc=what, total=total, unit=f" {unit}") as bar:
        for thing in things:
            yield thing
            bar.update()


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Seconds that are counted while the block lasts, whose end nobody knows."""
    is_over = threading.Event()
    with _bar(desc=what, bar_format="{desc}: {elapsed}") as bar:

        def tick() -> None:
            while not is_over.wait(TICK_S):
                bar.update()

        thread = threading.Thread(target=tick, name="contrapose-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


class _Silent:
    """A bar that nobody sees."""

    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self) -> None:
        pass


def _bar(**how: Any) -> Any:  # tqdm's own, or one that shows nothing
    if not sys.stderr.isatty():
        return _Silent()
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        return _Silent()
    return tqdm(file=sys.stderr, delay=DELAY_S, leave=False, dynamic_ncols=True, **how)
