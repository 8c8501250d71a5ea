"""Testing: fakes that ship, for our tests and those of anyone who builds on the engine.

They are real implementations of the seams: graphs that answer x0 = 0, a wire that delays and loses
by a pattern, a clock that is set. Nothing here is patched into anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Generic, TypeVar

import numpy as np

from engine.arrays import Array
from engine.motion import POSE_FEATURES, WINDOW_FRAMES
from engine.sampler import WindowRequest

T = TypeVar("T")


# ------------------------------------------------------------------------------------------ models
def still_windows(requests: list[WindowRequest]) -> Array:
    """A sampler whose network predicts no motion: x0 = 0, everyone stays at the anchor."""
    return np.zeros((len(requests), 2, WINDOW_FRAMES, POSE_FEATURES), np.float32)


def noisy_windows(scale: float) -> Callable[[list[WindowRequest]], Array]:
    """A sampler whose windows are smooth random motion around the anchor, a function of the seed.

    scale  standard deviation of the residual features at the ends of a window
    """
    time = np.linspace(-1, 1, WINDOW_FRAMES)
    waves = np.stack([time, time**2, np.sin(np.pi * time), np.cos(np.pi * time) - 1])

    def sample(requests: list[WindowRequest]) -> Array:
        weights = np.stack(
            [
                np.random.default_rng(request.seed).standard_normal((2, len(waves), POSE_FEATURES))
                for request in requests
            ]
        )
        return (scale * np.einsum("wt,npwd->nptd", waves, weights) / 2).astype(np.float32)

    return sample


# -------------------------------------------------------------------------------------------- time
@dataclass
class VirtualClock:
    """A clock that moves when told; call it for the time in seconds."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        self.now += seconds
        return self.now


# -------------------------------------------------------------------------------------------- wire
@dataclass
class LossyWire(Generic[T]):
    """A wire without a socket: what is sent at a time arrives later, or never, by a pattern.

    delays_s  delay of each message in seconds, repeated endlessly; None is a lost message
    is_ordered  as TCP: a message never overtakes one sent before, it waits for it
    """

    delays_s: Iterable[float | None] = (0.0,)
    is_ordered: bool = True
    _travelling: deque[tuple[float, T]] = field(default_factory=deque, init=False)

    def __post_init__(self) -> None:
        self._pattern = cycle(self.delays_s)

    def send(self, now: float, message: T) -> None:
        delay = next(self._pattern)
        if delay is None:
            return
        arrival = now + delay
        if self.is_ordered and self._travelling:
            arrival = max(arrival, self._travelling[-1][0])
        self._travelling.append((arrival, message))

    def receive(self, now: float) -> list[T]:
        """Everything that has arrived by `now`, in the order of arrival."""
        arrived = sorted(
            (entry for entry in self._travelling if entry[0] <= now), key=lambda entry: entry[0]
        )
        self._travelling = deque(entry for entry in self._travelling if entry[0] > now)
        return [message for _, message in arrived]
