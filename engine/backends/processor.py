"""What this processor computes, as OpenVINO uses it: tried once, on the smallest graphs that tell.

OpenVINO names what the processor has. Whether its kernels use it rightly is another matter: without
VNNI they add two neighbouring products of bytes in 16 bits and saturate (255 * 127 + 255 * 127
becomes 32,767, and nothing fails), and with ONEDNN_MAX_CPU_ISA they may lack what is named.
Knows OpenVINO, no graph of ours.
"""

from __future__ import annotations

import logging
import os
import sys
from functools import cache
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.backends.openvino_core import openvino_core

logger = logging.getLogger(__name__)

INT8_PROCESSORS = "processors with VNNI (Intel since Cascade Lake, AMD since Zen 4)"
DEVICE = "CPU"
DEMANDS = "RUNTIME_REQUIREMENTS"
"""OpenVINO's property of a compiled graph."""
WIDTH = 16
CODES = ((0, 255), (-128, 127))
"""What activations may lie between when they are rounded to bytes, without a sign and with one."""


def usable_cores() -> int:
    """Those that this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@cache
def multiplies_bytes_exactly() -> bool:
    """Whether the largest int8 products are right; if not, the log says so, once."""
    is_exact = all(_is_exact(low, high) for low, high in CODES)
    if not is_exact:
        logger.warning(
            "int8 products saturate on this processor: int8 graphs run in float here, slower; "
            "they are meant for %s",
            INT8_PROCESSORS,
        )
    return is_exact


def _is_exact(low: int, high: int) -> bool:
    from openvino import opset13 as ops

    codes = np.full((WIDTH, WIDTH), 127, np.int8)
    codes[:, 1::2] *= -1
    x = ops.parameter([1, WIDTH], np.float32)
    ends = ops.constant(_f32(low)), ops.constant(_f32(high))
    weights = ops.multiply(ops.convert(ops.constant(codes), np.float32), ops.constant(_f32(1)))
    product = ops.matmul(ops.fake_quantize(x, *ends, *ends, 256), weights, False, False)
    largest = np.full((1, WIDTH), high, np.float32)
    found = _compiled(product, x, "f32")([largest])[0]
    return np.array_equal(found, largest @ codes.astype(np.float32))


@cache
def computes_bf16() -> bool:
    """Whether the processor has bf16 and a product with a softmax in it, as attention, compiles."""
    from openvino import opset13 as ops

    if "BF16" not in openvino_core().get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"):
        return False
    x = ops.parameter([1, WIDTH], np.float32)
    weights = ops.constant(np.ones((WIDTH, WIDTH), np.float32))
    try:
        _compiled(ops.softmax(ops.matmul(x, weights, False, False), 1), x, "bf16")
    except RuntimeError:
        return False
    return True


@cache
def needed_processor() -> str:
    """What OpenVINO demands of a processor that loads a graph compiled here, in its own words.

    They name the instruction set that its kernels use, with ONEDNN_MAX_CPU_ISA; what the processor
    is called and its OPTIMIZATION_CAPABILITIES do not. OpenVINO 2026.2 demands nothing: "".
    """
    from openvino import opset13 as ops

    x = ops.parameter([1, WIDTH], np.float32)
    compiled = _compiled(ops.relu(x), x, "f32")
    if DEMANDS not in compiled.get_property("SUPPORTED_PROPERTIES"):
        return ""
    return str(compiled.get_property(DEMANDS))


def _compiled(outcome: Any, x: Any, precision: str) -> Any:
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1}
    return openvino_core().compile_model(openvino.Model([outcome], [x]), DEVICE, settings)


def _f32(value: float) -> Array:
    return np.array(value, np.float32)
