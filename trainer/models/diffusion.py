"""The diffusion process in torch, for training and for looking at a network while it trains.

The schedule is the engine's (`engine/sampling/`), which has its own loop over compiled graphs.
Knows tensors. DDIM: Song et al. 2021 (arXiv:2010.02502).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from engine.sampling import schedule as schedules
from engine.sampling.schedule import StepSchedule


@cache
def cumulative_alphas() -> Tensor:
    """The cumulative product of alpha of the cosine schedule, (1000,) float64."""
    return torch.from_numpy(schedules.cumulative_alphas().copy())


def q_sample(x0: Tensor, timesteps: Tensor, noise: Tensor) -> Tensor:
    """x_t = sqrt(abar_t) x0 + sqrt(1 - abar_t) noise; timesteps (batch,), the rest (batch, ...)."""
    abar = cumulative_alphas()[timesteps.cpu()].view(-1, *(1,) * (x0.dim() - 1))
    return abar.sqrt().to(x0) * x0 + (1 - abar).sqrt().to(x0) * noise


def ddim_update(x_t: Tensor, x0: Tensor, abar_t: Tensor, abar_s: Tensor) -> Tensor:
    """Move each row from noise level t down to s without adding noise (DDIM eq. 12, sigma = 0).

    x_t, x0 (batch, ...); abar_t, abar_s broadcast against them, abar_t < 1:
        eps = (x_t - sqrt(abar_t) x0) / sqrt(1 - abar_t)
        x_s = sqrt(abar_s) x0 + sqrt(1 - abar_s) eps
    """
    eps = (x_t - abar_t.sqrt() * x0) / (1 - abar_t).sqrt()
    return abar_s.sqrt() * x0 + (1 - abar_s).sqrt() * eps


@torch.no_grad()
def ddim_sample(
    denoise: Callable[[Tensor, Tensor], Tensor], noise: Tensor, steps: int | StepSchedule
) -> Tensor:
    """Run the whole loop (eta 0) from noise (batch, ...) to the last clean estimate.

    denoise(x_t, timesteps (batch,)) -> x0; steps: a number spaces them evenly, as published.
    """
    schedule = schedules.step_schedule(steps) if isinstance(steps, int) else steps
    x = noise
    for index in range(schedule.steps):
        abar_t, abar_s = noise.new_tensor([schedule.abar_t[index], schedule.abar_s[index]])
        rows = torch.full((len(noise),), int(schedule.timesteps[index]), device=noise.device)
        x = ddim_update(x, denoise(x, rows), abar_t, abar_s)
    return x
