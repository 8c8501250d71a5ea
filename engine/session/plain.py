"""Plain data to bytes and back, exact to the bit: the engine's own states, settings and arrays.

For recordings and tokens. Knows numbers, texts, containers, arrays, enums, and classes of this
package by their name and attributes; nothing that it reads runs a constructor, let alone other
code. msgpack underneath (https://msgpack.org), our kinds as its extension types.
"""

from __future__ import annotations

import importlib
from collections import deque
from enum import Enum
from typing import Any

import msgpack
import numpy as np

from engine.errors import InputError

ARRAY, ARRAY_AGAIN, TUPLE, DEQUE, OBJECT, MEMBER, SCALAR, SET = range(1, 9)
"""Extension types. An array that was packed before is written as its number: what was one array
in memory is one array again."""
PACKAGE = "engine."


def packed(value: Any) -> bytes:
    """Raises TypeError for a value that is not plain, such as a function or a lock."""
    packer = _Packer()
    return packer.pack(value)


def unpacked(data: bytes) -> Any:
    """Raises InputError if the bytes are not what `packed` makes."""
    try:
        return _Unpacker().unpack(data)
    except InputError:
        raise
    except Exception as exc:  # msgpack raises a dozen kinds, and so do the rebuilt types
        raise InputError(f"not plain data: {type(exc).__name__}: {exc}", field="data") from exc


class _Packer:
    def __init__(self) -> None:
        self._arrays: dict[int, tuple[int, Any]] = {}  # holds them: an id is no other's meanwhile

    def pack(self, value: Any) -> bytes:
        data: bytes = msgpack.packb(value, default=self._extension, strict_types=True)
        return data

    def _extension(self, value: Any) -> msgpack.ExtType:
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, np.generic):
            parts: Any = [value.dtype.str, value.tobytes()]
            return msgpack.ExtType(SCALAR, self.pack(parts))
        if type(value) is tuple:
            return msgpack.ExtType(TUPLE, self.pack(list(value)))
        if type(value) in (set, frozenset):
            return msgpack.ExtType(SET, self.pack(sorted(value)))
        if type(value) is deque:
            return msgpack.ExtType(DEQUE, self.pack([value.maxlen, list(value)]))
        kind = type(value)
        if not kind.__module__.startswith(PACKAGE):
            raise TypeError(f"{kind.__module__}.{kind.__qualname__} is no plain data")
        if isinstance(value, Enum):
            return msgpack.ExtType(MEMBER, self.pack([_name(kind), value.name]))
        return msgpack.ExtType(OBJECT, self.pack([_name(kind), vars(value)]))

    def _array(self, value: Any) -> msgpack.ExtType:
        if id(value) in self._arrays:
            return msgpack.ExtType(ARRAY_AGAIN, self.pack(self._arrays[id(value)][0]))
        if value.dtype.hasobject:
            raise TypeError("an array of objects is no plain data")
        self._arrays[id(value)] = (len(self._arrays), value)
        dtype = value.dtype.descr if value.dtype.names else value.dtype.str
        parts = [dtype, list(value.shape), value.tobytes()]
        return msgpack.ExtType(ARRAY, self.pack(parts))


class _Unpacker:
    def __init__(self) -> None:
        self._arrays: list[Any] = []

    def unpack(self, data: bytes) -> Any:
        return msgpack.unpackb(data, ext_hook=self._rebuilt, strict_map_key=False)

    def _rebuilt(self, code: int, data: bytes) -> Any:
        parts = self.unpack(data)
        if code == ARRAY:
            dtype, shape, raw = parts
            dtype = np.dtype(dtype if isinstance(dtype, str) else [tuple(field) for field in dtype])
            self._arrays.append(np.frombuffer(raw, dtype).reshape(shape).copy())
            return self._arrays[-1]
        if code == ARRAY_AGAIN:
            return self._arrays[parts]
        if code == TUPLE:
            return tuple(parts)
        if code == SET:
            return frozenset(parts)
        if code == DEQUE:
            return deque(parts[1], maxlen=parts[0])
        if code == SCALAR:
            return np.frombuffer(parts[1], np.dtype(parts[0]))[0]
        if code == MEMBER:
            return _class(parts[0])[parts[1]]
        if code == OBJECT:
            return _made(*parts)
        raise InputError(f"not plain data: extension {code}", field="data")


def _made(name: str, attributes: dict[str, Any]) -> Any:
    kind = _class(name)
    made = object.__new__(kind)
    for attribute, value in attributes.items():
        object.__setattr__(made, attribute, value)
    return made


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _class(name: str) -> Any:
    """A class of this package by its name; importing our modules has no side effects."""
    module, _, qualified = name.partition(":")
    kind = None
    if module.startswith(PACKAGE):
        kind = getattr(importlib.import_module(module), qualified, None)
    if not isinstance(kind, type) or _name(kind) != name or issubclass(kind, BaseException):
        raise InputError(
            f"not plain data: {name!r} is no class of this version of contrapose", field="data"
        )
    return kind
