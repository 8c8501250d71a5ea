"""How a call at the gateway ends: our statuses as close codes, HTTP statuses and messages.

Knows statuses and one message; no socket.
"""

from __future__ import annotations

from contrapose.v1 import interaction_pb2

from engine.serving.statuses import Code, Status

CLOSED_WELL = 1000
CLOSED_WITH = 4000
"""Plus the status, as google.rpc.Code has it."""
MOST_REASON_BYTES = 123
"""What a close frame has room for."""
HTTP_OF_CODE = {
    Code.INVALID_ARGUMENT: 400,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 401,
}
"""As google.rpc.Code recommends."""
HTTP_OF_REASON = {"NOT_JSON": 415, "MESSAGE_TOO_BIG": 413}
"""Where HTTP has a status that says more."""


def error_to_wire(status: Status) -> interaction_pb2.StreamError:
    return interaction_pb2.StreamError(
        code=status.code,
        message=status.message,
        reason=status.reason,
        field=status.field or "",
        retry_after=status.retry_s,
    )


def close_reason(message: str) -> str:
    """What of a message goes into a close frame; no character is cut in two."""
    return message.encode()[:MOST_REASON_BYTES].decode(errors="ignore")
