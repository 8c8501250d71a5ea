"""What a server's refusal looks like to Python code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import grpc.aio


class ServerError(Exception):
    """The server refused or failed; the message is the server's, and names the field."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_callers_mistake(self) -> bool:
        """Trying again without a change cannot succeed."""
        return self.code in (
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.FAILED_PRECONDITION,
            grpc.StatusCode.UNIMPLEMENTED,
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.PERMISSION_DENIED,
        )


@contextmanager
def translated(address: str) -> Iterator[None]:
    """gRPC's errors become ServerError."""
    try:
        yield
    except grpc.aio.AioRpcError as exc:
        code, details = exc.code(), exc.details() or ""
        if code is grpc.StatusCode.UNAVAILABLE and "handshake" in details.lower():
            details = (
                f"{address} cannot be talked to in encrypted form; is `tls` the certificate that "
                f"the server's is signed by? {details}"
            )
        elif code is grpc.StatusCode.UNAVAILABLE and _hung_up(details.lower()):
            details = (
                f"{address} hangs up at once; does it want an encrypted connection (`tls`), or a "
                f"certificate of yours (`Tls(cert=, key=)`)? {details}"
            )
        elif code is grpc.StatusCode.UNAVAILABLE and "connect" in details.lower():
            details = f"no server answers at {address}; start one with `contrapose serve`"
        raise ServerError(code, details or code.name) from None


def _hung_up(details: str) -> bool:
    """Whether somebody took a connection and ended it before a word was said."""
    ends = "socket closed", "connection reset"
    return "failed to connect" in details and any(end in details for end in ends)
