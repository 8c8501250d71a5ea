"""What a backend is: graphs, loops over them, and the precision they compute in.

Knows arrays and paths of graphs. Knows neither bundles nor what a graph computes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from engine.arrays import Array, IntArray

logger = logging.getLogger(__name__)

Precision = Literal["auto", "f32", "bf16"]

PRECISIONS: tuple[Precision, ...] = ("auto", "f32", "bf16")


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

    def is_ready(self, steps: int) -> bool:
        """Whether windows of that many steps are denoised at once, whatever their number.

        If not, a call makes ready first what it needs, and the device does nothing else meanwhile.
        """
        ...

    def prepare(self, bucket: int, steps: int) -> None:
        """Make ready now what calls of that many rows and steps need."""
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

    def load_loop(
        self,
        condition: Path,
        step: Path,
        buckets: Sequence[int],
        steps: Sequence[int] | None = None,
    ) -> Loop | None:
        """The whole sampling loop of an animator's two graphs; None where it would gain nothing.

        steps  made ready now for every bucket, for good; others when they are prepared.
               None: each when it is first needed, and all are called ready
        """
        ...

    def close(self) -> None:
        """Free what was compiled; the graphs of this backend are dead afterwards."""
        ...
