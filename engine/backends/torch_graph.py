"""From an ONNX graph to a PyTorch module: the operators that our exporter writes, and no others.

What depends on constants alone is computed once, so weights stored in few bits are unpacked here.
Three patterns become one call each: a product with its bias, attention, normalisation. Knows ONNX
and torch.fx; knows neither devices nor what a graph computes.
Operators: onnx.ai/onnx/operators; the zero key of attention: `trainer/models/blocks.py`.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper
from torch import Tensor, fx

from engine.backends.ports import Port
from engine.errors import BackendError

NARROW = 256
"""Products with fewer inputs or outputs stay in float32: they stand at a network's borders, where
the rounding of metres would show, and are a hundredth of its arithmetic."""
FEW_KEYS = 4
"""Attention among so few is written out, for a compiler to fuse; a library's kernel computes tiles
of 64 keys."""


def read_module(path: Path, *, dtype: torch.dtype) -> tuple[fx.GraphModule, tuple[Port, ...]]:
    """The graph in a file as a module, on the CPU, and its inputs.

    The module takes a tensor for each input, by name, and returns a dict of float32 outputs.
    dtype  of wide products and attention; norms, softmax and all else compute in float32

    Raises BackendError when the file is no graph, or has an operator that is not known here.
    """
    try:
        model = onnx.load(path)
    except (DecodeError, OSError, ValueError) as exc:
        raise _refused(path, str(exc)) from exc
    if not model.graph.output:
        raise _refused(path, "it holds no graph")
    return _Translation(path, model.graph, dtype).module(), _ports(model.graph)


def _refused(path: Path, reason: str) -> BackendError:
    first_line = reason.strip().splitlines()[0] if reason.strip() else "it is empty"
    return BackendError(f"{path}: PyTorch cannot run it: {first_line}", field=path.name)


def _ports(graph: onnx.GraphProto) -> tuple[Port, ...]:
    constants = {tensor.name for tensor in graph.initializer}
    return tuple(
        Port(
            name=value.name,
            dtype=np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)),
            shape=tuple(
                dim.dim_value if dim.HasField("dim_value") else None
                for dim in value.type.tensor_type.shape.dim
            ),
        )
        for value in graph.input
        if value.name not in constants
    )


# ----------------------------------------------------------------------------- translation
Value = Any
"""A constant (Tensor), or the fx.Node that computes a tensor or a tuple of lengths."""


class _Translation:
    """One pass over the nodes of a graph, which ONNX keeps in an order that can be computed."""

    def __init__(self, path: Path, graph: onnx.GraphProto, dtype: torch.dtype) -> None:
        self._path = path
        self._source = graph
        self._dtype = dtype
        self._graph = fx.Graph()
        self._values: dict[str, Value] = {}
        self._makers = {name: node for node in graph.node for name in node.output}
        self._uses = Counter(name for node in graph.node for name in node.input)
        self._uses.update(value.name for value in graph.output)
        self._buffers: dict[str, Tensor] = {}
        self._names: dict[int, str] = {}

    def module(self) -> fx.GraphModule:
        for tensor in self._source.initializer:
            self._values[tensor.name] = _constant(tensor)
        for port in self._source.input:
            if port.name not in self._values:
                self._values[port.name] = self._graph.placeholder(port.name)
        for node in self._source.node:
            self._translate(node)
        outputs = {
            value.name: self._graph.call_function(
                torch.Tensor.float, (self._operand(self._values[value.name]),)
            )
            for value in self._source.output
        }
        self._graph.output(outputs)
        self._graph.eliminate_dead_code()
        used = {node.target for node in self._graph.nodes if node.op == "get_attr"}
        module = fx.GraphModule(
            {name: value for name, value in self._buffers.items() if name in used}, self._graph
        )
        return module.requires_grad_(False).eval()

    def _translate(self, node: onnx.NodeProto) -> None:
        inputs = [self._values[name] if name else None for name in node.input]
        pattern = _PATTERNS.get(node.op_type)
        result = pattern(self, node, inputs) if pattern else None
        if result is None:
            build = _OPERATORS.get(node.op_type)
            if build is None:
                raise _refused(self._path, f"operator {node.op_type} is not known here")
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            function, arguments = build(attributes, inputs)
            result = self.call(function, *arguments)
        if len(node.output) == 1 and node.op_type != "Split":  # which gives a tuple even of one
            self._values[node.output[0]] = result
        else:
            for index, name in enumerate(node.output):
                self._values[name] = self.call(operator.getitem, result, index)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Value:
        """The function's result if no argument has to be computed, else a node that calls it."""
        if not any(isinstance(a, fx.Node) for a in _flat(arguments)):
            return function(*arguments)
        return self._graph.call_function(
            function, tuple(_mapped(self._operand, a) for a in arguments)
        )

    def _operand(self, value: Value) -> Any:
        """A constant becomes a buffer of the module, or a number if it is one."""
        if not isinstance(value, Tensor):
            return value
        if value.dim() == 0:
            return value.item()
        if id(value) not in self._names:
            name = f"constant_{len(self._buffers)}"
            self._names[id(value)], self._buffers[name] = name, value
        return self._graph.get_attr(self._names[id(value)])

    # -- patterns ----------------------------------------------------------------------------------
    def product(self, node: onnx.NodeProto, inputs: list[Value]) -> Value | None:
        """x W with a constant matrix W: a linear layer. Attention's second product: attention."""
        left, right = inputs
        if isinstance(right, Tensor) and right.dim() == 2 and not isinstance(left, Tensor):
            return self.linear(left, right.T)
        return self._attention(node)

    def gemm(self, node: onnx.NodeProto, inputs: list[Value]) -> Value | None:
        """x W^T + b, which is all that our exporter makes of it."""
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        factors = (attributes.get("alpha", 1.0), attributes.get("beta", 1.0))
        if factors != (1.0, 1.0) or attributes.get("transA") or not attributes.get("transB"):
            raise _refused(self._path, "Gemm is known without factors, with transB alone")
        return self.linear(*inputs)

    def linear(self, x: Value, weight: Tensor, bias: Tensor | None = None) -> Value:
        """weight (outputs, inputs), kept in the precision that it computes in."""
        dtype = self._dtype if min(weight.shape) >= NARROW else torch.float32
        return self.call(
            linear, x, weight.to(dtype).contiguous(), None if bias is None else bias.to(dtype)
        )

    def sum(self, node: onnx.NodeProto, inputs: list[Value]) -> Value | None:
        """A bias that follows a linear layer goes into it."""
        for name, value, other in zip(node.input, inputs, reversed(inputs), strict=True):
            if (
                isinstance(value, fx.Node)
                and value.target is linear
                and value.args[2] is None
                and isinstance(other, Tensor)
                and other.dim() == 1
                and self._uses[name] == 1
            ):
                x, weight, _ = value.args
                dtype = self._buffers[str(weight.target)].dtype  # type: ignore[union-attr]  # a node
                return self._graph.call_function(
                    linear, (x, weight, self._operand(other.to(dtype)))
                )
        return None

    def _attention(self, node: onnx.NodeProto) -> Value | None:
        """softmax(mask(pad(scale q k^T))) v -> one call; mask, pad and its slice may be absent."""
        weights, value = node.input
        softmax, has_slice = self._maker(weights, "Softmax"), False
        if softmax is None and (cut := self._maker(weights, "Slice")):
            softmax, has_slice = self._maker(cut.input[0], "Softmax"), True
        if softmax is None:
            return None
        logits, mask = softmax.input[0], None
        pad = self._maker(logits, "Pad")
        if (pad is not None) != has_slice:
            return None
        if pad is not None:
            logits = pad.input[0]
        elif (where := self._maker(logits, "Where")) and self._is_minus_infinity(where.input[1]):
            mask, logits = self._values[where.input[0]], where.input[2]
        scores = self._maker(logits, "MatMul")
        if scores is None or (turned := self._maker(scores.input[1], "Transpose")) is None:
            return None
        query, scale = scores.input[0], 1.0
        if (scaled := self._maker(query, "Mul")) and _is_number(self._values[scaled.input[1]]):
            query, scale = scaled.input[0], float(self._values[scaled.input[1]])
        parts = (self._values[name] for name in (query, turned.input[0], value))
        return self.call(attention, *parts, scale, pad is not None, mask, self._dtype)

    def _maker(self, name: str, kind: str) -> onnx.NodeProto | None:
        """The node that computes a value, if it is of this kind."""
        node = self._makers.get(name)
        return node if node is not None and node.op_type == kind else None

    def _is_minus_infinity(self, name: str) -> bool:
        value = self._values[name]
        return _is_number(value) and float(value) == -np.inf


