"""Each kind of bad input ends its own stream with a status and a field, and harms nobody else."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from contrapose.v1 import generation_pb2, generation_pb2_grpc, types_pb2
from contrapose.v1 import interaction_pb2 as pb
from contrapose_client import connect

from tests.builders import HERE, STILL
from tests.e2e.conftest import PATIENCE_S, RunningServer, header, pose, still_body
from tests.e2e.refusals import Refusal, doors, refusal_of

Messages = list[pb.StreamInteractionRequest]


def changed(change: Callable[[pb.PlayerPose], None]) -> Messages:
    """A good stream with one bad pose."""
    message = pose(2)
    change(message.pose)
    return [header(), pose(1), message]


def control(**settings: Any) -> pb.StreamInteractionRequest:
    return pb.StreamInteractionRequest(control=pb.SessionControl(**settings))


def set_rotation(index: int, value: float) -> Callable[[pb.PlayerPose], None]:
    def change(bad: pb.PlayerPose) -> None:
        bad.body.rotations[index] = value

    return change


BAD_STREAMS: dict[str, tuple[Messages, grpc.StatusCode, str, str]] = {
    "a NaN in a player frame": (
        changed(set_rotation(4 * 21, math.nan)),
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_POSE",
        "pose.body.rotations[right_wrist]",
    ),
    "a quaternion of length 0.2": (
        changed(set_rotation(4 * 4 + 3, 0.2)),
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_POSE",
        "pose.body.rotations[left_knee]",
    ),
    "a frame index that runs backwards": (
        [header(), pose(5, 0.4), pose(4, 0.5)],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_TIME",
        "pose.sequence",
    ),
    "a time that runs backwards": (
        [header(), pose(5, 0.4), pose(6, 0.3)],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_TIME",
        "pose.time_code",
    ),
    "a session with 0 steps": (
        [header(steps=0)],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "header.steps",
    ),
    "a change to 0 steps": (
        [header(), pb.StreamInteractionRequest(control=pb.SessionControl(steps=0))],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "control.steps",
    ),
    "a mode that there is not": (
        [header(mode=9)],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "header.mode",
    ),
    "no energy at all": (
        [header(energy=0.0)],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "header.energy",
    ),
    "a partner who begins without rotations": (
        [header(partner_start=types_pb2.BodyPose(root_translation=[0, 0, 0]))],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_SHAPE",
        "header.partner_start.rotations",
    ),
    "a way to respond that there is not": (
        [header(respond=9)],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "header.respond",
    ),
    "a kind that the partner does not answer": (
        [header(), control(kinds=pb.Kinds(names=["wave", "point"]))],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "control.kinds.names[1]",
    ),
    "an offer without a number": (
        [header(), control(confirm=0)],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "control.confirm",
    ),
    "an energy that is not finite": (
        [header(), control(energy=math.nan)],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "control.energy",
    ),
    "a touch with a knee": (
        [header(), control(contact=pb.ContactTarget(partner_joint=4, player_joint=16))],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "control.contact.partner_joint",
    ),
    "a touch of a joint that there is not": (
        [header(), control(contact=pb.ContactTarget(partner_joint=20, player_joint=22))],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "control.contact.player_joint",
    ),
    "a touch held for an hour": (
        [header(), control(contact=pb.ContactTarget(partner_joint=20, hold_frames=36000))],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "control.contact.hold_frames",
    ),
    "a touch where none is allowed": (
        [
            header(allow_contact=False),
            pose(1),
            control(contact=pb.ContactTarget(partner_joint=20, player_joint=16)),
        ],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "control.contact",
    ),
    "a place of two numbers": (
        [header(), control(place=pb.PlaceTarget(position=[1.0, 2.0]))],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_SHAPE",
        "control.place.position",
    ),
    "a heading that is not finite": (
        [header(), control(place=pb.PlaceTarget(position=[1, 0, 2], heading=math.inf))],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "control.place.heading",
    ),
    "a pose to be in without a partner": (
        [header(mode=pb.SESSION_MODE_INBETWEEN), control(targets=[pb.PoseTarget(frame_index=9)])],
        grpc.StatusCode.INVALID_ARGUMENT,
        "MISSING",
        "control.targets[0].partner",
    ),
    "a pose to be in while the partner reacts": (
        [header(), pose(1), control(targets=[pb.PoseTarget(frame_index=9, partner=still_body())])],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "control.targets",
    ),
    "a horizon of 1": (
        [header(horizon_frames=1)],
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_CONFIG",
        "header.horizon_frames",
    ),
    "a text of 100 kB": (
        [header(text="x" * 100_000)],
        grpc.StatusCode.INVALID_ARGUMENT,
        "TEXT_TOO_LONG",
        "header.text",
    ),
    "no header": (
        [pose(1)],
        grpc.StatusCode.FAILED_PRECONDITION,
        "HEADER_REQUIRED",
        "header",
    ),
    "nothing at all": ([], grpc.StatusCode.FAILED_PRECONDITION, "HEADER_REQUIRED", "header"),
    "a second header": (
        [header(), pose(1), header()],
        grpc.StatusCode.FAILED_PRECONDITION,
        "HEADER_REPEATED",
        "header",
    ),
    "an unknown bundle": (
        [header(bundle="another")],
        grpc.StatusCode.FAILED_PRECONDITION,
        "BUNDLE_UNKNOWN",
        "header.bundle",
    ),
}


@pytest.mark.parametrize("case", BAD_STREAMS)
def test_a_stream_with(case: str, server: RunningServer, channel: grpc.Channel) -> None:
    """Both doors say the same of it."""
    messages, code, reason, field = BAD_STREAMS[case]
    refusal, *others = (refused(messages) for refused in doors(server, channel).values())
    assert others == [refusal]
    assert (refusal.code, refusal.reason, refusal.field) == (code, reason, field)
    assert field in refusal.message
    assert "\n" not in refusal.message
    assert len(refusal.message) < 500


def test_bad_streams_leave_another_session_unharmed(
    server: RunningServer, channel: grpc.Channel
) -> None:
    async def good_session() -> tuple[set[int], int]:
        shown = set()
        async with connect(server.address) as client, client.interact(seed=1) as session:
            await session.send_pose(STILL, HERE)
            at_each_door = list(doors(server, channel).values())
            async for frame in session.frames(20):
                shown.add(frame.index)
                await session.send_pose(STILL, HERE)
                bad = list(BAD_STREAMS.values())[frame.index % len(BAD_STREAMS)]
                await asyncio.to_thread(at_each_door[frame.index % 2], bad[0])
            await session.finish()
            return shown, session.playout.report().late_frames

    shown, late = asyncio.run(good_session())
    assert shown == set(range(min(shown), 20))
    assert late == 0


def pair_with_betas(betas: list[float]) -> types_pb2.Pair:
    person = types_pb2.Person(pose=still_body(), betas=betas)
    return types_pb2.Pair(player=person, partner=person)


BAD_MOTIONS: dict[str, tuple[generation_pb2.GenerateMotionRequest, str]] = {
    "no pair": (generation_pb2.GenerateMotionRequest(frames=30), "pair"),
    "no partner": (
        generation_pb2.GenerateMotionRequest(
            pair=types_pb2.Pair(player=types_pb2.Person(pose=still_body())), frames=30
        ),
        "pair.partner",
    ),
    "no frames": (generation_pb2.GenerateMotionRequest(pair=pair_with_betas([])), "frames"),
    "a million frames": (
        generation_pb2.GenerateMotionRequest(pair=pair_with_betas([]), frames=1_000_000),
        "frames",
    ),
    "an anchor outside": (
        generation_pb2.GenerateMotionRequest(pair=pair_with_betas([]), frames=30, anchor_index=30),
        "anchor_index",
    ),
    "0 steps": (
        generation_pb2.GenerateMotionRequest(pair=pair_with_betas([]), frames=30, steps=0),
        "steps",
    ),
    "a monstrous shape": (
        generation_pb2.GenerateMotionRequest(pair=pair_with_betas([50.0] * 10), frames=30),
        "pair.player.betas",
    ),
}


@pytest.mark.parametrize("case", BAD_MOTIONS)
def test_a_motion_with(case: str, channel: grpc.Channel) -> None:
    request, field = BAD_MOTIONS[case]
    stub = generation_pb2_grpc.GenerationServiceStub(channel)
    with pytest.raises(grpc.RpcError) as error:
        list(stub.GenerateMotion(request, timeout=PATIENCE_S))
    refusal = refusal_of(error.value)
    assert (refusal.code, refusal.field) == (grpc.StatusCode.INVALID_ARGUMENT, field)


def test_words_for_an_animator_that_takes_none_are_refused(channel: grpc.Channel) -> None:
    stub = generation_pb2_grpc.GenerationServiceStub(channel)
    request = generation_pb2.GenerateMotionRequest(
        pair=pair_with_betas([]), frames=30, text="they hug"
    )
    with pytest.raises(grpc.RpcError) as error:
        list(stub.GenerateMotion(request, timeout=PATIENCE_S))
    refusal = refusal_of(error.value)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_TEXT")


def refused_pair(channel: grpc.Channel, request: generation_pb2.GeneratePairRequest) -> Refusal:
    stub = generation_pb2_grpc.GenerationServiceStub(channel)
    with pytest.raises(grpc.RpcError) as error:
        stub.GeneratePair(request, timeout=PATIENCE_S)
    return refusal_of(error.value)


def test_a_pair_from_nothing_is_refused(channel: grpc.Channel) -> None:
    refusal = refused_pair(channel, generation_pb2.GeneratePairRequest())
    assert (refusal.code, refusal.field) == (grpc.StatusCode.INVALID_ARGUMENT, "text")


def test_words_are_refused_where_the_bundle_understands_none(channel: grpc.Channel) -> None:
    refusal = refused_pair(channel, generation_pb2.GeneratePairRequest(text="they hug"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_TEXT")
