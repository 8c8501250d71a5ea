"""What goes into a graph and what comes out: names, shapes, finite numbers, and batch buckets.

Shared by all backends, so that each refuses the same things in the same words. Knows arrays; knows
no library and not what a graph computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.arrays import Array, IntArray
from engine.errors import BackendError, InputError, OverloadedError

Inputs = Mapping[str, Array | IntArray]


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input of a graph.

    shape  None where any length is taken
    """

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int | None, ...]

    def static_shape(self, path: Path, bucket: int) -> list[int]:
        """The shape with its leading, dynamic dimension set to the bucket.

        Raises BackendError when it has no such dimension, or another dynamic one.
        """
        batch, rest = self.shape[:1], [size for size in self.shape[1:] if size is not None]
        if batch != (None,) or len(rest) != len(self.shape) - 1:
            raise BackendError(
                f"{path}: input {self.name} is {described(self.shape)}; for buckets only its first "
                "dimension may vary",
                field=self.name,
            )
        return [bucket, *rest]


def described(shape: Sequence[int | None]) -> str:
    return "[" + ",".join("?" if size is None else str(size) for size in shape) + "]"


def checked_inputs(path: Path, ports: Sequence[Port], inputs: Inputs) -> dict[str, Array]:
    """The inputs as the graph wants them: known names, right shapes, right types, finite.

    Raises BackendError for names that are unknown or missing, and InputError naming the input that
    has a wrong shape or holds NaN.
    """
    names = {port.name for port in ports}
    if names != set(inputs):
        raise BackendError(
            f"{path}: takes {', '.join(sorted(names))}; got {', '.join(sorted(inputs))}"
        )
    prepared: dict[str, Array] = {}
    for port in ports:
        value = np.ascontiguousarray(inputs[port.name], dtype=port.dtype)
        if len(port.shape) != value.ndim or any(
            size not in (None, found) for size, found in zip(port.shape, value.shape, strict=True)
        ):
            raise InputError(
                f"{path}: input {port.name} has shape {value.shape}, must be "
                f"{described(port.shape)}",
                field=port.name,
            )
        if not np.isfinite(value).all():
            raise InputError(f"{path}: input {port.name} holds NaN or infinity", field=port.name)
        prepared[port.name] = value
    return prepared


def require_finite(path: Path, outputs: Mapping[str, Array]) -> None:
    """Raises BackendError naming an output that is not finite."""
    for name, value in outputs.items():
        if not np.isfinite(value).all():
            raise BackendError(
                f"{path}: output {name} is not finite for finite inputs; "
                "the weights are damaged, or the precision is too low: try f32",
                field=name,
            )


def out_of_memory(path: Path, rows: int) -> OverloadedError:
    """What a backend raises when its device has no room for a call; fewer rows may have."""
    return OverloadedError(
        f"{path}: out of memory with {rows} rows; try again, or open fewer sessions",
        reason="OUT_OF_MEMORY",
    )


# ----------------------------------------------------------------------------- buckets
def row_count(path: Path, inputs: Inputs) -> int:
    """How many rows the inputs have. Raises InputError when they disagree or there is none."""
    counts = {name: value.shape[:1] for name, value in inputs.items()}
    if len(set(counts.values())) != 1 or min(counts.values()) < (1,):
        listed = ", ".join(f"{name} {count[0] if count else 0}" for name, count in counts.items())
        raise InputError(
            f"{path}: the inputs must have one number of rows, at least 1; found {listed}"
        )
    return int(min(counts.values())[0])


def in_buckets(
    path: Path,
    buckets: Sequence[int],
    rows: Inputs,
    run: Callable[[int, Inputs], dict[str, Array]],
) -> dict[str, Array]:
    """Run any number of rows through graphs of fixed batch sizes.

    buckets  smallest first; rows are padded to the smallest that holds them, by repeating the last
             row, which is sound data, and split when none does
    run      takes a bucket and that many rows
    """
    count, largest = row_count(path, rows), buckets[-1]
    parts = []
    for first in range(0, count, largest):
        part = {name: value[first : first + largest] for name, value in rows.items()}
        taken = min(largest, count - first)
        bucket = next(b for b in buckets if b >= taken)
        index = np.minimum(np.arange(bucket), taken - 1)
        outputs = run(
            bucket,
            part if bucket == taken else {name: value[index] for name, value in part.items()},
        )
        parts.append({name: value[:taken] for name, value in outputs.items()})
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
