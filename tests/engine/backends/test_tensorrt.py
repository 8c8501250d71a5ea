"""The TensorRT backend as far as no GPU is needed: what it builds from, keeps, and says.

What needs one is in the conformance suite of all backends; see docs/gpu.md.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from engine.backends import open_backend, tensorrt
from engine.backends.driver import has_nvidia_driver
from engine.backends.tensorrt import BUCKETS, TensorRtBackend
from engine.backends.tensorrt_build import (
    ANY_SHAPE,
    RANGES,
    Phases,
    build_blob,
    check_ranges,
    read_source,
    tensorrt_version,
)
from engine.bundle import STARTER
from engine.errors import BackendError, InputError

onnx = pytest.importorskip("onnx")

STEP, CONDITION = STARTER / "animator/step.onnx", STARTER / "animator/condition.onnx"
GRAPHS = sorted(STARTER.rglob("*.onnx"))
without_driver = pytest.mark.skipif(has_nvidia_driver(), reason="this machine has a driver")


# ----------------------------------------------------------------------------- refusals
@without_driver
def test_without_a_driver_it_names_what_is_missing_and_the_remedy() -> None:
    with pytest.raises(BackendError) as caught:
        open_backend("tensorrt")
    assert caught.value.reason == "NO_GPU"
    assert str(caught.value) == (
        "the tensorrt backend needs an NVIDIA GPU: no driver found (libcuda.so.1); "
        "use --backend openvino"
    )


@without_driver
def test_a_server_that_cannot_have_it_says_so_in_one_line() -> None:
    command = [sys.executable, "-m", "engine.cli", "serve", "--backend", "tensorrt", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("contrapose: error: the tensorrt backend needs an NVIDIA GPU")
    assert done.stderr.count("\n") == 1


def test_without_the_library_it_says_what_to_install() -> None:
    try:
        import tensorrt  # noqa: F401
    except (ImportError, OSError):
        with pytest.raises(BackendError, match=r"pip install 'contrapose\[tensorrt\]'") as caught:
            tensorrt_version()
        assert caught.value.reason == "EXTRA_MISSING"
    else:
        pytest.skip("TensorRT is installed")


def test_a_runtime_that_does_not_start_leaves_no_stream_and_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[str] = []

    class Device:
        def __init__(self, index: int) -> None:
            assert index == 0

        def close(self) -> None:
            closed.append("device")

    def no_runtime(log: object) -> None:
        raise BackendError("TensorRT does not start")

    for name, value in {
        "has_nvidia_driver": lambda: True,
        "tensorrt_version": lambda: "11",
        "Cuda": Device,
        "new_log": lambda: None,
        "_new_runtime": no_runtime,
    }.items():
        monkeypatch.setattr(tensorrt, name, value)
    with pytest.raises(BackendError, match="does not start"):
        TensorRtBackend(precision="auto", cache_dir=None)
    assert closed == ["device"]


# ----------------------------------------------------------------------------- sources
@pytest.mark.parametrize("bucket", [1, BUCKETS[-1]])
def test_a_bucket_is_built_from_a_graph_without_any_open_dimension(bucket: int) -> None:
    source = read_source(STEP, bucket, "f16")
    model = onnx.load_from_string(source.graph())
    onnx.checker.check_model(model, full_check=True)
    values = (*model.graph.input, *model.graph.value_info, *model.graph.output)
    dims = [dim for value in values for dim in value.type.tensor_type.shape.dim]
    assert all(dim.HasField("dim_value") for dim in dims)
    assert all(port.shape[0] == bucket for port in source.ports)
    assert source.outputs == ("x_s", "x0")


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_open_dimension_of_a_graph_that_takes_any_shape_has_a_range(path: Path) -> None:
    source = read_source(path, ANY_SHAPE, "f16")
    assert source.width == "f32"
    for port, names in source.inputs:
        least, usual, most = source.ranges(port, names)
        assert all(a <= b <= c for a, b, c in zip(least, usual, most, strict=True))
        assert [a != c for a, c in zip(least, most, strict=True)] == [bool(n) for n in names]


def test_a_graph_is_the_same_bytes_every_time_and_others_for_another_bucket() -> None:
    once, again, other = (read_source(STEP, bucket, "f16") for bucket in (2, 2, 4))
    assert once.graph() == again.graph()
    assert once.graph() != other.graph()
    assert once.digest == other.digest  # the bucket is told apart by the blob's identity


def test_the_ports_of_a_source_are_those_of_the_graph_that_is_built() -> None:
    source = read_source(STEP, 2, "f16")
    model = onnx.load_from_string(source.graph())
    found = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input}
    assert found == {port.name: list(port.shape) for port in source.ports}
    assert source.outputs == tuple(value.name for value in model.graph.output)


def test_an_altered_graph_has_another_digest(tmp_path: Path) -> None:
    copied = tmp_path / "step.onnx"
    copied.write_bytes(STEP.read_bytes())
    assert read_source(copied, 1, "f16").digest == read_source(STEP, 1, "f16").digest
    model = onnx.load(copied)
    model.graph.name = "other"
    onnx.save(model, copied)
    assert read_source(copied, 1, "f16").digest != read_source(STEP, 1, "f16").digest


def test_more_steps_than_the_engine_takes_are_refused_by_name() -> None:
    source = read_source(CONDITION, ANY_SHAPE, "f16")
    rows = {port.name: np.zeros((2, *map(int, port.shape[1:]))) for port in source.ports}  # type: ignore[arg-type]
    most = RANGES["steps"][2]
    check_ranges(source, {**rows, "timesteps": np.zeros(most, np.int64)})
    with pytest.raises(InputError, match=f"has {most + 1} steps; its engine takes 1 to {most}"):
        check_ranges(source, {**rows, "timesteps": np.zeros(most + 1, np.int64)})


def test_a_loop_of_larger_batches_has_a_condition_engine_of_its_own() -> None:
    source = read_source(CONDITION, -256, "f16")
    assert source.lengths["batch"] == (1, 4, 256)
    assert source.graph() == read_source(CONDITION, ANY_SHAPE, "f16").graph()
    assert str(source) != str(read_source(CONDITION, ANY_SHAPE, "f16"))


def test_a_dimension_of_an_unknown_name_is_refused() -> None:
    source = read_source(CONDITION, ANY_SHAPE, "f16")
    port, names = source.inputs[0]
    with pytest.raises(BackendError, match="varies in people"):
        source.ranges(port, ["people", *names[1:]])


class Builder:
    """As much of TensorRT as a build asks for. The first timing cache is refused by its maker."""

    def __init__(self) -> None:
        self.offered: list[bytes] = []
        self.used: object = None

    def __getattr__(self, name: str) -> Callable[..., object]:
        return lambda *_, **__: self

    def create_timing_cache(self, timing: bytes) -> Builder | None:
        self.offered.append(timing)
        return None if timing else self

    def set_timing_cache(self, cache: object, *, ignore_mismatch: bool) -> bool:
        assert cache is not None
        self.used = cache
        return True

    def build_serialized_network(self, *_: object) -> bytes:
        return b"blob"

    def serialize(self) -> bytes:
        return b"timings"


def test_timings_that_the_builder_cannot_read_are_begun_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    builder = Builder()
    flags = SimpleNamespace(STRONGLY_TYPED=0, TF32=1)
    library = SimpleNamespace(
        Builder=lambda log: builder,
        OnnxParser=lambda network, log: builder,
        NetworkDefinitionCreationFlag=flags,
        BuilderFlag=flags,
    )
    monkeypatch.setitem(sys.modules, "tensorrt", library)
    found = build_blob(read_source(STEP, 1, "f16"), None, b"damaged", None)  # type: ignore[arg-type]
    assert found == (b"blob", b"timings")
    assert builder.offered == [b"damaged", b""]
    assert builder.used is builder


# ----------------------------------------------------------------------------- progress
def test_progress_grows_with_phases_inside_phases_and_ends_at_one() -> None:
    phases = Phases()
    phases.start("build", None, 2)
    found = []
    for step in range(2):
        phases.start("tactics", "build", 4)
        found += [phases.complete("tactics", done) for done in range(4)]
        found.append(phases.finish("tactics"))
        found.append(phases.complete("build", step))
    found.append(phases.finish("build"))
    assert found == sorted(found)
    assert found[0] == 1 / 8
    assert found[-1] == 1


def test_a_phase_that_ends_early_counts_as_done() -> None:
    phases = Phases()
    phases.start("build", None, 4)
    phases.start("tactics", "build", 10)
    phases.complete("tactics", 2)
    assert phases.finish("tactics") == 1 / 4
    assert phases.complete("build", 0) == 1 / 4
