"""Memory: what is freed goes back to the system. Knows the C library and nothing else."""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of parameters of mallopt(3)."""
LARGE_BYTES, KEPT_BYTES = 1 << 20, 4 << 20


def give_back_what_is_freed() -> None:
    """Large arrays get pages of their own, which go back when they are freed, and little is kept
    free at a heap's end.

    glibc raises both bounds with every large array that is freed, up to 32 and 64 MB: what a long
    motion took would stay with a server, in pieces. Elsewhere nothing is changed.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(MMAP_THRESHOLD, LARGE_BYTES)
        library.mallopt(TRIM_THRESHOLD, KEPT_BYTES)
