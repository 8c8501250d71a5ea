"""Fields of files: arrays by name, looked up so that an error names file, field and what it wants.

Knows shapes and numbers. What fields mean is the business of the formats that read them.
"""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np

from engine.arrays import Array
from engine.errors import InputError
from engine.formats.pickles import npy_header
from engine.motion.motion import RATES, RATES_TEXT

RATE_KEYS = ("mocap_frame_rate", "mocap_framerate", "frame_rate", "fps")
LARGEST = 1e9
"""Of any number of a motion, in any unit: its square still fits into a float32."""
MOST_ENTRIES = 1000
SMALL_UNPACKED = 32 * 2**20
UNPACKED_RATIO = 20
"""An archive may unpack to SMALL_UNPACKED bytes and this many for each of its own: ten minutes of
a body that stands still are less."""
_DIRECTORY_BYTES = 400
"""Of an entry in the directory, with a name as long as any array's."""
_START = b"PK"
_END = b"PK\x05\x06"
_END_BYTES = 22 + 65535


class Archive(Mapping[str, Any]):
    """The arrays of an npz file, each read when it is asked for; None for pickled ones: some AMASS
    files carry such extras.

    What the directory declares is checked before anything is unpacked.
    Raises InputError that names the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[str, Any] = {}
        with _damage(path), path.open("rb") as file:
            _check_directory(path, file)
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
        _check_sizes(path, entries)
        self._entries = {entry.filename.removesuffix(".npy"): entry for entry in entries}

    def __getitem__(self, key: str) -> Any:
        entry = self._entries[key]
        if key not in self._read:
            with (
                _damage(self.path),
                zipfile.ZipFile(self.path) as archive,
                archive.open(entry) as file,
            ):
                self._read[key] = _array(self.path, key, file, entry.file_size)
        return self._read[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """What a damaged archive raises, whatever zip, zlib and the array header hit, as InputError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's, about headers that Python 2 wrote
            yield
    except InputError:
        raise
    except OSError as exc:
        raise InputError(f"{path}: cannot be read ({exc})", field="path") from exc
    except Exception as exc:
        raise InputError(
            f"{path}: is no npz file, or a damaged one ({exc}); write it again", field="path"
        ) from exc


def _check_directory(path: Path, file: IO[bytes]) -> None:
    """Raises InputError for what is no archive, or has a directory that would take seconds."""
    if file.read(2) != _START:
        raise InputError(f"{path}: is no npz file; write it again", field="path")
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - _END_BYTES, 0))
    tail = file.read()
    end = tail.rfind(_END)
    entries = int.from_bytes(tail[end + 10 : end + 12], "little")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little")
    if end >= 0 and (entries > MOST_ENTRIES or directory > MOST_ENTRIES * _DIRECTORY_BYTES):
        raise InputError(
            f"{path}: holds over {MOST_ENTRIES} arrays; expected the few of a motion", field="path"
        )


def _check_sizes(path: Path, entries: Sequence[zipfile.ZipInfo]) -> None:
    size = path.stat().st_size
    most, unpacked = SMALL_UNPACKED + UNPACKED_RATIO * size, sum(e.file_size for e in entries)
    if unpacked > most:
        raise InputError(
            f"{path}: its {size:,} bytes would unpack to {unpacked:,}; a file of this size may "
            f"unpack to {most:,}: split it, or save it without compression",
            field="path",
        )
    for entry in entries:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(
                f"{path}: {entry.filename} is packed in a way that NumPy does not write",
                field="path",
            )


def _array(path: Path, key: str, file: IO[bytes], size: int) -> Any:
    """An entry of `size` bytes. Raises InputError if it is no array, or not of that many bytes."""
    if file.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
        raise InputError(f"{path}: {key} is no array; save it with numpy.savez", field=key)
    file.seek(0)
    shape, dtype = npy_header(cast(BinaryIO, file))
    if dtype.hasobject:
        return None
    held = size - file.tell()
    if math.prod(shape) * dtype.itemsize != held:
        raise InputError(
            f"{path}: {key} declares {shape} of {dtype}, and {held} bytes follow; write it again",
            field=key,
        )
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


class Fields:
    """Typed look-ups in what a file holds; `inside` is where in the file, such as "person1."."""

    def __init__(self, path: Path, values: Mapping[Any, Any], inside: str = "") -> None:
        self.path, self.values, self.inside = path, values, inside

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
        if array.size and max(abs(float(array.max())), abs(float(array.min()))) > LARGEST:
            raise self.fail(key, f"holds numbers over {LARGEST:g}, which no motion has")
        return np.asarray(array, np.float64)

    def rate(self, keys: Sequence[str] = RATE_KEYS) -> float:
        """Frames a second, under the first of the keys that is there."""
        key = next((key for key in keys if key in self.values), None)
        if key is None:
            raise self.fail(keys[0], f"is missing; expected one of {', '.join(keys)}")
        value = self.values[key]
        rate = float(self.numbers(key, ())) if np.ndim(value) == 0 else np.nan
        if not RATES[0] <= rate <= RATES[1]:
            raise self.fail(key, f"is {value}, expected {RATES_TEXT}")
        return rate