def _constant(tensor: onnx.TensorProto) -> Tensor:
    values = numpy_helper.to_array(tensor)
    if values.dtype.kind not in "iufb":  # the 4-bit types of ml_dtypes
        values = values.astype(np.int8)
    return torch.from_numpy(np.array(values))


def _is_number(value: Value) -> bool:
    return isinstance(value, Tensor) and value.numel() == 1


def _flat(arguments: Sequence[Any]) -> list[Any]:
    flat: list[Any] = []
    for argument in arguments:
        flat += _flat(argument) if isinstance(argument, list | tuple) else [argument]
    return flat


def _mapped(function: Callable[[Any], Any], argument: Any) -> Any:
    if isinstance(argument, list | tuple):
        return type(argument)(_mapped(function, entry) for entry in argument)
    return function(argument)


# ----------------------------------------------------------------------------- what nodes compute
def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.linear(x.to(weight.dtype), weight, bias)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    has_zero_key: bool,
    is_masked: Tensor | None,
    dtype: torch.dtype,
) -> Tensor:
    """(..., heads, tokens, head width), any number of leading dimensions.

    has_zero_key  one more key and value, both zero, take part
    is_masked     broadcasts to the logits (..., heads, tokens, tokens)
    """
    leading = query.shape[:-3]
    query, key, value = (part.to(dtype).flatten(0, -4) for part in (query, key, value))
    if key.shape[-2] <= FEW_KEYS and is_masked is None:
        mixed = _written_out(query, key, value, scale, has_zero_key)
    else:
        if has_zero_key:
            key, value = F.pad(key, (0, 0, 0, 1)), F.pad(value, (0, 0, 0, 1))
        mixed = F.scaled_dot_product_attention(
            query, key, value, attn_mask=None if is_masked is None else ~is_masked, scale=scale
        )
    return mixed.reshape(*leading, *mixed.shape[1:])


