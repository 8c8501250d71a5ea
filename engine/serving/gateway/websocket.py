"""A session over a WebSocket: each binary message is one message of the contract.

Knows ASGI's WebSockets and statuses; no message but the last, which says why a stream failed. A
browser cannot read the status of a refused upgrade, so every refusal accepts it first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from contrapose.v1 import interaction_pb2
from starlette.websockets import WebSocket, WebSocketDisconnect

from engine.errors import InputError, OverloadedError
from engine.serving.access import MOST_MESSAGE_BYTES
from engine.serving.calls import CallKind
from engine.serving.gateway.doorman import Doorman
from engine.serving.gateway.ending import CLOSED_WELL, CLOSED_WITH, close_reason, error_to_wire
from engine.serving.gateway.served import Served
from engine.serving.statuses import Status, status_of

SUBPROTOCOL = "contrapose.v1"
TOKEN_SUBPROTOCOL = "contrapose.bearer."
"""And the token: a page can send no header with an upgrade."""
SESSION = CallKind(
    "websocket",
    "bidi_stream",
    interaction_pb2.DESCRIPTOR.services_by_name["InteractionService"].full_name,
    "StreamInteraction",
)
LAST_WRITE_SECONDS = 1.0
"""Time that a client has to take the last message."""


class _ClientGone(Exception):
    """The client closed the connection, or it broke: nobody is there to be told anything."""


class _Incoming:
    """A client's messages; raises _ClientGone when it leaves."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    def __aiter__(self) -> _Incoming:
        return self

    async def __anext__(self) -> bytes:
        event = await self._socket.receive()
        if event["type"] == "websocket.disconnect":
            raise _ClientGone
        message: bytes | None = event.get("bytes")
        if message is None:
            raise InputError(
                "a text message came; send every StreamInteractionRequest as one binary message",
                reason="BAD_MESSAGE",
            )
        if len(message) > MOST_MESSAGE_BYTES:
            raise OverloadedError(
                f"a message of {len(message)} bytes came; {MOST_MESSAGE_BYTES} is the most",
                reason="MESSAGE_TOO_BIG",
            )
        return message


async def interact_over(socket: WebSocket, served: Served, doorman: Doorman) -> None:
    """One session, from the upgrade to the close frame."""
    offered = socket.scope["subprotocols"]
    await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
    with served.calls.counted(SESSION) as call:
        try:
            doorman.check_address(socket.headers)
            doorman.check_token(socket.headers, _offered_token(offered))
            _check_subprotocol(offered)
            await served.interact(call.received(_Incoming(socket)), call.sent(socket.send_bytes))
        except (_ClientGone, WebSocketDisconnect):
            return
        except Exception as error:
            status = status_of(error)
            call.code = status.code.name
            await _end(socket, status)
        else:
            call.code = "OK"
            await _end(socket, None)


def _offered_token(offered: Sequence[str]) -> str | None:
    for name in offered:
        if name.startswith(TOKEN_SUBPROTOCOL):
            return name.removeprefix(TOKEN_SUBPROTOCOL)
    return None


def _check_subprotocol(offered: Sequence[str]) -> None:
    if SUBPROTOCOL not in offered:
        raise InputError(
            f"the client does not offer the subprotocol {SUBPROTOCOL}; it must",
            reason="NO_SUBPROTOCOL",
        )


async def _end(socket: WebSocket, status: Status | None) -> None:
    """The last message, if there is an error to tell of, and the close frame.

    A client that takes nothing any more is not waited for.
    """
    with suppress(TimeoutError, WebSocketDisconnect):
        async with asyncio.timeout(LAST_WRITE_SECONDS):
            if status is None:
                await socket.close(CLOSED_WELL)
                return
            response = interaction_pb2.StreamInteractionResponse(error=error_to_wire(status))
            await socket.send_bytes(response.SerializeToString())
            await socket.close(CLOSED_WITH + status.code, close_reason(status.message))
