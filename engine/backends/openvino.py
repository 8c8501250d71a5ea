"""The CPU backend: OpenVINO, static shapes per batch bucket, bf16 where the processor has it.

Knows graphs and arrays. Knows neither bundles nor diffusion. OpenVINO is imported when the backend
is opened, and its exceptions end here.
"""

from __future__ import annotations

import hashlib
import io
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.backends.cache import BlobCache
from engine.backends.openvino_core import openvino_core
from engine.backends.ports import (
    Inputs,
    Port,
    checked_inputs,
    in_buckets,
    out_of_memory,
    require_finite,
)
from engine.backends.processor import (
    DEVICE,
    computes_bf16,
    multiplies_bytes_exactly,
    needed_processor,
)
from engine.backends.protocol import Precision
from engine.errors import BackendError, ConfigError, ContraposeError

logger = logging.getLogger(__name__)

ANY_SHAPE = 0
"""The bucket of graphs compiled once for every shape."""
OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate", "out of memory")
"""What OpenVINO and the libraries below it say when there is no memory left."""
ROUNDING = b"QuantizeLinear"
"""An ONNX file that rounds values to 8 bits names this kind of node as it is."""


class OpenVinoBackend:
    """OpenVINO with fixed settings. See `backend.Backend` for the contract."""

    name = "openvino"
    buckets = (1, 2, 4, 8, 16)

    def __init__(
        self, *, precision: Precision, cache_dir: Path | None, threads: int | None
    ) -> None:
        self._core: Any = openvino_core()
        self._cache = BlobCache(cache_dir) if cache_dir else None
        self.precision = self._resolve(precision)
        self._settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": self.precision,
        }
        if threads is not None:
            self._settings["INFERENCE_NUM_THREADS"] = threads
            # Each process would pin its threads to the first cores, and leave the others idle.
            self._settings["ENABLE_CPU_PINNING"] = False
        version = self._core.get_versions(DEVICE)[DEVICE].build_number
        self._identity = f"{version} {self.device} {needed_processor()} folded"

    @property
    def device(self) -> str:
        return str(self._property("FULL_DEVICE_NAME")).strip()

    def load(
        self, path: Path, buckets: Sequence[int] = (), *, is_lazy: bool = False
    ) -> OpenVinoGraph:
        graph = OpenVinoGraph(self, path, buckets)
        if not is_lazy:
            graph.compile_all()
        return graph

    def load_loop(
        self,
        condition: Path,
        step: Path,
        buckets: Sequence[int],
        steps: Sequence[int] | None = None,
    ) -> None:
        """None: on a CPU single steps of all sessions share calls, and nothing waits in between."""

    def close(self) -> None:
        self._core = None

    def require_open(self, path: Path) -> None:
        if self._core is None:
            raise BackendError(f"{path}: the backend is closed")

    def compile(self, path: Path, bucket: int) -> Any:
        """Compile one bucket of a graph, or take it from the cache; returns ov.CompiledModel."""
        self.require_open(path)
        if self._cache is None:
            return self._compile(path, bucket)
        key = self._key(path, bucket)
        blob = self._cache.get(key)
        if blob is not None:
            try:
                return self._core.import_model(io.BytesIO(blob), DEVICE, self._settings)
            except RuntimeError as error:
                logger.warning("%s: the cached graph is not for this processor: compiling", path)
                logger.debug("%s", error)
        compiled = self._compile(path, bucket)
        stream = io.BytesIO()
        compiled.export_model(stream)
        self._cache.put(key, stream.getvalue())
        return compiled

    def _compile(self, path: Path, bucket: int) -> Any:
        try:
            model = read_graph(path)
            if bucket != ANY_SHAPE:
                model.reshape({p: _port(p).static_shape(path, bucket) for p in model.inputs})
            return self._core.compile_model(model, DEVICE, self._settings)
        except (RuntimeError, MemoryError, UnicodeDecodeError) as exc:
            # The last stands for an error whose text quotes a graph that is no text.
            raise _translated(exc, path, bucket, "OpenVINO cannot compile it") from exc

    def _key(self, path: Path, bucket: int) -> str:
        """What a compiled graph depends on: weights, library, processor, settings, shape.

        Processors of one name may differ in what they do with int8 graphs.
        """
        try:
            content = path.read_bytes()
        except OSError as exc:
            raise BackendError(f"{path}: cannot be read: {exc.strerror}", field=path.name) from exc
        parts = [
            hashlib.sha256(content).hexdigest(),
            self._identity,
            repr(sorted(self._settings.items())),
            str(bucket),
        ]
        if ROUNDING in content and not multiplies_bytes_exactly():
            parts.append("in float")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _resolve(self, precision: Precision) -> str:
        if precision == "auto":
            return "bf16" if computes_bf16() else "f32"
        if precision == "bf16" and not computes_bf16():
            raise ConfigError(
                f"precision is bf16, but {self.device} computes in f32 only; use auto or f32",
                field="precision",
            )
        return precision

    def _property(self, name: str) -> Any:
        return self._core.get_property(DEVICE, name)


