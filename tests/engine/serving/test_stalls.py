"""A graph call that hangs: when it is seen, what its sessions are told, and what new ones are."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping

import pytest
from grpc_health.v1 import health, health_pb2

from engine.arrays import Array, IntArray
from engine.body.shape import load_body
from engine.bundle import STARTER, load_bundle
from engine.errors import OverloadedError
from engine.sampling import executor as executor_module
from engine.sampling.executor import Executor
from engine.sampling.loaded import LoadedBundle
from engine.serving.grpc.listening import set_health
from engine.serving.grpc.server import tell_of_stalls
from engine.serving.host import Host, ServiceConfig
from engine.serving.server_info import server_info
from engine.serving.stalls import STALLED_LOOKS, StallWatch
from engine.testing import InlineSessionThread, still_models, with_animator
from tests.engine.serving.test_opening import Client, named


def test_a_thread_hangs_that_is_at_one_piece_of_work_at_every_look() -> None:
    pieces = [1, None] * 100 + list(range(100)) + [7] * (STALLED_LOOKS + 3) + [8]
    at = iter(pieces)
    watch = StallWatch(lambda: next(at))
    found = [watch.look() for _ in pieces]
    assert found.index(True) == 300 + STALLED_LOOKS
    assert found[-5:] == [False, True, True, True, False]


def test_sessions_of_a_graph_that_hangs_are_told_and_health_says_so_until_it_is_done() -> None:
    async def run() -> tuple[str, str, list[bool], list[int]]:
        goes_on, hangs = threading.Event(), threading.Event()
        models = still_models()

        def hanging(inputs: Mapping[str, Array | IntArray]) -> dict[str, Array]:
            hangs.set()
            goes_on.wait()
            return models.animator.step(inputs)

        executor = Executor(with_animator(models, step=hanging))
        host, probe = Host(ServiceConfig()), health.aio.HealthServicer()
        host.session_thread = InlineSessionThread()
        host.serve(
            LoadedBundle(
                bundle=load_bundle(STARTER),
                executor=executor,
                body=load_body(),
                backend="still",
                precision="f32",
            )
        )
        await set_health(probe, health_pb2.HealthCheckResponse.SERVING)
        telling = asyncio.create_task(tell_of_stalls(host, probe))
        client = Client(host, named())
        await asyncio.to_thread(hangs.wait)
        ready, healths = [], []

        async def looked() -> None:
            for _ in range(STALLED_LOOKS + 1):
                host.look_for_stall()
            while host.stall_changed.is_set():
                await asyncio.sleep(0)
            ready.append(server_info(host).is_ready)
            request = health_pb2.HealthCheckRequest()
            healths.append((await probe.Check(request, None)).status)

        await looked()
        told = await client.refused()
        with pytest.raises(OverloadedError, match="hangs") as refusal:
            host.ready()
        goes_on.set()
        while executor.under_way is not None:
            await asyncio.sleep(0.01)
        await looked()
        host.ready()
        telling.cancel()
        executor.close()
        return told, refusal.value.reason, ready, healths

    told, refused, ready, healths = asyncio.run(run())
    assert (told, refused) == ("ENGINE_LOST", "NOT_READY")
    assert ready == [False, True]
    kinds = health_pb2.HealthCheckResponse
    assert healths == [kinds.NOT_SERVING, kinds.SERVING]


def test_an_executor_that_hangs_can_be_closed_and_tells_those_who_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(executor_module, "CLOSE_SECONDS", 0.01)
    goes_on, hangs = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        hangs.set()
        goes_on.wait()

    executor = Executor(still_models())
    executor.call(hang)
    hangs.wait()
    waiting = executor.call(lambda models: None)
    executor.close()
    with pytest.raises(Exception, match="shutting down"):
        waiting.result(timeout=60)
    goes_on.set()
