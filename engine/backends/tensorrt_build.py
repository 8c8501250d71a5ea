"""From a graph to a TensorRT engine: what the builder is given, told and asked for.

Knows graphs, TensorRT's builder and what it says while it works. Runs nothing on the device but
what the builder times. TensorRT 10 and 11 are imported when something is built.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, SupportsInt, cast

import numpy as np

from engine.backends.ports import Inputs, Port
from engine.backends.typed import BATCH, Width, read_header, typed_graph, with_rows
from engine.errors import BackendError, InputError, OverloadedError

if TYPE_CHECKING:
    import tensorrt as trt

    class Log(trt.ILogger):  # type: ignore[misc]  # untyped library
        def taken(self) -> str: ...


logger = logging.getLogger(__name__)

ANY_SHAPE = -64
"""A bucket below 0 is an engine for any shape: that many rows at most, the rest in RANGES."""
RANGES: Mapping[str, tuple[int, int, int]] = {
    "steps": (1, 10, 50),
    "tokens": (1, 16, 128),
}
"""Least, usual and greatest length of dimensions that vary; the usual one is tuned for."""
USUAL_ROWS = 4
MOST_LINES = 5
"""Lines of TensorRT's own words in one of our messages, at most."""

Progress = Callable[[float], None]
"""Called with how much of a graph is built, 0 to 1; on any thread."""


# ----------------------------------------------------------------------------- what is built
@dataclass(frozen=True, kw_only=True)
class GraphSource:
    """A graph as the builder gets it.

    bucket   rows; below 0: see ANY_SHAPE
    inputs   each port, with the names of its dimensions ("" where one is fixed)
    outputs  names
    digest   of all that `graph` is made from
    """

    path: Path
    bucket: int
    width: Width
    inputs: tuple[tuple[Port, tuple[str, ...]], ...]
    outputs: tuple[str, ...]
    digest: str

    def graph(self) -> bytes:
        """Serialized ONNX, typed; with static shapes if it has a bucket. Takes seconds."""
        model = typed_graph(self.path, self.width)
        if self.is_static:
            model = with_rows(model, self.bucket)
        return bytes(model.SerializeToString(deterministic=True))

    def __str__(self) -> str:
        rows = f"batch {self.bucket}" if self.is_static else f"up to {-self.bucket} rows"
        return f"{self.path} ({self.width}, {rows})"

    @property
    def is_static(self) -> bool:
        return self.bucket > 0

    @property
    def lengths(self) -> dict[str, tuple[int, int, int]]:
        """RANGES, and that of the rows."""
        return {BATCH: (1, min(USUAL_ROWS, -self.bucket), -self.bucket), **RANGES}

    @property
    def ports(self) -> list[Port]:
        return [port for port, _ in self.inputs]

    def ranges(self, port: Port, names: Sequence[str]) -> list[list[int]]:
        """The least, usual and greatest shape of an input.

        Raises BackendError for a dimension that varies under a name that `lengths` lacks.
        """
        lengths = self.lengths
        unknown = sorted({name for name in names if name and name not in lengths})
        if unknown:
            raise BackendError(
                f"{self.path}: input {port.name} varies in {', '.join(unknown)}; the tensorrt "
                f"backend knows {', '.join(lengths)}",
                field=port.name,
            )
        sizes = [
            lengths[name] if name else (cast(int, size),) * 3
            for size, name in zip(port.shape, names, strict=True)
        ]
        return [[size[i] for size in sizes] for i in range(3)]


def read_source(path: Path, bucket: int, precision: Width) -> GraphSource:
    """What runs for every step of every window is narrow; what runs once a window is float32.

    Raises BackendError for a file that is no graph, or for one that has no rows to fix.
    """
    inputs, outputs, digest = read_header(path)
    is_static = bucket > 0
    if is_static:
        shapes = [port.static_shape(path, bucket) for port, _ in inputs]
        inputs = tuple(
            (replace(port, shape=tuple(shape)), ("",) * len(shape))
            for (port, _), shape in zip(inputs, shapes, strict=True)
        )
    return GraphSource(
        path=path,
        bucket=bucket,
        width=precision if is_static else "f32",
        inputs=inputs,
        outputs=outputs,
        digest=digest,
    )


def check_ranges(source: GraphSource, values: Inputs) -> None:
    """Raises InputError for a length that the engine was not built for."""
    if source.is_static:
        return
    lengths = source.lengths
    for port, names in source.inputs:
        for name, size in zip(names, np.shape(values[port.name]), strict=True):
            if name and not lengths[name][0] <= size <= lengths[name][2]:
                raise InputError(
                    f"{source.path}: input {port.name} has {size} {name}; its engine takes "
                    f"{lengths[name][0]} to {lengths[name][2]}",
                    field=port.name,
                )


# ----------------------------------------------------------------------------- building
def tensorrt_version() -> str:
    """Such as 10.16.1.11. Raises BackendError, reason EXTRA_MISSING, where there is no TensorRT."""
    try:
        import tensorrt
    except (ImportError, OSError) as exc:  # the bindings, or a library that they load
        raise BackendError(
            f"the tensorrt backend needs TensorRT ({exc}): pip install 'contrapose[tensorrt]'",
            field="backend",
            reason="EXTRA_MISSING",
        ) from exc
    return str(tensorrt.__version__)


