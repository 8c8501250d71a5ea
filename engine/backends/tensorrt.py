"""The NVIDIA backend: TensorRT engines that stay on one GPU, and sampling loops as CUDA graphs.

Knows graphs and arrays. Knows neither bundles nor diffusion beyond the names in `backend.Loop`.
TensorRT 10 or 11 and cuda-python are imported when the backend is opened; their errors end here.
docs/gpu.md lists each call with the page or the wheel that shows it.

One engine for each batch size, not one with many optimisation profiles: its shapes are static, so
that nothing about shapes is left to the run; it is built, cached and replaced alone; and a window's
graph is captured without switching profiles. The price is the weights once for each batch size.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from engine.arrays import Array
from engine.backends.arena import (
    Arena,
    ArraySpec,
    BlobIdentity,
    LoopStep,
    arranged,
    level_table,
    loop_arena,
    loop_steps,
)
from engine.backends.cache import BlobCache
from engine.backends.cuda import Cuda, CudaGraph, DeviceMemory
from engine.backends.driver import has_nvidia_driver
from engine.backends.ports import (
    Inputs,
    Port,
    checked_inputs,
    in_buckets,
    require_finite,
    row_count,
)
from engine.backends.protocol import Precision
from engine.backends.recent import Recent
from engine.backends.tensorrt_build import (
    ANY_SHAPE,
    RANGES,
    GraphSource,
    Progress,
    build_blob,
    check_ranges,
    fail,
    made,
    new_log,
    read_source,
    tensorrt_version,
)
from engine.backends.typed import BATCH, Width
from engine.errors import BackendError, InputError

if TYPE_CHECKING:
    import tensorrt as trt

    from engine.backends.tensorrt_build import Log

logger = logging.getLogger(__name__)

BUCKETS = (1, 2, 4, 8, 16, 32, 64)
MOST_CAPTURED = 32
"""Loops kept at once beside those that were made ready when loading, of batch sizes times step
counts; each holds some thousand nodes."""
_SCHEDULE = ("timesteps", "abar_t", "abar_s")
_FLOAT = np.dtype(np.float32)


class TensorRtBackend:
    """One GPU, one stream. See `backend.Backend` for the contract.

    precision  "auto" is f16: as fast as bf16, and eight times finer
    """

    name = "tensorrt"
    buckets = BUCKETS

    def __init__(
        self,
        *,
        precision: Precision,
        cache_dir: Path | None,
        device: int = 0,
    ) -> None:
        if not has_nvidia_driver():
            raise BackendError(
                "the tensorrt backend needs an NVIDIA GPU: no driver found (libcuda.so.1); "
                "use --backend openvino",
                field="backend",
                reason="NO_GPU",
            )
        self._version = tensorrt_version()
        self.cuda = Cuda(device)
        self.lock = threading.RLock()
        """Guards the stream, the memory on the device and all below."""
        self.precision: Width = "f16" if precision == "auto" else cast(Width, precision)
        self.log = new_log()
        try:
            self._runtime = _new_runtime(self.log)
        except BaseException:
            self.cuda.close()
            raise
        self._cache = BlobCache(cache_dir) if cache_dir else None
        self.progress: Progress | None = None
        """Told how the building of a graph goes."""
        self._engines: dict[tuple[Path, int], TensorRtEngine] = {}
        self._loops: list[TensorRtLoop] = []
        self._is_closed = False

    @property
    def device(self) -> str:
        return f"{self.cuda.name} (compute capability {self.cuda.capability})"

    def load(
        self, path: Path, buckets: Sequence[int] = (), *, is_lazy: bool = False
    ) -> TensorRtGraph:
        graph = TensorRtGraph(self, path, tuple(sorted(set(buckets))) or (ANY_SHAPE,))
        if not is_lazy:
            for bucket in graph.buckets:
                self.engine(path, bucket)
        return graph

    def load_loop(
        self,
        condition: Path,
        step: Path,
        buckets: Sequence[int],
        steps: Sequence[int] | None = None,
    ) -> TensorRtLoop:
        loop = TensorRtLoop(
            self, condition, step, tuple(sorted(set(buckets))), is_lazy=steps is None
        )
        self._loops.append(loop)
        for count in steps or ():
            for bucket in reversed(loop.buckets):
                loop.prepare(bucket, count, stays=True)
        return loop

    def close(self) -> None:
        """Captured graphs, contexts, engines, the runtime, memory, the stream: in this order."""
        with self.lock:
            if self._is_closed:
                return
            self._is_closed = True
            self.cuda.use()
            for loop in self._loops:
                loop.release()
            self._loops.clear()
            for engine in self._engines.values():
                engine.release()
            self._engines.clear()
            del self._runtime
            self.cuda.close()

    def engine(self, path: Path, bucket: int) -> TensorRtEngine:
        """The resident engine of one graph and batch size: from memory, the cache, or built now."""
        with self.lock:
            if self._is_closed:
                raise BackendError(f"{path}: the backend is closed")
            if (path, bucket) not in self._engines:
                self.cuda.use()
                source = read_source(path, bucket, self.precision)
                self._engines[path, bucket] = TensorRtEngine(self, source, self._loaded(source))
            return self._engines[path, bucket]

    def _loaded(self, source: GraphSource) -> trt.ICudaEngine:
        """From the cache or the builder; a blob of another version or GPU is never read."""
        identity = BlobIdentity(
            graph=source.digest,
            library=self._version,
            gpu=self.cuda.name,
            capability=self.cuda.capability,
            precision=source.width,
            bucket=source.bucket,
        )
        blob = identity.opened(self._cached(identity.key()))
        if blob is not None:
            engine = self._runtime.deserialize_cuda_engine(blob)
            if engine is not None:
                return engine
            logger.warning("%s: cached blob is refused (%s): building", source, self.log.taken())
        logger.info("%s: building for %s", source, self.device)
        timing = self._cached(identity.timing_key()) or b""
        blob, timing = build_blob(source, self.log, timing, self.progress)
        engine = self._runtime.deserialize_cuda_engine(blob)
        if engine is None:
            fail(self.log, source, "cannot load the engine that was built")
        if self._cache:
            self._cache.put(identity.timing_key(), timing)
            self._cache.put(identity.key(), identity.sealed(blob))
        return engine

    def _cached(self, key: str) -> bytes | None:
        return self._cache.get(key) if self._cache else None


def _new_runtime(log: Log) -> trt.Runtime:
    import tensorrt as trt

    return cast("trt.Runtime", made(trt.Runtime, log))


# ----------------------------------------------------------------------------- what is resident
class TensorRtEngine:
    """An engine on the device. Its contexts share one scratch memory, since one stream runs all."""

    def __init__(
        self, backend: TensorRtBackend, source: GraphSource, engine: trt.ICudaEngine
    ) -> None:
        self.source = source
        self._backend = backend
        self._engine: trt.ICudaEngine | None = engine
        self._scratch_bytes = int(engine.device_memory_size_v2)
        self._scratch = backend.cuda.allocate(self._scratch_bytes)
        self._context: trt.IExecutionContext | None = None

    @property
    def context(self) -> trt.IExecutionContext:
        """The context of calls that are not captured."""
        if self._context is None:
            self._context = self.new_context()
        return self._context

    def new_context(self) -> trt.IExecutionContext:
        import tensorrt as trt

        assert self._engine is not None
        context = self._engine.create_execution_context(
            trt.ExecutionContextAllocationStrategy.USER_MANAGED
        )
        if context is None:
            fail(self._backend.log, self.source, "cannot be made ready to run")
        context.set_device_memory(self._scratch, self._scratch_bytes)
        if not self.source.is_static:
            stream = self._backend.cuda.stream
            self._require(context.set_optimization_profile_async(0, stream), "refuses its profile")
        return context

    def set_shapes(
        self, context: trt.IExecutionContext, shapes: Mapping[str, tuple[int, ...]]
    ) -> None:
        """What goes in next; of engines that take any shape."""
        for name, shape in shapes.items():
            self._require(context.set_input_shape(name, shape), f"refuses {name} of {shape}")

    def outputs(self, context: trt.IExecutionContext) -> dict[str, ArraySpec]:
        """What comes out for the shapes that go in; float32, as our graphs' borders are."""
        found = {name: context.get_tensor_shape(name) for name in self.source.outputs}
        return {
            name: ArraySpec(shape=tuple(int(dims[i]) for i in range(len(dims))), dtype=_FLOAT)
            for name, dims in found.items()
        }

    def enqueue(self, context: trt.IExecutionContext, addresses: Mapping[str, int]) -> None:
        """Put one run on the stream; each tensor lies at its address."""
        for name, address in addresses.items():
            self._require(context.set_tensor_address(name, address), f"refuses {name}")
        self._require(context.execute_async_v3(self._backend.cuda.stream), "cannot be started")

    def release(self) -> None:
        self._context = None
        self._engine = None

    def _require(self, is_well: bool, failure: str) -> None:
        if not is_well:
            fail(self._backend.log, self.source, failure)


