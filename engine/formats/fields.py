"""Fields of files: arrays by name, looked up so that an error names file, field and what it wants.

Knows shapes and numbers. What fields mean is the business of the formats that read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.errors import InputError

RATE_KEYS = ("mocap_frame_rate", "mocap_framerate", "frame_rate", "fps")


def read_arrays(path: Path) -> dict[str, Any]:
    """The arrays of an npz file; None for pickled ones: some AMASS files carry such extras.

    Raises InputError that names the file.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: _entry(archive, key) for key in archive.files}
    except OSError as exc:
        raise InputError(f"{path}: cannot be read ({exc})", field="path") from exc
    except Exception as exc:
        # A damaged archive raises whatever zip, zlib and the array header happen to hit.
        raise InputError(
            f"{path}: is no npz file, or a damaged one ({exc}); write it again", field="path"
        ) from exc


def _entry(archive: Any, key: str) -> Any:
    try:
        return archive[key]
    except ValueError as exc:
        if "allow_pickle" in str(exc):
            return None
        raise


class Fields:
    """Typed look-ups in what a file holds; `inside` is where in the file, such as "person1."."""

    def __init__(self, path: Path, values: Mapping[Any, Any], inside: str = "") -> None:
        self.path, self.values, self.inside = path, dict(values), inside

    def fail(self, key: str, message: str) -> InputError:
        return InputError(f"{self.path}: {self.inside}{key} {message}", field=self.inside + key)

    def shape(self, key: str) -> tuple[int, ...]:
        """() for a single number, and for what is missing or no array."""
        try:
            return np.shape(self.values[key]) if key in self.values else ()
        except ValueError:
            return ()

    def numbers(self, key: str, shape: Sequence[int | None], extra_axes: int = 0) -> Array:
        """float64 array: `extra_axes`, then `shape`, where None is any length but 0."""
        value = self.values.get(key)
        if value is None:
            there = ", ".join(map(str, self.values)) or "nothing"
            raise self.fail(key, f"is missing, or pickled; the file has {there}")
        try:
            array = np.asarray(value)
        except ValueError as exc:
            raise self.fail(key, f"is no array, its rows differ in length ({exc})") from exc
        wanted = ", ".join(["..."] * extra_axes + ["n" if s is None else str(s) for s in shape])
        fits = array.ndim == len(shape) + extra_axes and all(
            found == size if size is not None else found > 0
            for found, size in zip(array.shape[extra_axes:], shape, strict=True)
        )
        if not fits:
            raise self.fail(key, f"has shape {array.shape}, expected ({wanted})")
        if array.dtype.kind not in "fiu":
            raise self.fail(key, f"holds {array.dtype}, expected numbers")
        if not np.all(np.isfinite(array)):
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise self.fail(key, f"is not finite at index {where}")
        return np.asarray(array, np.float64)

    def rate(self, keys: Sequence[str] = RATE_KEYS) -> float:
        """Frames a second, under the first of the keys that is there."""
        key = next((key for key in keys if key in self.values), None)
        if key is None:
            raise self.fail(keys[0], f"is missing; expected one of {', '.join(keys)}")
        value = self.values[key]
        rate = float(self.numbers(key, ())) if np.ndim(value) == 0 else np.nan
        if not 0 < rate <= 10_000:
            raise self.fail(key, f"is {value}, expected frames a second, above 0")
        return rate
