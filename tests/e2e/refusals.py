"""What a refused call says: status, reason and field, read as a client would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import interaction_pb2_grpc
from google.rpc import error_details_pb2, status_pb2
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed

from tests.e2e.conftest import PATIENCE_S, RunningServer

SUBPROTOCOL = "contrapose.v1"
CODE_OF_NUMBER = {code.value[0]: code for code in grpc.StatusCode}
Messages = Iterable[pb.StreamInteractionRequest]


@dataclass(frozen=True)
class Refusal:
    code: grpc.StatusCode
    message: str
    reason: str
    field: str | None
    has_retry_delay: bool


def refusal_of(error: Any) -> Refusal:
    """From a grpc.RpcError with google.rpc.Status details."""
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info, bad, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    for detail in status.details:
        for message in (info, bad, retry):
            detail.Unpack(message)
    assert info.domain == "contrapose"
    assert status.code == error.code().value[0]
    return Refusal(
        code=error.code(),
        message=error.details(),
        reason=info.reason,
        field=bad.field_violations[0].field if bad.field_violations else None,
        has_retry_delay=retry.HasField("retry_delay"),
    )


def refused_stream(channel: grpc.Channel, messages: Messages) -> Refusal:
    """Send the messages of a stream that the server must end with an error."""
    stub = interaction_pb2_grpc.InteractionServiceStub(channel)
    with pytest.raises(grpc.RpcError) as error:
        list(stub.StreamInteraction(iter(messages), timeout=PATIENCE_S))
    return refusal_of(error.value)


# -------------------------------------------------------------------------------- over a WebSocket
@dataclass(frozen=True)
class Connection:
    """A WebSocket of which nothing is read or written but while one waits for it.

    (websockets 17.4's own for threads reads in one and writes in another; over TLS that hangs.)
    """

    socket: ClientConnection
    runner: asyncio.Runner

    def send(self, message: str | bytes) -> None:
        self.runner.run(self.socket.send(message))

    def recv(self) -> str | bytes:
        return self.runner.run(asyncio.wait_for(self.socket.recv(), PATIENCE_S))


@contextmanager
def websocket(server: RunningServer, **options: Any) -> Iterator[Connection]:
    """A connection to a server's door for browsers."""
    url = server.page.replace("http", "ws", 1) + "v1/interact"
    options = {"subprotocols": [SUBPROTOCOL], "proxy": None, "ssl": server.tls, **options}

    async def opened() -> ClientConnection:
        return await connect_websocket(url, **options)

    with asyncio.Runner() as runner:
        socket = runner.run(opened())
        try:
            yield Connection(socket, runner)
        finally:
            runner.run(socket.close())


def heard(connection: Connection) -> tuple[list[pb.StreamInteractionResponse], int, str]:
    """All that the server still says, and the code and the reason that it closes with."""
    said = []
    with suppress(ConnectionClosed):
        while True:
            message = connection.recv()
            assert isinstance(message, bytes)
            said.append(pb.StreamInteractionResponse.FromString(message))
    assert connection.socket.close_code is not None
    return said, connection.socket.close_code, connection.socket.close_reason or ""


def refusal_heard(connection: Connection) -> Refusal:
    """What a connection that the server must end with an error says of it, in both its ways."""
    said, code, reason = heard(connection)
    error = said[-1].error
    assert said[-1].HasField("error")
    assert not any(message.HasField("error") for message in said[:-1])
    assert code == 4000 + error.code
    assert reason == error.message.encode()[:123].decode(errors="ignore")
    return Refusal(
        code=CODE_OF_NUMBER[error.code],
        message=error.message,
        reason=error.reason,
        field=error.field or None,
        has_retry_delay=error.HasField("retry_after"),
    )


def refused_websocket(server: RunningServer, messages: Messages, **options: Any) -> Refusal:
    """As `refused_stream`; where gRPC ends its input, `end` says so, or an empty message."""
    said = [message.SerializeToString() for message in messages]
    end = pb.StreamInteractionRequest(end=pb.EndOfInput()).SerializeToString()
    with websocket(server, **options) as connection:
        with suppress(ConnectionClosed):  # refused before all was said
            for message in [*said, end] if said else [b""]:
                connection.send(message)
        return refusal_heard(connection)


Refused = Callable[[Messages], Refusal]
"""Sends messages to a door that must refuse them."""


def doors(server: RunningServer, channel: grpc.Channel) -> dict[str, Refused]:
    return {
        "gRPC": lambda messages: refused_stream(channel, messages),
        "WebSocket": lambda messages: refused_websocket(server, messages),
    }
