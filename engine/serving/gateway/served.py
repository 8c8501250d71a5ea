"""What is behind the gateway: one engine in this process, or the front of several.

Knows messages and the host; no socket, no HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Protocol

from contrapose.v1 import generation_pb2, interaction_pb2, server_info_pb2
from google.protobuf.message import DecodeError

from engine.errors import InputError
from engine.serving.calls import Calls
from engine.serving.generating import motion_responses, pair_response
from engine.serving.host import Host
from engine.serving.opening import interact
from engine.serving.server_info import server_info

Write = Callable[[bytes], Awaitable[None]]


class Served(Protocol):
    """Messages go in and come out; whatever ends a call with an error is raised."""

    calls: Calls
    """So far, at every door."""

    @property
    def is_ready(self) -> bool:
        """Whether sessions are accepted now."""

    async def interact(self, requests: AsyncIterator[bytes], write: Write) -> None:
        """One session: serialized StreamInteractionRequests in, ...Responses out."""

    async def pair(
        self, request: generation_pb2.GeneratePairRequest
    ) -> generation_pb2.GeneratePairResponse: ...

    async def motion(
        self, request: generation_pb2.GenerateMotionRequest
    ) -> Iterator[generation_pb2.GenerateMotionResponse]: ...

    async def info(self) -> server_info_pb2.GetServerInfoResponse: ...


class ServedHost:
    """The engine in this process."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.calls = host.calls

    @property
    def is_ready(self) -> bool:
        host = self._host
        return host.loaded is not None and not (host.is_draining or host.is_stalled)

    async def interact(self, requests: AsyncIterator[bytes], write: Write) -> None:
        async def write_message(response: interaction_pb2.StreamInteractionResponse) -> None:
            await write(response.SerializeToString())

        await interact(self._host, _parsed(requests), write_message)

    async def pair(
        self, request: generation_pb2.GeneratePairRequest
    ) -> generation_pb2.GeneratePairResponse:
        return await pair_response(self._host, request)

    async def motion(
        self, request: generation_pb2.GenerateMotionRequest
    ) -> Iterator[generation_pb2.GenerateMotionResponse]:
        return await motion_responses(self._host, request)

    async def info(self) -> server_info_pb2.GetServerInfoResponse:
        return server_info(self._host)


async def _parsed(
    requests: AsyncIterator[bytes],
) -> AsyncIterator[interaction_pb2.StreamInteractionRequest]:
    async for message in requests:
        try:
            yield interaction_pb2.StreamInteractionRequest.FromString(message)
        except DecodeError as exc:
            raise InputError(
                "a message is no serialized contrapose.v1.StreamInteractionRequest",
                reason="BAD_MESSAGE",
            ) from exc
