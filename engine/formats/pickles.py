"""Pickles of strangers: numbers, text, containers and numeric arrays, and nothing else.

A pickle is a program; these are read by an interpreter that admits what data consist of, and
refuses everything else by name. Knows no layout.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from engine.errors import InputError

MAX_BYTES = 64 * 2**20


def load_numeric_pickle(path: Path) -> Any:
    """Numbers, text, containers and numeric arrays from a pickle (any protocol, numpy 1 or 2).

    Nothing that the file names is imported or called. Raises InputError naming what was refused.
    """
    return _load(path, "pickle", _unpickled)


def load_numeric_npy(path: Path) -> Any:
    """An array from an .npy file, or the object (a dict, mostly) that NumPy pickled into one.

    Raises InputError as `load_numeric_pickle` does.
    """
    return _load(path, ".npy file", _array_or_object)


def _load(path: Path, what: str, read: Callable[[BinaryIO], Any]) -> Any:
    try:
        with path.open("rb") as file:
            if path.stat().st_size > MAX_BYTES:
                raise InputError(f"{path}: is larger than {MAX_BYTES >> 20} MiB", field="path")
            return read(file)
    except OSError as exc:
        raise InputError(f"{path}: cannot be read ({exc.strerror})", field="path") from exc
    except _RefusedError as exc:
        raise InputError(
            f"{path}: the pickle wants to use {exc}; only numeric arrays are admitted, so it was "
            "not run; save the pose again as plain arrays",
            field="path",
            reason="UNSAFE_PICKLE",
        ) from exc
    except InputError:
        raise
    except Exception as exc:
        # A damaged pickle raises whatever its opcodes hit; the unpickler promises nothing.
        raise InputError(
            f"{path}: is no {what}, or a damaged one ({type(exc).__name__}: {exc})", field="path"
        ) from exc


def _unpickled(file: BinaryIO) -> Any:
    return _resolved(_NumericUnpickler(file).load())


def _array_or_object(file: BinaryIO) -> Any:
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    _, _, dtype = read_header(file)
    if dtype.hasobject:
        array = _unpickled(file)
        return array.item() if array.shape == () else array
    file.seek(0)
    return np.load(file, allow_pickle=False)


class _RefusedError(Exception):
    pass


class _StandIn:
    """What a pickle gets in place of a NumPy function: a note of its arguments, run by us alone."""

    def __init__(self, *args: Any) -> None:
        self.args: tuple[Any, ...] = args
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def resolved(self) -> Any:
        raise NotImplementedError


class _Bytes(_StandIn):
    """bytes() and _codecs.encode(text, "latin1"): how protocols 0 to 2 write bytes."""

    def resolved(self) -> bytes:
        text, encoding = self.args or ("", "latin1")
        if encoding not in ("latin1", "latin-1"):
            raise _RefusedError(f"the encoding {encoding!r}")
        return bytes(str(text).encode("latin1"))


class _Dtype(_StandIn):
    def resolved(self) -> np.dtype[Any]:
        dtype = np.dtype(str(self.args[0]))
        if dtype.kind not in "fiubUSO":
            raise _RefusedError(f"an array of {dtype}")
        is_big_endian = bool(self.state) and self.state[1] == ">"
        return dtype.newbyteorder(">" if is_big_endian else "<")


class _Array(_StandIn):
    """ndarray and _reconstruct: an empty array that gets its shape and bytes as a state."""

    def resolved(self) -> Any:
        _, shape, dtype, is_fortran, data = self.state
        if isinstance(data, list):
            objects = np.empty(len(data), object)
            for index, item in enumerate(data):
                objects[index] = _resolved(item)
            return objects.reshape(tuple(shape), order="F" if is_fortran else "C")
        return _shaped(data, dtype, shape, bool(is_fortran))


class _FromBuffer(_StandIn):
    def resolved(self) -> Any:
        data, dtype, shape, order = self.args
        return _shaped(data, dtype, shape, order == "F")


class _Scalar(_StandIn):
    def resolved(self) -> Any:
        dtype, data = self.args
        return np.frombuffer(_resolved(data), _resolved(dtype))[0]


_ADMITTED: dict[str, type[_StandIn]] = {
    "numpy.ndarray": _Array,
    "numpy.dtype": _Dtype,
    "_codecs.encode": _Bytes,
    "builtins.bytes": _Bytes,
    "__builtin__.bytes": _Bytes,
} | {
    f"numpy.{core}.{name}": stand_in
    for core in ("core", "_core")
    for name, stand_in in {
        "multiarray._reconstruct": _Array,
        "multiarray.scalar": _Scalar,
        "numeric._frombuffer": _FromBuffer,
    }.items()
}


class _NumericUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        name = f"{module_name}.{global_name}"
        if name not in _ADMITTED:
            raise _RefusedError(name)
        return _ADMITTED[name]

    def persistent_load(self, pid: Any, /) -> Any:
        raise _RefusedError(f"a persistent object {pid!r}")


def _shaped(data: Any, dtype: Any, shape: Any, is_fortran: bool) -> Any:
    flat = np.frombuffer(_resolved(data), _resolved(dtype))
    return flat.reshape(tuple(shape), order="F" if is_fortran else "C").copy()


def _resolved(value: Any, depth: int = 0) -> Any:
    """The value with every stand-in replaced by what it stands for."""
    if depth > 16:
        raise ValueError("nested too deeply")
    if isinstance(value, _StandIn):
        return value.resolved()
    if isinstance(value, dict):
        return {key: _resolved(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_resolved(item, depth + 1) for item in value)
    return value