def _written_out(
    query: Tensor, key: Tensor, value: Tensor, scale: float, has_zero_key: bool
) -> Tensor:
    """The same among few tokens, as sums: (n, heads, tokens, head width)."""
    dtype = query.dtype
    query, key, value = query.float(), key.float(), value.float()
    logits = scale * (query[..., :, None, :] * key[..., None, :, :]).sum(-1)
    highest = logits.amax(dim=-1, keepdim=True)
    if has_zero_key:
        highest = highest.clamp(min=0)
    weights = torch.exp(logits - highest)
    total = weights.sum(dim=-1, keepdim=True)
    if has_zero_key:
        total = total + torch.exp(-highest)
    weights = weights / total
    return (weights[..., None] * value[..., None, :, :]).sum(-2).to(dtype)


def _layer_norm(x: Tensor, weight: Tensor, bias: Tensor | None, epsilon: float) -> Tensor:
    return F.layer_norm(x.float(), weight.shape, weight, bias, epsilon)


def _cast(x: Tensor, kind: int) -> Tensor:
    return x.to(_TORCH_TYPES[kind])


_TORCH_TYPES: dict[int, torch.dtype] = {
    onnx.TensorProto.FLOAT: torch.float32,
    onnx.TensorProto.INT64: torch.int64,
    onnx.TensorProto.INT32: torch.int32,
    onnx.TensorProto.BOOL: torch.bool,
}


def _quantize(x: Tensor, scale: Any, zero_point: Any, axis: int, limits: tuple[int, int]) -> Tensor:
    """The whole numbers that 8 bits would hold, as float32: what they compute, and not how fast."""
    steps: Tensor = torch.round(x.float() / _spread(scale, x, axis)) + _spread(zero_point, x, axis)
    return steps.clamp(*limits)


def _dequantize(x: Tensor, scale: Any, zero_point: Any, axis: int, block: int) -> Tensor:
    """(x - zero_point) scale"""
    values: Tensor = x.float() - _spread(zero_point, x, axis, block)
    values = values * _spread(scale, x, axis, block)
    return values


