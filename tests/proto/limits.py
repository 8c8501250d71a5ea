"""The numeric limits that the comments of the contract state, for what a client may send."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from tests.data.make_contract import current_contract

NUMBER = r"(-?\d+(?:\.\d+)?)"
RANGE = re.compile(rf"{NUMBER} to {NUMBER}(?![\w.]*\d)")
MOST = re.compile(rf"[Aa]t most {NUMBER}")


@dataclass(frozen=True)
class Limit:
    """Of a number, or of a length where the field is a text or a list of messages."""

    least: float
    most: float
    is_real: bool
    """Whether there are numbers between two whole ones."""

    @property
    def ends(self) -> list[float]:
        return [self.least, self.most]

    @property
    def beyond(self) -> list[float]:
        """Values that are refused, near each end; a count below 0 cannot be sent."""
        step = 0.01 * (self.most - self.least) if self.is_real else 1
        below = [self.least - step] if self.is_real or self.least > 0 else []
        return [*below, self.most + step]


def stated_limits() -> dict[str, Limit]:
    """`Message.field` -> least and most, of every field that a request may hold.

    Comments write them as "4 to 100" and "at most 64"; the least of the latter is 0.
    """
    files = current_contract(with_comments=True).file
    messages = {message.name: message for file in files for message in file.message_type}
    return {
        f"{message.name}.{field.name}": limit
        for file in files
        for message, field, comment in comments(file)
        if message.name in reachable(messages) and (limit := limit_in(comment, field)) is not None
    }


def comments(
    file: FileDescriptorProto,
) -> Iterator[tuple[DescriptorProto, FieldDescriptorProto, str]]:
    """Every field of a file with the comment in front of it."""
    for location in file.source_code_info.location:
        match list(location.path):
            case [4, message, 2, field]:
                holder = file.message_type[message]
                yield holder, holder.field[field], " ".join(location.leading_comments.split())


def limit_in(comment: str, field: FieldDescriptorProto) -> Limit | None:
    is_real = field.type == FieldDescriptorProto.TYPE_FLOAT
    if found := RANGE.search(comment):
        return Limit(float(found[1]), float(found[2]), is_real)
    if found := MOST.search(comment):
        return Limit(0.0, float(found[1]), is_real)
    return None


def reachable(messages: dict[str, DescriptorProto]) -> set[str]:
    """All messages that a request holds, whatever the depth."""
    found: set[str] = set()
    waiting = [name for name in messages if name.endswith("Request")]
    while waiting:
        name = waiting.pop()
        found.add(name)
        inner = {field.type_name.rpartition(".")[2] for field in messages[name].field}
        waiting += sorted((inner & set(messages)) - found)
    return found
