"""An animator in torch as the engine samples one: windows for requests, eager and in float32.

Knows how the engine draws noise and reads requests. Knows no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from engine.arrays import Array
from engine.sampling.generation import SampleWindows
from engine.sampling.request import WindowRequest
from engine.sampling.sampler import window_noise
from engine.sampling.schedule import StepSchedule, schedule_of
from trainer.models.animator.network import Animator
from trainer.models.diffusion import ddim_sample

BATCH = 16
"""Windows denoised at once; bundles have buckets of their own."""


def torch_sampler(
    animator: Animator, schedules: Mapping[int, Sequence[int]] | None = None
) -> SampleWindows:
    """DDIM in torch, float32, with the noise that the engine would draw.

    schedules  timesteps for some numbers of steps; at others they are evenly spaced
    """
    own = {steps: schedule_of(timesteps) for steps, timesteps in (schedules or {}).items()}

    def sample(requests: Sequence[WindowRequest]) -> Array:
        steps = requests[0].steps
        parts = [
            _sample_batch(animator, requests[first : first + BATCH], own.get(steps, steps))
            for first in range(0, len(requests), BATCH)
        ]
        return np.concatenate(parts)

    return sample


def _sample_batch(
    animator: Animator, requests: Sequence[WindowRequest], steps: int | StepSchedule
) -> Array:
    """(n, 2, 30, 135) residual; all requests want the same number of steps."""
    known, mask, anchor, joints = (
        torch.from_numpy(np.stack([getattr(request, name) for request in requests]))
        for name in ("known", "known_mask", "anchor", "anchor_joints")
    )
    noise = np.stack([window_noise(request.seed, request.first_frame) for request in requests])
    silence = np.zeros(animator.config.text_width, np.float32)
    told = np.stack([silence if request.text is None else request.text for request in requests])
    text = torch.from_numpy(told) if silence.size else None
    x0 = ddim_sample(
        lambda x, t: animator(x, t, known, mask, anchor, joints, text=text),
        torch.from_numpy(noise),
        steps,
    )
    return np.asarray(x0.numpy())
