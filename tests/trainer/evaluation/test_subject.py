"""A checkpoint in torch answers the engine's requests, words included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from engine.sampling.request import WindowRequest
from trainer.models.animator.network import Animator
from trainer.models.animator.sampler import torch_sampler
from trainer.models.blocks import NetworkConfig


def test_words_reach_the_network_row_by_row_and_none_are_zeros() -> None:
    torch.manual_seed(0)
    config = NetworkConfig(width=16, heads=2, layers=1, dropout=0.0, text_width=5)
    animator = Animator(config).eval()
    for weight in animator.parameters():  # the heads and the words' way in begin at zero
        torch.nn.init.normal_(weight, std=0.2)
    sample = torch_sampler(animator)
    rng = np.random.default_rng(0)
    silent = WindowRequest(
        known=np.zeros((2, 30, 135), np.float32),
        known_mask=np.zeros((2, 30, 1), np.float32),
        anchor=rng.standard_normal((2, 135), np.float32),
        anchor_joints=rng.standard_normal((2, 22, 3), np.float32),
        seed=3,
        steps=2,
    )
    zeros, words = (replace(silent, text=np.full(5, value, np.float32)) for value in (0, 1))
    made = sample([silent, zeros, words])
    np.testing.assert_allclose(made[1], made[0], atol=1e-3)
    assert np.abs(made[2] - made[0]).max() > 1e-2
    np.testing.assert_allclose(sample([words])[0], made[2], atol=1e-3)
