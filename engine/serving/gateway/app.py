"""The gateway's addresses: what is found where.

Knows ASGI and the folder of the viewer; nothing of what a session is.
"""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

import engine
from engine.serving.gateway.served import Served
from engine.serving.gateway.websocket import interact_over

VIEWER = Path(engine.__file__).parent / "data/viewer"
"""The built page."""
HEADERS = {
    # Our own scripts and styles, our own server, and what a dropped file is made of (blobs).
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob: data:",
            "connect-src 'self' blob: data:",
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


def gateway_app(served: Served, viewer: Path = VIEWER) -> ASGIApp:
    async def interact(socket: WebSocket) -> None:
        await interact_over(socket, served)

    async def is_alive(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def is_ready(request: Request) -> Response:
        if served.is_ready:
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not ready\n", status_code=503)

    routes: list[BaseRoute] = [
        WebSocketRoute("/v1/interact", interact),
        Route("/healthz", is_alive),
        Route("/readyz", is_ready),
    ]
    if viewer.is_dir():
        routes.append(Mount("/", StaticFiles(directory=viewer, html=True)))
    return _with_headers(Starlette(routes=routes))


def _with_headers(app: ASGIApp) -> ASGIApp:
    """The app, every answer of which forbids what the page has no use for."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await app(scope, receive, send_with_headers)

    return answer