def _read_onnx(path: Path) -> Any:
    """An ov.Model of the graph as it stands. Raises RuntimeError.

    `Core.read_model` would try a graph that is damaged as every kind of file that it knows, and
    each has its own complaint for the terminal.
    """
    from openvino import frontend

    reader = frontend.FrontEndManager().load_by_framework("onnx")
    try:
        model = reader.convert(reader.load(str(path)))
    except (
        frontend.GeneralFailure,
        frontend.InitializationFailure,
        frontend.NotImplementedFailure,
        frontend.OpConversionFailure,
        frontend.OpValidationFailure,
    ) as exc:
        raise RuntimeError(str(exc)) from exc
    if not model.outputs:
        raise RuntimeError("it holds no graph")
    return model


def read_graph(path: Path) -> Any:
    """An ov.Model with all its constants folded: weights stored in few bits become float here.

    Left to compilation they would stay as they are and be unpacked at every call; and the values
    that they are multiplied with would be rounded to 8 bits (dynamic quantisation). A graph that
    rounds such values itself is int8 by intent: its weights stay int8, and so do its products,
    where the processor computes those rightly.
    """
    from openvino.passes import ConstantFolding, Manager

    model = _read_onnx(path)
    if any(_rounds(node) for node in model.get_ops()):
        if multiplies_bytes_exactly():
            return model
        _round_in_float(model)
    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(model)
    return model


def _rounds(node: Any) -> bool:
    return bool(node.get_type_name() == "FakeQuantize")


def _round_in_float(model: Any) -> None:
    """Spell out what FakeQuantize does, so that OpenVINO makes no int8 product of it. In place.

    Values are clamped to [in_low, in_high], rounded to the nearest level there, and
    laid out over [out_low, out_high].
    """
    from openvino import opset13 as ops
    from openvino.utils import replace_node

    for node in filter(_rounds, model.get_ordered_ops()):
        x, in_low, in_high, out_low, out_high = node.input_values()
        intervals = ops.constant(np.array(node.get_attributes()["levels"] - 1, np.float32))
        in_step = ops.divide(ops.subtract(in_high, in_low), intervals)
        out_step = ops.divide(ops.subtract(out_high, out_low), intervals)
        clamped = ops.minimum(ops.maximum(x, in_low), in_high)
        codes = ops.round(ops.divide(ops.subtract(clamped, in_low), in_step), "half_to_even")
        replace_node(node, ops.add(ops.multiply(codes, out_step), out_low))


class OpenVinoGraph:
    """The compiled buckets of one graph. A lock lets any thread call it, one at a time."""

    def __init__(self, backend: OpenVinoBackend, path: Path, buckets: Sequence[int]) -> None:
        self._backend = backend
        self._path = path
        self._buckets = tuple(sorted(set(buckets))) or (ANY_SHAPE,)
        self._compiled: dict[int, Any] = {}
        self._requests: dict[int, _Request] = {}
        self._lock = threading.Lock()

    def compile_all(self) -> None:
        with self._lock:
            for bucket in self._buckets:
                self._request(bucket)

    def __call__(self, inputs: Inputs) -> dict[str, Array]:
        with self._lock:
            if self._buckets == (ANY_SHAPE,):
                return self._infer(ANY_SHAPE, inputs)
            return in_buckets(self._path, self._buckets, inputs, self._infer)

    def _infer(self, bucket: int, inputs: Inputs) -> dict[str, Array]:
        request = self._request(bucket)
        prepared = checked_inputs(self._path, request.inputs, inputs)
        try:
            results = request.infer(prepared, share_inputs=True)
        except (RuntimeError, MemoryError) as exc:
            del self._requests[bucket]  # one that failed computes nonsense afterwards
            raise _translated(exc, self._path, bucket, "inference failed") from exc
        outputs = {name: results[port] for name, port in request.outputs.items()}
        require_finite(self._path, outputs)
        return outputs

    def _request(self, bucket: int) -> _Request:
        self._backend.require_open(self._path)
        if bucket not in self._compiled:
            self._compiled[bucket] = self._backend.compile(self._path, bucket)
        if bucket not in self._requests:
            self._requests[bucket] = _Request.of(self._compiled[bucket].create_infer_request())
        return self._requests[bucket]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Request:
    """An infer request, with what it takes and gives: asking OpenVINO takes longer than a layer."""

    infer: Any
    inputs: list[Port]
    outputs: dict[str, Any]

    @classmethod
    def of(cls, request: Any) -> _Request:
        return cls(
            infer=request.infer,
            inputs=[_port(port) for port in request.model_inputs],
            outputs={port.get_any_name(): port for port in request.model_outputs},
        )


def _port(port: Any) -> Port:
    return Port(
        name=port.get_any_name(),
        dtype=np.dtype(port.get_element_type().to_dtype()),
        shape=tuple(
            dim.get_length() if dim.is_static else None for dim in port.get_partial_shape()
        ),
    )


def _translated(
    exc: RuntimeError | MemoryError | UnicodeDecodeError, path: Path, rows: int, failure: str
) -> ContraposeError:
    text = str(exc).lower()
    if isinstance(exc, MemoryError) or any(words in text for words in OUT_OF_MEMORY):
        return out_of_memory(path, rows)
    return BackendError(f"{path}: {failure}: {_first_line(exc)}", field=path.name)


def _first_line(error: Exception) -> str:
    """OpenVINO's messages carry a source location and a trace; the cause stands last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
