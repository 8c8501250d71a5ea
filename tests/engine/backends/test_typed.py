"""Typed graphs compute what their float32 sources do, in the types that TensorRT wants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.arrays import Array
from engine.backends import Graph, open_backend
from engine.backends.typed import PRODUCTS, Width, typed_graph
from engine.body.pose import Pose
from engine.body.shape import SHAPE_COUNT, load_body
from engine.bundle import STARTER, load_bundle
from engine.errors import BackendError
from engine.motion.standing import standing_pose
from engine.sampling.models import Models, load_models
from engine.sampling.request import SampledWindow, WindowRequest
from engine.sampling.sampler import sample_windows
from engine.session.config import SessionConfig
from engine.session.session import Session
from engine.testing import with_animator

pytestmark = pytest.mark.slow

onnx = pytest.importorskip("onnx")

GRAPHS = [
    STARTER / name
    for name in (
        "animator/condition.onnx",
        "animator/step.onnx",
        "generator/condition.onnx",
        "generator/step.onnx",
        "text/encoder.onnx",
    )
]
STEP = STARTER / "animator/step.onnx"
FLOATS = {1: "f32", 10: "f16", 16: "bf16"}
TENSORRT_OPERATORS = """
    Add Cast Clip Concat Cos Div Expand Gather GatherND Gelu Gemm LayerNormalization MatMul Mul
    Not Pad ReduceL2 ReduceSum Reshape Shape Sigmoid Sin Slice Softmax Split Sqrt Squeeze Sub
    Transpose Unsqueeze Where
"""
"""Of onnx-tensorrt's docs/operators.md (10.15): listed as supported for FP32, FP16 and BF16."""


def _types(model: Any) -> dict[str, int]:
    """Element type of every tensor of a graph."""
    values = (*model.graph.input, *model.graph.value_info, *model.graph.output)
    return {
        **{tensor.name: tensor.data_type for tensor in model.graph.initializer},
        **{value.name: value.type.tensor_type.elem_type for value in values},
    }


def _nodes(model: Any) -> Iterator[tuple[Any, list[str]]]:
    """Every node, with the widths of its float inputs."""
    types = _types(model)
    for node in model.graph.node:
        yield node, [FLOATS[types[n]] for n in node.input if n and types[n] in FLOATS]


def _relative(found: Array, expected: Array) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.fixture(scope="module")
def starter(openvino: None) -> Models:
    backend = open_backend("openvino", precision="f32", cache_dir=None, threads=1)
    return load_models(load_bundle(STARTER), backend, buckets=(4,), is_lazy=True)


@pytest.fixture(scope="module")
def requests(starter: Models) -> list[WindowRequest]:
    """Windows of a session whose player drifts away."""
    rest_joints = load_body(None).rest_joints(np.zeros((2, SHAPE_COUNT), np.float32))
    session = Session(SessionConfig(steps=4), rest_joints=rest_joints, seed=3)
    asked: list[WindowRequest] = []
    for frame in range(40):
        walking = Pose(standing_pose(), np.array([0.02 * frame, 0, 0.01 * frame]))
        session.feed(frame / 10, walking)
        for wanted in session.tick(frame / 10).wanted:
            asked.append(wanted.request)
            session.accept(
                wanted.ticket, SampledWindow(x0=sample_windows(starter, [wanted.request])[0])
            )
    return asked[-4:]


def _executed(path: Path, width: Width, folder: Path) -> Graph:
    written = folder / f"{width}.onnx"
    onnx.save(typed_graph(path, width), written)
    return open_backend("openvino", precision="f32", cache_dir=None, threads=1).load(written, (4,))


# ----------------------------------------------------------------------------- numbers
@pytest.mark.parametrize(("width", "tolerance"), [("f32", 1e-4), ("f16", 2e-2), ("bf16", 5e-2)])
def test_windows_are_those_of_the_float32_graph(
    starter: Models,
    requests: list[WindowRequest],
    tmp_path: Path,
    width: Width,
    tolerance: float,
) -> None:
    typed = with_animator(starter, step=_executed(STEP, width, tmp_path))
    expected = sample_windows(starter, requests)
    assert _relative(sample_windows(typed, requests), expected) < tolerance


