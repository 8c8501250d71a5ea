"""The CPU backend: OpenVINO, static shapes per batch bucket, bf16 where the processor has it.

Knows graphs and arrays. Knows neither bundles nor diffusion. OpenVINO is imported when the backend
is opened, and its exceptions end here.
"""

from __future__ import annotations

import hashlib
import io
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array, IntArray
from engine.backends.backend import Precision
from engine.backends.cache import BlobCache
from engine.errors import BackendError, ConfigError, InputError

logger = logging.getLogger(__name__)

DEVICE = "CPU"
ANY_SHAPE = 0
"""The bucket of graphs compiled once for every shape."""


class OpenVinoBackend:
    """One OpenVINO core with fixed settings. See `backend.Backend` for the contract."""

    name = "openvino"

    def __init__(
        self, *, precision: Precision, cache_dir: Path | None, threads: int | None
    ) -> None:
        try:
            import openvino
        except ImportError as exc:
            raise BackendError(
                "the openvino backend needs OpenVINO: pip install 'contrapose[engine]'",
                field="backend",
                reason="EXTRA_MISSING",
            ) from exc
        self._core: Any = openvino.Core()  # untyped library
        self._cache = BlobCache(cache_dir) if cache_dir else None
        self.precision = self._resolve(precision)
        self._settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": self.precision,
        }
        if threads is not None:
            self._settings["INFERENCE_NUM_THREADS"] = threads
        self._identity = f"{openvino.__version__} {self._property('FULL_DEVICE_NAME')} folded"

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

    def close(self) -> None:
        self._core = None

    def compile(self, path: Path, bucket: int) -> Any:
        """Compile one bucket of a graph, or take it from the cache; returns ov.CompiledModel."""
        if self._core is None:
            raise BackendError(f"{path}: the backend is closed")
        if self._cache is None:
            return self._compile(path, bucket)
        key = self._key(path, bucket)
        blob = self._cache.get(key)
        if blob is not None:
            try:
                return self._core.import_model(io.BytesIO(blob), DEVICE, self._settings)
            except RuntimeError as error:
                logger.warning("%s: cached graph is refused (%s): compiling", path, error)
        compiled = self._compile(path, bucket)
        stream = io.BytesIO()
        compiled.export_model(stream)
        self._cache.put(key, stream.getvalue())
        return compiled

    def _compile(self, path: Path, bucket: int) -> Any:
        try:
            model = read_graph(self._core, path)
            if bucket != ANY_SHAPE:
                model.reshape({port: _static_shape(path, port, bucket) for port in model.inputs})
            return self._core.compile_model(model, DEVICE, self._settings)
        except RuntimeError as exc:
            raise BackendError(
                f"{path}: OpenVINO cannot compile it: {_first_line(exc)}", field=path.name
            ) from exc

    def _key(self, path: Path, bucket: int) -> str:
        """What a compiled graph depends on: weights, library, processor, settings, shape."""
        try:
            with path.open("rb") as stream:
                weights = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as exc:
            raise BackendError(f"{path}: cannot be read: {exc.strerror}", field=path.name) from exc
        parts = (weights, self._identity, repr(sorted(self._settings.items())), str(bucket))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _resolve(self, precision: Precision) -> str:
        has_bf16 = "BF16" in self._property("OPTIMIZATION_CAPABILITIES")
        if precision == "auto":
            return "bf16" if has_bf16 else "f32"
        if precision == "bf16" and not has_bf16:
            raise ConfigError(
                f"precision is bf16, but {self.device} computes in f32 only; use auto or f32",
                field="precision",
            )
        return precision

    def _property(self, name: str) -> Any:
        return self._core.get_property(DEVICE, name)


def read_graph(core: Any, path: Path) -> Any:
    """An ov.Model with all its constants folded: weights stored in few bits become float here.

    Left to compilation they would stay as they are and be unpacked at every call; and the values
    that they are multiplied with would be rounded to 8 bits (dynamic quantisation).
    """
    from openvino.passes import ConstantFolding, Manager

    model = core.read_model(path)
    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(model)
    return model


