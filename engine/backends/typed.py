"""Strongly typed graphs: what computes in 16 bits and what in 32 is written in the ONNX itself.

TensorRT 11 knows no other kind, and TensorRT 10 builds them too. Knows ONNX graphs; knows neither
TensorRT nor what a graph computes.

Products, and what follows one before anything else joins it (bias, reshaping, GELU, the scale of
queries), are 16 bits wide; in f16 so is the softmax between two products, as fused attention takes
it. All else stays float32: the first product, which reads poses as they come, norms and their
modulation, softmax in bf16, residual sums, imputation, the DDIM update, inputs and outputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from engine.backends.ports import Port
from engine.errors import BackendError

Width = Literal["f32", "f16", "bf16"]
PRODUCTS = frozenset({"MatMul", "Gemm"})
Ports = tuple[tuple[Port, tuple[str, ...]], ...]
BATCH = "batch"
"""The name that exported graphs give to the dimension of their rows."""
QUANTISED = frozenset({"QuantizeLinear", "DynamicQuantizeLinear", "MatMulInteger"})
FOLLOWERS = frozenset(
    {"Add", "Mul", "Gelu", "Reshape", "Transpose", "Slice", "Squeeze", "Unsqueeze", "Split", "Pad"}
)
"""Nodes that compute in the type that their one input that varies has."""


def typed_graph(path: Path, width: Width) -> Any:
    """The graph in `path` with constants folded and every type explicit: an onnx.ModelProto.

    width  of products; at f32 nothing but the weights' packing changes
    Raises BackendError when onnx is not installed, the graph cannot be read or is quantised, or
    weights do not fit.
    """
    model = _read(path)
    import onnx

    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as exc:
        raise BackendError(f"{path}: is no sound graph: {exc}", field=path.name) from exc
    fold_constants(model)
    if QUANTISED.intersection(node.op_type for node in model.graph.node):
        raise BackendError(
            f"{path}: computes in int8, which is for processors; give the GPU the bundle that this "
            "one was made from",
            field=path.name,
        )
    widen_bytes(model)
    append_zero_keys(model)
    if width != "f32":
        narrow_products(model, width, path)
    return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)


# ----------------------------------------------------------------------------- constants
def fold_constants(model: Any) -> None:
    """Compute every node that depends on constants alone: packed weights become float. In place."""
    from onnx import helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    graph = model.graph
    known = {tensor.name for tensor in graph.initializer}
    folded, varying = [], []
    for node in graph.node:
        if all(name in known for name in node.input if name):
            folded.append(node)
            known.update(node.output)
        else:
            varying.append(node)
    needed = _used(varying) | {value.name for value in graph.output}
    outputs = [name for node in folded for name in node.output if name in needed]
    if outputs:
        constants = helper.make_graph(
            folded, "constants", [], [helper.make_empty_tensor_value_info(n) for n in outputs]
        )
        constants.initializer.extend(graph.initializer)
        evaluator = ReferenceEvaluator(
            helper.make_model(
                constants, opset_imports=model.opset_import, ir_version=model.ir_version
            )
        )
        values = zip(outputs, evaluator.run(outputs, {}), strict=True)
        graph.initializer.extend(
            numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in values
        )
    _replace(graph.node, varying)
    _replace(graph.initializer, [t for t in graph.initializer if t.name in needed])


def widen_bytes(model: Any) -> None:
    """Make 8-bit tables int32: TensorRT takes bytes as inputs and outputs only. In place."""
    from onnx import TensorProto, numpy_helper

    for tensor in model.graph.initializer:
        if tensor.data_type in (TensorProto.UINT8, TensorProto.INT8):
            wide = numpy_helper.to_array(tensor).astype(np.int32)
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))


# ----------------------------------------------------------------------------- attention
def append_zero_keys(model: Any) -> None:
    """Write the key that nobody has as a row of zeros below K and V, instead of a column beside
    their scores that is cut off after the softmax: the same numbers, in the form that libraries
    know as attention. In place.

        slice(softmax(pad(q k^T))) v  =  softmax(q [k; 0]^T) [v; 0]
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    maker = {name: node for node in graph.node for name in node.output}
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    tables = {tensor.name: tensor for tensor in graph.initializer}
    rows: dict[int, Any] = {}
    """By the node that it goes before."""
    gone: set[int] = set()

    def only_user(name: str, kind: str) -> Any:
        found = users.get(name, [])
        return found[0] if len(found) == 1 and found[0].op_type == kind else None

    for pad in [node for node in graph.node if node.op_type == "Pad"]:
        scores, softmax = maker.get(pad.input[0]), only_user(pad.output[0], "Softmax")
        cut = softmax and only_user(softmax.output[0], "Slice")
        product = cut and only_user(cut.output[0], "MatMul")
        turned = maker.get(scores.input[1]) if scores and scores.op_type == "MatMul" else None
        if not scores or not product or not turned or turned.op_type != "Transpose":
            continue
        column = [int(n) for n in numpy_helper.to_array(tables[pad.input[1]])]
        if column != [0] * (len(column) - 1) + [1]:
            continue
        below = np.roll(column, -1)
        graph.initializer.append(numpy_helper.from_array(below, f"{pad.output[0]}.below"))
        for node, index in ((turned, 0), (product, 1)):
            longer = f"{node.input[index]}.with_zero"
            rows[id(node)] = helper.make_node(
                "Pad", [node.input[index], f"{pad.output[0]}.below"], [longer]
            )
            node.input[index] = longer
        softmax.input[0] = scores.output[0]
        product.input[0] = softmax.output[0]
        gone.update((id(pad), id(cut)))
    nodes: list[Any] = []
    for node in graph.node:
        if id(node) in rows:
            nodes.append(rows[id(node)])
        if id(node) not in gone:
            nodes.append(node)
    _replace(graph.node, nodes)


