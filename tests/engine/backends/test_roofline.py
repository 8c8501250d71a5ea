"""The bound counts the arithmetic and the weights of the real network."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.backends.roofline import Roofline, RooflineProbe, weight_shapes
from engine.bundle import Bundle
from trainer.export.full_size import quantise_full_size

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("openvino")]


def test_every_weight_matrix_of_the_denoiser_is_counted(parity_bundle: Bundle) -> None:
    width, ffn, layers = 64, 128, 4
    per_layer = [(width, 3 * width), (width, width), (width, ffn), (ffn, width)]
    expected = [(136, width), *per_layer * layers, (width, 132), (width, 3)]
    assert sorted(weight_shapes(parity_bundle.file("animator/step.onnx"))) == sorted(expected)


@pytest.mark.long
@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_a_product_is_timed_alone(precision: str) -> None:
    probe = RooflineProbe([(64, 128), (64, 128)], rows=60, precision=precision)
    assert probe.flops == 2 * (2 * 60 * 64 * 128)
    assert probe.weight_bytes == 2 * 64 * 128 * {"f32": 4, "int8": 1}[precision]
    assert probe.measure().flops_per_s > 0


@pytest.mark.long
def test_the_matrices_of_an_int8_denoiser_are_the_same(
    parity_bundle: Bundle, tmp_path: Path
) -> None:
    int8 = quantise_full_size(parity_bundle.path, tmp_path / "int8.bundle")
    step = "animator/step.onnx"
    assert sorted(weight_shapes(int8.file(step))) == sorted(weight_shapes(parity_bundle.file(step)))


def test_the_slower_of_products_and_memory_is_the_bound() -> None:
    roofline = Roofline(flops_per_s=1e9, bytes_per_s=1e8)
    assert roofline.bound_ms(flops=2e6, weight_bytes=1e5) == 2
    assert roofline.bound_ms(flops=2e6, weight_bytes=1e6) == 10