def _spread(values: Any, x: Tensor, axis: int, block: int = 0) -> Any:
    """A number for all of x, one for each index of an axis, or for each block of it."""
    if not isinstance(values, Tensor) or values.dim() == 0:
        return values
    if block:
        return values.repeat_interleave(block, dim=axis)
    if values.dim() == 1:
        return values.view([-1 if i == axis % x.dim() else 1 for i in range(x.dim())])
    return values


def _gelu(x: Tensor, approximate: str) -> Tensor:
    return F.gelu(x, approximate=approximate)


def _softmax(x: Tensor, axis: int) -> Tensor:
    return torch.softmax(x.float(), dim=axis)


def _matmul(left: Tensor, right: Tensor) -> Tensor:
    dtype = torch.promote_types(left.dtype, right.dtype)
    return left.to(dtype) @ right.to(dtype)


def _reshape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x.reshape(shape)


def _expand(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Both broadcast: a length of 1 in either becomes that of the other."""
    return x.expand([max(lengths) for lengths in zip(x.shape, shape, strict=True)])


def _unsqueeze(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _slice(
    x: Tensor,
    starts: tuple[int, ...],
    ends: tuple[int, ...],
    axes: tuple[int, ...],
    steps: tuple[int, ...],
) -> Tensor:
    """Steps from 1 on; ends beyond a length, as ONNX writes "to the end", are cut to it."""
    index = [slice(None)] * x.dim()
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis % x.dim()] = slice(start, min(end, x.shape[axis]), step)
    return x[tuple(index)]


def _pad(x: Tensor, pads: tuple[int, ...]) -> Tensor:
    """pads  as ONNX has them: what goes before each axis, then what goes after each."""
    rank = len(pads) // 2
    pairs = [pads[axis + side * rank] for axis in reversed(range(rank)) for side in (0, 1)]
    return F.pad(x, pairs)


def _shape(x: Tensor, start: int, end: int | None) -> tuple[int, ...]:
    return tuple(x.shape[start:end])


def _concat(axis: int, *parts: Tensor) -> Tensor:
    return torch.cat(parts, dim=axis)


def _concat_lengths(*parts: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for part in parts for length in part)


def _gather(data: Tensor, index: Any, axis: int) -> Tensor:
    if isinstance(index, int):
        return data.select(axis, index)
    flat = torch.index_select(data, axis, index.flatten())
    axis %= data.dim()
    return flat.reshape(*data.shape[:axis], *index.shape, *data.shape[axis + 1 :])


def _gather_nd(data: Tensor, index: Tensor) -> Tensor:
    return data[tuple(index.unbind(-1))]


def _reduce_sum(x: Tensor, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    return x.sum(dim=axes, keepdim=keepdim)


def _reduce_l2(x: Tensor, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(x, dim=axes, keepdim=keepdim)
    return norm


def _clip(x: Tensor, low: float | None, high: float | None) -> Tensor:
    return x.clamp(low, high)


# ----------------------------------------------------------------------------- the table
Attributes = dict[str, Any]
Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function and its arguments."""


def _ints(value: Value) -> Any:
    """A constant list as a tuple of numbers; one that is computed stays a node."""
    return tuple(value.tolist()) if isinstance(value, Tensor) else value


def _elementwise(function: Callable[..., Any]) -> Callable[[Attributes, list[Value]], Call]:
    return lambda _, inputs: (function, tuple(inputs))


def _over_axes(function: Callable[..., Any]) -> Callable[[Attributes, list[Value]], Call]:
    return lambda a, inputs: (function, (inputs[0], _ints(inputs[1]), bool(a.get("keepdims", 1))))


def _build_concat(attributes: Attributes, inputs: list[Value]) -> Call:
    lengths = (_shape, _concat_lengths)
    if any(isinstance(value, fx.Node) and value.target in lengths for value in inputs):
        return _concat_lengths, tuple(_ints(value) for value in inputs)
    return _concat, (attributes["axis"], *inputs)


def _build_slice(_: Attributes, inputs: list[Value]) -> Call:
    x, starts, ends, *rest = inputs
    axes = _ints(rest[0]) if rest else tuple(range(len(_ints(starts))))
    steps = _ints(rest[1]) if len(rest) > 1 else (1,) * len(axes)
    return _slice, (x, _ints(starts), _ints(ends), axes, steps)


def _build_split(attributes: Attributes, inputs: list[Value]) -> Call:
    """Without lengths: as many equal parts as the node has outputs."""
    axis = attributes.get("axis", 0)
    if len(inputs) > 1:
        return torch.split, (inputs[0], list(_ints(inputs[1])), axis)
    return torch.chunk, (inputs[0], attributes["num_outputs"], axis)


def _build_layer_norm(attributes: Attributes, inputs: list[Value]) -> Call:
    x, weight, bias = (*inputs, None)[:3]
    return _layer_norm, (x, weight, bias, attributes["epsilon"])


def _build_quantize(attributes: Attributes, inputs: list[Value]) -> Call:
    """The type of the zero point is that of the result; unsigned without one."""
    x, scale, zero_point = (*inputs, torch.tensor(0, dtype=torch.uint8))[:3]
    limits = torch.iinfo(zero_point.dtype)
    axis = attributes.get("axis", 1)
    return _quantize, (x, scale, zero_point, axis, (int(limits.min), int(limits.max)))


def _build_dequantize(attributes: Attributes, inputs: list[Value]) -> Call:
    x, scale, zero_point = (*inputs, torch.tensor(0))[:3]
    axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)
    return _dequantize, (x, scale, zero_point, axis, block)


