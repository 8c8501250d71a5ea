"""What tests of backends share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def openvino() -> None:
    """For tests that run a graph with OpenVINO; a GPU machine may lack it."""
    pytest.importorskip("openvino")
