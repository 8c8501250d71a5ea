"""Messages as arrays, field by field, and where two sets of arrays differ."""

from __future__ import annotations

import hashlib
import io
import lzma
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.golden.adapter import Answers

Arrays = dict[str, npt.NDArray[Any]]
UNTOLD = frozenset(["resume_token"])
"""Fields that hold the time of day: a token is judged by what comes of it."""
CLOCKS = {"waited_ms", "denoised_ms", "reaction_ms", "p50", "p95", "p99"}
CLOCKS |= {"session_time", "engine_load", "duration"}
"""Differences of times, whose last bits depend on how often the virtual clock has jumped."""
CLOCK_DIGITS = 4
UNIT, ROUNDED = 1e-4, "~"
DTYPES: dict[int, type] = {
    FieldDescriptor.CPPTYPE_FLOAT: np.float32,
    FieldDescriptor.CPPTYPE_DOUBLE: np.float64,
    FieldDescriptor.CPPTYPE_STRING: np.str_,
    FieldDescriptor.CPPTYPE_UINT64: np.uint64,
}
"""Of kinds of fields; all others are int64."""


def arrays_of(answers: Answers) -> Arrays:
    """All fields of all messages as arrays, one for each path of a field, in the order sent."""
    found: Arrays = {}
    for number, sent in enumerate(answers):
        values: dict[tuple[str, type], list[Any]] = defaultdict(list)
        for at, message in sent:
            values["at", np.float64].append(round(at, CLOCK_DIGITS))
            values["message", np.str_].append(message.DESCRIPTOR.name)
            _walk(message, message.DESCRIPTOR.name, values)
        for (path, dtype), column in values.items():
            found[f"{number}/{path}"] = np.array(column, dtype)
    return found


def _walk(message: Message, path: str, values: dict[tuple[str, type], list[Any]]) -> None:
    """Fields that may be absent or repeated have their number in a column `path#`."""
    for field in message.DESCRIPTOR.fields:
        name, value = f"{path}.{field.name}", getattr(message, field.name)
        if field.name in UNTOLD:
            continue
        if field.is_repeated:
            values[f"{name}#", np.int64].append(len(value))
        elif field.has_presence:
            values[f"{name}#", np.int64].append(int(message.HasField(field.name)))
            value = [value] if message.HasField(field.name) else []
        else:
            value = [value]
        if field.message_type is None:
            if field.name in CLOCKS:
                value = [round(number, CLOCK_DIGITS) for number in value]
            if field.type == FieldDescriptor.TYPE_BYTES:
                value = [part.hex() for part in value]
            values[name, DTYPES.get(field.cpp_type, np.int64)].extend(value)
        else:
            for part in value:
                _walk(part, name, values)


def hashes_of(arrays: Arrays) -> dict[str, str]:
    return {
        name: hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()
        for name, array in sorted(arrays.items())
    }


def differences(before: Arrays, after: Arrays, tolerance: float = 0.0) -> list[str]:
    """A line for each array that is not the same, bit for bit or, for floats, within a tolerance.

    With a tolerance a quaternion is the same as its negative. A field that the contract got since
    and that nobody sets is no difference.
    """
    new = sorted(set(after) - set(before))
    lines = [f"{name}: is new" for name in new if np.any(after[name])]
    for name, then in before.items():
        if name not in after:
            lines.append(f"{name}: is gone")
        elif problem := _difference(name, then, after[name], tolerance):
            lines.append(f"{name}: {problem}")
    return lines


def _difference(
    name: str, then: npt.NDArray[Any], now: npt.NDArray[Any], tolerance: float
) -> str | None:
    if then.shape != now.shape:
        return f"{len(now)} values, were {len(then)}"
    if then.dtype == now.dtype and then.tobytes() == now.tobytes():
        return None
    if then.dtype.kind != "f":
        other = np.flatnonzero(then != now)
        return f"value {other[0]} is {now[other[0]]}, was {then[other[0]]}" if len(other) else None
    off = np.abs(now.astype(np.float64) - then)
    if tolerance and name.endswith("rotations"):
        negated = np.abs(now.astype(np.float64) + then).reshape(-1, 4).max(axis=1)
        off = np.minimum(off.reshape(-1, 4).max(axis=1), negated).repeat(4)
    if tolerance and (off <= tolerance).all():
        return None
    is_other = ~(off <= tolerance)
    first, many = np.argmax(is_other), is_other.sum()
    return f"{many} of {len(off)} values differ, from {first} on, by up to {off.max():.3g}"


# -------------------------------------------------------------------------------------------- files
def rounded(arrays: Arrays) -> Arrays:
    """Floats to UNIT, as integers: for a file that is small, and read with a tolerance."""
    is_float = {name: array.dtype.kind == "f" for name, array in arrays.items()}
    return {
        name + ROUNDED * is_float[name]: np.rint(array / UNIT).astype(np.int32)
        if is_float[name]
        else array
        for name, array in arrays.items()
    }


def write(path: Path, arrays: Arrays) -> None:
    with lzma.open(path, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy takes any names


def read(path: Path) -> Arrays:
    stored = np.load(io.BytesIO(lzma.decompress(path.read_bytes())))
    return {
        name.removesuffix(ROUNDED): UNIT * array if name.endswith(ROUNDED) else array
        for name, array in stored.items()
    }
