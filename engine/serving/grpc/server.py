"""The server's life: bind, load, warm up, serve, drain.

Knows sockets, signals and the health protocol. What is served is `service.py`'s business.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import grpc.aio
import numpy as np
from contrapose.v1 import (
    generation_pb2,
    generation_pb2_grpc,
    interaction_pb2,
    interaction_pb2_grpc,
    server_info_pb2,
    server_info_pb2_grpc,
)
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from engine.backends import Backend, Precision, open_backend
from engine.body.capsules import fitted_capsules
from engine.body.pose import Pose
from engine.body.shape import SHAPE_COUNT, Body, load_body
from engine.bundle import Bundle
from engine.errors import ConfigError, OverloadedError
from engine.motion.motion import FRAME_RATE
from engine.motion.standing import standing_pose
from engine.sampling.executor import Executor
from engine.sampling.models import load_models
from engine.serving.grpc.service import (
    RETRY_SECONDS,
    GenerationService,
    InteractionService,
    ServerInfoService,
    sampled,
)
from engine.serving.host import Engine, Host, ServiceConfig, watch
from engine.serving.stream import LiveStream
from engine.serving.wire import MIN_STEPS
from engine.session.config import SessionConfig
from engine.session.recording import Recorder
from engine.session.session import Session

logger = logging.getLogger(__name__)

SERVICES = (
    interaction_pb2.DESCRIPTOR.services_by_name["InteractionService"].full_name,
    generation_pb2.DESCRIPTOR.services_by_name["GenerationService"].full_name,
    server_info_pb2.DESCRIPTOR.services_by_name["ServerInfoService"].full_name,
)
OPTIONS = [
    ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it
    ("grpc.max_receive_message_length", 1 << 20),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
]

SWITCH_SECONDS = 0.0005
"""After which a thread that waits for the interpreter gets it. Planning is many short numpy calls
that keep it; at Python's 5 ms the event loop and the executor would wait as long at every turn."""

WARM_UP_SECONDS = 5
"""Of session time; some tenths of a second in truth."""


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    bundle: Bundle
    service: ServiceConfig = field(default_factory=ServiceConfig)
    host: str = "127.0.0.1"
    port: int = 50051
    """0: a free one."""
    backend: str = "auto"
    device: int = 0
    """Index of the GPU."""
    precision: Precision = "auto"
    threads: int | None = None
    """Of the backend; None: the backend's choice."""
    body: Path | None = None
    """A licensed SMPL-X body; None: the bundle's, or else the packaged one."""
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


