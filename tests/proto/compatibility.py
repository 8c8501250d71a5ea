"""What `proto/README.md` forbids, found by comparing two descriptors of the contract."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

Numbered = DescriptorProto | EnumDescriptorProto


def entries(files: FileDescriptorSet) -> dict[str, tuple[object, ...]]:
    """Everything a peer can see, by path: what its number, type, label and oneof are.

    Comments and the order of lines are left out: they mean nothing on the wire.
    """
    found: dict[str, tuple[object, ...]] = {}
    for file in files.file:
        for message in file.message_type:
            found |= _message(f"{file.package}.{message.name}", message)
        for enum in file.enum_type:
            found |= _enum(f"{file.package}.{enum.name}", enum)
        for service in file.service:
            found |= _service(f"{file.package}.{service.name}", service)
    return found


def broken(then: FileDescriptorSet, now: FileDescriptorSet) -> list[str]:
    """One line for each promise to clients of `then` that `now` breaks."""
    before, after = entries(then), entries(now)
    return [*_changes(before, after), *_reused(then, now)]


def _changes(
    before: dict[str, tuple[object, ...]], after: dict[str, tuple[object, ...]]
) -> Iterator[str]:
    for path, was in before.items():
        kind = was[0]
        if path not in after:
            if kind not in ("field", "value"):  # their numbers must be reserved, see `_reused`
                yield f"{path}: the {kind} is gone"
        elif after[path] != was:
            yield f"{path}: was {was}, is {after[path]}"


def _reused(then: FileDescriptorSet, now: FileDescriptorSet) -> Iterator[str]:
    """Numbers and names of fields and values that are gone must be reserved."""
    current = dict(_numbered(now))
    for path, old in _numbered(then):
        if path not in current:
            continue
        new = current[path]
        for number, name in _numbers(old).items():
            if _numbers(new).get(number) != name and not _is_reserved(new, number):
                yield f"{path}.{name}: number {number} is not reserved"
            if name not in _numbers(new).values() and name not in new.reserved_name:
                yield f"{path}.{name}: its name is not reserved"


def _numbered(files: FileDescriptorSet) -> Iterator[tuple[str, Numbered]]:
    for file in files.file:
        for enum in file.enum_type:
            yield f"{file.package}.{enum.name}", enum
        for message in file.message_type:
            yield from _nested(f"{file.package}.{message.name}", message)


def _nested(path: str, message: DescriptorProto) -> Iterator[tuple[str, Numbered]]:
    yield path, message
    for enum in message.enum_type:
        yield f"{path}.{enum.name}", enum
    for inner in message.nested_type:
        yield from _nested(f"{path}.{inner.name}", inner)


def _numbers(holder: Numbered) -> dict[int, str]:
    members = holder.field if isinstance(holder, DescriptorProto) else holder.value
    return {member.number: member.name for member in members}


def _is_reserved(holder: Numbered, number: int) -> bool:
    """Ends are exclusive in messages and inclusive in enums."""
    beyond = 0 if isinstance(holder, DescriptorProto) else 1
    return any(part.start <= number < part.end + beyond for part in holder.reserved_range)


def _message(path: str, message: DescriptorProto) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {path: ("message",)}
    for field in message.field:
        found[f"{path}.{field.name}"] = ("field", *_field(field, message))
    for enum in message.enum_type:
        found |= _enum(f"{path}.{enum.name}", enum)
    for inner in message.nested_type:
        found |= _message(f"{path}.{inner.name}", inner)
    return found


def _field(field: FieldDescriptorProto, message: DescriptorProto) -> tuple[object, ...]:
    oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
    kind = field.type_name or FieldDescriptorProto.Type.Name(field.type)
    label = FieldDescriptorProto.Label.Name(field.label)
    return field.number, kind, label, oneof, field.json_name


def _enum(path: str, enum: EnumDescriptorProto) -> dict[str, tuple[object, ...]]:
    values = {f"{path}.{value.name}": ("value", value.number) for value in enum.value}
    return {path: ("enum",), **values}


def _service(path: str, service: ServiceDescriptorProto) -> dict[str, tuple[object, ...]]:
    methods = {
        f"{path}.{method.name}": (
            "method",
            method.input_type,
            method.output_type,
            method.client_streaming,
            method.server_streaming,
        )
        for method in service.method
    }
    return {path: ("service",), **methods}
