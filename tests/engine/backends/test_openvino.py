"""What OpenVINO has of its own: a cache that may break. The laws of all are in tests/backends."""

from __future__ import annotations

import json
import logging
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine.arrays import Array
from engine.backends import Graph, open_backend
from engine.backends.cache import BlobCache
from engine.backends.openvino import OpenVinoBackend
from engine.backends.openvino_core import openvino_core
from engine.backends.processor import multiplies_bytes_exactly, needed_processor
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.usefixtures("openvino")

needs_x86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="x86 alone has AVX2"
)

WIDTH = 16
IS_LIMITED = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL") not in ("ALL", "DEFAULT")
"""Whether OpenVINO was told to use less than the processor has, less than bf16 too."""


@pytest.fixture(scope="module")
def graph_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """y = log(x W + 40) + b, with a dynamic batch; log has NaN to offer."""
    weights = np.random.default_rng(0).standard_normal((WIDTH, WIDTH)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["xw"]),
        helper.make_node("Add", ["xw", "offset"], ["shifted"]),
        helper.make_node("Log", ["shifted"], ["logarithm"]),
        helper.make_node("Add", ["logarithm", "b"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, WIDTH]),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, ["batch", 1, WIDTH]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3, WIDTH])],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.float32(40), "offset"),
        ],
    )
    path = tmp_path_factory.mktemp("graphs") / "log.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


def _rows(count: int) -> dict[str, Array]:
    rng = np.random.default_rng(count)
    return {
        "x": rng.standard_normal((count, 3, WIDTH)).astype(np.float32),
        "b": rng.standard_normal((count, 1, WIDTH)).astype(np.float32),
    }


def _load(path: Path, buckets: tuple[int, ...], cache_dir: Path | None = None) -> Graph:
    return open_backend("openvino", precision="f32", cache_dir=cache_dir, threads=1).load(
        path, buckets
    )


def test_auto_precision_is_what_the_processor_has() -> None:
    has_bf16 = "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    expected = "bf16" if has_bf16 and not IS_LIMITED else "f32"
    assert open_backend("openvino", cache_dir=None).precision == expected


def test_a_signal_is_handled_after_two_backends_were_freed_in_the_order_of_their_making() -> None:
    code = """
import signal
from engine.backends import open_backend

opened = [open_backend("openvino", cache_dir=None) for _ in range(2)]
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
del opened[0]
del opened[0]
signal.raise_signal(signal.SIGTERM)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "handled\n", "")


# ----------------------------------------------------------------------------- cache
def test_a_cached_graph_gives_the_same_bits(graph_path: Path, tmp_path: Path) -> None:
    fresh = _load(graph_path, (2,), tmp_path)(_rows(2))["y"]
    assert len(list(tmp_path.iterdir())) == 1
    np.testing.assert_array_equal(fresh, _load(graph_path, (2,), tmp_path)(_rows(2))["y"])


def test_other_weights_are_another_cache_entry(graph_path: Path, tmp_path: Path) -> None:
    _load(graph_path, (2,), tmp_path)
    changed = graph_path.with_name("changed.onnx")
    model = onnx.load(graph_path)
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.float32(50), "offset"))
    onnx.save(model, changed)
    _load(changed, (2,), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "other"])
def test_a_damaged_cache_is_compiled_again(
    graph_path: Path, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    fresh = _load(graph_path, (2,), tmp_path)(_rows(2))["y"]
    (blob,) = tmp_path.iterdir()
    content = blob.read_bytes()
    middle = len(content) // 2
    blob.write_bytes(
        {
            "flip": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "truncate": content[:middle],
            "empty": b"",
            "other": b"not ours",
        }[damage]
    )
    with caplog.at_level(logging.WARNING):
        again = _load(graph_path, (2,), tmp_path)(_rows(2))["y"]
    np.testing.assert_array_equal(fresh, again)
    assert "damaged" in caplog.text
    assert BlobCache(tmp_path).get(blob.stem) is not None


@pytest.mark.parametrize("folder", ["/dev/full", "file/below", "/proc/nowhere"])
def test_a_cache_that_cannot_be_written_is_only_a_warning(
    graph_path: Path, tmp_path: Path, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        graph = _load(graph_path, (1,), tmp_path / folder)
    assert graph(_rows(1))["y"].shape == (1, 3, WIDTH)
    assert "cannot be written" in caplog.text


def _int8_graph(folder: Path) -> Path:
    """y = x W, both rounded to 8 bits."""
    codes = np.random.default_rng(0).integers(-127, 128, (WIDTH, WIDTH)).astype(np.int8)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["codes_x"]),
        helper.make_node("DequantizeLinear", ["codes_x", "step", "zero"], ["rounded_x"]),
        helper.make_node("DequantizeLinear", ["codes_w", "scale"], ["w"]),
        helper.make_node("MatMul", ["rounded_x", "w"], ["y"]),
    ]
    shape = ["batch", 3, WIDTH]
    graph = helper.make_graph(
        nodes,
        "int8",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(codes, "codes_w"),
            numpy_helper.from_array(np.float32(0.01), "scale"),
            numpy_helper.from_array(np.float32(0.03), "step"),
            numpy_helper.from_array(np.int8(0), "zero"),
        ],
    )
    path = folder / "int8.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


def _product_kind(path: Path) -> str:
    """What OpenVINO makes of the product of a graph: a kernel's name that ends in its type."""
    compiled = OpenVinoBackend(precision="f32", cache_dir=None, threads=1).compile(path, 1)
    nodes = [node.get_rt_info() for node in compiled.get_runtime_model().get_ordered_ops()]
    (kind,) = (
        node["primitiveType"].astype(str)
        for node in nodes
        if node["layerType"].astype(str) in ("FullyConnected", "MatMul")
    )
    return str(kind).lower()


