"""The gateway's addresses: what is found where, and who may have it.

Knows ASGI and the folder of the viewer; nothing of what a session is.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

import engine
from engine.body.shape import load_body
from engine.errors import AccessError, InputError
from engine.formats.glb import body_glb
from engine.serving.access import Access
from engine.serving.calls import Call, CallFigures, CallKind
from engine.serving.gateway.doorman import Doorman
from engine.serving.gateway.ending import HTTP_OF_CODE, HTTP_OF_REASON, error_to_wire
from engine.serving.gateway.json_routes import JSON, MOTION, PAIR, motion_response, pair_response
from engine.serving.gateway.metrics import CONTENT_TYPE, metrics_text
from engine.serving.gateway.served import Served
from engine.serving.gateway.websocket import interact_over
from engine.serving.statuses import Status, status_of
from engine.serving.wire import betas_from_wire

VIEWER = Path(engine.__file__).parent / "data/viewer"
"""The built page."""
MOTION_PATH = "/v1/view/motion.npz"
PROTOBUF = "application/x-protobuf"
IS_ALIVE, IS_READY = "/healthz", "/readyz"
"""Open to whoever asks, by whatever name."""
HEADERS = {
    # Our own scripts and styles, our own server, and what a dropped file is made of (blobs).
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob: data:",
            "connect-src 'self' blob: data:",
            "font-src 'self'",
            "worker-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
Handler = Callable[[Request, Served, Call], Awaitable[Response]]


def gateway_app(
    served: Served, access: Access, *, motion: bytes | None = None, viewer: Path = VIEWER
) -> ASGIApp:
    """The viewer's files and the probes are open, all else needs a token if the access does.

    motion  a recording for the page, as npz
    """
    doorman = Doorman(access)

    async def interact(socket: WebSocket) -> None:
        await interact_over(socket, served, doorman)

    def guarded(path: str, handler: Handler, kind: CallKind | None = None, **options: Any) -> Route:
        """A page for those who may have it; requests of a kind are counted."""

        async def endpoint(request: Request) -> Response:
            uncounted = nullcontext(Call(CallFigures()))
            with uncounted if kind is None else served.calls.counted(kind) as call:
                try:
                    doorman.check_token(request.headers)
                    response = await handler(request, served, call)
                except Exception as error:
                    status = status_of(error)
                    call.code = status.code.name
                    return _refusal(status)
                call.code = "OK"
                return response

        return Route(path, endpoint, **options)

    async def is_ready(request: Request) -> Response:
        if served.is_ready:
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not ready\n", status_code=503)

    routes: list[BaseRoute] = [
        WebSocketRoute("/v1/interact", interact),
        guarded("/v1/pair", pair_response, PAIR, methods=["POST"]),
        guarded("/v1/motion", motion_response, MOTION, methods=["POST"]),
        guarded("/v1/body.glb", _body_response),
        guarded("/v1/info", _info_response),
        guarded("/metrics", _metrics_response),
        Route(IS_ALIVE, _is_alive),
        Route(IS_READY, is_ready),
    ]
    if motion is not None:
        routes.append(guarded(MOTION_PATH, _file_handler(motion)))
    if viewer.is_dir():
        routes.append(Mount("/", StaticFiles(directory=viewer, html=True)))
    app: ASGIApp = Starlette(routes=routes)
    if access.allow_origins:
        app = CORSMiddleware(
            app,
            allow_origins=access.allow_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type"],
        )
    return _checked(app, doorman)


def _checked(app: ASGIApp, doorman: Doorman) -> ASGIApp:
    """The app for our own names and pages; every answer forbids what the page has no use for."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] == "http" and scope["path"] not in (IS_ALIVE, IS_READY):
            try:
                doorman.check_address(Headers(scope=scope))
            except AccessError as error:
                await _refusal(status_of(error))(scope, receive, send_with_headers)
                return
        await app(scope, receive, send_with_headers)

    return answer


def _refusal(status: Status) -> Response:
    """An error as JSON, under the HTTP status that is nearest."""
    headers = {} if status.retry_s is None else {"retry-after": str(math.ceil(status.retry_s))}
    return Response(
        json_format.MessageToJson(error_to_wire(status), indent=None) + "\n",
        HTTP_OF_REASON.get(status.reason, HTTP_OF_CODE[status.code]),
        headers,
        JSON,
    )


async def _is_alive(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _info_response(request: Request, served: Served, call: Call) -> Response:
    """GetServerInfoResponse: serialized for clients that accept that, in JSON for all others
    (defaults are left out, as protobuf has it)."""
    info = await served.info()
    if PROTOBUF in request.headers.get("accept", ""):
        return Response(info.SerializeToString(), media_type=PROTOBUF)
    return Response(json_format.MessageToJson(info, indent=None), media_type=JSON)


def _file_handler(content: bytes) -> Handler:
    async def respond(request: Request, served: Served, call: Call) -> Response:
        return Response(content, media_type="application/octet-stream")

    return respond


async def _metrics_response(request: Request, served: Served, call: Call) -> Response:
    text = metrics_text(served.calls.figures, await served.info())
    return Response(text, media_type=CONTENT_TYPE)


async def _body_response(request: Request, served: Served, call: Call) -> Response:
    """The open body at rest, in the shape that `?betas=` asks for: ten numbers with commas."""
    given = request.query_params.get("betas", "")
    try:
        values = [float(part) for part in given.split(",") if part]
    except ValueError as exc:
        raise InputError.at("betas", f"{given!r}, expected ten numbers with commas") from exc
    betas = betas_from_wire(values, "betas")
    made = await asyncio.to_thread(lambda: body_glb(load_body(), betas))
    return Response(made, media_type="model/gltf-binary")
