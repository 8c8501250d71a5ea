"""Every backend in every precision that this machine can run, and why it cannot run the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine.arrays import Array
from engine.backends import Backend, Precision
from engine.body.pose import Pose
from engine.body.shape import SHAPE_COUNT, load_body
from engine.bundle import STARTER, Bundle, load_bundle
from engine.errors import BackendError, ConfigError
from engine.motion.motion import FRAME_RATE
from engine.motion.standing import standing_pose
from engine.sampling.models import Models, load_models
from engine.sampling.request import SampledWindow, WindowRequest
from engine.sampling.sampler import sample_windows
from engine.session.config import SessionConfig
from engine.session.session import Session
from engine.testing import with_animator
from tests.backends.rounding import computed, difference

BUCKETS = (1, 2, 4, 8, 16)
WIDTH = 16
F32_ERROR = 1e-4
"""Of a result's length, ||out - reference|| / ||reference||, as the animator's contract says."""
DRAWS = 2
"""How much larger than the rounding of the reference that of a backend may be: each is one draw of
thousands of roundings (measured: 0.7 to 1.2 times as large, with AVX-512 and with less)."""


@dataclass(frozen=True)
class Case:
    """A backend on a device in a precision."""

    library: str
    precision: Precision
    open: Callable[[Precision], Backend]

    @property
    def name(self) -> str:
        return f"{self.library}-{self.precision}"

    def allowed(self, name: str, run: Callable[[], Array]) -> float:
        """How far its result may lie from what `run` gives with the reference (see `computed`).

        OpenVINO rounds the sums between two products to bf16; the others keep them in float32.
        """
        if self.precision == "f32":
            return F32_ERROR
        rounded = computed(name, run, "sums" if self.library == "openvino" else "products")
        return DRAWS * difference(rounded, computed(name, run))

    def opened(self) -> Backend:
        return self.open(self.precision)

    def missing(self) -> str | None:
        """Why it cannot run on this machine; None where it can."""
        try:
            self.opened().close()
        except BackendError as error:
            if error.reason not in ("EXTRA_MISSING", "NO_GPU"):
                raise
            return str(error)
        except ConfigError as error:  # no hardware for the precision
            return str(error)
        return None


def _openvino(precision: Precision) -> Backend:
    from engine.backends.openvino import OpenVinoBackend

    return OpenVinoBackend(precision=precision, cache_dir=None, threads=1)


def _torch_cpu(precision: Precision) -> Backend:
    from engine.backends.torch import TorchBackend

    return TorchBackend(precision=precision, threads=1)


def _torch_cuda(precision: Precision) -> Backend:
    from engine.backends.torch import TorchBackend

    return TorchBackend(precision=precision, gpu=0)


def _tensorrt(precision: Precision) -> Backend:
    from engine.backends.tensorrt import TensorRtBackend

    return TensorRtBackend(precision=precision, cache_dir=None)


CASES = [
    Case("openvino", "f32", _openvino),
    Case("openvino", "bf16", _openvino),
    Case("torch-cpu", "f32", _torch_cpu),
    Case("torch-cpu", "bf16", _torch_cpu),
    Case("torch-cuda", "f32", _torch_cuda),
    Case("torch-cuda", "bf16", _torch_cuda),
    Case("tensorrt", "f32", _tensorrt),
    Case("tensorrt", "bf16", _tensorrt),
    Case("tensorrt", "auto", _tensorrt),
]
MISSING = {case: case.missing() for case in CASES}
FOUND = [case for case in CASES if MISSING[case] is None]


@pytest.fixture(scope="session", params=FOUND, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    assert isinstance(request.param, Case)
    return request.param


@pytest.fixture(scope="session")
def backend(case: Case) -> Iterator[Backend]:
    opened = case.opened()
    yield opened
    opened.close()


# ----------------------------------------------------------------------------- a network
@pytest.fixture(scope="session")
def starter() -> Bundle:
    return load_bundle(STARTER)


@pytest.fixture(scope="session")
def reference_backend() -> Backend:
    """What all others are compared with: PyTorch on the CPU, float32."""
    return _torch_cpu("f32")


@pytest.fixture(scope="session")
def reference(starter: Bundle, reference_backend: Backend) -> Models:
    """The starter with the reference, step by step."""
    models = load_models(starter, reference_backend, buckets=BUCKETS, is_lazy=True)
    return with_animator(models, loop=None)


@pytest.fixture(scope="session")
def models(backend: Backend, starter: Bundle) -> Models:
    return load_models(starter, backend, buckets=BUCKETS, is_lazy=True)


@pytest.fixture(scope="session")
def by_steps(models: Models) -> Models:
    """The same without its loop."""
    return with_animator(models, loop=None)


@pytest.fixture(scope="session")
def live_request(reference: Models) -> WindowRequest:
    """A window that a live session asks for while its player walks up to the partner.

    Something must happen in it: where all stand still, any rounding is large beside the residual.
    """
    rest_joints = load_body().rest_joints(np.zeros((2, SHAPE_COUNT), np.float32))
    session = Session(SessionConfig(steps=4, history_frames=10), rest_joints=rest_joints, seed=7)
    wanted = None
    for frame in range(12):
        walking = Pose(standing_pose(), np.array([0.0, 0.0, 0.05 * frame]))
        session.feed(frame / FRAME_RATE, walking)
        for wanted in session.tick(frame / FRAME_RATE).wanted:
            session.accept(
                wanted.ticket, SampledWindow(x0=sample_windows(reference, [wanted.request])[0])
            )
    assert wanted is not None
    return wanted.request


# ----------------------------------------------------------------------------- a small graph
@pytest.fixture(scope="session")
def small_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """y = sqrt(x W + 40) + b, with a dynamic batch; the square root has NaN to offer."""
    weights = np.random.default_rng(0).standard_normal((WIDTH, WIDTH)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["xw"]),
        helper.make_node("Add", ["xw", "offset"], ["shifted"]),
        helper.make_node("Sqrt", ["shifted"], ["root"]),
        helper.make_node("Add", ["root", "b"], ["y"]),
    ]
    constants = {"w": weights, "offset": np.float32(40)}
    inputs = {"x": ("batch", 3, WIDTH), "b": ("batch", 1, WIDTH)}
    path = tmp_path_factory.mktemp("graphs") / "small.onnx"
    return written(path, nodes, inputs, {"y": ("batch", 3, WIDTH)}, constants)


def written(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[str | int]],
    outputs: Mapping[str, Sequence[str | int]],
    constants: Mapping[str, Array | onnx.TensorProto],
) -> Path:
    """A graph of float32 inputs and outputs in a file."""

    def values(shapes: Mapping[str, Sequence[str | int]]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]

    stored = [
        value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(value, name)
        for name, value in constants.items()
    ]
    graph = helper.make_graph(nodes, "test", values(inputs), values(outputs), stored)
    opset = helper.make_opsetid("", 21)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), path)
    return path


def small_rows(count: int) -> dict[str, Array]:
    rng = np.random.default_rng(count)
    return {
        "x": rng.standard_normal((count, 3, WIDTH)).astype(np.float32),
        "b": rng.standard_normal((count, 1, WIDTH)).astype(np.float32),
    }
