"""What `contrapose bench denoise` asks the trainer for, at a small size."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bundle import load_bundle
from trainer.export.full_size import eager_window_ms, export_full_size, random_animator
from trainer.models.blocks import NetworkConfig

pytestmark = pytest.mark.long

SMALL = NetworkConfig(width=32, heads=4, layers=1, ffn_width=48)


def test_an_eager_window_takes_time() -> None:
    assert eager_window_ms(2, config=SMALL) > 0


def test_no_weight_of_the_timed_network_is_zero() -> None:
    assert all(parameter.any() for parameter in random_animator(SMALL).parameters())


def test_the_timed_bundle_is_a_whole_bundle(tmp_path: Path) -> None:
    export_full_size(tmp_path / "b", config=SMALL)
    assert load_bundle(tmp_path / "b").manifest.animator.width == 32
