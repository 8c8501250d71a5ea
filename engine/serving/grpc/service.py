"""The live services of gRPC: interaction and server info. They translate, and nothing more.

`opening.py` and `server_info.py` do what is asked for; `server.py` starts and stops.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from contrapose.v1 import (
    interaction_pb2,
    interaction_pb2_grpc,
    server_info_pb2,
    server_info_pb2_grpc,
)

from engine.serving.grpc.ending import Context, statuses
from engine.serving.host import Host
from engine.serving.opening import interact
from engine.serving.server_info import server_info


class InteractionService(interaction_pb2_grpc.InteractionServiceServicer):
    def __init__(self, host: Host) -> None:
        self._host = host

    async def StreamInteraction(
        self, requests: AsyncIterator[interaction_pb2.StreamInteractionRequest], context: Context
    ) -> None:
        async with statuses(context):
            await interact(self._host, requests, context.write)


class ServerInfoService(server_info_pb2_grpc.ServerInfoServiceServicer):
    def __init__(self, host: Host) -> None:
        self._host = host

    async def GetServerInfo(
        self, request: server_info_pb2.GetServerInfoRequest, context: Context
    ) -> server_info_pb2.GetServerInfoResponse:
        return server_info(self._host)