def build_blob(
    source: GraphSource, log: Log, timing: bytes, progress: Progress | None
) -> tuple[bytes, bytes]:
    """Build an engine for the GPU in use; takes seconds to minutes.

    timing   what was timed on this GPU before, or nothing: kernels in it are not timed again
    returns  the engine's blob, and the timings to give next time
    Raises BackendError with what TensorRT said, OverloadedError without memory to build in.
    """
    import tensorrt as trt

    builder = made(trt.Builder, log)
    # TensorRT 11 makes no other networks, and takes the flag without heeding it.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(source.graph()):
        found = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise BackendError(f"{source}: TensorRT cannot read it: {found}", field=source.path.name)
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # float32 is float32
    config.max_aux_streams = 0  # one stream is what is captured
    if not source.is_static:
        profile = builder.create_optimization_profile()
        for port, names in source.inputs:
            least, usual, most = source.ranges(port, names)
            profile.set_shape(port.name, trt.Dims(least), trt.Dims(usual), trt.Dims(most))
        config.add_optimization_profile(profile)
    monitor = None if progress is None else _new_monitor(progress)
    if monitor is not None:
        config.progress_monitor = monitor
    cache = config.create_timing_cache(timing)
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, ignore_mismatch=False)
    blob = builder.build_serialized_network(network, config)
    if blob is None:
        fail(log, source, "cannot be built")
    return bytes(memoryview(blob)), bytes(memoryview(cache.serialize()))


def made(factory: Callable[[Log], Any], log: Log) -> Any:
    """One of TensorRT's own objects, which it makes with a logger."""
    try:
        return factory(log)
    except TypeError as exc:  # how its bindings say that there is none
        raise BackendError(f"TensorRT does not start: {log.taken() or exc}") from exc


def fail(log: Log, what: object, failure: str) -> NoReturn:
    """Raise what TensorRT said about a call that failed."""
    said = log.taken()
    if "out of memory" in said.lower() or "outofmemory" in said.lower():
        raise OverloadedError(
            f"{what}: the GPU is out of memory ({said}); try again, or open fewer sessions",
            reason="OUT_OF_MEMORY",
        )
    raise BackendError(f"{what}: {failure}: {said or 'TensorRT does not say why'}")


# ----------------------------------------------------------------------------- what it says
def new_log() -> Log:
    """A trt.ILogger that passes lines on to our log and keeps the latest complaints."""
    import tensorrt as trt

    class TensorRtLog(trt.ILogger):  # type: ignore[misc]  # untyped library
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self._complaints: list[str] = []

        def log(self, severity: Any, line: str) -> None:
            levels = (logging.ERROR, logging.ERROR, logging.WARNING)
            level = levels[int(severity)] if int(severity) < len(levels) else logging.DEBUG
            logger.log(level, "TensorRT: %s", line)
            if level == logging.ERROR:
                self._complaints = [*self._complaints, line.strip()][-MOST_LINES:]

        def taken(self) -> str:
            """The complaints since they were last taken, as one line."""
            complaints, self._complaints = self._complaints, []
            return "; ".join(complaints)

    return cast("Log", TensorRtLog())


class Phases:
    """How much of a build is done, from phases that begin and end inside each other. Any thread."""

    def __init__(self) -> None:
        self._phases: dict[str, tuple[str | None, int, int]] = {}
        """By name: the phase around it, its steps, and how many of them are done."""
        self._lock = threading.Lock()

    def start(self, name: str, parent: str | None, steps: int) -> None:
        with self._lock:
            self._phases[name] = (parent, max(steps, 1), 0)

    def complete(self, name: str, step: int) -> float:
        """A step, counted from 0, is done. Returns the part of the outermost phase that is done."""
        with self._lock:
            parent, steps, done = self._phases[name]
            self._phases[name] = (parent, steps, min(max(done, step + 1), steps))
            return self._fraction(name)

    def finish(self, name: str) -> float:
        """A phase is over, whether all of its steps were or not."""
        with self._lock:
            parent, steps, _ = self._phases[name]
            self._phases[name] = (parent, steps, steps)
            fraction = self._fraction(name)
            del self._phases[name]
            return fraction

    def _fraction(self, name: str | None) -> float:
        """Each phase fills a part of the current step of the one around it."""
        inner = 0.0
        while name in self._phases:
            parent, steps, done = self._phases[name]
            inner = min((done + inner) / steps, 1.0)
            name = parent
        return inner


def _new_monitor(progress: Progress) -> trt.IProgressMonitor:
    """Tells `progress` how much is done; TensorRT may call it on threads of its own."""
    import tensorrt as trt

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # untyped library
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._phases = Phases()

        def phase_start(
            self, phase_name: str, parent_phase: str | None, num_steps: SupportsInt
        ) -> None:
            self._phases.start(phase_name, parent_phase, int(num_steps))

        def step_complete(self, phase_name: str, step: SupportsInt) -> bool:
            progress(self._phases.complete(phase_name, int(step)))
            return True

        def phase_finish(self, phase_name: str) -> None:
            progress(self._phases.finish(phase_name))

    return Monitor()
