"""The generation service of gRPC: it translates, and nothing more. `generating.py` does it all."""

from __future__ import annotations

from collections.abc import AsyncIterator

from contrapose.v1 import generation_pb2, generation_pb2_grpc

from engine.serving.generating import motion_responses, pair_response
from engine.serving.grpc.ending import Context, statuses
from engine.serving.host import Host


class GenerationService(generation_pb2_grpc.GenerationServiceServicer):
    def __init__(self, host: Host) -> None:
        self._host = host

    async def GenerateMotion(
        self, request: generation_pb2.GenerateMotionRequest, context: Context
    ) -> AsyncIterator[generation_pb2.GenerateMotionResponse]:
        async with statuses(context):
            for response in await motion_responses(self._host, request):
                yield response

    async def GeneratePair(
        self, request: generation_pb2.GeneratePairRequest, context: Context
    ) -> generation_pb2.GeneratePairResponse:
        response = generation_pb2.GeneratePairResponse()
        async with statuses(context):
            response = await pair_response(self._host, request)
        return response
