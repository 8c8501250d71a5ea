"""OSC 1.0 packets: messages of strings and numbers, and bundles of them. Knows bytes alone."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

BUNDLE = b"#bundle\0"
AT_ONCE = struct.pack(">Q", 1)
"""The time tag that means now."""
DEEPEST = 4
"""Bundles within bundles that are still looked into."""
NUMBERS = {"i": ">i", "f": ">f", "h": ">q", "d": ">d"}
PLAIN = {"T": True, "F": False, "N": None}

Value = str | int | float | bool | bytes | None


class OscError(ValueError):
    """Bytes that are no OSC packet."""


def message(address: str, *values: str | int | float) -> bytes:
    """A message; whole numbers are sent in 32 bits, others as 32-bit floats."""
    tags, data = ",", b""
    for value in values:
        if isinstance(value, str):
            tags, data = tags + "s", data + _padded(value)
        elif isinstance(value, int):
            tags, data = tags + "i", data + struct.pack(">i", value)
        else:
            tags, data = tags + "f", data + struct.pack(">f", value)
    return _padded(address) + _padded(tags) + data


def bundle(parts: Sequence[bytes]) -> bytes:
    """Messages to be acted on at once and together."""
    return BUNDLE + AT_ONCE + b"".join(struct.pack(">i", len(part)) + part for part in parts)


def messages(packet: bytes, depth: int = 0) -> Iterator[tuple[str, tuple[Value, ...]]]:
    """Address and values of each message in a packet; raises OscError where it is malformed."""
    if not packet.startswith(BUNDLE):
        yield _message(packet)
        return
    if depth == DEEPEST:
        raise OscError("bundles lie too deep in one another")
    at = len(BUNDLE) + len(AT_ONCE)
    if len(packet) < at:
        raise OscError("a bundle without a time tag")
    while at < len(packet):
        size = _size(packet, at)
        at += 4
        if size <= 0 or size % 4 or at + size > len(packet):
            raise OscError(f"a part of {size} bytes at {at} of {len(packet)}")
        yield from messages(packet[at : at + size], depth + 1)
        at += size


def _message(packet: bytes) -> tuple[str, tuple[Value, ...]]:
    address, at = _string(packet, 0)
    if not address.startswith("/"):
        raise OscError("an address that does not begin with /")
    tags, at = _string(packet, at)
    if not tags.startswith(","):
        raise OscError("types that do not begin with a comma")
    values: list[Value] = []
    for tag in tags[1:]:
        if tag in PLAIN:
            values.append(PLAIN[tag])
        elif tag in NUMBERS:
            values.append(_number(packet, at, NUMBERS[tag]))
            at += struct.calcsize(NUMBERS[tag])
        elif tag == "s":
            text, at = _string(packet, at)
            values.append(text)
        elif tag == "b":
            size = _size(packet, at)
            if size < 0 or at + 4 + size > len(packet):
                raise OscError(f"a blob of {size} bytes")
            values.append(packet[at + 4 : at + 4 + size])
            at += 4 + size + -size % 4
        else:
            raise OscError(f"a value of type {tag!r}")
    return address, tuple(values)


def _string(packet: bytes, at: int) -> tuple[str, int]:
    end = packet.find(b"\0", at)
    if end < 0:
        raise OscError("a string without an end")
    try:
        return packet[at:end].decode("utf-8"), end + 4 - end % 4
    except UnicodeDecodeError as exc:
        raise OscError("a string that is not UTF-8") from exc


def _size(packet: bytes, at: int) -> int:
    return int(_number(packet, at, ">i"))


def _number(packet: bytes, at: int, layout: str) -> int | float:
    try:
        (value,) = struct.unpack_from(layout, packet, at)
    except struct.error as exc:
        raise OscError("the packet ends within a number") from exc
    number: int | float = value
    return number


def _padded(text: str) -> bytes:
    data = text.encode() + b"\0"
    return data + bytes(-len(data) % 4)
