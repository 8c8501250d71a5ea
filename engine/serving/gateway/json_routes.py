"""Pairs and motions in JSON, as protobuf maps its messages to it: for scripts and curl.

Knows requests, responses and JSON; nothing of how they are made.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

from contrapose.v1 import generation_pb2
from google.protobuf import json_format
from google.protobuf.message import Message
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from engine.errors import InputError, OverloadedError
from engine.serving.access import MOST_MESSAGE_BYTES
from engine.serving.calls import Call, CallKind
from engine.serving.gateway.served import Served

JSON = "application/json"
GENERATION = generation_pb2.DESCRIPTOR.services_by_name["GenerationService"].full_name
PAIR = CallKind("http", "unary", GENERATION, "GeneratePair")
MOTION = CallKind("http", "server_stream", GENERATION, "GenerateMotion")
M = TypeVar("M", bound=Message)


async def pair_response(request: Request, served: Served, call: Call) -> Response:
    """GeneratePairRequest to GeneratePairResponse."""
    response = await served.pair(await _message(request, generation_pb2.GeneratePairRequest()))
    call.moved(received=1, sent=1)
    return Response(await asyncio.to_thread(_json, response), media_type=JSON)


async def motion_response(request: Request, served: Served, call: Call) -> Response:
    """GenerateMotionRequest to a list of GenerateMotionResponses, sent while it is written."""
    responses = await served.motion(await _message(request, generation_pb2.GenerateMotionRequest()))
    call.moved(received=1)
    return StreamingResponse(_listed(responses, call), media_type=JSON)


async def _listed(responses: Iterator[Message], call: Call) -> AsyncIterator[str]:
    """A JSON list; numbers are written on another thread, as there are many."""
    begins = "["
    for response in responses:
        yield begins + await asyncio.to_thread(_json, response)
        call.moved(sent=1)
        begins = ",\n"
    yield "]\n"


def _json(message: Message) -> str:
    return json_format.MessageToJson(message, indent=None)


async def _message(request: Request, message: M) -> M:
    """The message in a request's body. Raises InputError or OverloadedError."""
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found != JSON:
        raise InputError(
            f"the content type is {found or 'missing'}, must be {JSON}", reason="NOT_JSON"
        )
    body = await _body(request)
    try:
        return await asyncio.to_thread(json_format.Parse, body, message)
    except (json_format.ParseError, UnicodeDecodeError) as exc:
        name = message.DESCRIPTOR.full_name
        raise InputError(f"the body is no {name} in JSON: {exc}", reason="BAD_JSON") from exc


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    try:
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            if size > MOST_MESSAGE_BYTES:
                raise OverloadedError(
                    f"the body is larger than {MOST_MESSAGE_BYTES} bytes", reason="MESSAGE_TOO_BIG"
                )
    except ClientDisconnect as exc:
        raise InputError("the client left before its request was whole") from exc
    return b"".join(parts)
