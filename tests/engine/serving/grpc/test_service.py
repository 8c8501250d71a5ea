"""The service's translations: errors to statuses, headers to settings, and who gets a place."""

from __future__ import annotations

import grpc
import pytest
from contrapose.v1 import interaction_pb2 as pb
from google.rpc import error_details_pb2

from engine import errors
from engine.errors import ConfigError, ContraposeError, InputError, OverloadedError, SessionError
from engine.serving.grpc.service import STATUS, details_of, session_config, status_of
from engine.session.config import SessionConfig


def tree(root: type[ContraposeError]) -> set[type[ContraposeError]]:
    return {root}.union(*(tree(child) for child in root.__subclasses__()))


def test_every_error_class_has_a_status() -> None:
    assert tree(ContraposeError) == set(STATUS)
    named = {value for value in vars(errors).values() if isinstance(value, type)}
    assert {kind for kind in named if issubclass(kind, ContraposeError)} == set(STATUS)


@pytest.mark.parametrize("kind", STATUS)
def test_details_name_the_reason_and_the_field(kind: type[ContraposeError]) -> None:
    details = details_of(kind("pose.x: wrong", field="pose.x"))
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    details.details[0].Unpack(info)
    details.details[1].Unpack(bad)
    assert info.reason == kind.reason
    assert bad.field_violations[0].field == "pose.x"
    assert details.code == STATUS[kind].value[0]


def test_details_stay_small_whatever_the_message() -> None:
    assert details_of(InputError("x" * 100_000, field="a")).ByteSize() < 4000


def test_an_overloaded_server_says_when_to_try_again() -> None:
    retry = error_details_pb2.RetryInfo()
    assert any(d.Unpack(retry) for d in details_of(OverloadedError("full")).details)
    assert retry.retry_delay.seconds > 0


def test_an_overloaded_server_says_when_it_knows() -> None:
    retry = error_details_pb2.RetryInfo()
    error = OverloadedError("full", retry_s=12.5)
    assert any(d.Unpack(retry) for d in details_of(error).details)
    assert (retry.retry_delay.seconds, retry.retry_delay.nanos) == (12, 500_000_000)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OverloadedError("loading", reason="NOT_READY"), grpc.StatusCode.UNAVAILABLE),
        (OverloadedError("draining", reason="DRAINING"), grpc.StatusCode.UNAVAILABLE),
        (SessionError("silent", reason="IDLE_TIMEOUT"), grpc.StatusCode.ABORTED),
        (SessionError("open", reason="SESSION_EXISTS"), grpc.StatusCode.ALREADY_EXISTS),
        (SessionError("elsewhere", reason="TAKEN_OVER"), grpc.StatusCode.ABORTED),
    ],
)
def test_some_reasons_have_a_status_of_their_own(
    error: ContraposeError, code: grpc.StatusCode
) -> None:
    assert status_of(error) is code


def test_a_header_changes_only_what_it_names() -> None:
    default = SessionConfig(steps=10)
    assert session_config(pb.SessionHeader(), default) == default
    changed = session_config(pb.SessionHeader(steps=5, horizon_frames=12), default)
    assert (changed.steps, changed.horizon_frames) == (5, 12)
    assert changed.commit_frames == default.commit_frames


@pytest.mark.parametrize("name", ["steps", "horizon_frames", "commit_frames"])
def test_a_setting_of_zero_is_refused_by_its_field(name: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        session_config(pb.SessionHeader(**{name: 0}), SessionConfig())
    assert refusal.value.field == f"header.{name}"
