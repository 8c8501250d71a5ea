"""Opening a backend by its name.

Each library is imported only when its backend is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from engine.backends.driver import has_nvidia_driver
from engine.backends.protocol import PRECISIONS, Backend, Precision, logger
from engine.errors import BackendError, ConfigError

BACKENDS = ("auto", "openvino", "torch", "tensorrt")


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

    name       "auto": tensorrt, torch on a GPU, openvino: the first that is here, logged with why;
               without any of them torch on the CPU
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


def computes_on_processor(name: str) -> bool:
    """Whether a backend of that name, or "auto", computes on the CPU here, as far as can be told
    without opening it: a GPU's driver may be here, and no library for it."""
    return name == "openvino" or not has_nvidia_driver()


def _best(settings: _Settings) -> Backend:
    if not has_nvidia_driver():  # which also spares the import of PyTorch
        return _on_processor(settings)
    order = {"tensorrt": _tensorrt, "torch": _torch_on_gpu, "openvino": _openvino}
    return first_that_opens({name: partial(opener, settings) for name, opener in order.items()})


def _on_processor(settings: _Settings) -> Backend:
    """OpenVINO, or else PyTorch; raises what OpenVINO lacks where both are missing."""
    try:
        backend = _openvino(settings)
    except BackendError as error:
        if error.reason != "EXTRA_MISSING" or find_spec("torch") is None:
            raise
        logger.info("backend torch: no NVIDIA driver; %s", error)
        return _torch(settings)
    logger.info("backend openvino: this machine has no NVIDIA driver")
    return backend


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


def default_cache_dir() -> Path | None:
    """The user's cache folder (XDG base directory specification); None for a user without home."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "contrapose"
    except RuntimeError:
        return None
