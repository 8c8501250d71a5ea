"""What the server of one engine and the front of several have in common: names, port and health.

Knows sockets and the health protocol; nothing of what is served.
"""

from __future__ import annotations

import grpc
import grpc.aio
from contrapose.v1 import generation_pb2, interaction_pb2, server_info_pb2
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection

from engine.errors import ConfigError
from engine.serving.access import MOST_MESSAGE_BYTES, Access, TlsFiles
from engine.serving.grpc.doorman import Doorman

SERVICES = (
    interaction_pb2.DESCRIPTOR.services_by_name["InteractionService"].full_name,
    generation_pb2.DESCRIPTOR.services_by_name["GenerationService"].full_name,
    server_info_pb2.DESCRIPTOR.services_by_name["ServerInfoService"].full_name,
)
OPTIONS = [
    ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it
    ("grpc.max_receive_message_length", MOST_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
]


def new_server(access: Access) -> grpc.aio.Server:
    doormen = [] if access.tokens is None else [Doorman(access)]
    return grpc.aio.server(options=OPTIONS, interceptors=doormen)


def bound_port(
    server: grpc.aio.Server, interface: str, port: int, tls: TlsFiles | None = None
) -> str:
    """Listen; returns "host:port". Raises ConfigError if somebody else does."""
    host = f"[{interface}]" if ":" in interface else interface
    try:
        if tls is None:
            found = server.add_insecure_port(f"{host}:{port}")
        else:
            found = server.add_secure_port(f"{host}:{port}", _credentials(tls))
    except RuntimeError as exc:
        raise ConfigError(
            f"cannot listen on {host}:{port}: the port is in use or the address is not of "
            "this machine; choose another with --port or --host",
            field="port",
            reason="PORT_IN_USE",
        ) from exc
    return f"{host}:{found}"


def _credentials(tls: TlsFiles) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(tls.key.read_bytes(), tls.cert.read_bytes())],
        root_certificates=None if tls.client_ca is None else tls.client_ca.read_bytes(),
        require_client_auth=tls.client_ca is not None,
    )


async def set_health(
    probe: health.aio.HealthServicer, status: health_pb2.HealthCheckResponse.ServingStatus
) -> None:
    for name in ("", *SERVICES):
        await probe.set(name, status)


def enable_reflection(server: grpc.aio.Server) -> None:
    reflection.enable_server_reflection(
        [*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], server
    )