# ----------------------------------------------------------------------------- graphs
class TensorRtGraph:
    """The engines of one graph. Any thread may call it, one at a time."""

    def __init__(self, backend: TensorRtBackend, path: Path, buckets: tuple[int, ...]) -> None:
        self.buckets = buckets
        self._backend = backend
        self._path = path
        self._memory = DeviceMemory(backend.cuda)

    def __call__(self, inputs: Inputs) -> dict[str, Array]:
        with self._backend.lock:
            if self.buckets == (ANY_SHAPE,):
                return self._any_shape(inputs)
            return in_buckets(self._path, self.buckets, inputs, self._run)

    def _any_shape(self, inputs: Inputs) -> dict[str, Array]:
        """Run parts of at most as many rows as the engine takes."""
        source = self._backend.engine(self._path, ANY_SHAPE).source
        most = source.lengths[BATCH][2]
        by_row = {port.name for port, names in source.inputs if names[:1] == (BATCH,)}
        rows = {name: value for name, value in inputs.items() if name in by_row}
        count = row_count(self._path, rows) if rows else 1
        parts = []
        for first in range(0, count, most):
            part = {name: value[first : first + most] for name, value in rows.items()}
            parts.append(self._run(ANY_SHAPE, {**inputs, **part}))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _run(self, bucket: int, inputs: Inputs) -> dict[str, Array]:
        engine = self._backend.engine(self._path, bucket)
        prepared = checked_inputs(self._path, engine.source.ports, inputs)
        check_ranges(engine.source, prepared)
        cuda, context = self._backend.cuda, engine.context
        cuda.use()
        if not engine.source.is_static:
            engine.set_shapes(context, {name: value.shape for name, value in prepared.items()})
        arena = arranged(_specs(prepared), {}, engine.outputs(context))
        memory = self._memory
        memory.reserve(arena)
        memory.write(arena, prepared)
        memory.send(arena)
        engine.enqueue(context, {name: memory.device + at for name, at in arena.offsets.items()})
        memory.fetch(arena)
        cuda.synchronize()
        outputs = {name: memory.read(arena, name) for name in engine.source.outputs}
        require_finite(self._path, outputs)
        return outputs


