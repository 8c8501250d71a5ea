"""A bundle of the parity files' tiny networks, exported once, and its compiled graphs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from engine.arrays import Array
from engine.backends import open_backend
from engine.bundle import Bundle, load_bundle
from engine.sampling.models import Models, load_models
from tests.conftest import PARITY, MadeOnce


@pytest.fixture(scope="session")
def parity_animator() -> Mapping[str, Array]:
    return dict(np.load(PARITY / "animator_tiny.npz"))


@pytest.fixture(scope="session")
def parity_generator() -> Mapping[str, Array]:
    return dict(np.load(PARITY / "generator_tiny.npz"))


@pytest.fixture(scope="session")
def parity_bundle(
    parity_animator: Mapping[str, Array],
    parity_generator: Mapping[str, Array],
    made_once: MadeOnce,
) -> Bundle:
    from tests.engine.parity import export_parity_bundle

    def export(path: Path) -> None:
        export_parity_bundle(path, parity_animator, parity_generator)

    return load_bundle(made_once("parity.bundle", export))


@pytest.fixture(scope="session")
def models(parity_bundle: Bundle) -> Models:
    """The parity bundle's graphs in f32, as most tests want them."""
    return load_models(
        parity_bundle,
        open_backend("openvino", precision="f32", cache_dir=None, threads=1),
        buckets=(1, 2, 4),
        is_lazy=True,
    )


@pytest.fixture(scope="session")
def talking_models(talking_bundle: Bundle) -> Models:
    return load_models(
        talking_bundle,
        open_backend("openvino", precision="f32", cache_dir=None, threads=1),
        buckets=(1, 4),
        is_lazy=True,
    )
