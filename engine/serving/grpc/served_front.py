"""The front as the gateway sees it: what comes over HTTP goes to the engines as calls of gRPC.

Knows the front and messages; no socket and no HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import grpc
from contrapose.v1 import generation_pb2, interaction_pb2, server_info_pb2
from google.protobuf.message import Message
from google.rpc import status_pb2  # type: ignore[import-untyped]  # no stubs

from engine.serving.grpc.ending import DETAILS
from engine.serving.grpc.front import End, Front
from engine.serving.statuses import Code, Status, StatusError

INTERACTION = interaction_pb2.DESCRIPTOR.services_by_name["InteractionService"].full_name
GENERATION = generation_pb2.DESCRIPTOR.services_by_name["GenerationService"].full_name


class ServedFront:
    def __init__(self, front: Front) -> None:
        self._front = front
        self.calls = front.calls

    @property
    def is_ready(self) -> bool:
        return bool(self._front.fleet.ready()) and not self._front.is_draining

    async def interact(
        self, requests: AsyncIterator[bytes], write: Callable[[bytes], Awaitable[None]]
    ) -> None:
        end = await self._front.converse(f"/{INTERACTION}/StreamInteraction", requests, write)
        check_ended_well(end)

    async def pair(
        self, request: generation_pb2.GeneratePairRequest
    ) -> generation_pb2.GeneratePairResponse:
        (response,) = await self._responses("GeneratePair", request)
        return generation_pb2.GeneratePairResponse.FromString(response)

    async def motion(
        self, request: generation_pb2.GenerateMotionRequest
    ) -> Iterator[generation_pb2.GenerateMotionResponse]:
        responses = await self._responses("GenerateMotion", request)
        return map(generation_pb2.GenerateMotionResponse.FromString, responses)

    async def info(self) -> server_info_pb2.GetServerInfoResponse:
        return await self._front.server_info()

    async def _responses(self, method: str, request: Message) -> list[bytes]:
        responses: list[bytes] = []

        async def one() -> AsyncIterator[bytes]:
            yield request.SerializeToString()

        async def keep(response: bytes) -> None:
            responses.append(response)

        check_ended_well(await self._front.converse(f"/{GENERATION}/{method}", one(), keep))
        return responses


def check_ended_well(end: End) -> None:
    """Raises StatusError with what an engine ended a call with, or the front for it."""
    if end.code is grpc.StatusCode.OK:
        return
    details = dict(end.trailers).get(DETAILS)
    if isinstance(details, bytes):
        raise StatusError(Status.of_details(status_pb2.Status.FromString(details)))
    known = {code.name: code for code in Code}
    code = known.get(end.code.name, Code.INTERNAL)
    raise StatusError(Status(code=code, message=end.details))