# ----------------------------------------------------------------------------- loops
@dataclass(frozen=True, kw_only=True)
class Captured:
    """A loop for one batch size and step count. The contexts live as long as their graph."""

    arena: Arena
    graph: CudaGraph
    contexts: tuple[trt.IExecutionContext, trt.IExecutionContext]


class TensorRtLoop:
    """Whole windows: one copy in, one graph launch, one copy out, one wait. See `backend.Loop`.

    The condition graph runs first; its modulation stays on the device, where each step reads its
    own part, and x_t goes back and forth between two buffers.
    """

    def __init__(
        self,
        backend: TensorRtBackend,
        condition: Path,
        step: Path,
        buckets: tuple[int, ...],
        *,
        is_lazy: bool,
    ) -> None:
        self.buckets = buckets
        self._backend = backend
        self._condition = condition
        self._step = step
        self._is_lazy = is_lazy
        self._memory = DeviceMemory(backend.cuda)
        self._captured: Recent[tuple[int, int], Captured] = Recent(
            MOST_CAPTURED, lambda gone: backend.cuda.destroy(gone.graph)
        )

    def __call__(self, inputs: Inputs) -> Array:
        schedule = {name: inputs[name] for name in _SCHEDULE if name in inputs}
        rows = {name: value for name, value in inputs.items() if name not in schedule}
        with self._backend.lock:
            return in_buckets(
                self._step,
                self.buckets,
                rows,
                lambda bucket, part: {"x0": self._run(bucket, {**part, **schedule})},
            )["x0"]

    def is_ready(self, steps: int) -> bool:
        return self._is_lazy or all((bucket, steps) in self._captured for bucket in self.buckets)

    def prepare(self, bucket: int, steps: int, *, stays: bool = False) -> None:
        with self._backend.lock:
            self._backend.cuda.use()
            self._loop(bucket, steps, stays=stays)

    def _run(self, bucket: int, inputs: Inputs) -> Array:
        ports = self._ports(bucket)
        prepared = checked_inputs(self._step, ports, inputs)
        steps = len(prepared["timesteps"])
        check_ranges(self._condition_engine().source, prepared)
        if not len(prepared["abar_t"]) == len(prepared["abar_s"]) == steps:
            raise InputError(
                f"{self._step}: timesteps are {steps}; abar_t and abar_s must be as many"
            )
        self._backend.cuda.use()
        captured = self._loop(bucket, steps)
        self._memory.write(captured.arena, level_table(captured.arena, prepared))
        self._backend.cuda.launch(captured.graph)
        self._backend.cuda.synchronize()
        x0 = self._memory.read(captured.arena, "x0")
        require_finite(self._step, {"x0": x0})
        return x0

    def _condition_engine(self) -> TensorRtEngine:
        """The one that plain calls use too, unless there are more rows."""
        return self._backend.engine(self._condition, min(ANY_SHAPE, -self.buckets[-1]))

    def _ports(self, bucket: int) -> list[Port]:
        """The loop's inputs: what both graphs take, except what the loop makes itself."""
        condition = self._condition_engine().source
        step = self._backend.engine(self._step, bucket).source
        levels = [Port(name=name, dtype=_FLOAT, shape=(None,)) for name in ("abar_t", "abar_s")]
        both = {port.name: port for port in (*condition.ports, *step.ports, *levels)}
        return [port for name, port in both.items() if name != "modulation"]

    def _loop(self, bucket: int, steps: int, *, stays: bool = False) -> Captured:
        return self._captured.get(
            (bucket, steps), lambda: self._capture(bucket, steps), stays=stays
        )

    def _capture(self, bucket: int, steps: int) -> Captured:
        backend, cuda = self._backend, self._backend.cuda
        condition = self._condition_engine()
        step = backend.engine(self._step, bucket)
        self._memory.reserve(self._arena(self.buckets[-1], RANGES["steps"][2]))
        arena = self._arena(bucket, steps)
        calls = loop_steps(arena)
        contexts = (condition.new_context(), step.new_context())
        condition.set_shapes(contexts[0], _sized(condition.source, bucket, steps))

        def enqueue() -> None:
            self._enqueue(arena, calls, contexts)

        self._memory.clear()
        enqueue()  # TensorRT does what it has put off until shapes are known, before the capture
        cuda.synchronize()
        with cuda.capturing() as graphs:
            enqueue()
        logger.info("%s: captured batch %d, %d steps", self._step, bucket, steps)
        return Captured(arena=arena, graph=graphs[0], contexts=contexts)

    def _arena(self, bucket: int, steps: int) -> Arena:
        condition = self._condition_engine()
        shapes = _sized(condition.source, bucket, steps)
        step = self._backend.engine(self._step, bucket).source
        specs = {
            port.name: ArraySpec(shape=cast(tuple[int, ...], port.shape), dtype=port.dtype)
            for port in step.ports
        }
        width = specs["modulation"].shape[-1]
        return loop_arena(
            {
                port.name: ArraySpec(shape=shapes[port.name], dtype=port.dtype)
                for port in condition.source.ports
            },
            specs,
            ArraySpec(shape=(bucket, steps, width), dtype=_FLOAT),
            steps,
        )

    def _enqueue(
        self,
        arena: Arena,
        calls: Sequence[LoopStep],
        contexts: tuple[trt.IExecutionContext, trt.IExecutionContext],
    ) -> None:
        """Put a whole window on the stream."""
        backend, memory = self._backend, self._memory
        condition = self._condition_engine()
        step = backend.engine(self._step, arena.specs["x0"].shape[0])
        names = {port.name: port.name for port in condition.source.ports}
        names["modulation"] = "modulations"
        memory.send(arena)
        condition.enqueue(
            contexts[0], {name: memory.device + arena.offsets[at] for name, at in names.items()}
        )
        for call in calls:
            if call.copy is not None:
                backend.cuda.copy_rows(
                    memory.device + call.copy.target,
                    memory.device + call.copy.source,
                    source_pitch=call.copy.source_pitch,
                    width=call.copy.width,
                    rows=call.copy.rows,
                )
            step.enqueue(
                contexts[1], {name: memory.device + at for name, at in call.offsets.items()}
            )
        memory.fetch(arena)

    def release(self) -> None:
        self._captured.clear()


def _sized(source: GraphSource, rows: int, steps: int) -> dict[str, tuple[int, ...]]:
    """The shape of each input of a condition graph for these numbers of rows and steps."""
    lengths = {BATCH: rows, "steps": steps}
    return {
        port.name: tuple(
            lengths[name] if name else cast(int, size)
            for size, name in zip(port.shape, names, strict=True)
        )
        for port, names in source.inputs
    }


def _specs(values: Mapping[str, Array]) -> dict[str, ArraySpec]:
    return {n: ArraySpec(shape=value.shape, dtype=value.dtype) for n, value in values.items()}