def _build_clip(_: Attributes, inputs: list[Value]) -> Call:
    return _clip, (*inputs, None, None)[:3]


_OPERATORS: dict[str, Callable[[Attributes, list[Value]], Call]] = {
    "Add": _elementwise(operator.add),
    "Cast": lambda a, inputs: (_cast, (inputs[0], a["to"])),
    "Clip": _build_clip,
    "Concat": _build_concat,
    "Cos": _elementwise(torch.cos),
    "DequantizeLinear": _build_dequantize,
    "Div": _elementwise(operator.truediv),
    "Expand": lambda _, inputs: (_expand, (inputs[0], _ints(inputs[1]))),
    "Gather": lambda a, inputs: (_gather, (*inputs, a.get("axis", 0))),
    "GatherND": _elementwise(_gather_nd),
    "Gelu": lambda a, inputs: (_gelu, (inputs[0], a.get("approximate", b"none").decode())),
    "LayerNormalization": _build_layer_norm,
    "MatMul": _elementwise(_matmul),
    "Mul": _elementwise(operator.mul),
    "Not": _elementwise(operator.invert),
    "Pad": lambda _, inputs: (_pad, (inputs[0], _ints(inputs[1]))),
    "QuantizeLinear": _build_quantize,
    "ReduceL2": _over_axes(_reduce_l2),
    "ReduceSum": _over_axes(_reduce_sum),
    "Reshape": lambda _, inputs: (_reshape, (inputs[0], _ints(inputs[1]))),
    "Shape": lambda a, inputs: (_shape, (inputs[0], a.get("start", 0), a.get("end"))),
    "Sigmoid": _elementwise(torch.sigmoid),
    "Sin": _elementwise(torch.sin),
    "Slice": _build_slice,
    "Softmax": lambda a, inputs: (_softmax, (inputs[0], a.get("axis", -1))),
    "Split": _build_split,
    "Sqrt": _elementwise(torch.sqrt),
    "Squeeze": lambda _, inputs: (torch.squeeze, (inputs[0], _ints(inputs[1]))),
    "Sub": _elementwise(operator.sub),
    "Transpose": lambda a, inputs: (torch.permute, (inputs[0], tuple(a["perm"]))),
    "Unsqueeze": lambda _, inputs: (_unsqueeze, (inputs[0], _ints(inputs[1]))),
    "Where": _elementwise(torch.where),
}
_PATTERNS: dict[str, Callable[[_Translation, onnx.NodeProto, list[Value]], Value | None]] = {
    "Add": _Translation.sum,
    "Gemm": _Translation.gemm,
    "MatMul": _Translation.product,
}
"""Looked at first; None: the pattern is not there."""
