"""The server's life: bind, load, serve, drain.

Knows gRPC and the health protocol. What is served is `service.py`'s business.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import grpc.aio
import numpy as np
from contrapose.v1 import generation_pb2_grpc, interaction_pb2_grpc, server_info_pb2_grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from engine.backends import Backend
from engine.errors import ConfigError
from engine.progress import Say, silent
from engine.sampling.loaded import ComputeConfig, loaded_bundle
from engine.serving.access import Access
from engine.serving.gateway.door import GatewayConfig, opened_gateway
from engine.serving.gateway.served import ServedHost
from engine.serving.grpc.listening import bound_port, enable_reflection, new_server, set_health
from engine.serving.grpc.service import (
    GenerationService,
    InteractionService,
    ServerInfoService,
)
from engine.serving.host import Host, ServiceConfig
from engine.serving.memory import give_back_what_is_freed
from engine.serving.pools import started_pool
from engine.serving.process import stop_event
from engine.serving.warm_up import warmed_up
from engine.session.recording import Recorder

logger = logging.getLogger(__name__)

SPARE_WORKERS = 4
"""Threads beside those of motions and pairs: they open sessions, and make JSON."""
SWITCH_SECONDS = 0.0005
"""Time after which a waiting thread gets the interpreter. Planning is many short numpy calls
that keep it; at Python's 5 ms the event loop and the executor would wait as long at every turn."""


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    compute: ComputeConfig
    service: ServiceConfig = field(default_factory=ServiceConfig)
    interface: str = "127.0.0.1"
    """Where to listen, by its address."""
    port: int = 50051
    """0: a free one."""
    gateway: GatewayConfig | None = None
    """For browsers, on the same interface; None: there is none."""
    access: Access = field(default_factory=Access)
    drain_seconds: float = 5.0
    """How long sessions may go on after SIGTERM."""
    record: Path | None = None
    """A folder in which every session is written down; None: none is."""
    record_limit_mb: int = 1000
    stops_on_eof: bool = False
    """Drain when standard input ends, so that a child never outlives who started it."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port is {self.port}, must lie in 0..65535", field="port")
        if not 0 <= self.drain_seconds < float("inf"):
            raise ConfigError(
                f"drain_seconds is {self.drain_seconds}, must be at least 0", field="drain_seconds"
            )


async def serve(
    config: ServerConfig, on_ready: Callable[[str, str | None], None], say: Say = silent
) -> None:
    """Serve until SIGTERM or SIGINT (or the end of input, if so configured), then drain.

    on_ready  called once sessions are accepted, with "host:port", and the address of the page if
              there is a gateway
    say       told what goes on until then, and how many sessions there is room for
    Raises ConfigError if the port is taken, BundleError or BackendError if loading fails.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    give_back_what_is_freed()
    workers = started_pool(config.service.max_generations + SPARE_WORKERS, "contrapose-worker")
    asyncio.get_running_loop().set_default_executor(workers)
    stop = stop_event(on_eof=config.stops_on_eof)
    host = Host(config.service)
    server = new_server(config.access)
    probe = health.aio.HealthServicer()
    await set_health(probe, health_pb2.HealthCheckResponse.NOT_SERVING)
    add_services(server, host, probe)
    address = bound_port(server, config.interface, config.port, config.access.tls)
    gateway = None
    if config.gateway is not None:
        gateway = opened_gateway(config.gateway, config.interface, ServedHost(host), config.access)
    await server.start()
    if gateway is not None:
        gateway.start()
    try:
        backend, loaded = await asyncio.to_thread(loaded_bundle, config.compute, say)
        say("measuring what a session costs")
        python = await asyncio.to_thread(warmed_up, loaded, config.service.session)
        if config.record is not None:
            about = _about(config.compute, backend)
            host.recorder = Recorder(config.record, about=about, limit_mb=config.record_limit_mb)
    except BaseException:
        await server.stop(0)
        if gateway is not None:
            await gateway.stop()
        raise
    gc.collect()
    gc.freeze()  # what is loaded stays: no later collection need look through it, and hold us up
    host.serve(loaded, python)
    await set_health(probe, health_pb2.HealthCheckResponse.SERVING)
    logger.info("serving %s on %s", loaded.name, address)
    say(f"ready, with room for {host.capacity(config.service.session)} sessions")
    on_ready(address, None if gateway is None else gateway.url)
    watching = asyncio.gather(host.watch(), tell_of_stalls(host, probe))
    await stop.wait()
    await probe.enter_graceful_shutdown()
    await host.drain(config.drain_seconds)
    await server.stop(1.0)
    if gateway is not None:
        await gateway.stop()
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    await asyncio.to_thread(loaded.executor.close)
    await asyncio.to_thread(host.session_thread.close)
    if host.recorder is not None:
        await asyncio.to_thread(host.recorder.close)
    if loaded.executor.under_way is None:  # else it is in use, and ends with the process
        backend.close()


async def tell_of_stalls(host: Host, probe: health.aio.HealthServicer) -> None:
    """Health is NOT_SERVING while a graph call hangs. For as long as it runs."""
    kinds = health_pb2.HealthCheckResponse
    while True:
        await host.stall_changed.wait()
        host.stall_changed.clear()
        await set_health(probe, kinds.NOT_SERVING if host.is_stalled else kinds.SERVING)


def _about(config: ComputeConfig, backend: Backend) -> dict[str, object]:
    """What a recording needs to be computed again."""
    return {
        "engine_version": version("contrapose"),
        "numpy_version": np.__version__,
        "bundle": config.bundle.manifest.name,
        "bundle_digest": config.bundle.manifest.digest,
        "bundle_path": str(config.bundle.path.resolve()),
        "backend": backend.name,
        "device": backend.device,
        "precision": backend.precision,
        "threads": config.threads,
        "buckets": list(backend.buckets),
    }


def add_services(server: grpc.aio.Server, host: Host, probe: health.aio.HealthServicer) -> None:
    add: list[tuple[Callable[..., None], object]] = [
        (interaction_pb2_grpc.add_InteractionServiceServicer_to_server, InteractionService(host)),
        (generation_pb2_grpc.add_GenerationServiceServicer_to_server, GenerationService(host)),
        (server_info_pb2_grpc.add_ServerInfoServiceServicer_to_server, ServerInfoService(host)),
        (health_pb2_grpc.add_HealthServicer_to_server, probe),
    ]
    for add_to_server, servicer in add:
        add_to_server(servicer, server)
    enable_reflection(server)
