"""The full-size animator for `contrapose bench denoise`, eager and as a bundle, weights random.

The engine finds these through the entry-point group `contrapose.benchmark`, so that it needs no
PyTorch itself. Knows no backend.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.arrays import Array, IntArray
from engine.bundle import Bundle, load_bundle
from engine.motion.motion import POSE_FEATURES, WINDOW_FRAMES
from trainer.export.bundles import export_bundle
from trainer.export.quantise import write_quantised
from trainer.models.animator.family import FAMILY
from trainer.models.animator.network import Animator
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
        [FAMILY.part(random_animator(config or NetworkConfig()), history_frames=1)],
        name="full-size",
        description="The published animator's sizes with random weights: for timing only",
        licence="Apache-2.0",
    )


def quantise_full_size(source: Path, out: Path) -> Bundle:
    """Write the int8 form of that bundle; its ranges are those of noise, for timing only.

    Raises BackendError without the quantise extra.
    """
    bundle = load_bundle(source)
    rng = np.random.default_rng(0)
    animator = bundle.manifest.animator
    window = (2, 2, WINDOW_FRAMES, POSE_FEATURES)
    shapes = {"x_t": window, "known": window, "anchor": (2, 2, POSE_FEATURES)}
    shapes["modulation"] = (2, animator.layers * 4 * animator.width)
    sample: dict[str, Array | IntArray] = {
        name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()
    }
    sample["known_mask"] = np.zeros((2, 2, WINDOW_FRAMES, 1), np.float32)
    sample |= {
        name: np.full(2, abar, np.float32) for name, abar in (("abar_t", 0.5), ("abar_s", 0.8))
    }
    return write_quantised(bundle, out, [sample])


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
