"""Kinds of values, written as msgpack's own data and read back, exact to the bit.

A kind says how one sort of value is written, and what it may be when it is read: type, range,
length, shape. Whatever else is found raises InputError that names the place; nothing that is read
chooses a class or runs code. Which records there are is `records.py`'s.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

import msgpack
import numpy as np
import numpy.typing as npt

from engine.body.pose import Pose
from engine.body.skeleton import JOINT_COUNT
from engine.errors import ContraposeError, InputError

T = TypeVar("T")

Table = npt.NDArray[np.void]
MOST_ROWS = 100_000
"""Length of an array's axis whose length is free: a walk of hours."""
MOST_METRES = 2000.0
"""From the origin. The wire lets half of it in."""
MOST_VALUE = 1e6
FAR = 2**40
"""Beyond any frame, number or count: thousands of years."""
DTYPES: dict[str, np.dtype[Any]] = {
    "f4": np.dtype("<f4"),
    "f8": np.dtype("<f8"),
    "i8": np.dtype("<i8"),
    "b1": np.dtype("?"),
}
TAGS = {dtype: tag for tag, dtype in DTYPES.items()}
FLOATS = ("f4", "f8")


class Unreadable(Exception):
    """What was found instead of a kind, and where, from the outside in."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.places: list[str] = []


@dataclass(frozen=True)
class Kind(Generic[T]):
    """write  a value as numbers, texts, bytes, lists and maps; TypeError for one of another sort
    read   the value again; Unreadable for what `write` cannot have made
    told   what that is, down to the last tag
    """

    write: Callable[[T], Any]
    read: Callable[[Any], T]
    told: str


def packed(kind: Kind[T], value: T) -> bytes:
    data: bytes = msgpack.packb(kind.write(value), strict_types=True)
    return data


def unpacked(kind: Kind[T], data: bytes) -> T:
    """Raises InputError, in one line, unless `packed` made the bytes, of this kind."""
    try:
        plain = msgpack.unpackb(data)
    except (ValueError, TypeError) as exc:  # msgpack's own are ValueErrors; a key may be a list
        raise InputError("no msgpack, or cut", field="data") from exc
    return read_as(kind, plain)


def read_as(kind: Kind[T], plain: Any) -> T:
    """The same, of what msgpack has read."""
    try:
        return kind.read(plain)
    except Unreadable as found:
        place = ".".join(found.places)
        where = f"{place}: " if place else ""
        raise InputError(f"{where}{found.problem}", field=place or "data") from found


def _unreadable(found: object, expected: str) -> Unreadable:
    shown = repr(found)[:40]
    return Unreadable(f"found {shown}, expected {expected}")


def _at(place: object, kind: Kind[T], data: Any) -> T:
    try:
        return kind.read(data)
    except Unreadable as found:
        found.places.insert(0, str(place))
        raise


# ------------------------------------------------------------------------------------------ numbers
def _plain(kind: type[T], is_right: Callable[[T], bool], expected: str) -> Kind[T]:
    def write(value: T) -> T:
        if type(value) is not kind:
            raise TypeError(f"a {type(value).__name__} for {expected}")
        return value

    def read(data: Any) -> T:
        if type(data) is not kind or not is_right(data):
            raise _unreadable(data, expected)
        return data

    return Kind(write, read, expected)


def whole(least: int = -FAR, most: int = FAR) -> Kind[int]:
    return _plain(int, lambda value: least <= value <= most, f"a whole number {least}..{most}")


def number(least: float, most: float) -> Kind[float]:
    """Never NaN. A whole number is written as such, and comes back as such."""
    expected = f"a number {least:g}..{most:g}"

    def write(value: float) -> float:
        if type(value) is int:
            return value
        if not isinstance(value, float):
            raise TypeError(f"a {type(value).__name__} for a number")
        return float(value)  # of numpy's kind, perhaps

    def read(data: Any) -> float:
        if type(data) not in (float, int) or not least <= data <= most:
            raise _unreadable(data, expected)
        result: float = data
        return result

    return Kind(write, read, expected)


def text(most: int) -> Kind[str]:
    return _plain(str, lambda value: len(value) <= most, f"a text of at most {most} characters")


def raw(most: int) -> Kind[bytes]:
    return _plain(bytes, lambda value: len(value) <= most, f"at most {most} bytes")


FLAG: Kind[bool] = _plain(bool, lambda _: True, "true or false")


def word(*words: str) -> Kind[Any]:
    return _plain(str, lambda value: value in words, f"one of {', '.join(words)}")


def one_of(members: type[Enum]) -> Kind[Any]:
    """A member, by its value."""
    values = {member.value: member for member in members}
    expected = f"one of {', '.join(map(str, values))}"

    def read(data: Any) -> Enum:
        if type(data) not in (str, int) or data not in values:
            raise _unreadable(data, expected)
        return values[data]

    return Kind(lambda member: member.value, read, expected)


# ------------------------------------------------------------------------------------------- arrays
def array(
    *shape: int | None, dtypes: tuple[str, ...] = ("f8",), most: float = MOST_VALUE
) -> Kind[npt.NDArray[Any]]:
    """An array, None where an axis may have any length; finite, and no number beyond `most`."""
    expected = f"an array {shape} of {' or '.join(dtypes)}, finite, up to {most:g}"

    def fits(found: Any) -> bool:
        return len(found) == len(shape) and all(
            type(axis) is int and (axis == wanted or (wanted is None and 0 <= axis <= MOST_ROWS))
            for axis, wanted in zip(found, shape, strict=True)
        )

    def write(value: npt.NDArray[Any]) -> list[Any]:
        tag = TAGS.get(value.dtype)
        if tag not in dtypes or not fits(value.shape):
            raise TypeError(f"an array {value.shape} of {value.dtype} for {expected}")
        return [tag, list(value.shape), value.tobytes()]

    def read(data: Any) -> npt.NDArray[Any]:
        tag, found, content = _three(data, expected)
        if tag not in dtypes or type(found) is not list or not fits(found):
            raise _unreadable([tag, found], expected)
        dtype = DTYPES[tag]
        if type(content) is not bytes or len(content) != math.prod(found) * dtype.itemsize:
            raise _unreadable(content, expected)
        result = np.frombuffer(content, dtype).reshape(found).copy()
        if dtype.kind == "b" and (result.view(np.uint8) > 1).any():
            raise _unreadable(content, expected)
        if dtype.kind != "b" and not (is_right := (result >= -most) & (result <= most)).all():
            raise _unreadable(result[~is_right][0], expected)
        return result

    return Kind(write, read, expected)


def table(dtype: np.dtype[np.void], ranges: Mapping[str, tuple[float, float]]) -> Kind[Table]:
    """Rows (n,) of a dtype whose columns lie in ranges; none holds a NaN."""
    columns = [f"{name} {low:g}..{high:g}" for name, (low, high) in ranges.items()]
    expected = f"rows of {dtype.descr}: {', '.join(columns)}"

    def read(data: Any) -> Table:
        if type(data) is not bytes or len(data) % dtype.itemsize:
            raise _unreadable(data, expected)
        result = np.frombuffer(data, dtype).copy()
        for name, (least, most) in ranges.items():
            is_right = (result[name] >= least) & (result[name] <= most)
            if not is_right.all():
                raise _unreadable(result[~is_right][0], f"{name} {least:g}..{most:g}")
        return result

    return Kind(lambda rows: rows.astype(dtype, copy=False).tobytes(), read, expected)


def poses(*lead: int | None) -> Kind[Pose]:
    """Poses with these leading axes; None: of any length."""
    parts = row(
        array(*lead, JOINT_COUNT, 3, 3, dtypes=FLOATS, most=2.0),
        array(*lead, 3, dtypes=FLOATS, most=MOST_METRES),
    )

    def read(data: Any) -> Pose:
        rotmats, transl = parts.read(data)
        if rotmats.shape[: len(lead)] != transl.shape[: len(lead)]:
            raise _unreadable(rotmats.shape, f"as many rotations as places, {transl.shape[:-1]}")
        return Pose(rotmats, transl)

    return Kind(lambda pose: parts.write((pose.rotmats, pose.transl)), read, parts.told)


def _three(data: Any, expected: str) -> tuple[Any, Any, Any]:
    if type(data) is not list or len(data) != 3:
        raise _unreadable(data, expected)
    first, second, third = data
    return first, second, third


# --------------------------------------------------------------------------------------- containers
def optional(kind: Kind[T]) -> Kind[T | None]:
    return Kind(
        lambda value: None if value is None else kind.write(value),
        lambda data: None if data is None else kind.read(data),
        f"nothing or {kind.told}",
    )


def several(kind: Kind[T], most: int, *, least: int = 0) -> Kind[tuple[T, ...]]:
    def read(data: Any) -> tuple[T, ...]:
        if type(data) is not list or not least <= len(data) <= most:
            raise _unreadable(data, f"a list of {least} to {most}")
        return tuple(_at(place, kind, part) for place, part in enumerate(data))

    told = f"a list of {least} to {most}, each {kind.told}"
    return Kind(lambda values: [kind.write(value) for value in values], read, told)


def row(*kinds: Kind[Any]) -> Kind[tuple[Any, ...]]:
    """One value of each kind."""

    def write(values: tuple[Any, ...]) -> list[Any]:
        return [kind.write(value) for kind, value in zip(kinds, values, strict=True)]

    def read(data: Any) -> tuple[Any, ...]:
        if type(data) is not list or len(data) != len(kinds):
            raise _unreadable(data, f"a list of {len(kinds)}")
        return tuple(_at(place, kind, data[place]) for place, kind in enumerate(kinds))

    return Kind(write, read, f"[{'; '.join(kind.told for kind in kinds)}]")


def each(kind: Kind[Any], tags: str) -> dict[str, Kind[Any]]:
    return dict.fromkeys(tags.split(), kind)


def entries(kinds: Mapping[str, Kind[Any]]) -> Kind[dict[str, Any]]:
    """A map of exactly these tags."""

    def write(values: Mapping[str, Any]) -> dict[str, Any]:
        return {tag: kind.write(values[tag]) for tag, kind in kinds.items()}

    def read(data: Any) -> dict[str, Any]:
        if type(data) is not dict:
            raise _unreadable(data, "a map")
        for tag in [*kinds, *data]:
            if tag not in data or tag not in kinds:
                raise Unreadable(f"{tag!r:.40} is {'missing' if tag in kinds else 'unknown'}")
        return {tag: _at(tag, kind, data[tag]) for tag, kind in kinds.items()}

    told = "".join(f"\n{tag}: {kind.told}" for tag, kind in kinds.items())
    return Kind(write, read, "{" + told.replace("\n", "\n  ") + "\n}")


def record(made: type[T], kinds: Mapping[str, Kind[Any]], **attributes: str) -> Kind[T]:
    """An object, made by its class, which may refuse.

    kinds       by tag, which never changes; an attribute of another name is given in `attributes`
    """
    inner = entries(kinds)
    names = {tag: attributes.get(tag, tag) for tag in kinds}

    def write(value: T) -> dict[str, Any]:
        if type(value) is not made:
            raise TypeError(f"a {type(value).__name__} for a {made.__name__}")
        plain: dict[str, Any] = inner.write({tag: getattr(value, names[tag]) for tag in kinds})
        return plain

    def read(data: Any) -> T:
        values = inner.read(data)
        try:
            return made(**{names[tag]: value for tag, value in values.items()})
        except (ContraposeError, ValueError) as exc:
            raise Unreadable(str(exc)) from exc

    return Kind(write, read, inner.told)
