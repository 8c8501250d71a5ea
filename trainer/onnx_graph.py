"""From a torch module to an ONNX graph, and to graphs whose weights are stored in 16 bits.

Knows torch's exporter and ONNX. Knows no network. Every graph is float32 at its borders and inside;
what precision it runs in is the backend's decision.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn


def trace(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, str]],
) -> onnx.ModelProto:
    """Record `module(**inputs)` as a graph, in evaluation mode.

    outputs  names, in the order that the module returns them
    dynamic  for each input, the axes that may have any length from 1 on, with their names; the
             examples in `inputs` must be at least 2 long there
    """
    names = {name for axes in dynamic.values() for name in axes.values()}
    dims = {name: torch.export.Dim(name, min=1) for name in names}
    shapes = {
        name: {axis: dims[label] for axis, label in dynamic.get(name, {}).items()}
        for name in inputs
    }
    # Copies, because two names for one tensor would be traced as one input.
    examples = {name: value.clone() for name, value in inputs.items()}
    with _quiet():
        program: Any = torch.onnx.export(
            module.eval(),
            kwargs=examples,
            output_names=list(outputs),
            dynamic_shapes=shapes,
            dynamo=True,
            verbose=False,
        )
    model: onnx.ModelProto = program.model_proto
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the exporter's log and deprecations: none of them speaks of our graph."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def store_halves(model: onnx.ModelProto) -> None:
    """Store every float32 matrix of `model` as float16, cast back where it is used. In place.

    Vectors stay: they are few, and norms and biases are where 11 bits show.
    """
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        halves = numpy_helper.to_array(tensor).astype(np.float16)
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(halves, name + ".f16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    _prepend(model, casts)


def store_int8(model: onnx.ModelProto, *, look_ups: bool = True) -> None:
    """Store every float32 matrix that a product or a look-up reads as int8 with scales. In place.

    look_ups  False leaves tables as they are: the sinusoids of timesteps need more than 8 bits

    One scale for each column of a product's right side and each row of a look-up table, symmetric:
    scale = max|w| / 127. Vectors and all other constants stay float32.
    """
    channel_axes = {}
    for node in model.graph.node:
        if node.op_type == "MatMul":
            channel_axes[node.input[1]] = 1
        elif look_ups and node.op_type == "Gather":
            channel_axes[node.input[0]] = 0

    nodes = []
    scales = []
    for tensor in model.graph.initializer:
        axis = channel_axes.get(tensor.name)
        if axis is None or tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2:
            continue
        name = tensor.name
        values = numpy_helper.to_array(tensor)
        scale = np.abs(values).max(axis=1 - axis, keepdims=True) / 127
        scale[scale == 0] = 1
        rounded = np.rint(values / scale).astype(np.int8)
        tensor.CopyFrom(numpy_helper.from_array(rounded, name + ".i8"))
        scales.append(numpy_helper.from_array(scale.ravel(), name + ".scale"))
        inputs = [name + ".i8", name + ".scale"]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [name], axis=axis))
    model.graph.initializer.extend(scales)
    _prepend(model, nodes)


def _prepend(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> None:
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
