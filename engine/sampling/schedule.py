"""Step schedules: the noise levels of a window, and the step from one to the next.

Papers: DDIM (Song et al. 2021, arXiv:2010.02502), eta 0, for a network that predicts x0; the cosine
schedule of Nichol and Dhariwal (2021, arXiv:2102.09672).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from engine.arrays import Array, IntArray
from engine.bundle import DIFFUSION_STEPS
from engine.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class StepSchedule:
    """The K noise levels of a window, in the order they are visited, noisiest first.

    timesteps  (K,) int64, indices into the 1000-step process
    abar_t     (K,) float32, cumulative product of alpha before the step
    abar_s     (K,) float32, after it; the last is 1
    """

    timesteps: IntArray
    abar_t: Array
    abar_s: Array

    @property
    def steps(self) -> int:
        return len(self.timesteps)


@cache
def cumulative_alphas() -> Array:
    """The cumulative product of alpha of the cosine schedule, (1000,) float64.

    abar(u) = cos^2(((u + 0.008) / 1.008) pi / 2);  beta_i = min(1 - abar((i+1)/1000) /
    abar(i/1000), 0.999);  result_i = product over j <= i of (1 - beta_j).
    """
    u = np.arange(DIFFUSION_STEPS + 1) / DIFFUSION_STEPS
    abar = np.cos((u + 0.008) / 1.008 * np.pi / 2) ** 2
    beta = np.minimum(1 - abar[1:] / abar[:-1], 0.999)
    return np.asarray(np.cumprod(1 - beta))


@cache
def step_schedule(steps: int) -> StepSchedule:
    """The published, even spacing: timesteps floor(1000 i / K), visited from the noisiest down.

    Raises ConfigError unless 1 <= steps <= 1000.
    """
    if not 1 <= steps <= DIFFUSION_STEPS:
        raise ConfigError(f"steps is {steps}, must lie in 1..{DIFFUSION_STEPS}", field="steps")
    return schedule_of([DIFFUSION_STEPS * i // steps for i in reversed(range(steps))])


def schedule_of(timesteps: Sequence[int]) -> StepSchedule:
    """The schedule that visits these timesteps, the noisiest first; each below 1000."""
    abar = cumulative_alphas()[list(timesteps)]
    return StepSchedule(
        timesteps=np.array(timesteps, np.int64),
        abar_t=abar.astype(np.float32),
        abar_s=np.append(abar[1:], 1.0).astype(np.float32),
    )


def ddim_update(x_t: Array, x0: Array, abar_t: Array, abar_s: Array) -> Array:
    """Move each row from its noise level t down to s, without adding noise.

    x_t, x0         (batch, ...) noisy rows; the denoiser's clean estimates
    abar_t, abar_s  (batch,) cumulative product of alpha; abar_t < 1
    returns         (batch, ...)

    DDIM eq. 12 with sigma = 0, for a network that predicts x0 (the paper's alpha is our abar):
        eps = (x_t - sqrt(abar_t) x0) / sqrt(1 - abar_t)
        x_s = sqrt(abar_s) x0 + sqrt(1 - abar_s) eps
    """
    rows = -1, *(1,) * (x_t.ndim - 1)
    a_t, a_s = abar_t.reshape(rows), abar_s.reshape(rows)
    eps = (x_t - np.sqrt(a_t) * x0) / np.sqrt(1 - a_t)
    return np.asarray(np.sqrt(a_s) * x0 + np.sqrt(1 - a_s) * eps)
