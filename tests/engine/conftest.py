"""A bundle of the parity files' tiny networks, exported once, and its compiled graphs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch

from engine.arrays import Array
from engine.backends import open_backend
from engine.bundle import Bundle
from engine.sampler import Models, load_models
from trainer.export import export_bundle
from trainer.models.animator import Animator
from trainer.models.blocks import NetworkConfig
from trainer.models.generator import Generator

Network = TypeVar("Network", Animator, Generator)


@pytest.fixture(scope="session")
def parity_animator(shared_dir: Path) -> Mapping[str, Array]:
    return dict(np.load(shared_dir / "parity" / "animator_tiny.npz"))


@pytest.fixture(scope="session")
def parity_generator(shared_dir: Path) -> Mapping[str, Array]:
    return dict(np.load(shared_dir / "parity" / "generator_tiny.npz"))


@pytest.fixture(scope="session")
def parity_bundle(
    parity_animator: Mapping[str, Array],
    parity_generator: Mapping[str, Array],
    tmp_path_factory: pytest.TempPathFactory,
) -> Bundle:
    return export_bundle(
        tmp_path_factory.mktemp("bundles") / "parity.bundle",
        animator=_with_weights(Animator(_config(parity_animator)), parity_animator),
        generator=_with_weights(Generator(_config(parity_generator)), parity_generator),
        name="parity",
        description="the tiny networks of the parity files",
        licence="none",
        weights="f32",
        steps_default=8,
        steps_supported=(8, 50),
    )


@pytest.fixture(scope="session")
def models(parity_bundle: Bundle) -> Models:
    """The parity bundle's graphs in f32, as most tests want them."""
    return load_models(
        parity_bundle,
        open_backend("openvino", precision="f32", cache_dir=None, threads=1),
        buckets=(1, 2, 4),
        is_lazy=True,
    )


def _config(parity: Mapping[str, Array]) -> NetworkConfig:
    sizes = json.loads(str(parity["config"]))
    return NetworkConfig(
        width=sizes["latent_dim"],
        heads=sizes["num_heads"],
        layers=sizes["num_layers"],
        ffn_width=sizes["ff_size"],
        text_width=sizes.get("text_dim", 0),
    )


def _with_weights(network: Network, parity: Mapping[str, Array]) -> Network:
    weights = {
        key.removeprefix("w/net."): torch.from_numpy(value)
        for key, value in parity.items()
        if key.startswith("w/")
    }
    missing, unexpected = network.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(key.endswith(".pe") for key in missing)
    return network
