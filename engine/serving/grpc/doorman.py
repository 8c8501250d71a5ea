"""The doorman: no call of ours without a token, where tokens are needed.

Health is open, because probes carry none. Knows gRPC and access; no service.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health

from engine.errors import AccessError
from engine.serving.access import Access, bearer_token
from engine.serving.grpc.ending import CODES, Context, trailers_of
from engine.serving.statuses import Status, status_of

OPEN = f"/{health.SERVICE_NAME}/"
HANDLERS: dict[tuple[bool, bool], Callable[[Any], grpc.RpcMethodHandler[Any, Any]]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
"""By whether requests and responses are streams."""


class Doorman(grpc.aio.ServerInterceptor):
    def __init__(self, access: Access) -> None:
        self._access = access

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith(OPEN):
            return handler
        given = {key: value for key, value in details.invocation_metadata or ()}
        authorization = given.get("authorization")
        try:
            self._access.check_token(
                bearer_token(authorization) if isinstance(authorization, str) else None
            )
        except AccessError as error:
            return _refusing(handler, status_of(error))
        return handler


def _refusing(handler: Any, status: Status) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler of the same kind that ends every call with this status."""

    async def refuse(_: Any, context: Context) -> None:
        await context.abort(CODES[status.code], status.message, trailers_of(status))

    return HANDLERS[handler.request_streaming, handler.response_streaming](refuse)
