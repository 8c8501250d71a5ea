"""Who gets a place on the server, and when it is given back."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack

import pytest

from engine.body.shape import load_body
from engine.bundle import STARTER, load_bundle
from engine.errors import ConfigError, OverloadedError, SessionError
from engine.sampling.executor import Executor
from engine.sampling.loaded import LoadedBundle
from engine.sampling.scheduler import CallCosts
from engine.serving.host import Host, ServiceConfig
from engine.session.config import SessionConfig
from engine.testing import run_virtually, still_models, virtual_executor

CONFIG = SessionConfig()


def test_a_host_refuses_until_it_is_ready_and_while_it_drains() -> None:
    async def refusals() -> list[str]:
        host = Host(ServiceConfig())
        with pytest.raises(OverloadedError) as loading:
            host.ready()
        host.is_draining = True
        with pytest.raises(OverloadedError) as draining:
            host.ready()
        return [loading.value.reason, draining.value.reason]

    assert asyncio.run(refusals()) == ["NOT_READY", "DRAINING"]


def test_a_place_is_free_again_after_the_session() -> None:
    async def places() -> None:
        host = Host(ServiceConfig(max_sessions=1))
        with host.session_slot("a", CONFIG):
            with pytest.raises(SessionError), host.session_slot("a", CONFIG):
                pass
            with pytest.raises(OverloadedError), host.session_slot("b", CONFIG):
                pass
            assert list(host.slots) == ["a"]
        assert not host.slots
        with host.session_slot("b", CONFIG):
            pass

    asyncio.run(places())


@pytest.mark.parametrize("name", ["max_sessions", "max_generations", "max_motion_frames"])
def test_limits_are_at_least_one(name: str) -> None:
    with pytest.raises(ConfigError):
        ServiceConfig(**{name: 0})


def test_what_holds_up_the_event_loop_is_seen() -> None:
    async def lag() -> float:
        host = Host(ServiceConfig())
        watching = asyncio.create_task(host.watch())
        await asyncio.sleep(0.05)
        time.sleep(0.1)
        await asyncio.sleep(0.05)
        watching.cancel()
        return host.load_watch.event_loop_lag.peak(asyncio.get_running_loop().time())

    assert asyncio.run(lag()) > 0.08


def test_a_session_that_has_not_begun_takes_a_place_too() -> None:
    async def places() -> None:
        executor = virtual_executor(still_models(), CallCosts({1: 0.1}, weight=0))
        host = Host(ServiceConfig())
        host.serve(loaded_starter(executor))
        room = host.capacity(CONFIG)
        assert 1 < room < 20
        with ExitStack() as stack:
            for number in range(room):
                stack.enter_context(host.session_slot(str(number), CONFIG))
            with pytest.raises(OverloadedError, match="could not be served") as refusal:
                stack.enter_context(host.session_slot("one more", CONFIG))
            assert refusal.value.retry_s is not None
            assert refusal.value.retry_s >= 1
        with host.session_slot("one more", CONFIG):
            assert len(host.slots) == 1

    run_virtually(places())


def test_a_number_of_sessions_caps_what_the_machine_could_do() -> None:
    async def capacity() -> int:
        executor = virtual_executor(still_models(), CallCosts({1: 0.001}, weight=0))
        host = Host(ServiceConfig(max_sessions=3))
        host.serve(loaded_starter(executor))
        return host.capacity(CONFIG)

    assert run_virtually(capacity()) == 3


def loaded_starter(executor: Executor) -> LoadedBundle:
    bundle = load_bundle(STARTER)
    return LoadedBundle(
        bundle=bundle, executor=executor, body=load_body(), backend="still", precision="f32"
    )
