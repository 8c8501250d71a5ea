"""The gateway's life: its port, and the HTTP server on the event loop of all that is served.

Knows sockets and uvicorn; nothing of what is served.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from engine.errors import ConfigError
from engine.serving.access import MOST_MESSAGE_BYTES, TlsFiles

MOST_FRAME_BYTES = 2 * MOST_MESSAGE_BYTES
"""Beyond this a connection is cut; what a message may have is less, and refused by a status."""
PING_SECONDS = 20.0
PONG_SECONDS = 20.0
STALLED_MS = 30_000
"""A peer that takes nothing for so long has gone, whatever it still sends."""
STOP_SECONDS = 1


def listening_socket(interface: str, port: int) -> socket.socket:
    """Listen; port 0 is a free one. Raises ConfigError if somebody else does."""
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere it would share the port with whoever has it
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_MS)
    try:
        listener.bind((interface, port))
        listener.listen()  # who comes before the server runs is kept waiting
    except OSError as exc:
        listener.close()
        raise ConfigError(
            f"cannot listen on {interface}:{port}: the port is in use or the address is not of "
            "this machine; choose another with --http-port, or none with --no-http",
            field="http_port",
            reason="PORT_IN_USE",
        ) from exc
    return listener


def _tls_settings(tls: TlsFiles) -> dict[str, Any]:
    settings: dict[str, Any] = {"ssl_certfile": tls.cert, "ssl_keyfile": tls.key}
    if tls.client_ca is not None:
        settings |= {"ssl_ca_certs": tls.client_ca, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return settings


class _Server(uvicorn.Server):
    """Leaves signals to the process, which serves more than this."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Gateway:
    """An app on a port. Start it, stop it; both on the event loop."""

    def __init__(self, app: ASGIApp, interface: str, port: int, tls: TlsFiles | None) -> None:
        self._listener = listening_socket(interface, port)
        host = f"[{interface}]" if ":" in interface else interface
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://{host}:{self._listener.getsockname()[1]}/"
        """Such as http://127.0.0.1:50052/."""
        self._server = _Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="websockets-sansio",
                ws_max_size=MOST_FRAME_BYTES,
                ws_ping_interval=PING_SECONDS,
                ws_ping_timeout=PONG_SECONDS,
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=STOP_SECONDS,
                **({} if tls is None else _tls_settings(tls)),
            )
        )
        self._serving: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))

    async def stop(self) -> None:
        """End what is still open."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        self._listener.close()