def test_a_graph_that_rounds_its_values_runs_in_int8(tmp_path: Path) -> None:
    """Where int8 products saturate it runs in float, rounds all the same, and gives the same."""
    path = _int8_graph(tmp_path)
    assert _product_kind(path).endswith("i8" if multiplies_bytes_exactly() else "f32")
    x = np.random.default_rng(1).standard_normal((1, 3, WIDTH)).astype(np.float32)
    codes = np.random.default_rng(0).integers(-127, 128, (WIDTH, WIDTH))
    expected = 0.03 * np.clip(np.rint(x / np.float32(0.03)), -128, 127) @ (0.01 * codes)
    np.testing.assert_allclose(_load(path, (1,))({"x": x})["y"], expected, rtol=1e-4, atol=1e-4)


# ----------------------------------------------------------------------------- lesser processors
ELSEWHERE = """
import json, sys
from pathlib import Path
from engine.backends.processor import needed_processor
from tests.engine.backends.test_openvino import OpenVinoBackend, _load, _product_kind, np
graph, x, cache = map(Path, sys.argv[1:])
outcomes = [_load(graph, (1,), cache)({"x": np.load(x)})["y"].tolist() for _ in range(2)]
auto = OpenVinoBackend(precision="auto", cache_dir=None, threads=1)
cached = [needed_processor(), len(list(cache.iterdir()))]
print(json.dumps([outcomes, _product_kind(graph), auto.precision, *cached]))
"""


@needs_x86
def test_a_processor_with_avx2_alone_gives_the_same_in_float_and_says_so_once(
    tmp_path: Path,
) -> None:
    """Its int8 products saturate. It takes nothing that a larger one left in the cache."""
    path, cache = _int8_graph(tmp_path), tmp_path / "cache"
    x = np.random.default_rng(1).standard_normal((1, 3, WIDTH)).astype(np.float32)
    here = _load(path, (1,), cache)({"x": x})["y"]
    np.save(tmp_path / "x.npy", x)
    child = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, path, tmp_path / "x.npy", cache],
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    outcomes, kind, precision, demand, cached = json.loads(child.stdout)
    assert (kind.endswith("f32"), precision) == (True, "f32")
    assert child.stderr.count("int8 products saturate on this processor") == 1
    is_other = multiplies_bytes_exactly() or demand != needed_processor()
    assert cached == (2 if is_other else 1)
    for outcome in outcomes:
        np.testing.assert_allclose(outcome, here, rtol=1e-4, atol=1e-4)


CACHED = """
import sys
from pathlib import Path
from tests.engine.backends.test_openvino import _load, needed_processor
_load(Path(sys.argv[1]), (1,), Path(sys.argv[2]))
print(needed_processor())
"""


@needs_x86
def test_graphs_for_two_instruction_sets_lie_side_by_side(graph_path: Path, tmp_path: Path) -> None:
    """A second start under each compiles nothing, and nobody is warned."""
    demands, blobs = [], []
    for limit in ("ALL", "AVX2") * 2:
        child = subprocess.run(
            [sys.executable, "-c", CACHED, graph_path, tmp_path],
            env=os.environ | {"ONEDNN_MAX_CPU_ISA": limit},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
        assert child.stderr == ""
        demands.append(child.stdout)
        blobs.append({(blob.name, blob.stat().st_ino) for blob in tmp_path.iterdir()})
    assert len(blobs[1]) == len(set(demands))
    assert blobs[3] == blobs[1]
