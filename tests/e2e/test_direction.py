"""A game directs its partner over the wire: modes and a place, through a real server."""

from __future__ import annotations

import asyncio

import numpy as np
from contrapose.v1 import interaction_pb2 as pb
from contrapose_client import Place, PlanFrame, connect

from tests.e2e.conftest import RunningServer

QUATS, TRANSL = np.tile(np.float32([0, 0, 0, 1]), (22, 1)), np.array([0, 1.2, 0], np.float32)

START, STEP = TRANSL + np.float32([0, 0, 1.5]), np.float32([0.1, 0, 0])
FASTEST = 0.5
"""Metres a frame of a body whose network has random weights."""


def test_a_partner_who_is_told_to_goes_to_a_place_and_pauses(server: RunningServer) -> None:
    async def play() -> tuple[list[PlanFrame], list[pb.SessionEvent]]:
        async with (
            connect(server.address) as client,
            client.interact(seed=3, energy=1.2, partner_start=(QUATS, START)) as session,
        ):
            await session.send_pose(QUATS, TRANSL)
            await session.control(place=Place(position=np.array([0.8, 0, 1.8])))
            frames = []
            async for frame in session.frames(60):
                frames.append(frame)
                await session.send_pose(QUATS, TRANSL)
                if frame.index == 45:
                    await session.control(mode="paused")
            await session.finish()
            return frames, session.events

    frames, events = asyncio.run(play())
    np.testing.assert_allclose(frames[0].transl, START, atol=1e-5)
    (event,) = [e for e in events if e.kind == pb.SESSION_EVENT_KIND_TARGET]
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
            await session.send_pose(QUATS, TRANSL)
            frames = []
            async for frame in session.frames(25):
                frames.append(frame)
                await session.send_pose(QUATS, TRANSL + frame.index * STEP)
            await session.finish()
            return frames

    places = np.stack([frame.player_transl for frame in asyncio.run(play())])
    assert np.linalg.norm(np.diff(places, axis=0), axis=-1).max() < FASTEST
    assert np.linalg.norm(places[-1] - (TRANSL + 24 * STEP)) > 0.5
