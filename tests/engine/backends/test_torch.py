"""What the torch backend has of its own: its reading of ONNX, fusion, precision. Laws of all:
tests/backends."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper
from torch import fx

from engine.backends import open_backend, torch_graph
from engine.backends.torch import TF32_ADVICE, TorchBackend
from engine.backends.torch_graph import read_module
from engine.bundle import STARTER
from engine.errors import BackendError
from tests.backends.conftest import small_rows, written

STEP = STARTER / "animator" / "step.onnx"
LAYERS = 8


def calls(module: fx.GraphModule) -> Counter[str]:
    return Counter(
        getattr(node.target, "__name__", "") for node in module.graph.nodes if node.op != "output"
    )


@pytest.fixture(scope="module")
def step_graph() -> fx.GraphModule:
    return read_module(STEP, dtype=torch.bfloat16)[0]


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graphs") / "roots.onnx"
    nodes = [helper.make_node("Sqrt", ["x"], ["root"]), helper.make_node("Add", ["root", "b"], "y")]
    shapes = {"x": ("batch", 3, 16), "b": ("batch", 1, 16)}
    return written(path, nodes, shapes, {"y": ("batch", 3, 16)}, {})


def test_the_denoiser_is_products_with_their_biases_and_whole_attentions(
    step_graph: fx.GraphModule,
) -> None:
    found = calls(step_graph)
    assert found["attention"] == LAYERS
    assert found["_layer_norm"] == 2 * LAYERS
    assert found["linear"] == 4 * LAYERS + 3
    assert not {"_matmul", "_softmax", "_pad", "_dequantize"} & set(found)
    linear = [node for node in step_graph.graph.nodes if node.target is torch_graph.linear]
    assert all(node.args[2] is not None for node in linear)


def test_wide_products_are_stored_in_the_precision_they_compute_in(
    step_graph: fx.GraphModule,
) -> None:
    weights = [value for _, value in step_graph.named_buffers() if value.dim() == 2]
    products = [w for w in weights if w.dtype == torch.bfloat16]
    assert len(products) == 4 * LAYERS
    assert all(min(w.shape) >= torch_graph.NARROW for w in products)
    assert {min(w.shape) for w in weights if w.dtype == torch.float32} == {136, 132, 3, 30}


@pytest.mark.parametrize("tokens", [2, 3, 30])
@pytest.mark.parametrize("has_zero_key", [False, True])
def test_attention_is_the_published_sum(tokens: int, has_zero_key: bool) -> None:
    draw = torch.Generator().manual_seed(tokens)
    query, key, value = torch.randn(3, 2, 5, 4, tokens, 8, generator=draw)
    logits = 0.3 * query @ key.transpose(-1, -2)
    if has_zero_key:
        logits = torch.nn.functional.pad(logits, (0, 1))
    expected = logits.softmax(-1)[..., :tokens] @ value
    found = torch_graph.attention(query, key, value, 0.3, has_zero_key, None, torch.float32)
    torch.testing.assert_close(found, expected)


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_eight_bits_are_rounded_and_cut_as_the_graph_says(tmp_path: Path, kind: type) -> None:
    """As `contrapose bundle build --precision int8` writes: a pair of nodes around each value."""
    zero_point = np.array(3, kind)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["steps"]),
        helper.make_node("DequantizeLinear", ["steps", "scale", "zero"], ["y"]),
    ]
    constants = {"scale": np.array(0.5, np.float32), "zero": zero_point}
    shape = {"x": ("batch", 6)}
    path = written(tmp_path / "int8.onnx", nodes, shape, {"y": ("batch", 6)}, constants)
    x = np.array([[-1000, -1.6, -0.3, 0.2, 0.76, 1000]], np.float32)
    limits = np.iinfo(kind)
    expected = 0.5 * (np.clip(np.rint(x / 0.5) + 3, limits.min, limits.max) - 3)
    np.testing.assert_array_equal(TorchBackend().load(path)({"x": x})["y"], expected)
    by_openvino = open_backend("openvino", precision="f32", cache_dir=None).load(path)
    np.testing.assert_allclose(by_openvino({"x": x})["y"], expected, atol=1e-6)


def test_a_split_into_one_part_is_that_part(tmp_path: Path) -> None:
    """As a network of one layer splits its modulation."""
    nodes = [
        helper.make_node("Split", ["x"], ["whole"], axis=1, num_outputs=1),
        helper.make_node("Split", ["whole"], ["left", "right"], axis=1, num_outputs=2),
        helper.make_node("Sub", ["left", "right"], ["y"]),
    ]
    path = written(tmp_path / "split.onnx", nodes, {"x": ("batch", 4)}, {"y": ("batch", 2)}, {})
    found = TorchBackend(threads=1).load(path)({"x": np.array([[5, 7, 1, 2]], np.float32)})
    np.testing.assert_array_equal(found["y"], [[4, 5]])


def test_an_operator_that_no_exporter_of_ours_writes_is_refused_by_name(tmp_path: Path) -> None:
    node = helper.make_node("Erf", ["x"], ["y"])
    path = written(tmp_path / "erf.onnx", [node], {"x": ("batch", 4)}, {"y": ("batch", 4)}, {})
    with pytest.raises(BackendError, match=r"erf\.onnx: .* operator Erf is not known"):
        TorchBackend().load(path)


def test_fused_kernels_serve_any_number_of_rows_and_give_the_same_numbers(roots: Path) -> None:
    """By a compiler that needs no C++ and no GPU, to see that the graph can be traced whole."""
    plain, fused = TorchBackend(threads=1), TorchBackend(threads=1, compiler="aot_eager")
    for rows in (3, 1, 2):
        inputs = {name: np.abs(value) for name, value in small_rows(rows).items()}
        expected = plain.load(roots, (1, 2, 3))(inputs)["y"]
        np.testing.assert_array_equal(fused.load(roots, (1, 2, 3))(inputs)["y"], expected)


def test_a_compiler_that_fails_costs_speed_and_not_the_call(
    roots: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no compiler here")

    backend = TorchBackend(threads=1, compiler=broken)
    inputs = {name: np.abs(value) for name, value in small_rows(2).items()}
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert backend.load(roots, (2,))(inputs)["y"].shape == (2, 3, 16)
    assert sum("not fused" in message for message in caplog.messages) == 1
    assert list(backend.unfused) == [roots]
    assert "no compiler here" in backend.unfused[roots]


def test_advice_to_compute_in_fewer_bits_is_no_reason_to_compile_nothing(roots: Path) -> None:
    def advising(module: fx.GraphModule, _: object) -> object:
        warnings.warn(f"{TF32_ADVICE} but not enabled.", stacklevel=1)
        return module.forward

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backend = TorchBackend(threads=1, compiler=advising)
        inputs = {name: np.abs(value) for name, value in small_rows(2).items()}
        backend.load(roots, (2,))(inputs)
    assert backend.unfused == {}


def test_a_machine_without_a_gpu_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(BackendError, match="PyTorch finds no CUDA device") as caught:
        TorchBackend(gpu=0)
    assert caught.value.reason == "NO_GPU"
