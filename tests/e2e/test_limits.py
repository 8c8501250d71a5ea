"""The limits that the comments of the contract state are those that the server holds to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from contrapose.v1 import generation_pb2 as gen
from contrapose.v1 import generation_pb2_grpc, interaction_pb2_grpc
from contrapose.v1 import interaction_pb2 as pb

from engine.session.config import SessionConfig
from tests.e2e.conftest import PATIENCE_S, header, pose
from tests.proto.limits import stated_limits

Message = pb.StreamInteractionRequest | gen.GenerateMotionRequest | gen.GeneratePairRequest
Asks = list[Any]
"""The messages of a stream, or one request."""

LIMITS = stated_limits()
STILL = {"root_translation": [0, 1.3, 0], "rotations": [0, 0, 0, 1] * 22}
PERSON = {"pose": STILL}
LEGS_ARMS_AND_HEAD = (0, 1, 2, 3, 4, 5, 6, 7, 10, 13, 14, 15, 16, 17, 18)
"""HumanBodyBones that no humanoid lacks."""
HORIZON = 30
"""Large enough for every number of frozen frames."""


# ---------------------------------------------------------------------------- who says such a value
def opens(**settings: Any) -> Asks:
    return [header(**settings)]


def controls(**settings: Any) -> Asks:
    first = header(mode=pb.SESSION_MODE_INBETWEEN)
    control = pb.StreamInteractionRequest(control=pb.SessionControl(**settings))
    return [first, pose(), control, pb.StreamInteractionRequest(end=pb.EndOfInput())]


def poses(**player: Any) -> Asks:
    said = pb.StreamInteractionRequest(pose=pb.PlayerPose(sequence=1, **player))
    return [header(), said, pb.StreamInteractionRequest(end=pb.EndOfInput())]


def words(length: float) -> str:
    return "x" * int(length)


def touches(**wanted: Any) -> Asks:
    return controls(contact={"partner_joint": 20, "player_joint": 16, "frame_index": 90, **wanted})


def trackers(x: float = 0.0, confidence: float = 1.0) -> dict[str, Any]:
    places = {1: (0.0, 1.6, 0.1), 2: (0.75, 1.38, 0.0), 3: (-0.75, 1.38, 0.0)}
    return {
        "trackers": [
            {
                "role": role,
                "position": [x or offset, y, z],
                "rotation": [0, 0, 0, 1],
                "confidence": confidence,
            }
            for role, (offset, y, z) in places.items()
        ]
    }


def humanoid(bone: int = 54, x: float = 0.0) -> dict[str, Any]:
    bones = [*LEGS_ARMS_AND_HEAD, *({bone} - set(LEGS_ARMS_AND_HEAD))]
    rotations = [0, 0, 0, 1] * len(bones)
    return {"hips_position": [x, 1, 0], "bones": bones, "rotations": rotations, "space": 1}


def openxr(x: float) -> dict[str, Any]:
    return {"joint_set": 1, "positions": [x, 1, 0] * 24, "rotations": [0, 0, 0, 1] * 24}


def moves(**settings: Any) -> Asks:
    pair = {"player": PERSON, "partner": PERSON}
    return [gen.GenerateMotionRequest(**{"pair": pair, "frames": 1, "steps": 1, **settings})]


def pairs(**settings: Any) -> Asks:
    return [gen.GeneratePairRequest(**{"single": PERSON, "steps": 1, **settings})]


SAYS: dict[str, Callable[[float], Asks]] = {
    "BodyPose.root_translation": lambda x: poses(body={**STILL, "root_translation": [0, 1, x]}),
    "BodyPose.rotations": lambda x: poses(body={**STILL, "rotations": [0, 0, 0, x] * 22}),
    "BodyPose.curls": lambda x: poses(body={**STILL, "curls": [0] * 9 + [x]}),
    "Person.betas": lambda x: pairs(single={**PERSON, "betas": [0] * 9 + [x]}),
    "Tracker.position": lambda x: poses(trackers=trackers(x=x)),
    "Tracker.confidence": lambda x: poses(trackers=trackers(confidence=x)),
    "HumanoidPose.hips_position": lambda x: poses(humanoid=humanoid(x=x)),
    "HumanoidPose.bones": lambda n: poses(humanoid=humanoid(bone=int(n))),
    "OpenXrBody.positions": lambda x: poses(openxr=openxr(x)),
    "Calibration.floor_height": lambda x: opens(calibration={"floor_height": x}),
    "TPose.height": lambda x: opens(calibration={"t_pose": {"trackers": trackers(), "height": x}}),
    "PlayerSize.height": lambda x: opens(calibration={"size": {"height": x}}),
    "PlayerSize.arm_span": lambda x: opens(calibration={"size": {"height": 1.7, "arm_span": x}}),
    "GenerateMotionRequest.steps": lambda n: moves(steps=int(n)),
    "GenerateMotionRequest.text": lambda n: moves(text=words(n)),
    "GeneratePairRequest.text": lambda n: pairs(text=words(n)),
    "GeneratePairRequest.steps": lambda n: pairs(steps=int(n)),
    "SessionHeader.session_id": lambda n: opens(session_id=words(n)),
    "SessionHeader.client_name": lambda n: opens(client_name=words(n)),
    "SessionHeader.client_version": lambda n: opens(client_version=words(n)),
    "SessionHeader.text": lambda n: opens(text=words(n)),
    "SessionHeader.steps": lambda n: opens(steps=int(n)),
    "SessionHeader.horizon_frames": lambda n: opens(horizon_frames=int(n)),
    "SessionHeader.commit_frames": lambda n: opens(horizon_frames=HORIZON, commit_frames=int(n)),
    "SessionHeader.player_betas": lambda x: opens(player_betas=[x] + [0] * 9),
    "SessionHeader.partner_betas": lambda x: opens(partner_betas=[x] + [0] * 9),
    "SessionHeader.zone_radius": lambda x: opens(zone_radius=x),
    "SessionHeader.energy": lambda x: opens(energy=x),
    "ContactTarget.partner_joint": lambda n: touches(partner_joint=int(n)),
    "ContactTarget.player_joint": lambda n: touches(player_joint=int(n)),
    "ContactTarget.hold_frames": lambda n: touches(hold_frames=int(n)),
    "PlaceTarget.position": lambda x: controls(place={"position": [x, 0, 0]}),
    "PlaceTarget.heading": lambda x: controls(place={"position": [1, 0, 0], "heading": x}),
    "SessionControl.text": lambda n: controls(text=words(n)),
    "SessionControl.steps": lambda n: controls(steps=int(n)),
    "SessionControl.zone_radius": lambda x: controls(zone_radius=x),
    "SessionControl.energy": lambda x: controls(energy=x),
    "SessionControl.targets": lambda n: controls(
        targets=[{"frame_index": 50 + i, "partner": STILL} for i in range(int(n))]
    ),
}


# ------------------------------------------------------------------------------- what becomes of it
def is_refused(channel: grpc.Channel, asks: Asks) -> bool:
    """Whether the server finds an argument wrong; a bundle without words may refuse otherwise."""
    first = asks[0]
    if isinstance(first, pb.StreamInteractionRequest):
        stub = interaction_pb2_grpc.InteractionServiceStub(channel)
        answers: Any = stub.StreamInteraction(iter(asks), timeout=PATIENCE_S)
    elif isinstance(first, gen.GenerateMotionRequest):
        answers = generation_pb2_grpc.GenerationServiceStub(channel).GenerateMotion(first)
    else:
        answers = one(generation_pb2_grpc.GenerationServiceStub(channel).GeneratePair, first)
    try:
        for _ in answers:
            if len(asks) == 1:
                break  # accepted
    except grpc.RpcError as error:
        return bool(error.code() is grpc.StatusCode.INVALID_ARGUMENT)
    return False


def one(call: Callable[[Any], Any], request: Message) -> Iterator[Any]:
    yield call(request)


def test_every_limit_that_a_comment_states_is_tried_here() -> None:
    assert set(SAYS) == set(LIMITS)


@pytest.mark.parametrize("path", LIMITS)
def test_both_ends_are_accepted_and_what_lies_beyond_is_refused(
    path: str, channel: grpc.Channel
) -> None:
    for value in LIMITS[path].ends:
        assert not is_refused(channel, SAYS[path](value)), f"{path} = {value}"
    for value in LIMITS[path].beyond:
        assert is_refused(channel, SAYS[path](value)), f"{path} = {value}"


def test_the_session_of_a_bundle_with_ten_frames_of_history_has_the_stated_limits() -> None:
    assert SessionConfig().history_frames == 10
    for least_or_most in LIMITS["SessionHeader.commit_frames"].ends:
        SessionConfig(horizon_frames=HORIZON, commit_frames=int(least_or_most))
    for least_or_most in LIMITS["SessionHeader.horizon_frames"].ends:
        SessionConfig(horizon_frames=int(least_or_most))
