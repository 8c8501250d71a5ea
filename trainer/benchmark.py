"""The full-size animator for `contrapose bench denoise`, eager and as a bundle, weights random.

The engine finds these through the entry-point group `contrapose.benchmark`, so that it needs no
PyTorch itself. Knows no backend.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.bundle import Bundle
from engine.motion import POSE_FEATURES, WINDOW_FRAMES
from trainer.export import export_bundle
from trainer.models.animator import Animator
from trainer.models.blocks import NetworkConfig
from trainer.models.diffusion import ddim_sample


def eager_window_ms(steps: int = 50, *, config: NetworkConfig | None = None) -> float:
    """Milliseconds for one window at batch 1, run eagerly in float32 with torch's own threads.

    The loop is the published one: each step evaluates the whole network, condition included. One
    denoiser call before it warms up. config: another size than the published one.
    """
    animator = random_animator(config or NetworkConfig())
    anchor = torch.zeros(1, 2, POSE_FEATURES)
    joints = torch.zeros(1, 2, 22, 3)
    known = anchor[:, :, None].expand(-1, -1, WINDOW_FRAMES, -1)
    mask = torch.zeros(1, 2, WINDOW_FRAMES, 1)
    mask[:, :, 0] = 1

    def denoise(x_t: Tensor, timesteps: Tensor) -> Tensor:
        x0: Tensor = animator(x_t, timesteps, known, mask, anchor, joints)
        return x0

    noise = torch.randn(1, 2, WINDOW_FRAMES, POSE_FEATURES)
    ddim_sample(denoise, noise, 1)
    start = time.perf_counter()
    ddim_sample(denoise, noise, steps)
    return 1000 * (time.perf_counter() - start)


def export_full_size(path: Path, *, config: NetworkConfig | None = None) -> Bundle:
    """Write an animator of the published size, with random weights, as a bundle."""
    return export_bundle(
        path,
        animator=random_animator(config or NetworkConfig()),
        name="full-size",
        description="The published animator's sizes with random weights: for timing only",
        licence="Apache-2.0",
        history_frames=1,
    )


@cache
def random_animator(config: NetworkConfig) -> Animator:
    """An untrained animator. Where training starts from zero it is random too: an exporter stores
    equal tensors once, and a compiler drops products with zero, so zeros would flatter the timing.
    """
    torch.manual_seed(0)
    animator = Animator(config).eval()
    for parameter in animator.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    return animator
