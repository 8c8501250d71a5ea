"""The front's life: bind, start the engines, serve, drain.

Knows gRPC, the gateway and the health protocol. Which engine gets a call is `front.py`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from engine.serving.access import Access
from engine.serving.gateway.door import GatewayConfig, opened_gateway
from engine.serving.grpc.front import Front, FrontHandler
from engine.serving.grpc.listening import bound_port, enable_reflection, new_server, set_health
from engine.serving.grpc.served_front import ServedFront
from engine.serving.process import stop_event


@dataclass(frozen=True, kw_only=True)
class FrontConfig:
    commands: Sequence[Sequence[str]]
    """Each starts an engine: `contrapose serve` on a free port, until its input ends."""
    interface: str = "127.0.0.1"
    port: int = 50051
    gateway: GatewayConfig | None = None
    """For browsers, on the same interface; None: there is none."""
    access: Access = field(default_factory=Access)
    engine_token: str | None = None
    """What the engines ask of the front; None: nothing."""
    drain_seconds: float = 5.0
    stops_on_eof: bool = False


async def serve_front(config: FrontConfig, on_ready: Callable[[str, str | None], None]) -> int:
    """Serve until SIGTERM or SIGINT, then drain all engines.

    on_ready  called once sessions are accepted, with "host:port", and the address of the page if
              there is a gateway
    Returns an exit code: 0, or that of the first engine if it did not start.
    Raises ConfigError if the port is taken.
    """
    stop = stop_event(on_eof=config.stops_on_eof)
    probe = health.aio.HealthServicer()
    front = Front(config.commands, probe, engine_token=config.engine_token)
    server = new_server(config.access)
    health_pb2_grpc.add_HealthServicer_to_server(probe, server)
    enable_reflection(server)
    server.add_generic_rpc_handlers((FrontHandler(front),))
    address = bound_port(server, config.interface, config.port, config.access.tls)
    gateway = None
    if config.gateway is not None:
        gateway = opened_gateway(
            config.gateway, config.interface, ServedFront(front), config.access
        )
    await set_health(probe, health_pb2.HealthCheckResponse.NOT_SERVING)
    await server.start()
    if gateway is not None:
        gateway.start()
    starting = asyncio.create_task(front.fleet.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    code = starting.result() if starting.done() else 0
    if starting.done() and not code:
        on_ready(address, None if gateway is None else gateway.url)
        polling = asyncio.create_task(front.poll())
        await stopping
        polling.cancel()
    starting.cancel()
    stopping.cancel()
    await probe.enter_graceful_shutdown()
    front.is_draining = True
    await front.fleet.stop(config.drain_seconds + 10)
    await server.stop(1.0)
    if gateway is not None:
        await gateway.stop()
    return code
