"""The sampler of pairs: two people from noise, under classifier-free guidance.

Knows the named inputs of the generator's graphs; no body and no socket.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import ParamSpec

import numpy as np

from engine.arrays import Array
from engine.errors import BackendError
from engine.sampling.models import Models
from engine.sampling.schedule import ddim_update, step_schedule

Inputs = ParamSpec("Inputs")


def generator_steps(
    models: Models,
    noise: Array,
    pose: Array,
    pose_mask: Array,
    text: Array,
    guidance: float | Array,
    steps: int,
) -> Generator[None, None, Array]:
    """Denoise pairs under classifier-free guidance; each row has its own conditions.

    In pieces: one denoiser call, then a pause, until x0 is returned.

    noise, pose  (batch, 2, 201) 135 pose features and 22 rest joints xyz per person
    pose_mask    (batch, 2) 1 where a person's pose is given
    text         (batch, text width); a row of zeros has no text
    guidance     s, a number or (batch,)
    returns      x0 (batch, 2, 201)

    With u, p, tau the network's outputs given nothing, the pose alone and the text alone, a row is
        u + s (p - u) [if a pose is given] + s (tau - u) [if a text is given]
    as published: the joint prediction is never evaluated (facts/ponimator.md section 10).
    """
    if models.generator is None:
        raise BackendError("the bundle holds no generator; choose one that does", field="generator")
    condition, denoise = models.generator.condition, models.generator.step
    schedule = step_schedule(steps)
    batch = len(noise)
    posed = np.flatnonzero(np.any(pose_mask != 0, axis=1))
    texted = np.flatnonzero(np.any(text != 0, axis=1))

    # Network rows: every row without conditions, then its pose branch and text branch if any.
    source = np.concatenate([np.arange(batch), posed, texted])
    branch_mask = np.zeros((len(source), 2), np.float32)
    branch_mask[batch : batch + len(posed)] = pose_mask[posed]
    encodings = np.concatenate([np.zeros((1, text.shape[1]), np.float32), text[texted]])
    encoding_of = np.zeros(len(source), np.int64)
    encoding_of[batch + len(posed) :] = 1 + np.arange(len(texted))
    scale = np.broadcast_to(np.asarray(guidance, np.float32), (batch,))[source[batch:], None, None]
    given = pose[source]

    modulation = condition({"text": encodings, "timesteps": schedule.timesteps})["modulation"]
    x_t = x0 = noise
    for step in range(steps):
        estimates = denoise(
            {
                "x_t": x_t[source],
                "pose": given,
                "pose_mask": branch_mask,
                "modulation": modulation[encoding_of, step],
            }
        )["x0"]
        plain = estimates[:batch]
        guided = scale * (estimates[batch:] - plain[source[batch:]])
        x0 = plain.copy()
        x0[posed] += guided[: len(posed)]
        x0[texted] += guided[len(posed) :]
        x_t = ddim_update(x_t, x0, schedule.abar_t[step, None], schedule.abar_s[step, None])
        yield
    return x0


def _at_once(pieces: Callable[Inputs, Generator[None, None, Array]]) -> Callable[Inputs, Array]:
    """The same without a pause."""

    def whole(*inputs: Inputs.args, **named: Inputs.kwargs) -> Array:
        steps = pieces(*inputs, **named)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return np.asarray(end.value)

    return whole


sample_generator = _at_once(generator_steps)
