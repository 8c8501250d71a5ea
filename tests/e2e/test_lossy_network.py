"""A session over a bad network: what the horizon hides, and what happens beyond it.

The real server, the real client, and a proxy between them that does to their bytes what TCP does.
"""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from engine.body.shape import load_body
from engine.commands.live_client import PlayedSession, interact
from engine.commands.recorded_player import DEMO_PLAYER, looped
from engine.commands.server_process import ServerAddress
from engine.formats import read_motion
from engine.testing import BadNetwork, LossyProxy
from tests.e2e.conftest import RunningServer

HORIZON = 8


def played(server: RunningServer, network: BadNetwork, frames: int) -> PlayedSession:
    async def play() -> PlayedSession:
        async with LossyProxy(server.address, network) as proxy:
            there = ServerAddress(address=proxy.address)
            return await interact(there, player, seed=1, horizon_frames=HORIZON)

    player = looped(read_motion(DEMO_PLAYER, body=load_body()), frames)
    return asyncio.run(play())


@pytest.mark.long
def test_jitter_loss_and_stalls_shorter_than_the_horizon_are_not_seen(
    server: RunningServer,
) -> None:
    network = BadNetwork(jitter_s=0.25, loss=0.02, stall_s=0.7, stall_every_s=2.5, seed=1)
    shown = played(server, network, frames=80)
    assert shown.late_frames == 0
    assert shown.frames[0].index <= 4  # not before anything could have come
    assert [f.index for f in shown.frames] == list(range(shown.frames[0].index, 80))
    assert shown.frames[-1].quality == "GENERATED"


@pytest.mark.long
def test_after_a_stall_beyond_the_horizon_the_next_frames_are_in_time_again(
    server: RunningServer,
) -> None:
    """Late is only what could not have come: sent in the stall, due before its end."""
    network = BadNetwork(jitter_s=0.05, stall_s=2.0, stall_every_s=4.0, seed=1)
    shown = played(server, network, frames=78)
    late = np.array([frame.time_code for frame in shown.frames if frame.is_late])
    assert 1 <= len(late) <= 14
    # The proxy and the session began within some tenths of a second of one another.
    assert late.min() > 4.0 + HORIZON / 10 - 0.7
    assert late.max() < 6.0 + 0.5
    assert np.ptp(late) == pytest.approx((len(late) - 1) / 10)
    after = [frame.quality for frame in shown.frames if frame.time_code > late.max() + 0.3]
    assert set(after) == {"GENERATED"}
