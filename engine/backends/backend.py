"""What a backend is, and how one is opened by name.

Knows arrays and paths of graphs. Knows neither bundles nor what a graph computes; each library is
imported only when its backend is opened.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from engine.arrays import Array, IntArray
from engine.errors import ConfigError

Precision = Literal["auto", "f32", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("auto", "f32", "bf16")
BACKENDS = ("openvino",)


class Graph(Protocol):
    def __call__(self, inputs: Mapping[str, Array | IntArray]) -> dict[str, Array]:
        """Run the graph once on named arrays, for any number of rows.

        Raises InputError naming the input that has a wrong shape or holds NaN, and BackendError
        when a name is unknown or missing, when execution fails, or when the outcome is not finite.
        """
        ...


class Backend(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def precision(self) -> str:
        """What "auto" became: the precision that graphs compute in. Borders are float32."""
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

    def close(self) -> None:
        """Free what was compiled; the graphs of this backend are dead afterwards."""
        ...


def open_backend(
    name: str = "openvino",
    *,
    precision: Precision = "auto",
    cache_dir: Path | Literal["auto"] | None = "auto",
    threads: int | None = None,
) -> Backend:
    """Open a backend.

    precision  "auto" is bf16 where the processor computes in it, else f32
    cache_dir  where compiled graphs are kept; "auto" is the user's cache folder, None is nowhere
    threads    of one inference; None leaves it to the library

    Raises ConfigError for a name, precision or thread count that does not exist, and BackendError
    when the library is not installed.
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
    from engine.backends.openvino import OpenVinoBackend

    folder = default_cache_dir() if cache_dir == "auto" else cache_dir
    return OpenVinoBackend(precision=precision, cache_dir=folder, threads=threads)


def default_cache_dir() -> Path | None:
    """The user's cache folder (XDG base directory specification); None for a user without home."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "contrapose"
    except RuntimeError:
        return None
