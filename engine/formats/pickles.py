"""Pickles of strangers: numbers, text, containers and numeric arrays, and nothing else.

A pickle is a program. These are run by an interpreter of ours that admits what data consist of and
refuses everything else by name: nothing that a file names is imported or called, and its length
bounds what it may cost. Knows no layout.
"""

from __future__ import annotations

import io
import math
import pickletools
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from engine.errors import InputError

MAX_BYTES = 64 * 2**20
MAX_STEPS = 500_000
"""Operations of the program, and items of what comes of it with shared ones counted each time."""
MAX_DEPTH = 16
"""Containers within containers."""
MOST_DTYPE = 16
"""Characters of a data type's name, such as "<f4"."""


def load_numeric_pickle(path: Path) -> Any:
    """Numbers, text, containers and numeric arrays from a pickle (any protocol, numpy 1 or 2).

    Nothing that the file names is imported or called. Raises InputError naming what was refused.
    """
    return _load(path, "pickle", _unpickled)


def load_numeric_dict(path: Path, expected: str = "a dict") -> dict[str, Any]:
    """The same of a file that must hold a dict; `expected` says more of it, in the error."""
    content = load_numeric_pickle(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, expected {expected}", field="path"
        )
    return content


def load_numeric_npy(path: Path) -> Any:
    """An array from an .npy file, or the object (a dict, mostly) that NumPy pickled into one.

    Raises InputError as `load_numeric_pickle` does.
    """
    return _load(path, ".npy file", _array_or_object)


def _load(path: Path, what: str, read: Callable[[BinaryIO], Any]) -> Any:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: is larger than {MAX_BYTES >> 20} MiB", field="path")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's, about headers that Python 2 wrote
            return read(io.BytesIO(path.read_bytes()))
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
        # A damaged file raises whatever its opcodes or its header hit.
        raise InputError(
            f"{path}: is no {what}, or a damaged one ({type(exc).__name__}: {exc})", field="path"
        ) from exc


def _unpickled(file: BinaryIO) -> Any:
    return _Resolving().resolved(_Program(file).run())


def _array_or_object(file: BinaryIO) -> Any:
    shape, dtype = npy_header(file)
    if dtype.hasobject:
        array = _unpickled(file)
        return array.item() if array.shape == () else array
    held = len(file.read())
    if math.prod(shape) * dtype.itemsize > held:
        raise ValueError(f"{shape} of {dtype} do not fit into the {held} bytes that follow")
    file.seek(0)
    return np.load(file, allow_pickle=False)


