"""How a gRPC call ends: our statuses in gRPC's terms. Knows gRPC and statuses; no service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from engine.serving.calls import Call
from engine.serving.statuses import Status, status_of

Context = grpc.aio.ServicerContext[Any, Any]
Metadata = tuple[tuple[str, str | bytes], ...]

DETAILS = "grpc-status-details-bin"
"""The trailer that holds google.rpc.Status."""
CODES = {code.value[0]: code for code in grpc.StatusCode}


def trailers_of(status: Status) -> Metadata:
    """None for an end that nobody foresaw."""
    return ((DETAILS, status.details().SerializeToString()),) if status.reason else ()


@asynccontextmanager
async def statuses(context: Context, call: Call) -> AsyncIterator[None]:
    """Whatever goes wrong inside ends this call, and only this call, with a status."""
    try:
        yield
        call.code = grpc.StatusCode.OK.name
    except (grpc.aio.AbortError, asyncio.CancelledError):
        raise
    except Exception as error:
        status = status_of(error)
        call.code = status.code.name
        await context.abort(CODES[status.code], status.message, trailers_of(status))