# ----------------------------------------------------------------------------- widths
def narrow_products(model: Any, width: Width, path: Path) -> None:
    """Give products and what follows them 16 bits, with casts where types meet. In place."""
    from onnx import TensorProto, helper, numpy_helper, shape_inference

    narrow_type = TensorProto.FLOAT16 if width == "f16" else TensorProto.BFLOAT16
    graph = shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    floats = {v.name for v in values if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    constants = {
        tensor.name: tensor
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT
    }
    results = {value.name for value in model.graph.output}
    followers = FOLLOWERS | ({"Softmax"} if width == "f16" else set())
    narrow: set[str] = set()
    produced: set[str] = set()
    nodes: list[Any] = []
    made: dict[str, Any] = {}

    def as_wide(name: str) -> str:
        return cast(name, TensorProto.FLOAT, ".f32") if name in narrow else name

    def as_narrow(name: str) -> str:
        if name in narrow or not (name in floats or name in constants):
            return name
        if name not in constants:
            return cast(name, narrow_type, f".{width}")
        if f"{name}.{width}" not in made:
            halves = _narrowed(numpy_helper.to_array(constants[name]), width, path, name)
            made[f"{name}.{width}"] = numpy_helper.from_array(halves, f"{name}.{width}")
        return f"{name}.{width}"

    def cast(name: str, to: int, suffix: str) -> str:
        if name + suffix not in made:
            made[name + suffix] = helper.make_node("Cast", [name], [name + suffix], to=to)
            nodes.append(made[name + suffix])
        return name + suffix

    for node in model.graph.node:
        varying = [name for name in node.input if name in floats]
        is_inner = not produced.isdisjoint(varying)
        is_narrow = (node.op_type in PRODUCTS and is_inner) or (
            node.op_type in followers and len(varying) == 1 and varying[0] in narrow
        )
        if is_inner or node.op_type in PRODUCTS:
            produced.update(node.output)
        _rename(node.input, as_narrow if is_narrow else as_wide)
        nodes.append(node)
        for index, name in enumerate(node.output if is_narrow else ()):
            if name in results:
                node.output[index] = f"{name}.{width}"
                nodes.append(
                    helper.make_node("Cast", [f"{name}.{width}"], [name], to=TensorProto.FLOAT)
                )
            else:
                narrow.add(name)
    _replace(model.graph.node, nodes)
    used = _used(nodes)
    tensors = [value for value in made.values() if isinstance(value, TensorProto)]
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    _replace(model.graph.initializer, [*kept, *tensors])
    del model.graph.value_info[:]


def _narrowed(values: npt.NDArray[Any], width: Width, path: Path, name: str) -> npt.NDArray[Any]:
    import ml_dtypes

    with np.errstate(over="ignore"):
        narrow = values.astype(np.float16 if width == "f16" else ml_dtypes.bfloat16)
    if not np.isfinite(narrow.astype(np.float32)).all():
        raise BackendError(
            f"{path}: weights {name} reach {np.abs(values).max():.3g}, beyond {width}; "
            "use bf16 or f32",
            field=path.name,
        )
    return narrow


def _rename(names: Any, rename: Callable[[str], str]) -> None:
    """Rename the entries of a node's list of inputs or outputs. In place."""
    names[:] = [rename(name) if name else name for name in names]


def with_rows(model: Any, rows: int) -> Any:
    """The graph for exactly that many rows: an onnx.ModelProto whose every shape is static.

    The first dimension of each input may vary, and no other.
    """
    import onnx

    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    del fixed.graph.value_info[:]
    for value in (*fixed.graph.input, *fixed.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = rows
    return onnx.shape_inference.infer_shapes(fixed, check_type=True, strict_mode=True)


def read_header(path: Path) -> tuple[Ports, tuple[str, ...], str]:
    """What a graph takes and gives, and a digest of the file and of what we make of it.

    returns  each input with the names of its dimensions ("" where one is fixed), names of outputs,
             SHA-256
    Raises BackendError when onnx is not installed or the graph cannot be read.
    """
    model = _read(path)
    import onnx

    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
    digest.update(Path(__file__).read_bytes())
    digest.update(onnx.__version__.encode())
    ports = []
    for value in model.graph.input:
        tensor = value.type.tensor_type
        dims = tensor.shape.dim
        port = Port(
            name=value.name,
            dtype=np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)),
            shape=tuple(None if dim.dim_param else int(dim.dim_value) for dim in dims),
        )
        ports.append((port, tuple(dim.dim_param for dim in dims)))
    return tuple(ports), tuple(value.name for value in model.graph.output), digest.hexdigest()


def _read(path: Path) -> Any:
    try:
        import onnx
    except ImportError as exc:
        raise BackendError(
            "the tensorrt backend needs onnx: pip install 'contrapose[tensorrt]'",
            field="backend",
            reason="EXTRA_MISSING",
        ) from exc
    try:
        return onnx.load(path)
    except (OSError, DecodeError) as exc:
        raise BackendError(f"{path}: cannot be read as ONNX: {exc}", field=path.name) from exc


def _used(nodes: Sequence[Any]) -> set[str]:
    return {name for node in nodes for name in node.input}


def _replace(field: Any, values: Iterable[Any]) -> None:
    """Set a repeated protobuf field."""
    kept = list(values)
    del field[:]
    field.extend(kept)
