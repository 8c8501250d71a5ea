"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from engine.bundle import Bundle

settings.register_profile("contrapose", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("contrapose")

REPOSITORY = Path(__file__).resolve().parent.parent
PARITY = REPOSITORY / "tests/data/parity"
"""What the published networks give for given inputs; its README says more."""


@pytest.fixture(scope="session")
def recordings_dir() -> Path:
    """Recordings made by others, beside the checkout: ours to try, not to ship."""
    path = REPOSITORY.parent / "shared/real"
    if not path.is_dir():
        pytest.skip(f"{path} is absent: recordings of others, which are not ours to ship")
    return path


@pytest.fixture(scope="session")
def talking_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A tiny bundle whose two networks listen to words."""
    from tests.engine.talking import export_talking_bundle

    return export_talking_bundle(tmp_path_factory.mktemp("bundles") / "talking.bundle")
