"""The diffusion schedule and the DDIM loop."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainer.models.diffusion import (
    cumulative_alphas,
    ddim_sample,
    ddim_update,
    q_sample,
)
from trainer.models.family import shown

PUBLISHED = {
    0: 0.9999587158,
    20: 0.9981142287,
    100: 0.9715756818,
    200: 0.8977629135,
    500: 0.4922851725,
    800: 0.0931377797,
    960: 0.0036896115,
    980: 0.0008765294,
}


@pytest.mark.parametrize(("step", "value"), PUBLISHED.items())
def test_the_schedule_has_the_published_values(step: int, value: float) -> None:
    assert cumulative_alphas()[step].item() == pytest.approx(value, abs=1e-10)


def test_the_last_step_is_clipped() -> None:
    assert cumulative_alphas()[999].item() == pytest.approx(2.43e-9, rel=1e-2)


def test_an_update_along_the_true_x0_lands_on_the_same_noise() -> None:
    x0, noise = torch.randn(2, 3, 5), torch.randn(2, 3, 5)
    x_t = q_sample(x0, torch.tensor([800, 500]), noise)
    abar = cumulative_alphas().float()
    x_s = ddim_update(x_t, x0, abar[[800, 500], None, None], abar[[300, 20], None, None])
    expected = q_sample(x0, torch.tensor([300, 20]), noise)
    torch.testing.assert_close(x_s, expected, atol=1e-5, rtol=0)


def test_a_perfect_denoiser_is_reproduced_by_the_loop() -> None:
    x0 = torch.randn(2, 4)
    visited: list[int] = []

    def denoise(x_t: Tensor, timesteps: Tensor) -> Tensor:
        visited.append(int(timesteps[0]))
        return x0

    out = ddim_sample(denoise, torch.randn(2, 4), 4)
    torch.testing.assert_close(out, x0)
    assert visited == [750, 500, 250, 0]


def test_from_some_timestep_on_a_network_is_shown_noise_alone() -> None:
    x0, noise = (
        torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0)),
        torch.ones(3, 2, 4),
    )
    t = torch.tensor([799, 800, 20])
    x_t = shown(x0, t, noise, 800)
    assert torch.equal(x_t[1], noise[1])
    assert torch.equal(x_t[[0, 2]], q_sample(x0, t, noise)[[0, 2]])
    assert torch.equal(shown(x0, t, noise, 1000), q_sample(x0, t, noise))
