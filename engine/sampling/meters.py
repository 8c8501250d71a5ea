"""Meters: how busy something was lately, and how bad it got.

Know numbers and the times they are told; no clock of their own. Bounded in memory whatever they are
told. One thread writes, any thread may read.
"""

from __future__ import annotations

from collections import deque

SAMPLES = 16


class BusyMeter:
    """Which part of the last `span_s` seconds something was at work."""

    def __init__(self, now: float, span_s: float = 4.0) -> None:
        self._span_s = span_s
        self._total = 0.0
        self._samples = deque([(now, 0.0)])
        """Time and total until then, at most one each span / SAMPLES; the first may be older."""

    def add(self, now: float, seconds: float) -> None:
        """`seconds` of work end now."""
        self._total += seconds
        if now - self._samples[-1][0] >= self._span_s / SAMPLES:
            self._samples.append((now, self._total))
        while len(self._samples) > 1 and self._samples[1][0] <= now - self._span_s:
            self._samples.popleft()

    def fraction(self, now: float) -> float:
        """0 to 1; less than a span after the beginning, of the time since."""
        samples = list(self._samples)
        before = next((s for s in reversed(samples) if s[0] <= now - self._span_s), samples[0])
        span = min(self._span_s, max(now - samples[0][0], self._span_s / SAMPLES))
        return min((self._total - before[1]) / span, 1.0)


class PeakMeter:
    """The largest of the values of the last `span_s` seconds; 0 without any."""

    def __init__(self, span_s: float = 10.0) -> None:
        self._span_s = span_s
        self._peaks: deque[tuple[float, float]] = deque()
        """Time and value, falling in value: who is older and smaller is never the largest again."""

    def add(self, now: float, value: float) -> None:
        while self._peaks and self._peaks[-1][1] <= value:
            self._peaks.pop()
        self._peaks.append((now, value))
        while self._peaks[0][0] < now - self._span_s:
            self._peaks.popleft()

    def peak(self, now: float) -> float:
        return next((value for at, value in self._peaks if at >= now - self._span_s), 0.0)
