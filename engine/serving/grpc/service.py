"""The services of gRPC. They translate, and nothing more.

What is asked for is done by `opening.py`, `generating.py` and `server_info.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from contrapose.v1 import (
    generation_pb2,
    generation_pb2_grpc,
    interaction_pb2,
    interaction_pb2_grpc,
    server_info_pb2,
    server_info_pb2_grpc,
)

from engine.serving.calls import CallKind
from engine.serving.generating import motion_responses, pair_response
from engine.serving.grpc.ending import Context, statuses
from engine.serving.host import Host
from engine.serving.opening import interact
from engine.serving.server_info import server_info

INTERACTION = interaction_pb2.DESCRIPTOR.services_by_name["InteractionService"].full_name
GENERATION = generation_pb2.DESCRIPTOR.services_by_name["GenerationService"].full_name
STREAM = CallKind("grpc", "bidi_stream", INTERACTION, "StreamInteraction")
MOTION = CallKind("grpc", "server_stream", GENERATION, "GenerateMotion")
PAIR = CallKind("grpc", "unary", GENERATION, "GeneratePair")


class InteractionService(interaction_pb2_grpc.InteractionServiceServicer):
    def __init__(self, host: Host) -> None:
        self._host = host

    async def StreamInteraction(
        self, requests: AsyncIterator[interaction_pb2.StreamInteractionRequest], context: Context
    ) -> None:
        with self._host.calls.counted(STREAM) as call:
            async with statuses(context, call):
                await interact(self._host, call.received(requests), call.sent(context.write))


class GenerationService(generation_pb2_grpc.GenerationServiceServicer):
    def __init__(self, host: Host) -> None:
        self._host = host

    async def GenerateMotion(
        self, request: generation_pb2.GenerateMotionRequest, context: Context
    ) -> AsyncIterator[generation_pb2.GenerateMotionResponse]:
        with self._host.calls.counted(MOTION) as call:
            async with statuses(context, call):
                call.moved(received=1)
                for response in await motion_responses(self._host, request):
                    yield response
                    call.moved(sent=1)

    async def GeneratePair(
        self, request: generation_pb2.GeneratePairRequest, context: Context
    ) -> generation_pb2.GeneratePairResponse:
        response = generation_pb2.GeneratePairResponse()
        with self._host.calls.counted(PAIR) as call:
            async with statuses(context, call):
                call.moved(received=1)
                response = await pair_response(self._host, request)
                call.moved(sent=1)
        return response


class ServerInfoService(server_info_pb2_grpc.ServerInfoServiceServicer):
    def __init__(self, host: Host) -> None:
        self._host = host

    async def GetServerInfo(
        self, request: server_info_pb2.GetServerInfoRequest, context: Context
    ) -> server_info_pb2.GetServerInfoResponse:
        return server_info(self._host)
