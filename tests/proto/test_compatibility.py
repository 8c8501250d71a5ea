"""The promises of `proto/README.md`: what a client of an older version relies on is still there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from engine.serving.server_info import PROTOCOL_MINOR
from tests.data.make_contract import current_contract, kept_contracts
from tests.proto.compatibility import broken, entries

KEPT = kept_contracts()
NOW = current_contract()


@pytest.mark.parametrize("minor", KEPT)
def test_nothing_that_a_client_of_then_relies_on_has_changed(minor: int) -> None:
    assert broken(KEPT[minor], NOW) == []


def test_nothing_is_added_without_a_new_minor_and_its_kept_descriptor() -> None:
    assert max(KEPT) == PROTOCOL_MINOR, "keep it: python -m tests.data.make_contract"
    added = set(entries(NOW)) - set(entries(KEPT[PROTOCOL_MINOR]))
    assert added == set(), "let PROTOCOL_MINOR grow, then: python -m tests.data.make_contract"


# ------------------------------------------------------------- each promise, broken on purpose
def message(files: FileDescriptorSet, name: str) -> DescriptorProto:
    return next(m for file in files.file for m in file.message_type if m.name == name)


def file_of(files: FileDescriptorSet, name: str) -> FileDescriptorProto:
    return next(file for file in files.file if file.name == f"contrapose/v1/{name}.proto")


def field(files: FileDescriptorSet, path: str) -> FieldDescriptorProto:
    holder, name = path.split(".")
    return next(field for field in message(files, holder).field if field.name == name)


def remove(files: FileDescriptorSet, path: str) -> None:
    message(files, path.split(".")[0]).field.remove(field(files, path))


def remove_value(files: FileDescriptorSet) -> None:
    del file_of(files, "types").enum_type[0].value[3]


BREAKS: dict[str, Callable[[FileDescriptorSet], object]] = {
    "number": lambda files: setattr(field(files, "PlayerPose.time_code"), "number", 99),
    "type": lambda files: setattr(
        field(files, "PlayerPose.time_code"), "type", FieldDescriptorProto.TYPE_FLOAT
    ),
    "label": lambda files: setattr(
        field(files, "Pair.player"), "label", FieldDescriptorProto.LABEL_REPEATED
    ),
    "oneof": lambda files: field(files, "PlayerPose.openxr").ClearField("oneof_index"),
    "presence": lambda files: field(files, "SessionHeader.seed").ClearField("oneof_index"),
    "name": lambda files: setattr(field(files, "PlaceTarget.heading"), "name", "yaw"),
    "field": lambda files: remove(files, "PlaceTarget.heading"),
    "message": lambda files: file_of(files, "types").message_type.remove(message(files, "Pair")),
    "value": remove_value,
    "value's number": lambda files: setattr(
        file_of(files, "types").enum_type[0].value[3], "number", 9
    ),
    "enum": lambda files: file_of(files, "types").enum_type.pop(0),
    "service": lambda files: file_of(files, "generation").service.pop(0),
    "method": lambda files: file_of(files, "generation").service[0].method.pop(0),
    "stream": lambda files: setattr(
        file_of(files, "generation").service[0].method[0], "server_streaming", False
    ),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_each_kind_of_break_is_found(kind: str) -> None:
    changed = FileDescriptorSet.FromString(NOW.SerializeToString())
    BREAKS[kind](changed)
    assert broken(NOW, changed) != []


def test_a_removed_field_whose_number_and_name_are_reserved_breaks_nothing() -> None:
    changed = FileDescriptorSet.FromString(NOW.SerializeToString())
    remove(changed, "PlaceTarget.heading")
    place = message(changed, "PlaceTarget")
    place.reserved_range.add(start=2, end=3)
    assert broken(NOW, changed) == ["contrapose.v1.PlaceTarget.heading: its name is not reserved"]
    place.reserved_name.append("heading")
    assert broken(NOW, changed) == []


def test_an_addition_breaks_nothing_and_is_seen() -> None:
    changed = FileDescriptorSet.FromString(NOW.SerializeToString())
    added = message(changed, "PlaceTarget").field.add()
    added.CopyFrom(field(changed, "PlaceTarget.frame_index"))
    added.name, added.number = "hurry", 4
    assert broken(NOW, changed) == []
    assert set(entries(changed)) - set(entries(NOW)) == {"contrapose.v1.PlaceTarget.hurry"}
