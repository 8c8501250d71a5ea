"""The OpenVINO backend: buckets, borders and a cache that may break."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine.arrays import Array
from engine.backends import Graph, open_backend
from engine.backends.cache import BlobCache
from engine.errors import BackendError, ConfigError, InputError

WIDTH = 16


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


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_a_row_is_the_same_alone_and_among_neighbours(graph_path: Path, count: int) -> None:
    graph, inputs = _load(graph_path, (1, 2, 4)), _rows(count)
    together = graph(inputs)["y"]
    assert together.shape == (count, 3, WIDTH)
    for row in range(count):
        alone = graph({name: value[row : row + 1] for name, value in inputs.items()})["y"]
        np.testing.assert_allclose(together[row], alone[0], atol=1e-4)


def test_buckets_and_any_shape_agree(graph_path: Path) -> None:
    inputs = _rows(3)
    np.testing.assert_allclose(
        _load(graph_path, ())(inputs)["y"], _load(graph_path, (4,))(inputs)["y"], atol=1e-5
    )


def test_the_same_call_gives_the_same_bits(graph_path: Path) -> None:
    inputs = _rows(4)
    first = _load(graph_path, (4,))(inputs)["y"]
    np.testing.assert_array_equal(first, _load(graph_path, (4,))(inputs)["y"])


def test_an_outcome_is_not_overwritten_by_the_next_call(graph_path: Path) -> None:
    graph = _load(graph_path, (2,))
    first = graph(_rows(2))["y"]
    kept = first.copy()
    graph({name: value + 1 for name, value in _rows(2).items()})
    np.testing.assert_array_equal(first, kept)


def test_unknown_and_missing_inputs_are_named(graph_path: Path) -> None:
    inputs = _rows(1)
    with pytest.raises(BackendError, match="takes b, x; got b, z"):
        _load(graph_path, (1,))({"z": inputs["x"], "b": inputs["b"]})


@pytest.mark.parametrize("buckets", [(), (2,)])
def test_a_wrong_shape_is_named(graph_path: Path, buckets: tuple[int, ...]) -> None:
    inputs = _rows(2) | {"x": np.zeros((2, 4, WIDTH), np.float32)}
    with pytest.raises(InputError, match=r"input x has shape \(2, 4, 16\), must be") as caught:
        _load(graph_path, buckets)(inputs)
    assert caught.value.field == "x"


def test_rows_must_agree_and_exist(graph_path: Path) -> None:
    graph = _load(graph_path, (4,))
    with pytest.raises(InputError, match="x 2, b 3"):
        graph({"x": _rows(2)["x"], "b": _rows(3)["b"]})
    with pytest.raises(InputError, match="at least 1"):
        graph(_rows(0))


def test_nan_in_is_the_callers_mistake_and_nan_out_is_ours(graph_path: Path) -> None:
    graph, inputs = _load(graph_path, (1,)), _rows(1)
    with pytest.raises(InputError, match="input b holds NaN"):
        graph(inputs | {"b": np.full((1, 1, WIDTH), np.nan, np.float32)})
    with pytest.raises(BackendError, match="output y is not finite"):
        graph(inputs | {"x": 1000 * inputs["x"]})


def test_names_and_settings_that_do_not_exist_are_refused(graph_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be one of auto, openvino"):
        open_backend("tensorflow")
    with pytest.raises(ConfigError, match="auto, f32, bf16"):
        open_backend("openvino", precision="int8")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="threads is 0"):
        open_backend("openvino", threads=0)
    with pytest.raises(BackendError, match="its first dimension may vary"):
        _load(_with_two_dynamic_dimensions(graph_path), (1,))


def _with_two_dynamic_dimensions(graph_path: Path) -> Path:
    model = onnx.load(graph_path)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "people"
    path = graph_path.with_name("two.onnx")
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08\x09" * 50])
def test_a_file_that_is_no_graph_is_one_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(BackendError, match=r"broken\.onnx: OpenVINO cannot compile it") as caught:
        _load(path, (1,))
    assert "\n" not in str(caught.value)


def test_auto_precision_is_what_the_processor_has() -> None:
    import openvino

    has_bf16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert open_backend("openvino", cache_dir=None).precision == ("bf16" if has_bf16 else "f32")


def test_a_closed_backend_compiles_nothing(graph_path: Path) -> None:
    backend = open_backend("openvino", cache_dir=None)
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.load(graph_path, (1,))


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


def test_weights_of_few_bits_are_folded_so_that_products_stay_exact(tmp_path: Path) -> None:
    """Compiled as they are, the inputs of such a product would be rounded to 8 bits."""
    rng = np.random.default_rng(0)
    codes = rng.integers(-8, 8, (128, 32)).astype(np.int8)
    scales = rng.random((2, 32)).astype(np.float32)
    values = numpy_helper.from_array(scales, "scales")
    nodes = [
        helper.make_node("DequantizeLinear", ["codes", "scales"], ["w"], axis=0, block_size=64),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 128])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 32])],
        [helper.make_tensor("codes", TensorProto.INT4, codes.shape, codes.ravel()), values],
    )
    path = tmp_path / "int4.onnx"
    opset = helper.make_opsetid("", 21)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), path)
    x = rng.standard_normal((3, 128)).astype(np.float32)
    expected = x @ (codes * np.repeat(scales, 64, axis=0))
    np.testing.assert_allclose(_load(path, ())({"x": x})["y"], expected, atol=1e-4)
