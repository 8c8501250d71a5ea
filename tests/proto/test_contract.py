"""The wire contract: documented to the last field, in buf's STANDARD style, safe for Unity."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from tests.data.make_contract import current_contract

PROTO = Path(__file__).resolve().parents[2] / "proto"
generate = runpy.run_path(str(PROTO / "generate.py"))["generate"]
"""Of the build's own module, which is in no package."""


@pytest.fixture(scope="module")
def files() -> list[descriptor_pb2.FileDescriptorProto]:
    """Our protos, parsed, comments included."""
    return list(current_contract(with_comments=True).file)


def undocumented(file: descriptor_pb2.FileDescriptorProto) -> Iterator[str]:
    """Messages, fields, enums, values, services and methods without a comment in front."""
    commented = {
        tuple(location.path)
        for location in file.source_code_info.location
        if location.leading_comments.strip()
    }
    for i, message in enumerate(file.message_type):
        yield from ([message.name] if (4, i) not in commented else [])
        for j, field in enumerate(message.field):
            yield from ([f"{message.name}.{field.name}"] if (4, i, 2, j) not in commented else [])
    for i, enum in enumerate(file.enum_type):
        yield from ([enum.name] if (5, i) not in commented else [])
        for j, value in enumerate(enum.value):
            yield from ([value.name] if (5, i, 2, j) not in commented else [])
    for i, service in enumerate(file.service):
        yield from ([service.name] if (6, i) not in commented else [])
        for j, method in enumerate(service.method):
            yield from ([f"{service.name}.{method.name}"] if (6, i, 2, j) not in commented else [])


def test_everything_is_documented(files: list[descriptor_pb2.FileDescriptorProto]) -> None:
    assert [name for file in files for name in undocumented(file)] == []


def test_packages_are_directories_and_csharp_has_its_namespace(
    files: list[descriptor_pb2.FileDescriptorProto],
) -> None:
    for file in files:
        assert file.package == "contrapose.v1"
        assert file.name.startswith("contrapose/v1/")
        assert file.options.csharp_namespace == "Contrapose.V1"


def test_nothing_is_imported_that_breaks_il2cpp(
    files: list[descriptor_pb2.FileDescriptorProto],
) -> None:
    assert {name for file in files for name in file.dependency} <= {"contrapose/v1/types.proto"}


def test_names_follow_buf_standard(files: list[descriptor_pb2.FileDescriptorProto]) -> None:
    used: list[str] = []
    for file in files:
        for enum in file.enum_type:
            prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
            assert enum.value[0].name == f"{prefix}UNSPECIFIED"
            assert all(value.name.startswith(prefix) for value in enum.value)
        for service in file.service:
            assert service.name.endswith("Service")
            for method in service.method:
                assert method.input_type == f".contrapose.v1.{method.name}Request"
                assert method.output_type == f".contrapose.v1.{method.name}Response"
                used += [method.input_type, method.output_type]
        for message in file.message_type:
            assert all(re.fullmatch(r"[a-z][a-z0-9_]*", field.name) for field in message.field)
    assert len(used) == len(set(used))


def test_stubs_are_generated_once_and_again_when_a_proto_changes(tmp_path: Path) -> None:
    assert generate(tmp_path)
    assert not generate(tmp_path)
    assert (tmp_path / "contrapose/v1/interaction_pb2_grpc.py").is_file()
    (tmp_path / "contrapose/py.typed").unlink()
    assert generate(tmp_path)
