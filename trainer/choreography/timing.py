"""Curves over time: minimum-jerk moves, smoothing, and slow noise. Knows numbers, no bodies."""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.easing import min_jerk


def ramp(time: Array, begin: float, end: float) -> Array:
    """Minimum-jerk rise from 0 at `begin` to 1 at `end`, both in seconds."""
    return min_jerk((time - begin) / max(end - begin, 1e-6))


def pulse(time: Array, rise: float, top: float, fall: float, bottom: float) -> Array:
    """0 until `rise`, 1 from `top` to `fall`, 0 again from `bottom`."""
    return ramp(time, rise, top) - ramp(time, fall, bottom)


def smoothed(values: Array, radius: int) -> Array:
    """Values (frame, ...) under a raised-cosine kernel of `radius` frames; the ends are held."""
    if radius < 1:
        return values
    kernel = 1 + np.cos(np.pi * np.arange(-radius, radius + 1) / (radius + 1))
    flat = values.reshape(len(values), -1)
    padded = np.pad(flat, ((radius, radius), (0, 0)), mode="edge")
    columns = [np.convolve(c, kernel / kernel.sum(), mode="valid") for c in padded.T]
    return np.stack(columns, axis=-1).reshape(values.shape)


def lower_envelope(values: Array, radius: int) -> Array:
    """A smooth curve (frame,) that is nowhere above `values`.

    The minimum over a window, averaged over a window of the same radius: each minimum in the
    average saw the frame in the middle.
    """
    padded = np.pad(values, radius, mode="edge")
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * radius + 1).min(axis=-1)
    return smoothed(lowest, radius)


def slow_noise(time: Array, channels: int, rng: np.random.Generator, top_hz: float = 0.6) -> Array:
    """Band-limited noise (frame, channels) of about unit size: five random sines a channel."""
    hz = rng.uniform(0.07, top_hz, (5, channels))
    phase = rng.uniform(0, 2 * np.pi, (5, channels))
    size = rng.uniform(0.4, 1.0, (5, channels)) / np.sqrt(1 + (4 * hz) ** 2)
    waves = size * np.sin(2 * np.pi * hz * time[:, None, None] + phase)
    return np.asarray(waves.sum(axis=1) * 0.9)
