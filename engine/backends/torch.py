"""The reference backend: a bundle's graphs run by PyTorch, on the CPU or on an NVIDIA GPU.

On the CPU plainly, in float32: what other backends are compared with. On a GPU in bf16 where it has
it, compiled to fused kernels and captured into one CUDA graph for each batch size (and step count,
for whole windows), so that a call is one launch. Knows graphs and arrays, no bundle.
This module, `torch_capture` and `torch_graph` import PyTorch; nothing else in the engine does.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.arrays import Array, IntArray
from engine.backends.ports import (
    Inputs,
    Port,
    checked_inputs,
    in_buckets,
    out_of_memory,
    require_finite,
)
from engine.backends.protocol import Precision
from engine.backends.recent import Recent
from engine.backends.torch_capture import CapturedFunction, Function, Tensors, Workplace
from engine.backends.torch_graph import read_module
from engine.errors import BackendError, ConfigError, ContraposeError, InputError

logger = logging.getLogger(__name__)

CPU_BUCKETS = (1, 2, 4, 8, 16)
GPU_BUCKETS = (1, 2, 4, 8, 16, 32, 64)
MOST_CAPTURED = 32
"""CUDA graphs kept at once beside those that were made ready when loading."""
SCHEDULE = ("timesteps", "abar_t", "abar_s")
LEVEL_LINE = 4
"""Noise levels of one step begin at a multiple of so many: 16 bytes, as fused kernels read them."""
TF32_ADVICE = "TensorFloat32 tensor cores for float32 matrix multiplication available"
"""How a warning of the compiler begins; what is a float32 product here is one on purpose."""

Compiler = Callable[..., Any]
"""A backend of torch.compile."""


def gpu_count() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


class TorchBackend:
    """One device with fixed settings. See `backend.Backend` for the contract.

    gpu        its index; None: the CPU
    compiler   backend of torch.compile, None: none; "auto": inductor, on a GPU that has Triton
    workplace  where calls are captured; None: on a GPU one of its own, on the CPU nowhere
    """

    name = "torch"

    def __init__(
        self,
        *,
        precision: Precision = "auto",
        threads: int | None = None,
        gpu: int | None = None,
        compiler: str | Compiler | None = "auto",
        workplace: Workplace | None = None,
    ) -> None:
        if gpu is not None:
            _require_gpu(gpu)
        if threads is not None:
            torch.set_num_threads(threads)
        self.torch_device = torch.device("cpu") if gpu is None else torch.device("cuda", gpu)
        self.precision = self._resolve(precision)
        has_triton = importlib.util.find_spec("triton") is not None
        self._compiler = (
            ("inductor" if self.is_gpu and has_triton else None) if compiler == "auto" else compiler
        )
        self._modules: dict[Path, tuple[torch.nn.Module, tuple[Port, ...]]] = {}
        self._fused: dict[Path, Function] = {}
        self._unfused: dict[Path, str] = {}
        self._captured: Recent[tuple[Path, int, int], CapturedFunction] = Recent(MOST_CAPTURED)
        own = Workplace(self.torch_device) if self.is_gpu else None
        self._workplace = own if workplace is None else workplace
        self._is_closed = False
        self._lock = threading.Lock()

    @property
    def is_gpu(self) -> bool:
        return self.torch_device.type == "cuda"

    @property
    def captures(self) -> bool:
        """Whether calls are launches of captured graphs."""
        return self._workplace is not None

    @property
    def fuses(self) -> bool:
        """Whether it compiles kernels of its own."""
        return self._compiler is not None

    @property
    def unfused(self) -> Mapping[Path, str]:
        """Graphs whose kernels could not be fused, and why."""
        return MappingProxyType(self._unfused)

    @property
    def device(self) -> str:
        if self.is_gpu:
            return f"{torch.cuda.get_device_name(self.torch_device)}, PyTorch {torch.__version__}"
        return f"CPU, PyTorch {torch.__version__}"

    @property
    def buckets(self) -> tuple[int, ...]:
        return GPU_BUCKETS if self.is_gpu else CPU_BUCKETS

    def load(self, path: Path, buckets: Sequence[int] = (), *, is_lazy: bool = False) -> TorchGraph:
        graph = TorchGraph(self, path, buckets)
        if not is_lazy:
            graph.prepare()
        return graph

    def load_loop(
        self,
        condition: Path,
        step: Path,
        buckets: Sequence[int],
        steps: Sequence[int] | None = None,
    ) -> TorchLoop:
        return TorchLoop(self, condition, step, buckets, steps)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._captured.clear()
            self._fused.clear()
            self._modules.clear()
            if self.is_gpu:
                torch.cuda.empty_cache()

    # -- what its graphs and loops share -----------------------------------------------------------
    def module(self, path: Path) -> tuple[torch.nn.Module, tuple[Port, ...]]:
        """The module of a graph on this device, read once however many use it, and its inputs."""
        self._require_open(path)
        if path not in self._modules:
            dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
            module, ports = read_module(path, dtype=dtype)
            self._modules[path] = (module.to(self.torch_device), ports)
        return self._modules[path]

    def fused(self, path: Path) -> Function:
        """The same, with neighbouring operations in one kernel; without a compiler, as it is.

        For graphs in which the first dimension of every input is the number of rows.
        """
        module, _ = self.module(path)
        if self._compiler is None:
            return module
        if path not in self._fused:
            self._fused[path] = self._compiled(module, self._compiler, path)
        return self._fused[path]

    def _compiled(self, module: torch.nn.Module, compiler: str | Compiler, path: Path) -> Function:
        """The module compiled for any number of rows; should that fail, the module as it is."""
        warnings.filterwarnings("ignore", TF32_ADVICE)
        compiled = torch.compile(module, backend=compiler, fullgraph=True)

        def run(**inputs: Tensor) -> Tensors:
            if path not in self._unfused:
                for value in inputs.values():
                    if len(value) > 1:  # one row is compiled apart, whatever the compiler is told
                        torch._dynamo.mark_dynamic(value, 0)
                try:
                    return compiled(**inputs)  # type: ignore[no-any-return]  # torch.compile keeps none
                except Exception as error:  # compilers of kernels fail in many ways
                    if _is_out_of_memory(error) or _is_capturing():
                        raise
                    self._unfused[path] = _first_lines(error, 2)
                    logger.warning("%s: its kernels are not fused: %s", path, self._unfused[path])
            return module(**inputs)  # type: ignore[no-any-return]  # nor does nn.Module

        return run

    def captured(
        self,
        path: Path,
        bucket: int,
        steps: int,
        function: Function,
        ports: Sequence[Port],
        *,
        stays: bool = False,
    ) -> CapturedFunction:
        """The CUDA graph of a function, captured at its first use.

        ports  its inputs, (rows, ...) or (steps,)
        stays  keep it for good, if it is captured now
        """

        def capture() -> CapturedFunction:
            examples = {
                port.name: np.zeros(
                    steps if port.name in SCHEDULE and steps else port.static_shape(path, bucket),
                    port.dtype,
                )
                for port in ports
            }
            assert self._workplace is not None
            try:
                return CapturedFunction(self._workplace, function, examples)
            except BaseException:
                self._workplace = Workplace(self._workplace.device)
                raise

        return self._captured.get((path, bucket, steps), capture, stays=stays)

    def is_captured(self, path: Path, bucket: int, steps: int) -> bool:
        return (path, bucket, steps) in self._captured

    @contextmanager
    def computing(self, path: Path, rows: int) -> Iterator[None]:
        """One call at a time, without gradients; PyTorch's errors become ours."""
        here = torch.cuda.device(self.torch_device) if self.is_gpu else nullcontext()
        with self._lock, here, torch.no_grad():
            self._require_open(path)
            try:
                yield
            except (RuntimeError, MemoryError) as exc:
                raise self._translated(exc, path, rows) from exc

    def _require_open(self, path: Path) -> None:
        if self._is_closed:
            raise BackendError(f"{path}: the backend is closed")

    def _translated(self, exc: Exception, path: Path, rows: int) -> ContraposeError:
        if _is_out_of_memory(exc):
            if self.is_gpu:
                torch.cuda.empty_cache()
            return out_of_memory(path, rows)
        return BackendError(f"{path}: inference failed: {_first_lines(exc)}", field=path.name)

    def _resolve(self, precision: Precision) -> str:
        has_bf16 = not self.is_gpu or torch.cuda.get_device_capability(self.torch_device)[0] >= 8
        if precision == "auto":
            return "bf16" if self.is_gpu and has_bf16 else "f32"
        if precision == "bf16" and not has_bf16:
            raise ConfigError(
                f"precision is bf16, but {self.device} computes in f32 only; use auto or f32",
                field="precision",
            )
        return precision