def npy_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and data type that an .npy file declares; leaves it where the values begin.

    Raises ValueError or KeyError if it is none, or of a version that no file of numbers needs.
    """
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, _, dtype = read_header(file)
    return shape, dtype


class _RefusedError(Exception):
    pass


# ---------------------------------------------------------------------------------------- stand-ins
class _StandIn:
    """What a pickle gets in place of a NumPy function: a note of its arguments, run by us alone."""

    def __init__(self, *args: Any) -> None:
        self.args: tuple[Any, ...] = args
        self.state: Any = None

    def resolved(self, resolving: _Resolving) -> Any:
        raise NotImplementedError


class _Bytes(_StandIn):
    """bytes() and _codecs.encode(text, "latin1"): how protocols 0 to 2 write bytes."""

    def resolved(self, resolving: _Resolving) -> bytes:
        text, encoding = self.args or ("", "latin1")
        if encoding not in ("latin1", "latin-1"):
            raise _RefusedError("another encoding than latin1")
        return _name(text).encode("latin1")


class _Dtype(_StandIn):
    def resolved(self, resolving: _Resolving) -> np.dtype[Any]:
        name = _name(self.args[0])
        if len(name) > MOST_DTYPE:
            raise _RefusedError(f"an array of {name[:MOST_DTYPE]}...")
        dtype = np.dtype(name)
        if dtype.kind not in "fiubUSO":
            raise _RefusedError(f"an array of {dtype}")
        is_big_endian = bool(self.state) and self.state[1] == ">"
        return dtype.newbyteorder(">" if is_big_endian else "<")


class _Array(_StandIn):
    """ndarray and _reconstruct: an empty array that gets its shape and bytes as a state."""

    def resolved(self, resolving: _Resolving) -> Any:
        _, shape, dtype, is_fortran, data = self.state
        if isinstance(data, list):
            objects = np.empty(len(data), object)
            for index, item in enumerate(data):
                objects[index] = resolving.resolved(item)
            return objects.reshape(tuple(shape), order="F" if is_fortran else "C")
        return _shaped(resolving, data, dtype, shape, bool(is_fortran))


class _FromBuffer(_StandIn):
    def resolved(self, resolving: _Resolving) -> Any:
        data, dtype, shape, order = self.args
        return _shaped(resolving, data, dtype, shape, order == "F")


class _Scalar(_StandIn):
    def resolved(self, resolving: _Resolving) -> Any:
        dtype, data = self.args
        return np.frombuffer(_content(resolving, data), resolving.resolved(dtype))[0]


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


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a {type(value).__name__} where a text was expected")
    return value


def _content(resolving: _Resolving, data: Any) -> Any:
    """The bytes of an array; Python 2 wrote them as a text."""
    return data.encode("latin1") if isinstance(data, str) else resolving.resolved(data)


def _shaped(resolving: _Resolving, data: Any, dtype: Any, shape: Any, is_fortran: bool) -> Any:
    flat = np.frombuffer(_content(resolving, data), resolving.resolved(dtype))
    return flat.reshape(tuple(shape), order="F" if is_fortran else "C").copy()


class _Resolving:
    """Replaces every stand-in by what it stands for, each once, within MAX_STEPS items."""

    def __init__(self) -> None:
        self._items = 0
        self._depth = 0
        self._done: dict[int, Any] = {}

    def resolved(self, value: Any) -> Any:
        self._items += 1
        self._depth += 1
        if self._items > MAX_STEPS:
            raise ValueError(f"it holds more than {MAX_STEPS} items")
        if self._depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        if isinstance(value, _StandIn):
            if id(value) not in self._done:
                self._done[id(value)] = value.resolved(self)
            value = self._done[id(value)]
        elif isinstance(value, dict):
            value = {key: self.resolved(item) for key, item in value.items()}
        elif isinstance(value, list | tuple):
            value = type(value)([self.resolved(item) for item in value])
        self._depth -= 1
        return value


# -------------------------------------------------------------------------------------- the program
_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE"}
    | {"BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
_SILENT = frozenset({"PROTO", "FRAME", "STOP"})


class _Program:
    """The stack machine of a pickle, for the operations that data need.

    Keys of dicts are plain values: hashing tuples of shared tuples would never end.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._code = pickletools.genops(file)
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._operations: Mapping[str, Callable[[Any], None]] = {
            "MARK": lambda _: self._stack.append(_MARK),
            "POP": lambda _: self._drop(),
            "POP_MARK": lambda _: self._drop_marked(),
            "DUP": lambda _: self._stack.append(self._stack[-1]),
            "EMPTY_LIST": lambda _: self._stack.append([]),
            "EMPTY_TUPLE": lambda _: self._stack.append(()),
            "EMPTY_DICT": lambda _: self._stack.append({}),
            "LIST": lambda _: self._stack.append(self._marked()),
            "TUPLE": lambda _: self._stack.append(tuple(self._marked())),
            "TUPLE1": lambda _: self._stack.append(tuple(self._last(1))),
            "TUPLE2": lambda _: self._stack.append(tuple(self._last(2))),
            "TUPLE3": lambda _: self._stack.append(tuple(self._last(3))),
            "DICT": lambda _: self._stack.append(self._filled({}, self._marked())),
            "APPEND": lambda _: self._append(self._last(1)),
            "APPENDS": lambda _: self._append(self._marked()),
            "SETITEM": lambda _: self._set_items(self._last(2)),
            "SETITEMS": lambda _: self._set_items(self._marked()),
            "PUT": self._remember,
            "BINPUT": self._remember,
            "LONG_BINPUT": self._remember,
            "MEMOIZE": lambda _: self._remember(len(self._memo)),
            "GET": lambda index: self._stack.append(self._memo[index]),
            "BINGET": lambda index: self._stack.append(self._memo[index]),
            "LONG_BINGET": lambda index: self._stack.append(self._memo[index]),
            "GLOBAL": lambda name: self._admit(*name.split(" ", 1)),
            "STACK_GLOBAL": lambda _: self._admit(*self._last(2)),
            "REDUCE": lambda _: self._note(),
            "NEWOBJ": lambda _: self._note(),
            "BUILD": lambda _: self._build(),
        }

    def run(self) -> Any:
        """What the program leaves. Raises _RefusedError, or what a damaged program hits."""
        for step, (operation, value, _) in enumerate(self._code):
            if step > MAX_STEPS:
                raise ValueError(f"it takes more than {MAX_STEPS} steps")
            name = operation.name
            if name in _VALUES:
                if isinstance(value, int) and not -(2**63) <= value < 2**64:
                    raise _RefusedError("a number of over 64 bits")
                self._stack.append(value)
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name in self._operations:
                self._operations[name](value)
            elif name not in _SILENT:
                raise _RefusedError(f"the operation {name}")
        (result,) = self._stack
        return result

    def _drop(self) -> None:
        self._stack.pop()

    def _drop_marked(self) -> None:
        self._marked()

    def _last(self, count: int) -> list[Any]:
        if len(self._stack) < count or any(item is _MARK for item in self._stack[-count:]):
            raise ValueError("it takes more from its stack than lies there")
        taken = self._stack[-count:]
        del self._stack[-count:]
        return taken

    def _marked(self) -> list[Any]:
        """All above the last mark."""
        taken: list[Any] = []
        while (item := self._stack.pop()) is not _MARK:
            taken.append(item)
        return taken[::-1]

    def _append(self, items: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise ValueError("it appends to what is no list")
        self._stack[-1].extend(items)

    def _set_items(self, items: list[Any]) -> None:
        if not isinstance(self._stack[-1], dict):
            raise ValueError("it sets an item of what is no dict")
        self._filled(self._stack[-1], items)

    def _filled(self, table: dict[Any, Any], items: list[Any]) -> dict[Any, Any]:
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | bytes | int | float):
                raise _RefusedError(f"a {type(key).__name__} as the key of a dict")
            table[key] = value
        return table

    def _remember(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _admit(self, module: Any, name: Any) -> None:
        full = f"{_name(module)}.{_name(name)}"
        if full not in _ADMITTED:
            raise _RefusedError(full)
        self._stack.append(_ADMITTED[full])

    def _note(self) -> None:
        kind, args = self._last(2)
        if not (isinstance(kind, type) and issubclass(kind, _StandIn) and isinstance(args, tuple)):
            raise _RefusedError("a call of what is no function of NumPy's")
        self._stack.append(kind(*args))

    def _build(self) -> None:
        note, state = self._last(2)
        if not isinstance(note, _StandIn):
            raise _RefusedError(f"a state for a {type(note).__name__}")
        note.state = state
        self._stack.append(note)
