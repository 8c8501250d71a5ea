"""What this machine could do at best: matrix-multiply rate and memory bandwidth, measured.

Knows graphs and OpenVINO, the library whose products the denoiser is made of, so that the bound
and the denoiser differ in everything but the products. Knows no bundle.
Roofline model: Williams, Waterman, Patterson (CACM 2009).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.backends.openvino import read_graph
from engine.backends.openvino_core import openvino_core

BYTES = {"f32": 4, "bf16": 2, "int8": 1}
INT8 = "int8"
LEVELS = 256
"""Values that 8 bits tell apart."""
STREAM_BYTES = 256 << 20
"""A matrix that no processor cache holds; one row times it is a read of memory."""
STREAM_WIDTH = 8192
PRODUCT = ("FullyConnected", "MatMul")
"""What OpenVINO calls a product with constant weights."""
PRODUCT_S = 0.15
"""How long each product is repeated for one measurement."""

Shape = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """Rates of one precision on this machine."""

    flops_per_s: float
    bytes_per_s: float

    def bound_ms(self, flops: float, weight_bytes: float) -> float:
        """No run that reads all weights once and does all products can be faster."""
        return 1e3 * max(flops / self.flops_per_s, weight_bytes / self.bytes_per_s)


class RooflineProbe:
    """Times the products of a network's own weight shapes, and a read of memory.

    shapes     (inputs, outputs) of each weight matrix of one denoiser call
    rows       tokens that each is multiplied with
    precision  f32, bf16 or int8; int8 is both factors and the outcome
    """

    def __init__(self, shapes: Sequence[Shape], rows: int, precision: str) -> None:
        self._counts = Counter(shapes)
        self._products = {shape: _product(shape, rows, precision) for shape in self._counts}
        stream = (STREAM_BYTES // BYTES["f32"] // STREAM_WIDTH, STREAM_WIDTH)
        self._read = _product(stream, 1, "f32")
        self.flops = 2.0 * rows * sum(k * n for k, n in shapes)
        self.weight_bytes = float(BYTES[precision] * sum(k * n for k, n in shapes))

    def measure(self) -> Roofline:
        """flops_per_s: all products of one call, each shape timed alone and warm, by OpenVINO's
        own clock, without the casts that a product alone needs at its borders.

        bytes_per_s: one row times 256 MB of weights, in f32 for every precision: where bf16 is
        widened in software, one row of it waits for the processor and not for memory.
        """
        busy_s = sum(
            count * _fastest_s(self._products[shape]) for shape, count in self._counts.items()
        )
        return Roofline(
            flops_per_s=self.flops / busy_s, bytes_per_s=STREAM_BYTES / _fastest_s(self._read)
        )


def weight_shapes(path: Path) -> list[Shape]:
    """(inputs, outputs) of every product with a constant matrix in a graph."""
    model = read_graph(path)
    shapes = []
    for node in model.get_ordered_ops():
        if node.get_type_name() != "MatMul":
            continue
        weights = node.input_value(1)
        if weights.get_partial_shape().is_dynamic or not _is_constant(weights.get_node()):
            continue
        rows, columns = weights.get_shape()[-2:]
        is_transposed = node.get_attributes()["transpose_b"]
        shapes.append((columns, rows) if is_transposed else (rows, columns))
    return shapes


def _is_constant(node: Any) -> bool:
    """Whether a node is a constant, perhaps behind a cast or a transpose."""
    while node.get_type_name() in ("Convert", "Subtract", "Multiply", "Transpose"):
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant")


def _product(shape: Shape, rows: int, precision: str) -> Callable[[], float]:
    """A compiled product of (rows, inputs) with a constant (inputs, outputs).

    To be called; it returns the seconds that the product took.
    """
    import openvino
    from openvino import opset13

    x = opset13.parameter([rows, shape[0]], np.float32)
    rng = np.random.default_rng(0)
    if precision == INT8:
        codes = opset13.constant(rng.integers(-127, 128, shape).astype(np.int8))
        weights = opset13.multiply(opset13.convert(codes, np.float32), opset13.constant(_f32(0.01)))
        product = _rounded(opset13.matmul(_rounded(x), weights, False, False))
    else:
        values: Array = rng.standard_normal(shape, dtype=np.float32)
        product = opset13.matmul(x, opset13.constant(values), False, False)
    hint = "f32" if precision == INT8 else precision
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint, "PERF_COUNT": True}
    compiled = openvino_core().compile_model(openvino.Model([product], [x]), "CPU", settings)
    request = compiled.create_infer_request()
    inputs = [np.ones((rows, shape[0]), np.float32)]

    def run() -> float:
        request.infer(inputs, share_inputs=True)
        nodes = request.get_profiling_info()
        took = (n.real_time.total_seconds() for n in nodes if n.node_type.startswith(PRODUCT))
        return float(sum(took))

    run()
    return run


def _rounded(value: Any) -> Any:
    """Values in [-1, 1] in 8 bits."""
    from openvino import opset13

    low, high = opset13.constant(_f32(-1)), opset13.constant(_f32(1 - 2 / LEVELS))
    return opset13.fake_quantize(value, low, high, low, high, LEVELS)


def _f32(value: float) -> Array:
    return np.array(value, np.float32)


def _fastest_s(function: Callable[[], float]) -> float:
    """The shortest time that the function told in PRODUCT_S of calls: a bound wants no noise."""
    fastest, end = function(), time.perf_counter() + PRODUCT_S
    while time.perf_counter() < end:
        fastest = min(fastest, function())
    return fastest
