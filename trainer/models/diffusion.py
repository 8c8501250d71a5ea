"""The diffusion process in torch, for training and for looking at a network while it trains.

Knows tensors. The engine has its own loop over compiled graphs (`engine/sampler.py`).
Cosine schedule: Nichol and Dhariwal 2021 (arXiv:2102.09672); DDIM: Song et al. (arXiv:2010.02502).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from engine.errors import ConfigError
from trainer.models.generator import Generator

DIFFUSION_STEPS = 1000


@cache
def cumulative_alphas() -> Tensor:
    """The cumulative product of alpha, (1000,) float64.

    abar(u) = cos^2(((u + 0.008) / 1.008) pi / 2), beta_i = min(1 - abar((i+1)/1000) / abar(i/1000),
    0.999), and the product runs over 1 - beta_i.
    """
    edges = torch.arange(DIFFUSION_STEPS + 1, dtype=torch.float64) / DIFFUSION_STEPS
    abar = torch.cos((edges + 0.008) / 1.008 * math.pi / 2) ** 2
    betas = (1 - abar[1:] / abar[:-1]).clamp(max=0.999)
    return (1 - betas).cumprod(0)


def schedule_timesteps(steps: int) -> Tensor:
    """The diffusion steps of a K-step schedule, ascending: floor(i 1000 / K). Visited downwards."""
    if not 1 <= steps <= DIFFUSION_STEPS:
        raise ConfigError(f"{steps=} must lie in 1..{DIFFUSION_STEPS}", field="steps")
    return torch.arange(steps) * DIFFUSION_STEPS // steps


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
def ddim_sample(denoise: Callable[[Tensor, Tensor], Tensor], noise: Tensor, steps: int) -> Tensor:
    """Run the whole K-step loop (eta 0) from noise (batch, ...) to the last clean estimate.

    denoise(x_t, timesteps (batch,)) -> x0.
    """
    timesteps = schedule_timesteps(steps)
    abar = cumulative_alphas()[timesteps]
    abar_below = torch.cat([abar.new_ones(1), abar[:-1]])
    x = noise
    for index in reversed(range(steps)):
        rows = timesteps[index].expand(len(noise)).to(noise.device)
        x0 = denoise(x, rows)
        x = ddim_update(x, x0, abar[index].to(noise), abar_below[index].to(noise))
    return x


def guided(
    generator: Generator, text: Tensor, pose: Tensor, pose_mask: Tensor, scale: float
) -> Callable[[Tensor, Tensor], Tensor]:
    """The generator under classifier-free guidance, as `ddim_sample` calls it.

    text (batch, text_width), pose (batch, 2, 201), pose_mask (batch, 2): as in `Generator.forward`.
    With u, p, tau the estimates from nothing, pose only, text only: u + scale (p - u) + scale
    (tau - u), where a condition that a row lacks adds nothing. Text and pose together are never
    evaluated: the published sampler does not.
    """
    nothing, no_pose = torch.zeros_like(text), torch.zeros_like(pose_mask)

    def denoise(x_t: Tensor, timesteps: Tensor) -> Tensor:
        plain: Tensor = generator(x_t, timesteps, nothing, pose, no_pose)
        out = plain
        if pose_mask.any():
            out = out + scale * (generator(x_t, timesteps, nothing, pose, pose_mask) - plain)
        if text.any():
            out = out + scale * (generator(x_t, timesteps, text, pose, no_pose) - plain)
        return out

    return denoise
