"""What NVIDIA's driver says, without the import of a large package."""

from __future__ import annotations

import ctypes
import sys


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
