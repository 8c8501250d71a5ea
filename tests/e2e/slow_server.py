"""The real services on a machine that is slow by a fixed amount, in the loop of the test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import numpy as np
from grpc_health.v1 import health

from engine.arrays import Array, IntArray
from engine.body.shape import load_body
from engine.bundle import load_bundle
from engine.sampling.executor import Executor
from engine.sampling.loaded import LoadedBundle
from engine.sampling.request import WINDOW_SHAPE, WindowRequest
from engine.sampling.sampler import begin_windows
from engine.sampling.scheduler import CallCosts
from engine.serving.grpc.listening import bound_port
from engine.serving.grpc.server import add_services
from engine.serving.host import Host, ServiceConfig
from engine.serving.load import PythonCost
from engine.testing import still_models, with_animator

A_WINDOW = WindowRequest(
    known=np.zeros(WINDOW_SHAPE, np.float32),
    known_mask=np.zeros((*WINDOW_SHAPE[:2], 1), np.float32),
    anchor=np.zeros((2, WINDOW_SHAPE[2]), np.float32),
    anchor_joints=np.zeros((2, 22, 3), np.float32),
    seed=0,
    steps=1,
)


@dataclass(frozen=True)
class SlowServer:
    address: str
    host: Host


@asynccontextmanager
async def slow_server(
    bundle: Path, config: ServiceConfig, *, row_s: float, learns: bool = True
) -> AsyncIterator[SlowServer]:
    """row_s   seconds that a denoiser call takes for each of its rows
    learns  whether real calls, which take longer on a busy machine, change what the server takes
            them to cost
    """
    models = still_models()

    def slow_step(inputs: Mapping[str, Array | IntArray]) -> dict[str, Array]:
        time.sleep(row_s * len(inputs["x_t"]))
        return models.animator.step(inputs)

    known = {size: row_s * size for size in models.animator.buckets}
    begin_windows(models, [A_WINDOW])  # the first begins slowly, which would count
    costs = CallCosts(known) if learns else CallCosts(known, weight=0)
    host, server = Host(config), grpc.aio.server()
    add_services(server, host, health.aio.HealthServicer())
    address = bound_port(server, "127.0.0.1", 0)
    await server.start()
    executor = Executor(with_animator(models, step=slow_step), costs=costs)
    host.serve(
        LoadedBundle(
            bundle=load_bundle(bundle),
            executor=executor,
            body=load_body(),
            backend="slow",
            precision="f32",
        ),
        PythonCost(second_s=0.02),
    )
    watching = asyncio.create_task(host.watch())
    try:
        yield SlowServer(address, host)
    finally:
        await server.stop(0)
        watching.cancel()
        await asyncio.to_thread(executor.close)
        await asyncio.to_thread(host.session_thread.close)
