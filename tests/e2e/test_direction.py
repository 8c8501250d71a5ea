"""A game directs its partner over the wire: modes and a place, through a real server."""

from __future__ import annotations

import asyncio

import numpy as np
from contrapose.v1 import interaction_pb2 as pb
from contrapose_client import Place, PlanFrame, connect

from tests.builders import HERE, STILL
from tests.e2e.conftest import RunningServer

START, STEP = HERE + np.float32([0, 0, 1.5]), np.float32([0.1, 0, 0])
FASTEST = 0.5
"""Metres a frame of a body whose network has random weights."""

MOST_FRAMES = 600
"""A minute. A quick machine has the partner there in five seconds."""

THERE = np.array([0.8, 0.0, 1.8])


def reached(events: list[pb.SessionEvent]) -> list[pb.SessionEvent]:
    return [event for event in events if event.kind == pb.SESSION_EVENT_KIND_TARGET]


def test_a_partner_who_is_told_to_goes_to_a_place_and_pauses(server: RunningServer) -> None:
    async def play() -> tuple[list[PlanFrame], list[pb.SessionEvent]]:
        async with (
            connect(server.address) as client,
            client.interact(seed=3, energy=1.2, partner_start=(STILL, START)) as session,
        ):
            await session.send_pose(STILL, HERE)
            await session.control(place=Place(position=THERE))
            frames, told = [], 0
            paused_at = None
            async for frame in session.frames(MOST_FRAMES):
                frames.append(frame)
                await session.send_pose(STILL, HERE)
                ends = reached(session.events)
                if paused_at is None and len(ends) > told:
                    told = len(ends)
                    if "missed" in ends[-1].text:  # too slow a machine for its windows: once more
                        await session.control(place=Place(position=THERE))
                    else:
                        await session.control(mode="paused")
                        paused_at = frame.index
                if paused_at is not None and frame.quality == "HELD":
                    break
            await session.finish()
            return frames, session.events

    frames, events = asyncio.run(play())
    np.testing.assert_allclose(frames[0].transl, START, atol=1e-5)
    (event,) = [event for event in reached(events) if "missed" not in event.text]
    assert "place reached" in event.text
    assert frames[-1].quality == "HELD"
    places = np.stack([frame.transl for frame in frames])
    assert np.linalg.norm(np.diff(places, axis=0), axis=-1).max() < FASTEST


def test_who_follows_the_plan_is_sent_both_people(server: RunningServer) -> None:
    async def play() -> list[PlanFrame]:
        async with (
            connect(server.address) as client,
            client.interact(seed=3, mode="follow_plan") as session,
        ):
            await session.send_pose(STILL, HERE)
            frames = []
            async for frame in session.frames(25):
                frames.append(frame)
                await session.send_pose(STILL, HERE + frame.index * STEP)
            await session.finish()
            return frames

    places = np.stack([frame.player_transl for frame in asyncio.run(play())])
    assert np.linalg.norm(np.diff(places, axis=0), axis=-1).max() < FASTEST
    assert np.linalg.norm(places[-1] - (HERE + 24 * STEP)) > 0.5
