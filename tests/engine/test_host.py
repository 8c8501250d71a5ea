"""Who gets a place on the server, and when it is given back."""

from __future__ import annotations

import asyncio

import pytest

from engine.errors import ConfigError, OverloadedError, SessionError
from engine.host import Host, ServiceConfig
from engine.session import SessionConfig

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
            assert not host.empty.is_set()
        assert host.empty.is_set()
        with host.session_slot("b", CONFIG):
            pass

    asyncio.run(places())


@pytest.mark.parametrize("name", ["max_sessions", "max_generations", "max_motion_frames"])
def test_limits_are_at_least_one(name: str) -> None:
    with pytest.raises(ConfigError):
        ServiceConfig(**{name: 0})
