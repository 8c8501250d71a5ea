"""Where the arrays of a call lie in one block of memory, and what each step of a loop reads there.

Knows shapes, offsets and cache keys: plain arithmetic, so that it is tested without a GPU. Knows
neither CUDA nor TensorRT; it serves a backend whose device has memory of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]
ALIGNMENT = 256
"""Bytes: what TensorRT asks of every address (NvInferRuntime.h, setTensorAddress)."""
_LENGTH_BYTES = 4


# ----------------------------------------------------------------------------- arrays in a block
@dataclass(frozen=True, kw_only=True)
class ArraySpec:
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    @property
    def bytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


Specs = Mapping[str, ArraySpec]


@dataclass(frozen=True, kw_only=True)
class Arena:
    """A block that begins with what is sent to the device and ends with what comes back.

    offsets      of each array, bytes from the start, all aligned
    sent_bytes   of the leading part that the host writes
    returned     offset of the trailing part that the host reads
    """

    specs: Specs
    offsets: Mapping[str, int]
    sent_bytes: int
    returned: int
    bytes: int


def arranged(inputs: Specs, work: Specs, outputs: Specs) -> Arena:
    """Lay arrays one after the other. Raises ValueError if two of them share a name."""
    specs = {**inputs, **work, **outputs}
    if len(specs) < len(inputs) + len(work) + len(outputs):
        raise ValueError("two arrays of one arena have the same name")
    offsets: dict[str, int] = {}
    end = 0
    for name, spec in specs.items():
        offsets[name] = end
        end = aligned(end + spec.bytes)
    last_sent = len(inputs), len(inputs) + len(work)
    starts = [*offsets.values(), end]
    return Arena(
        specs=specs,
        offsets=offsets,
        sent_bytes=starts[last_sent[0]],
        returned=starts[last_sent[1]],
        bytes=end,
    )


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


# ----------------------------------------------------------------------------- the sampling loop
@dataclass(frozen=True, kw_only=True)
class RowsCopy:
    """A copy of rows that lie apart into rows that lie together; offsets and lengths in bytes."""

    source: int
    source_pitch: int
    target: int
    width: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class LoopStep:
    """One denoiser call of a loop.

    offsets  of each tensor of the step graph
    copy     what must be gathered first; None: everything is read where it is
    """

    offsets: Mapping[str, int]
    copy: RowsCopy | None


def loop_arena(condition: Specs, step: Specs, modulation: ArraySpec, steps: int) -> Arena:
    """The block of a loop over `steps` denoiser calls.

    condition   inputs of the condition graph, for all rows and steps
    step        inputs of the step graph, for all rows
    modulation  output of the condition graph, (rows, steps, width)

    Levels lie in a table with one aligned line for each step, and `x_t` is the first of two buffers
    that take turns as a step's input and output.
    """
    rows = modulation.shape[0]
    level = ArraySpec(
        shape=(steps, aligned(4 * rows) // 4),
        dtype=np.dtype(np.float32),
    )
    inner = ("modulation", "abar_t", "abar_s")
    inputs = {
        **condition,
        **{name: spec for name, spec in step.items() if name not in inner},
        "abar_t": level,
        "abar_s": level,
    }
    work = {
        "x_odd": step["x_t"],
        "modulations": modulation,
        "modulation": step["modulation"],
    }
    return arranged(inputs, work, {"x0": step["x_t"]})


def loop_steps(arena: Arena) -> list[LoopStep]:
    """Which addresses each denoiser call of a `loop_arena` reads and writes.

    The modulation of a step is read in place when it lies in one piece and is aligned, as for one
    row; otherwise its rows are gathered.
    """
    offsets = arena.offsets
    rows, steps, width = arena.specs["modulations"].shape
    line = width * 4
    level = arena.specs["abar_t"].shape[1] * 4
    turns = (offsets["x_t"], offsets["x_odd"])
    fixed = {name: offsets[name] for name in ("known", "known_mask", "anchor", "x0")}
    is_in_place = rows == 1 and line % ALIGNMENT == 0
    calls = []
    for k in range(steps):
        source = offsets["modulations"] + k * line
        copy = RowsCopy(
            source=source,
            source_pitch=steps * line,
            target=offsets["modulation"],
            width=line,
            rows=rows,
        )
        calls.append(
            LoopStep(
                offsets={
                    **fixed,
                    "x_t": turns[k % 2],
                    "x_s": turns[1 - k % 2],
                    "modulation": source if is_in_place else copy.target,
                    "abar_t": offsets["abar_t"] + k * level,
                    "abar_s": offsets["abar_s"] + k * level,
                },
                copy=None if is_in_place else copy,
            )
        )
    return calls


def level_table(arena: Arena, inputs: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """The inputs of a loop with its noise levels (steps,) as the arena has them, for every row."""
    line = arena.specs["abar_t"].shape[1]
    tables = {name: np.repeat(inputs[name][:, None], line, axis=1) for name in ("abar_t", "abar_s")}
    return {**inputs, **tables}


# ----------------------------------------------------------------------------- compiled blobs
@dataclass(frozen=True, kw_only=True)
class BlobIdentity:
    """What a compiled blob depends on: it is of use where all of this is the same.

    graph       digest of the graph, and of what is done to it before it is built
    library     version of the library that built it
    capability  compute capability of the GPU, "9.0"
    """

    graph: str
    library: str
    gpu: str
    capability: str
    precision: str
    bucket: int

    def key(self) -> str:
        return hashlib.sha256(self._text()).hexdigest()

    def timing_key(self) -> str:
        """The key of measurements that all graphs share on one GPU and library."""
        parts = ("timing", self.library, self.gpu, self.capability)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def sealed(self, blob: bytes) -> bytes:
        """The blob behind a line that says what it is for."""
        text = self._text()
        return len(text).to_bytes(_LENGTH_BYTES, "little") + text + blob

    def opened(self, blob: bytes | None) -> bytes | None:
        """What was sealed; None if there is none, or it was made for anything else."""
        text = self._text()
        start = _LENGTH_BYTES + len(text)
        is_ours = blob is not None and blob[:start] == self.sealed(b"")
        return blob[start:] if blob is not None and is_ours else None

    def _text(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True).encode()