def _require_gpu(index: int) -> None:
    if not gpu_count():
        build = "" if torch.version.cuda else "; this PyTorch is a build for CPUs"
        raise BackendError(f"PyTorch finds no CUDA device{build}", field="backend", reason="NO_GPU")
    if index >= gpu_count():
        raise ConfigError(
            f"device is {index}, this machine has {gpu_count()}, counted from 0", field="device"
        )


def _is_capturing() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Whether it, or what it arose from, is: ending a capture that failed raises another error."""
    while error is not None:
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            return True
        if "can't allocate memory" in str(error):  # what the CPU's allocator says
            return True
        error = error.__cause__ or error.__context__
    return False


def _first_lines(error: Exception, count: int = 1) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:count]) or type(error).__name__


# ----------------------------------------------------------------------------- graphs
class TorchGraph:
    """One graph for any number of rows. Any thread may call it; the backend runs one at a time."""

    def __init__(self, backend: TorchBackend, path: Path, buckets: Sequence[int]) -> None:
        self._backend = backend
        self._path = path
        self._buckets = tuple(sorted(set(buckets)))
        self._ports = backend.module(path)[1]
        if self._buckets:
            for port in self._ports:
                port.static_shape(path, 1)

    def prepare(self) -> None:
        """On a GPU: capture every bucket now, to stay."""
        for bucket in self._buckets if self._backend.captures else ():
            with self._backend.computing(self._path, bucket):
                self._capture(bucket, stays=True)

    def __call__(self, inputs: Inputs) -> dict[str, Array]:
        if not self._buckets:
            return self._run(0, inputs)
        return in_buckets(self._path, self._buckets, inputs, self._run)

    def _run(self, bucket: int, inputs: Inputs) -> dict[str, Array]:
        prepared = checked_inputs(self._path, self._ports, inputs)
        with self._backend.computing(self._path, bucket):
            if bucket and self._backend.captures:
                outputs = self._capture(bucket)(prepared)
            elif bucket:
                outputs = run_once(self._backend.fused(self._path), prepared)
            else:
                module, _ = self._backend.module(self._path)
                outputs = run_once(module, prepared, self._backend.torch_device)
        require_finite(self._path, outputs)
        return outputs

    def _capture(self, bucket: int, *, stays: bool = False) -> CapturedFunction:
        function = self._backend.fused(self._path)
        return self._backend.captured(self._path, bucket, 0, function, self._ports, stays=stays)


CPU = torch.device("cpu")


def run_once(
    function: Function, inputs: Mapping[str, Array | IntArray], device: torch.device = CPU
) -> dict[str, Array]:
    writable = {n: v if v.flags.writeable else v.copy() for n, v in inputs.items()}
    tensors = {name: torch.from_numpy(value).to(device) for name, value in writable.items()}
    return {name: value.cpu().numpy() for name, value in function(**tensors).items()}


# ----------------------------------------------------------------------------- whole windows
class TorchLoop:
    """All steps of a batch of windows in one call. See `backend.Loop` for the contract.

    The condition graph runs on the device too: its result, for each row and step every scale and
    shift, would take longer over the bus than the denoiser takes.
    """

    def __init__(
        self,
        backend: TorchBackend,
        condition: Path,
        step: Path,
        buckets: Sequence[int],
        steps: Sequence[int] | None = None,
    ) -> None:
        self._backend = backend
        self._is_lazy = steps is None
        self._condition, self._step = condition, step
        self._buckets = tuple(sorted(set(buckets)))
        ports = {port.name: port for path in (condition, step) for port in backend.module(path)[1]}
        del ports["modulation"]
        self._schedule = tuple(
            replace(ports.pop(name), shape=(None,)) for name in SCHEDULE
        )  # the step graph has a number for each row, the loop one for each step
        self._rows = tuple(ports.values())
        for count in steps or ():
            for bucket in self._buckets:
                self.prepare(bucket, count, stays=True)

    def prepare(self, bucket: int, steps: int, *, stays: bool = False) -> None:
        if self._backend.captures:
            with self._backend.computing(self._step, bucket):
                self._capture(bucket, steps, stays=stays)

    def is_ready(self, steps: int) -> bool:
        return (
            self._is_lazy
            or not self._backend.captures
            or all(self._backend.is_captured(self._step, b, steps) for b in self._buckets)
        )

    def __call__(self, inputs: Inputs) -> Array:
        schedule = {name: value for name, value in inputs.items() if name in SCHEDULE}
        rows = {name: value for name, value in inputs.items() if name not in SCHEDULE}
        prepared = checked_inputs(self._step, self._schedule, schedule)
        steps = len(prepared["timesteps"])
        if not steps or any(len(value) != steps for value in prepared.values()):
            raise InputError(
                f"{self._step}: {', '.join(SCHEDULE)} have {[len(prepared[n]) for n in SCHEDULE]} "
                "numbers; they must have one for each step, and there must be a step",
                field="timesteps",
            )

        def run(bucket: int, part: Inputs) -> dict[str, Array]:
            arrays = checked_inputs(self._step, self._rows, part) | prepared
            with self._backend.computing(self._step, bucket):
                if self._backend.captures:
                    outputs = self._capture(bucket, steps)(arrays)
                else:
                    outputs = run_once(self._denoise, arrays)
            require_finite(self._step, outputs)
            return outputs

        return in_buckets(self._step, self._buckets, rows, run)["x0"]

    def replayed(self, bucket: int, steps: int) -> CapturedFunction:
        """The captured window of a batch size and step count, to be launched without copies."""
        with self._backend.computing(self._step, bucket):
            return self._capture(bucket, steps)

    def _denoise(self, **inputs: Tensor) -> Tensors:
        """Everything on the device, and nothing that asks it for a number."""
        condition, ports = self._backend.module(self._condition)
        step = self._backend.fused(self._step)
        x_t, rows = inputs["x_t"], len(inputs["x_t"])
        modulation = condition(**{port.name: inputs[port.name] for port in ports})["modulation"]
        of_step = modulation.transpose(0, 1).contiguous()
        line = -(-rows // LEVEL_LINE) * LEVEL_LINE
        abar_t, abar_s = (
            inputs[name][:, None].expand(-1, line).contiguous() for name in ("abar_t", "abar_s")
        )
        fixed = {name: inputs[name] for name in ("known", "known_mask", "anchor")}
        outputs: Tensors = {}
        for index in range(len(of_step)):
            outputs = step(
                x_t=x_t,
                modulation=of_step[index],
                abar_t=abar_t[index, :rows],
                abar_s=abar_s[index, :rows],
                **fixed,
            )
            x_t = outputs["x_s"]
        return {"x0": outputs["x0"]}

    def _capture(self, bucket: int, steps: int, *, stays: bool = False) -> CapturedFunction:
        ports = (*self._rows, *self._schedule)
        return self._backend.captured(self._step, bucket, steps, self._denoise, ports, stays=stays)