class OpenVinoGraph:
    """The compiled buckets of one graph. A lock lets any thread call it, one at a time."""

    def __init__(self, backend: OpenVinoBackend, path: Path, buckets: Sequence[int]) -> None:
        self._backend = backend
        self._path = path
        self._buckets = tuple(sorted(set(buckets))) or (ANY_SHAPE,)
        self._requests: dict[int, Any] = {}
        self._lock = threading.Lock()

    def compile_all(self) -> None:
        with self._lock:
            for bucket in self._buckets:
                self._request(bucket)

    def __call__(self, inputs: Mapping[str, Array | IntArray]) -> dict[str, Array]:
        with self._lock:
            if self._buckets == (ANY_SHAPE,):
                return self._infer(ANY_SHAPE, inputs)
            rows = self._rows(inputs)
            largest = self._buckets[-1]
            parts = [
                self._padded({k: v[first : first + largest] for k, v in inputs.items()})
                for first in range(0, rows, largest)
            ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _rows(self, inputs: Mapping[str, Array | IntArray]) -> int:
        counts = {name: value.shape[:1] for name, value in inputs.items()}
        if len(set(counts.values())) != 1 or min(counts.values()) < (1,):
            listed = ", ".join(
                f"{name} {count[0] if count else 0}" for name, count in counts.items()
            )
            raise InputError(
                f"{self._path}: the inputs must have one number of rows, at least 1; found {listed}"
            )
        return int(min(counts.values())[0])

    def _padded(self, inputs: Mapping[str, Array | IntArray]) -> dict[str, Array]:
        """Run at most one bucket of rows; the padding repeats the last row, which is sound data."""
        rows = self._rows(inputs)
        bucket = next(b for b in self._buckets if b >= rows)
        index = np.minimum(np.arange(bucket), rows - 1)
        outputs = self._infer(
            bucket, inputs if bucket == rows else {k: v[index] for k, v in inputs.items()}
        )
        return {name: value[:rows] for name, value in outputs.items()}

    def _infer(self, bucket: int, inputs: Mapping[str, Array | IntArray]) -> dict[str, Array]:
        request = self._request(bucket)
        prepared = self._checked(request, inputs)
        try:
            results = request.infer(prepared, share_inputs=True)
        except RuntimeError as exc:
            raise BackendError(f"{self._path}: inference failed: {_first_line(exc)}") from exc
        outputs = {port.get_any_name(): results[port] for port in request.model_outputs}
        for name, value in outputs.items():
            if not np.isfinite(value).all():
                raise BackendError(
                    f"{self._path}: output {name} is not finite for finite inputs; "
                    "the weights are damaged, or the precision is too low: try f32",
                    field=name,
                )
        return outputs

    def _checked(
        self, request: Any, inputs: Mapping[str, Array | IntArray]
    ) -> dict[str, Array | IntArray]:
        """The inputs as the graph wants them: known names, right shapes, right types, finite."""
        ports = {port.get_any_name(): port for port in request.model_inputs}
        if set(ports) != set(inputs):
            raise BackendError(
                f"{self._path}: takes {', '.join(sorted(ports))}; got {', '.join(sorted(inputs))}"
            )
        prepared: dict[str, Array | IntArray] = {}
        for name, port in ports.items():
            value = np.ascontiguousarray(inputs[name], dtype=port.get_element_type().to_dtype())
            shape = port.get_partial_shape()
            if len(shape) != value.ndim or any(
                dim.is_static and dim.get_length() != size
                for dim, size in zip(shape, value.shape, strict=True)
            ):
                raise InputError(
                    f"{self._path}: input {name} has shape {value.shape}, must be {shape}",
                    field=name,
                )
            if not np.isfinite(value).all():
                raise InputError(f"{self._path}: input {name} holds NaN or infinity", field=name)
            prepared[name] = value
        return prepared

    def _request(self, bucket: int) -> Any:
        if bucket not in self._requests:
            compiled = self._backend.compile(self._path, bucket)
            self._requests[bucket] = compiled.create_infer_request()
        return self._requests[bucket]


def _static_shape(path: Path, port: Any, bucket: int) -> list[int]:
    """A graph input's shape with its leading, dynamic dimension set to the bucket."""
    batch, *rest = port.get_partial_shape()
    if batch.is_static or any(dim.is_dynamic for dim in rest):
        raise BackendError(
            f"{path}: input {port.get_any_name()} is {port.get_partial_shape()}; for buckets only "
            "its first dimension may vary",
            field=port.get_any_name(),
        )
    return [bucket, *(dim.get_length() for dim in rest)]


def _first_line(error: Exception) -> str:
    """OpenVINO's messages carry a source location and a trace; the cause stands last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
