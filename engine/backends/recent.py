"""Things made on demand and kept: some for good, and of the others those that were used last.

Knows neither what they are nor what making them costs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """What was made, by key.

    most  how many are kept beside those that stay for good
    drop  told what goes
    """

    def __init__(self, most: int, drop: Callable[[V], None] = lambda gone: None) -> None:
        self._most = most
        self._drop = drop
        self._staying: dict[K, V] = {}
        self._recent: OrderedDict[K, V] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._staying or key in self._recent

    def get(self, key: K, make: Callable[[], V], *, stays: bool = False) -> V:
        """The one of this key, made now if it is missing; nothing is kept of one that fails.

        stays  keep it for good, if it is made now
        """
        if key in self._staying:
            return self._staying[key]
        if key in self._recent:
            self._recent.move_to_end(key)
            return self._recent[key]
        if stays:
            self._staying[key] = made = make()
            return made
        while len(self._recent) >= self._most:
            self._drop(self._recent.popitem(last=False)[1])
        self._recent[key] = made = make()
        return made

    def clear(self) -> None:
        for gone in (*self._staying.values(), *self._recent.values()):
            self._drop(gone)
        self._staying.clear()
        self._recent.clear()
