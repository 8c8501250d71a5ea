"""The published networks' parity files as torch tensors and loaded networks."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from tests.conftest import PARITY
from trainer.models.animator.network import Animator
from trainer.models.blocks import config_from_state_dict
from trainer.models.generator.network import Generator


def parity_tensors(name: str) -> dict[str, Tensor]:
    with np.load(PARITY / name) as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays.files if key != "config"}


def load_network(
    kind: type[Animator] | type[Generator], tensors: dict[str, Tensor]
) -> Animator | Generator:
    """The network with the file's weights; the files leave out the sinusoidal table."""
    state = {key[len("w/net.") :]: tensors[key] for key in tensors if key.startswith("w/net.")}
    network = kind(config_from_state_dict(state, heads=4))
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(key.endswith("sequence_pos_encoder.pe") for key in missing)
    return network.eval()


def published_shapes(name: str) -> dict[str, tuple[int, ...]]:
    listing = json.loads((PARITY / name).read_text())
    return {key.removeprefix("net."): tuple(shape) for key, shape in listing.items()}


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
