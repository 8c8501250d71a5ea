"""The table of statuses: every error has its row, and says what a caller can do."""

from __future__ import annotations

import logging

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2

from engine import errors
from engine.errors import BackendError, ContraposeError, InputError, OverloadedError, SessionError
from engine.serving.grpc.ending import CODES, trailers_of
from engine.serving.statuses import TABLE, Code, status_of


def tree(root: type[ContraposeError]) -> set[type[ContraposeError]]:
    return {root}.union(*(tree(child) for child in root.__subclasses__()))


def test_every_error_class_has_a_status() -> None:
    assert tree(ContraposeError) == set(TABLE)
    named = {value for value in vars(errors).values() if isinstance(value, type)}
    assert {kind for kind in named if issubclass(kind, ContraposeError)} == set(TABLE)


@pytest.mark.parametrize("code", Code)
def test_codes_are_those_of_google_rpc_and_of_grpc(code: Code) -> None:
    assert code_pb2.Code.Name(code) == code.name
    assert CODES[code].name == code.name


@pytest.mark.parametrize("kind", TABLE)
def test_details_name_the_reason_and_the_field(kind: type[ContraposeError]) -> None:
    status = status_of(kind("pose.x: wrong", field="pose.x"))
    details = status.details()
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    details.details[0].Unpack(info)
    details.details[1].Unpack(bad)
    assert info.reason == status.reason == kind.reason
    assert bad.field_violations[0].field == status.field == "pose.x"
    assert details.code == status.code == TABLE[kind][0]


def test_details_stay_small_whatever_the_message() -> None:
    assert status_of(InputError("x" * 100_000, field="a")).details().ByteSize() < 4000


@pytest.mark.parametrize(("known_s", "told_s"), [(None, 2.0), (12.5, 12.5)])
def test_who_is_refused_hears_when_to_try_again(known_s: float | None, told_s: float) -> None:
    status = status_of(OverloadedError("full", retry_s=known_s))
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details().details)
    assert retry.retry_delay.ToNanoseconds() == told_s * 1e9
    assert status.retry_s == told_s
    assert status_of(InputError("bad")).retry_s is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OverloadedError("loading", reason="NOT_READY"), Code.UNAVAILABLE),
        (OverloadedError("draining", reason="DRAINING"), Code.UNAVAILABLE),
        (SessionError("silent", reason="IDLE_TIMEOUT"), Code.ABORTED),
        (SessionError("open", reason="SESSION_EXISTS"), Code.ALREADY_EXISTS),
        (SessionError("elsewhere", reason="TAKEN_OVER"), Code.ABORTED),
    ],
)
def test_some_reasons_have_a_status_of_their_own(error: ContraposeError, code: Code) -> None:
    assert status_of(error).code is code


def test_what_nobody_foresaw_is_internal_and_tells_the_log_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        status = status_of(ZeroDivisionError("the secret"))
        assert "the secret" in caplog.text
        caplog.clear()
        assert status_of(BackendError("the device is gone")).code is Code.INTERNAL
        assert "the device is gone" in caplog.text
    assert CODES[status.code] is grpc.StatusCode.INTERNAL
    assert "secret" not in status.message
    assert trailers_of(status) == ()
