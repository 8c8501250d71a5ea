"""Statuses: how a call that failed ends, in one table for all transports.

Knows our errors, and google.rpc's numbers and messages. Knows no transport: each sends a `Status`
in its own way.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no stubs

from engine.errors import (
    AccessError,
    BackendError,
    BundleError,
    ConfigError,
    ContraposeError,
    InputError,
    OverloadedError,
    SessionError,
)

logger = logging.getLogger(__name__)

DOMAIN = "contrapose"
"""The domain of google.rpc.ErrorInfo: our reasons are unique within it."""
MOST_MESSAGE_CHARACTERS = 1000
"""Statuses travel in trailers, which have little room."""
RETRY_SECONDS = 2.0
"""Where nothing better is known."""


class Code(IntEnum):
    """Those of google.rpc.Code that a call of ours ends with."""

    INVALID_ARGUMENT = 3
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


TABLE: dict[type[ContraposeError], tuple[Code, float | None]] = {
    InputError: (Code.INVALID_ARGUMENT, None),
    ConfigError: (Code.INVALID_ARGUMENT, None),
    SessionError: (Code.FAILED_PRECONDITION, None),
    BundleError: (Code.FAILED_PRECONDITION, None),
    AccessError: (Code.UNAUTHENTICATED, None),
    OverloadedError: (Code.RESOURCE_EXHAUSTED, RETRY_SECONDS),
    BackendError: (Code.INTERNAL, None),
    ContraposeError: (Code.INTERNAL, None),
}
"""And after how many seconds to try again, if the error does not say; None: that would not help."""
CODE_OF_REASON: dict[str, Code] = {
    "NOT_READY": Code.UNAVAILABLE,
    "DRAINING": Code.UNAVAILABLE,
    "ENGINE_LOST": Code.UNAVAILABLE,
    "IDLE_TIMEOUT": Code.ABORTED,
    "SESSION_EXISTS": Code.ALREADY_EXISTS,
    "TAKEN_OVER": Code.ABORTED,
    "BAD_HOST": Code.PERMISSION_DENIED,
    "BAD_ORIGIN": Code.PERMISSION_DENIED,
}
"""Where the reason says more about what to do next than the class."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a call ends: `message` is for people, the rest for programs.

    reason   a stable word; empty for what nobody foresaw
    field    path of the field that is wrong, as in `pose.body.rotations[left_knee]`
    retry_s  seconds after which to try again; None: that would not help
    """

    code: Code
    message: str
    reason: str = ""
    field: str | None = None
    retry_s: float | None = None

    def details(self) -> status_pb2.Status:
        """As google.rpc.Status."""
        details: list[Any] = [error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN)]
        if self.field is not None:
            violation = error_details_pb2.BadRequest.FieldViolation(
                field=self.field, description=self.message
            )
            details.append(error_details_pb2.BadRequest(field_violations=[violation]))
        if self.retry_s is not None:
            delay = duration_pb2.Duration()
            delay.FromNanoseconds(int(1e9 * self.retry_s))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        packed = [any_pb2.Any() for _ in details]
        for box, detail in zip(packed, details, strict=True):
            box.Pack(detail)
        return status_pb2.Status(code=self.code, message=self.message, details=packed)

    @staticmethod
    def of_details(details: status_pb2.Status) -> Status:
        """The status that another server of ours sent as google.rpc.Status."""
        info, bad, retry = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
        )
        for box in details.details:
            for detail in (info, bad, retry):
                box.Unpack(detail)
        has_retry = retry.HasField("retry_delay")
        return Status(
            code=Code(details.code),
            message=details.message,
            reason=info.reason,
            field=bad.field_violations[0].field if bad.field_violations else None,
            retry_s=retry.retry_delay.ToNanoseconds() / 1e9 if has_retry else None,
        )


class StatusError(Exception):
    """How a call ended that was passed on to another server."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


def status_of(error: Exception) -> Status:
    """What a call ends with that `error` has stopped. What no caller can help is logged, too."""
    if isinstance(error, StatusError):
        return error.status
    if not isinstance(error, ContraposeError):
        logger.error("call failed", exc_info=error)
        return Status(code=Code.INTERNAL, message="internal error; the server's log says more")
    code, retry_s = TABLE[type(error)]
    if code is Code.INTERNAL:
        logger.error("call failed: %s", error)
    if isinstance(error, OverloadedError) and error.retry_s:
        retry_s = error.retry_s
    return Status(
        code=CODE_OF_REASON.get(error.reason, code),
        message=str(error)[:MOST_MESSAGE_CHARACTERS],
        reason=error.reason,
        field=error.field,
        retry_s=retry_s,
    )
