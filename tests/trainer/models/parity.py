"""The published networks' parity files as torch tensors and loaded networks."""

from __future__ import annotations

import json

import numpy as np
import torch
from torch import Tensor

from tests.conftest import PARITY
from trainer.models.animator import Animator
from trainer.models.blocks import config_from_state_dict
from trainer.models.generator import Generator


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
