"""Plain data, changed at one place: what a file or a token may say instead of what was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

NOTHING = object()
"""The place is left out."""
OTHERS: list[Any] = [
    *(NOTHING, None, True, -1, 0, 1, 7, 2**40, 2**63, -(2**63)),
    *(0.5, float("nan"), float("inf"), 1e300),
    *("", "react", "f4", b"", bytes(64), [], {}, [[]]),
]

Place = tuple[Any, ...]


def places_in(data: Any, place: Place = ()) -> Iterator[Place]:
    """Of every part, the whole first."""
    yield place
    if isinstance(data, dict | list):
        for key, part in data.items() if isinstance(data, dict) else enumerate(data):
            yield from places_in(part, (*place, key))


def changed(data: Any, place: Place, other: Any) -> Any:
    if not place:
        return None if other is NOTHING else other
    copy = dict(data) if isinstance(data, dict) else list(data)
    if len(place) == 1 and other is NOTHING:
        del copy[place[0]]
    else:
        copy[place[0]] = changed(copy[place[0]], place[1:], other)
    return copy
