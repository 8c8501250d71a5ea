"""Contacts and zones on the wire: what a live stream tells its client, and what it is asked for."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping

import numpy as np
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2

from engine.arrays import Array, IntArray
from engine.body.capsules import fitted_capsules
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.errors import ConfigError
from engine.serving.wire import session_config
from engine.session.config import SessionConfig
from engine.session.session import Session
from tests.engine.streaming import chunks_in, models_with, responses_to

BODY = load_body()
REST = BODY.rest_joints(np.zeros((2, 10)))
CAPSULES = (fitted_capsules(BODY, np.zeros(10)), fitted_capsules(BODY, np.zeros(10)))


def approaching(inputs: Mapping[str, Array | IntArray]) -> dict[str, Array]:
    """A denoiser whose windows lead the partner to where the player stands."""
    anchor = np.asarray(inputs["anchor"])
    x0 = np.zeros((len(anchor), 2, 30, 135), np.float32)
    gap = (anchor[:, 0, -3:] - anchor[:, 1, -3:]) * np.float32([1, 0, 1])
    x0[:, 1, :, -3:] = np.linspace(0, 0.9, 30, dtype=np.float32)[:, None] * gap[:, None]
    return {"x_s": x0, "x0": x0}


async def poses(
    count: int, control: pb.SessionControl | None
) -> AsyncIterator[pb.StreamInteractionRequest]:
    body = types_pb2.BodyPose(root_translation=[0, 1.2, 0], rotations=[0, 0, 0, 1] * 22)
    if control is not None:
        yield pb.StreamInteractionRequest(control=control)
    for sequence in range(1, count + 1):
        pose = pb.PlayerPose(sequence=sequence, time_code=(sequence - 1) / 10, body=body)
        yield pb.StreamInteractionRequest(pose=pose)
        await asyncio.sleep(0.1)


def chunks_of(count: int, control: pb.SessionControl | None = None) -> list[types_pb2.FrameChunk]:
    session = Session(SessionConfig(steps=4), rest_joints=REST, seed=1, capsules=CAPSULES)
    models = models_with(approaching)
    return chunks_in(responses_to(poses(count, control), models=models, session=session))


def test_contacts_are_told_before_they_happen() -> None:
    told = [
        (chunk.first_frame_index, contact) for chunk in chunks_of(8) for contact in chunk.contacts
    ]
    assert told
    for _, contact in told:
        assert contact.contact_id > 0
        assert contact.start_frame_index <= contact.end_frame_index
        assert contact.closing_speed >= 0
        assert len(contact.point) == 3
        assert max(contact.player_joint, contact.partner_joint) <= JOINT["right_wrist"]
    assert max(contact.start_frame_index for _, contact in told) > 8
    assert max(contact.closing_speed for _, contact in told) > 0.1


def test_a_session_without_contact_tells_of_none() -> None:
    chunks = chunks_of(6, pb.SessionControl(allow_contact=False))
    assert not any(chunk.contacts for chunk in chunks)


def test_a_header_asks_for_a_zone() -> None:
    config = session_config(pb.SessionHeader(allow_contact=False, zone_radius=0.5), SessionConfig())
    assert (config.allow_contact, config.zone_radius) == (False, 0.5)
    assert config.has_zone
    assert not session_config(pb.SessionHeader(), SessionConfig()).has_zone


@pytest.mark.parametrize("radius", [-0.1, 100.0, math.nan])
def test_a_zone_without_sense_is_refused_by_its_field(radius: float) -> None:
    with pytest.raises(ConfigError) as refusal:
        session_config(pb.SessionHeader(zone_radius=radius), SessionConfig())
    assert refusal.value.field == "header.zone_radius"
