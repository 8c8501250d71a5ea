"""A player who wears trackers, through the client and the real server."""

from __future__ import annotations

import asyncio
import math

import grpc
import numpy as np
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2
from contrapose_client import Device, calibrate, connect
from contrapose_client.devices import tracker_set

from tests.e2e.conftest import RunningServer, header
from tests.e2e.refusals import refused_stream

UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])


def devices(hands: float, span: float) -> dict[str, Device]:
    """Headset at 1.6 m and hands at a height, so far apart."""
    return {
        "head": Device(np.array([0.0, 1.6, 0.1]), UPRIGHT),
        "left_hand": Device(np.array([span / 2, hands, 0.0]), UPRIGHT),
        "right_hand": Device(np.array([-span / 2, hands, 0.0]), UPRIGHT),
    }


def test_a_player_with_trackers_is_answered_and_hears_of_a_lost_hand(
    server: RunningServer,
) -> None:
    calibration = calibrate(devices(1.38, 1.5))

    async def session() -> None:
        worn = devices(0.9, 0.6)
        async with (
            connect(server.address) as client,
            client.interact(seed=7, calibration=calibration) as session,
        ):
            await session.send_trackers(worn)
            frames = 0
            async for frame in session.frames(20):
                frames += 1
                assert np.isfinite(frame.quats_xyzw).all()
                if frame.index == 12:
                    del worn["left_hand"]
                await session.send_trackers(worn)
            summary = await session.finish()
        assert summary.poses_received == frames + 1
        texts = [e.text for e in session.events if e.kind == pb.SESSION_EVENT_KIND_TRACKING]
        assert texts == ["no device lost", "lost: left_hand"]
        assert session.accepted.player_skeleton.betas[0] != 0

    asyncio.run(session())


def test_a_tracker_that_is_not_finite_is_refused_by_its_field(channel: grpc.Channel) -> None:
    trackers = tracker_set(devices(0.9, 0.6))
    trackers.trackers[1].rotation[2] = math.nan
    bad = pb.StreamInteractionRequest(pose=pb.PlayerPose(sequence=1, trackers=trackers))
    refusal = refused_stream(channel, [header(), bad])
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.field == "pose.trackers.trackers[left_hand].rotation"


def test_a_calibration_that_no_body_fits_is_refused_by_its_field(channel: grpc.Channel) -> None:
    wrong = pb.SessionHeader(calibration=types_pb2.Calibration(size={"height": 9.0}))
    refusal = refused_stream(channel, [pb.StreamInteractionRequest(header=wrong)])
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.field == "header.calibration.size.height"