@pytest.mark.parametrize("width", ["f32", "f16", "bf16"])
def test_rounding_every_product_keeps_one_step_within_two_percent(
    starter: Models, requests: list[WindowRequest], width: Width
) -> None:
    from onnx.reference import ReferenceEvaluator

    rng = np.random.default_rng(0)
    request = requests[0]
    modulation = starter.animator.condition(
        {
            "anchor": request.anchor[None],
            "anchor_joints": request.anchor_joints[None],
            "text": np.zeros((1, starter.animator.text_width), np.float32),
            "timesteps": np.array([500]),
        }
    )["modulation"][:, 0]
    inputs = {
        "x_t": rng.standard_normal((1, 2, 30, 135), dtype=np.float32),
        "known": request.known[None],
        "known_mask": request.known_mask[None],
        "anchor": request.anchor[None],
        "modulation": modulation,
        "abar_t": np.float32([0.5]),
        "abar_s": np.float32([0.7]),
    }
    # It rounds after every node to the node's type, products in halves included.
    found = ReferenceEvaluator(typed_graph(STEP, width)).run(["x_s", "x0"], inputs)
    expected = starter.animator.step(inputs)
    assert _relative(found[0], expected["x_s"]) < 2e-2
    anchor = request.anchor[None, :, None]
    assert _relative(found[1] + anchor, expected["x0"] + anchor) < 2e-2


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize("path", GRAPHS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_unpacking_the_weights_changes_no_result(path: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = {"batch": 2, "steps": 3, "tokens": 5}
    inputs = {}
    for value in onnx.load(path).graph.input:
        tensor = value.type.tensor_type
        shape = [rows.get(dim.dim_param, dim.dim_value) for dim in tensor.shape.dim]
        is_whole = tensor.elem_type == onnx.TensorProto.INT64
        inputs[value.name] = np.ones(shape, np.int64) if is_whole else rng.random(shape, np.float32)
    backend = open_backend("openvino", precision="f32", cache_dir=None, threads=1)
    onnx.save(typed_graph(path, "f32"), tmp_path / "typed.onnx")
    found, expected = backend.load(tmp_path / "typed.onnx")(inputs), backend.load(path)(inputs)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-4, rtol=1e-4)


# ----------------------------------------------------------------------------- types
@pytest.mark.parametrize("width", ["f16", "bf16"])
@pytest.mark.parametrize("path", GRAPHS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_node_has_inputs_of_one_width_that_tensorrt_takes(path: Path, width: Width) -> None:
    model = typed_graph(path, width)
    onnx.checker.check_model(model, full_check=True)
    for node, widths in _nodes(model):
        assert node.op_type in TENSORRT_OPERATORS.split()
        assert len(set(widths)) <= 1, node
    types = _types(model)
    allowed = {*FLOATS, onnx.TensorProto.INT32, onnx.TensorProto.INT64, onnx.TensorProto.BOOL}
    assert set(types.values()) <= allowed
    borders = [value.name for value in (*model.graph.input, *model.graph.output)]
    assert {types[name] for name in borders} <= {1, onnx.TensorProto.INT64}


@pytest.mark.parametrize("width", ["f16", "bf16"])
def test_products_are_narrow_and_what_sums_and_divides_is_not(width: Width) -> None:
    widths: dict[str, list[str]] = {}
    for node, found in _nodes(typed_graph(STEP, width)):
        widths.setdefault(node.op_type, []).extend(found[:1])
    for operator in PRODUCTS & set(widths):
        assert widths[operator] == ["f32", *[width] * (len(widths[operator]) - 1)]
    assert len(widths["MatMul"]) == 51
    for operator in ("LayerNormalization", "Sqrt", "Div", "Sub"):
        assert set(widths[operator]) == {"f32"}
    assert set(widths["Gelu"]) == {width}
    assert set(widths["Softmax"]) == {"f16" if width == "f16" else "f32"}


@pytest.mark.parametrize("path", GRAPHS[:4], ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_attention_is_a_softmax_between_two_products_with_a_row_of_zeros(path: Path) -> None:
    """In f16 without a cast, which is what TensorRT knows as one fused attention."""
    graph = typed_graph(path, "f16").graph
    maker = {name: node for node in graph.node for name in node.output}
    users = {name: node for node in graph.node for name in node.input}
    found = [node for node in graph.node if node.op_type == "Softmax"]
    assert len(found) == (8 if "step" in path.name else 0)
    for softmax in found:
        scores, product = maker[softmax.input[0]], users[softmax.output[0]]
        assert (scores.op_type, product.op_type) == ("MatMul", "MatMul")
        keys = maker[scores.input[1]]
        assert [keys.op_type, maker[keys.input[0]].op_type] == ["Transpose", "Pad"]
        assert maker[product.input[1]].op_type == "Pad"
    cut = [node for node in graph.node if node.op_type == "Slice" and "softmax" in node.input[0]]
    assert cut == []


def test_constants_alone_leave_no_node_behind() -> None:
    model = typed_graph(STEP, "f32")
    constants = {tensor.name for tensor in model.graph.initializer}
    assert all(not constants.issuperset(node.input) for node in model.graph.node)
    assert "DequantizeLinear" not in {node.op_type for node in model.graph.node}


# ----------------------------------------------------------------------------- refusals
def test_weights_beyond_halves_are_refused_by_name(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    weights = np.full((4, 4), 1e6, np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "small"], ["h"]),
        helper.make_node("MatMul", ["h", "large"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 4]) for n in "xy"]
    graph = helper.make_graph(nodes, "test", ports[:1], ports[1:])
    graph.initializer.append(numpy_helper.from_array(np.eye(4, dtype=np.float32), "small"))
    graph.initializer.append(numpy_helper.from_array(weights, "large"))
    path = tmp_path / "large.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), path)
    with pytest.raises(BackendError, match="large reach 1e"):
        typed_graph(path, "f16")
    assert typed_graph(path, "bf16").graph.node


def test_a_file_that_is_no_graph_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(BackendError, match=r"broken\.onnx"):
        typed_graph(path, "f16")


def test_a_graph_that_computes_in_int8_is_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 4]) for n in "xy"]
    graph = helper.make_graph(nodes, "test", ports[:1], ports[1:])
    graph.initializer.append(numpy_helper.from_array(np.float32(0.1), "scale"))
    graph.initializer.append(numpy_helper.from_array(np.int8(0), "zero"))
    path = tmp_path / "int8.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), path)
    with pytest.raises(BackendError, match="computes in int8"):
        typed_graph(path, "f16")
