"""What a backend is, and how one is opened by name.

Knows arrays and paths of graphs. Knows neither bundles nor what a graph computes; each library is
imported only when its backend is opened.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from engine.arrays import Array, IntArray
from engine.errors import BackendError, ConfigError

logger = logging.getLogger(__name__)

Precision = Literal["auto", "f32", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("auto", "f32", "bf16")
BACKENDS = ("auto", "openvino", "torch", "tensorrt")


class Graph(Protocol):
    def __call__(self, inputs: Mapping[str, Array | IntArray]) -> dict[str, Array]:
        """Run the graph once on named arrays, for any number of rows.

        Raises InputError naming the input that has a wrong shape or holds NaN, OverloadedError with
        reason OUT_OF_MEMORY, and BackendError when a name is unknown or missing, when execution
        fails, or when the outcome is not finite.
        """
        ...


class Loop(Protocol):
    """All denoiser calls of a batch of windows in one go, without a word to the host in between."""

    def __call__(self, inputs: Mapping[str, Array | IntArray]) -> Array:
        """Denoise windows that follow one schedule of K steps.

        inputs   those of the condition graph (anchor, anchor_joints, timesteps (K,) and text if the
                 animator takes it), x_t, known and known_mask of the step graph, and
                 abar_t, abar_s (K,) float32
        returns  x0 of the last step, (rows, 2, 30, 135)
        Raises as a `Graph` does.
        """
        ...

    def prepare(self, steps: int) -> None:
        """Make ready now, for every bucket, what is otherwise made when first needed."""
        ...


class Backend(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def precision(self) -> str:
        """What "auto" became: the precision that graphs compute in. Borders are float32."""
        ...

    @property
    def device(self) -> str:
        """What computes, in the words of its maker."""
        ...

    @property
    def buckets(self) -> tuple[int, ...]:
        """Batch sizes of denoiser calls that are worth compiling on this device."""
        ...

    def load(self, path: Path, buckets: Sequence[int] = (), *, is_lazy: bool = False) -> Graph:
        """Compile a graph.

        buckets  batch sizes compiled with static shapes, smallest first; a call is padded to the
                 smallest that holds its rows, and split when none does. Empty: one compilation
                 that takes any shape, for graphs that run once per window.
        is_lazy  compile a bucket when it is first needed, instead of now

        Raises BackendError when the graph cannot be read or compiled.
        """
        ...

    def load_loop(self, condition: Path, step: Path, buckets: Sequence[int]) -> Loop | None:
        """The whole sampling loop of an animator's two graphs; None where it would gain nothing.

        What a batch size and a step count need is made when they first meet.
        """
        ...

    def close(self) -> None:
        """Free what was compiled; the graphs of this backend are dead afterwards."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Settings:
    precision: Precision
    cache_dir: Path | None
    threads: int | None
    device: int


def open_backend(
    name: str = "auto",
    *,
    precision: Precision = "auto",
    cache_dir: Path | Literal["auto"] | None = "auto",
    threads: int | None = None,
    device: int = 0,
) -> Backend:
    """Open a backend.

    name       "auto": tensorrt, torch on a GPU, openvino: the first that is here, logged with why
    precision  "auto" is bf16 where the processor computes in it, else f32
    cache_dir  where compiled graphs are kept; "auto" is the user's cache folder, None is nowhere
    threads    of one inference on a CPU; None leaves it to the library
    device     index of the GPU

    Raises ConfigError for a name, precision, thread count or device that does not exist, and
    BackendError with reason EXTRA_MISSING or NO_GPU when the library or its hardware is not here.
    """
    if name not in BACKENDS:
        raise ConfigError(
            f"backend is {name!r}, must be one of {', '.join(BACKENDS)}", field="backend"
        )
    if precision not in PRECISIONS:
        raise ConfigError(
            f"precision is {precision!r}, must be one of {', '.join(PRECISIONS)}",
            field="precision",
        )
    if threads is not None and threads < 1:
        raise ConfigError(f"threads is {threads}, must be at least 1", field="threads")
    if device < 0:
        raise ConfigError(f"device is {device}, must be at least 0", field="device")
    settings = _Settings(
        precision=precision,
        cache_dir=default_cache_dir() if cache_dir == "auto" else cache_dir,
        threads=threads,
        device=device,
    )
    return _best(settings) if name == "auto" else _OPENERS[name](settings)


def _best(settings: _Settings) -> Backend:
    if not has_nvidia_driver():  # which also spares the import of PyTorch
        logger.info("backend openvino: this machine has no NVIDIA driver")
        return _openvino(settings)
    order = {"tensorrt": _tensorrt, "torch": _torch_on_gpu, "openvino": _openvino}
    return first_that_opens({name: partial(opener, settings) for name, opener in order.items()})


def first_that_opens(openers: Mapping[str, Callable[[], Backend]]) -> Backend:
    """The first backend whose library and hardware are here; the log says what others lack.

    Raises BackendError when none opens, and at once what is wrong with one that is here.
    """
    reasons: list[str] = []
    for name, opener in openers.items():
        try:
            backend = opener()
        except BackendError as error:
            if error.reason not in ("EXTRA_MISSING", "NO_GPU"):
                raise
            reasons.append(str(error))
        else:
            logger.info("backend %s: %s", name, "; ".join([*reasons, backend.device]))
            return backend
    raise BackendError(f"no backend opens: {'; '.join(reasons)}", reason="EXTRA_MISSING")


def _openvino(settings: _Settings) -> Backend:
    from engine.backends.openvino import OpenVinoBackend

    return OpenVinoBackend(
        precision=settings.precision, cache_dir=settings.cache_dir, threads=settings.threads
    )


def _tensorrt(settings: _Settings) -> Backend:
    from engine.backends.tensorrt import TensorRtBackend

    return TensorRtBackend(
        precision=settings.precision, cache_dir=settings.cache_dir, device=settings.device
    )


def _torch(settings: _Settings) -> Backend:
    """On the GPU if there is one, else on the CPU."""
    try:
        from engine.backends.torch import TorchBackend, gpu_count
    except ImportError as exc:
        raise BackendError(
            f"the torch backend needs PyTorch ({exc.name} is missing): "
            "pip install 'contrapose[torch]'",
            field="backend",
            reason="EXTRA_MISSING",
        ) from exc
    gpu = settings.device if gpu_count() else None
    return TorchBackend(precision=settings.precision, threads=settings.threads, gpu=gpu)


def _torch_on_gpu(settings: _Settings) -> Backend:
    backend = _torch(settings)
    if backend.device.startswith("CPU"):
        raise BackendError("PyTorch finds no CUDA device", field="backend", reason="NO_GPU")
    return backend


_OPENERS: dict[str, Callable[[_Settings], Backend]] = {
    "openvino": _openvino,
    "torch": _torch,
    "tensorrt": _tensorrt,
}


def has_nvidia_driver() -> bool:
    """Whether CUDA's driver library is here; asking costs no import of a large package."""
    return _nvidia_driver() is not None


def nvidia_gpu_count() -> int:
    """How many GPUs the NVIDIA driver shows us; 0 without one."""
    driver, count = _nvidia_driver(), ctypes.c_int(0)
    if driver is None or driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def _nvidia_driver() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None


def default_cache_dir() -> Path | None:
    """The user's cache folder (XDG base directory specification); None for a user without home."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "contrapose"
    except RuntimeError:
        return None
