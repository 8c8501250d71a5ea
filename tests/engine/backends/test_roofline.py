"""The bound counts the arithmetic and the weights of the real network."""

from __future__ import annotations

from engine.backends.roofline import Roofline, weight_shapes
from engine.bundle import Bundle


def test_every_weight_matrix_of_the_denoiser_is_counted(parity_bundle: Bundle) -> None:
    width, ffn, layers = 64, 128, 4
    per_layer = [(width, 3 * width), (width, width), (width, ffn), (ffn, width)]
    expected = [(136, width), *per_layer * layers, (width, 132), (width, 3)]
    assert sorted(weight_shapes(parity_bundle.file("animator/step.onnx"))) == sorted(expected)


def test_the_slower_of_products_and_memory_is_the_bound() -> None:
    roofline = Roofline(flops_per_s=1e9, bytes_per_s=1e8)
    assert roofline.bound_ms(flops=2e6, weight_bytes=1e5) == 2
    assert roofline.bound_ms(flops=2e6, weight_bytes=1e6) == 10