async def serve(config: ServerConfig, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT (or the end of input, if so configured), then drain.

    on_ready  called with "host:port" once sessions are accepted
    Raises ConfigError if the port is taken, BundleError or BackendError if loading fails.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if config.stops_on_eof:
        watch_input(loop, stop)
    host = Host(config.service)
    server = grpc.aio.server(options=OPTIONS)
    probe = health.aio.HealthServicer()
    await set_health(probe, health_pb2.HealthCheckResponse.NOT_SERVING)
    add_services(server, host, probe)
    address = bound_port(server, config.host, config.port)
    await server.start()
    try:
        backend, engine = await asyncio.to_thread(load_engine, config)
        if config.record is not None:
            about = _about(config, backend)
            host.recorder = Recorder(config.record, about=about, limit_mb=config.record_limit_mb)
    except BaseException:
        await server.stop(0)
        raise
    gc.collect()
    gc.freeze()  # what is loaded stays: no later collection need look through it, and hold us up
    host.serve(engine)
    await set_health(probe, health_pb2.HealthCheckResponse.SERVING)
    logger.info("serving %s on %s", engine.name, address)
    on_ready(address)
    watching = asyncio.create_task(watch(host))
    await stop.wait()
    await _drain(server, host, probe, config.drain_seconds)
    watching.cancel()
    await asyncio.to_thread(engine.executor.close)
    await asyncio.to_thread(host.session_thread.close)
    if host.recorder is not None:
        await asyncio.to_thread(host.recorder.close)
    backend.close()


def _about(config: ServerConfig, backend: Backend) -> dict[str, object]:
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


def watch_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Set `stop` at the end of standard input."""

    def on_readable() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    loop.add_reader(sys.stdin.fileno(), on_readable)


def load_engine(config: ServerConfig) -> tuple[Backend, Engine]:
    """Compile the bundle's graphs, start the executor, time its calls, denoise. Takes seconds."""
    backend = open_backend(
        config.backend, precision=config.precision, threads=config.threads, device=config.device
    )
    engine = Engine(
        bundle=config.bundle,
        executor=Executor(load_models(config.bundle, backend)),
        body=_body(config),
        backend=backend.name,
        precision=backend.precision,
    )
    engine.executor.measure()
    return backend, replace(engine, python_s=_warm_up(engine, config.service.session))


def _body(config: ServerConfig) -> Body:
    spec = config.bundle.manifest.body
    if config.body is None and spec is not None:
        return load_body(config.bundle.file(spec.file))
    return load_body(config.body)


def _warm_up(engine: Engine, settings: SessionConfig) -> float:
    """Live seconds of a session: first calls allocate, and nobody's first reaction should wait.

    Returns what a second costs of the interpreter, the median of all but the first: some have more
    windows than others. An upper bound, as the player departs from every plan; messages are some
    tenth of it.
    """
    betas = np.zeros((2, SHAPE_COUNT), np.float32)
    capsules = fitted_capsules(engine.body, betas[0])
    session = Session(
        replace(settings, steps=MIN_STEPS),
        rest_joints=engine.body.rest_joints(betas),
        seed=0,
        capsules=(capsules, capsules),
    )
    costs = []
    for second in range(WARM_UP_SECONDS):
        begun = time.thread_time()
        for frame in range(10 * second, 10 * (second + 1)):
            walking = Pose(standing_pose(), np.array([0.0, 0.0, 0.1 * frame]))
            session.feed(frame / FRAME_RATE, walking)
            for wanted in session.tick(frame / FRAME_RATE).wanted:
                session.accept(wanted.ticket, sampled(engine.executor, [wanted.request])[0])
        costs.append(time.thread_time() - begun)
    return statistics.median(costs[1:])


def add_services(server: grpc.aio.Server, host: Host, probe: health.aio.HealthServicer) -> None:
    add: list[tuple[Callable[..., None], object]] = [
        (interaction_pb2_grpc.add_InteractionServiceServicer_to_server, InteractionService(host)),
        (generation_pb2_grpc.add_GenerationServiceServicer_to_server, GenerationService(host)),
        (server_info_pb2_grpc.add_ServerInfoServiceServicer_to_server, ServerInfoService(host)),
        (health_pb2_grpc.add_HealthServicer_to_server, probe),
    ]
    for add_to_server, servicer in add:
        add_to_server(servicer, server)
    reflection.enable_server_reflection(
        [*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], server
    )


def bound_port(server: grpc.aio.Server, host: str, port: int) -> str:
    """Listen; returns "host:port". Raises ConfigError if somebody else does."""
    host = f"[{host}]" if ":" in host else host
    try:
        found = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as exc:
        raise ConfigError(
            f"cannot listen on {host}:{port}: the port is in use or the address is not of "
            "this machine; choose another with --port or --host",
            field="port",
            reason="PORT_IN_USE",
        ) from exc
    return f"{host}:{found}"


async def set_health(
    probe: health.aio.HealthServicer, status: health_pb2.HealthCheckResponse.ServingStatus
) -> None:
    for name in ("", *SERVICES):
        await probe.set(name, status)


def _open(host: Host) -> list[LiveStream]:
    return [stream for stream in host.streams.values() if stream is not None]


async def _drain(
    server: grpc.aio.Server, host: Host, probe: health.aio.HealthServicer, seconds: float
) -> None:
    """Tell probes and sessions, let sessions end by themselves, end those that did not."""
    logger.info("draining %d sessions", len(host.streams))
    await probe.enter_graceful_shutdown()
    host.is_draining = True
    event = interaction_pb2.SessionEvent(
        kind=interaction_pb2.SESSION_EVENT_KIND_DRAINING,
        text=f"the server is going away in {seconds:g} s",
        reconnect_after=RETRY_SECONDS,
    )
    for stream in _open(host):
        stream.notify(event)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await host.empty.wait()
    for stream in _open(host):
        stream.end(OverloadedError("the server is going away; try another", reason="DRAINING"))
    await server.stop(1.0)
