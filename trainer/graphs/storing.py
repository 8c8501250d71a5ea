"""How an ONNX graph stores its weights: in fewer bits than it computes with.

Knows ONNX. Knows no network and no torch. Each program that loads a graph folds its constants, so
how they are stored changes a file's size and no run's speed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engine.arrays import Array

INT4_OPSET = 21
"""The first whose DequantizeLinear knows blocks."""


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


def store_int8(model: onnx.ModelProto) -> None:
    """Store every float32 matrix that a product reads as int8 with scales. In place.

    One scale for each column of the product's right side, symmetric: scale = max|w| / 127. Vectors,
    tables and all other constants stay float32.
    """
    nodes = []
    scales = []
    for tensor in _products(model):
        name = tensor.name
        values = numpy_helper.to_array(tensor)
        scale = np.abs(values).max(axis=0) / 127
        scale[scale == 0] = 1
        rounded = np.rint(values / scale).astype(np.int8)
        tensor.CopyFrom(numpy_helper.from_array(rounded, name + ".i8"))
        scales.append(numpy_helper.from_array(scale, name + ".scale"))
        inputs = [name + ".i8", name + ".scale"]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [name], axis=1))
    model.graph.initializer.extend(scales)
    _prepend(model, nodes)


def store_int4(model: onnx.ModelProto, matrices: Sequence[tuple[Array, Array]]) -> None:
    """Store every matrix that a product reads as the int4 blocks that it was made of. In place.

    matrices  pairs of codes (inputs, outputs) int8 from -8 to 7 and scales (blocks, outputs)
              float16; the float32 matrix of each product is the codes of one times its scales
    Raises ValueError for a product that none of them makes.
    """
    made = [
        (codes, scales, codes * np.repeat(np.float32(scales), len(codes) // len(scales), axis=0))
        for codes, scales in matrices
    ]
    nodes: list[onnx.NodeProto] = []
    for tensor in _products(model):
        name, values = tensor.name, numpy_helper.to_array(tensor)
        fitting = [entry for entry in made if np.array_equal(entry[2], values)]
        if not fitting:
            raise ValueError(f"no int4 matrix makes {name}, which has shape {values.shape}")
        codes, scales, _ = fitting[0]
        nibbles = codes.ravel().view(np.uint8) & 15
        packed = (nibbles[::2] | nibbles[1::2] << 4).tobytes()
        tensor.CopyFrom(
            helper.make_tensor(name + ".i4", TensorProto.INT4, codes.shape, packed, raw=True)
        )
        model.graph.initializer.append(numpy_helper.from_array(scales, name + ".scale"))
        block = len(codes) // len(scales)
        nodes += [
            helper.make_node("Cast", [name + ".scale"], [name + ".f32"], to=TensorProto.FLOAT),
            helper.make_node(
                "DequantizeLinear", [name + ".i4", name + ".f32"], [name], axis=0, block_size=block
            ),
        ]
    _prepend(model, nodes)
    model.opset_import[0].version = max(model.opset_import[0].version, INT4_OPSET)


def restore_floats(model: onnx.ModelProto) -> None:
    """Undo `store_halves` and `store_int8`: every stored matrix is float32 again. In place."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type not in ("Cast", "DequantizeLinear") or any(
            name not in stored for name in node.input
        ):
            kept.append(node)
            continue
        values, *scale = (numpy_helper.to_array(stored[name]) for name in node.input)
        restored = values.astype(np.float32) * (scale[0] if scale else 1)
        stored[node.output[0]] = numpy_helper.from_array(restored, node.output[0])
    used = {name for node in kept for name in node.input}
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(t for name, t in stored.items() if name in used)


def store_sinusoids(model: onnx.ModelProto) -> None:
    """Replace tables of sinusoids by the sines they are made of. In place.

    table[p, 2k] = sin(p f_k), table[p, 2k+1] = cos(p f_k), f_k = 10000^(-2k/width); in float32, so
    position 999 is off by at most 6e-5.
    """
    for tensor in list(model.graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2:
            continue
        positions = np.arange(tensor.dims[0], dtype=np.float32)[:, None]
        exponents = np.arange(0, tensor.dims[1], 2) / -tensor.dims[1]
        frequencies = (10000.0**exponents).astype(np.float32)
        angle = positions * frequencies
        sines = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(len(positions), -1)
        values = numpy_helper.to_array(tensor)
        if values.shape == sines.shape and np.allclose(values, sines, atol=1e-3):
            _compute_sinusoids(model, tensor, positions[..., None], frequencies[:, None])


def _compute_sinusoids(
    model: onnx.ModelProto, tensor: onnx.TensorProto, positions: Array, frequencies: Array
) -> None:
    name = tensor.name
    constants = {
        f"{name}.positions": positions,
        f"{name}.frequencies": frequencies,
        f"{name}.shape": np.array(tensor.dims),
    }
    nodes = [
        helper.make_node("Mul", list(constants)[:2], [f"{name}.angle"]),
        helper.make_node("Sin", [f"{name}.angle"], [f"{name}.sin"]),
        helper.make_node("Cos", [f"{name}.angle"], [f"{name}.cos"]),
        helper.make_node("Concat", [f"{name}.sin", f"{name}.cos"], [f"{name}.both"], axis=2),
        helper.make_node("Reshape", [f"{name}.both", f"{name}.shape"], [name]),
    ]
    model.graph.initializer.remove(tensor)
    model.graph.initializer.extend(
        numpy_helper.from_array(value, key) for key, value in constants.items()
    )
    _prepend(model, nodes)


def _products(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """The float32 matrices that stand on the right side of a product."""
    names = {node.input[1] for node in model.graph.node if node.op_type == "MatMul"}
    return [
        tensor
        for tensor in model.graph.initializer
        if tensor.name in names and tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2
    ]


def _prepend(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> None:
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
