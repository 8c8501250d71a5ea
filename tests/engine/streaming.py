"""A live stream on a virtual clock: a session of seconds in as long as its computing takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import numpy as np
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2

from engine.arrays import Array, IntArray
from engine.body.shape import load_body
from engine.sampling.executor import Executor
from engine.sampling.kinds import Kinds
from engine.sampling.models import BUCKETS, Models
from engine.sampling.scheduler import CallCosts
from engine.serving.session_thread import SessionThread
from engine.serving.stream import LiveStream
from engine.serving.tracked_player import TrackedPlayer, calibration_from_wire
from engine.session.config import SessionConfig
from engine.session.session import Session
from engine.testing import (
    InlineSessionThread,
    run_virtually,
    still_models,
    virtual_executor,
    with_animator,
)

Requests = AsyncIterator[pb.StreamInteractionRequest]
Write = Callable[[pb.StreamInteractionResponse], Awaitable[None]]
FAST = dict.fromkeys(BUCKETS, 0.002)
"""Seconds of a denoiser call, by bucket."""


def new_session() -> Session:
    rest_joints = load_body().rest_joints(np.zeros((2, 10)))
    return Session(SessionConfig(steps=4), rest_joints=rest_joints, seed=1)


def new_executor(models: Models | None = None, seconds: Mapping[int, float] = FAST) -> Executor:
    return virtual_executor(models or still_models(), CallCosts(seconds, weight=0))


def new_stream(
    executor: Executor,
    *,
    session: Session | None = None,
    idle_seconds: float = 5.0,
    takes_text: bool = False,
    kinds: Kinds | None = None,
    tells_intent: bool = False,
    session_thread: SessionThread | None = None,
) -> LiveStream:
    return LiveStream(
        session or new_session(),
        executor,
        session_thread or InlineSessionThread(),
        session_id="test",
        idle_seconds=idle_seconds,
        player=TrackedPlayer(calibration_from_wire(pb.SessionHeader(), load_body())),
        takes_text=takes_text,
        kinds=kinds,
        tells_intent=tells_intent,
    )


def responses_to(
    requests: Requests,
    *,
    models: Models | None = None,
    write: Write | None = None,
    session: Session | None = None,
    idle_seconds: float = 5.0,
    takes_text: bool = False,
    kinds: Kinds | None = None,
) -> list[pb.StreamInteractionResponse]:
    """All that one stream answers, in virtual time; `write` may take its time over each."""
    responses: list[pb.StreamInteractionResponse] = []

    async def record(response: pb.StreamInteractionResponse) -> None:
        responses.append(response)
        if write is not None:
            await write(response)

    async def run() -> None:
        stream = new_stream(
            new_executor(models),
            session=session,
            idle_seconds=idle_seconds,
            takes_text=takes_text,
            kinds=kinds,
        )
        await stream.run(requests, record)

    run_virtually(run())
    return responses


def chunks_in(responses: list[pb.StreamInteractionResponse]) -> list[types_pb2.FrameChunk]:
    return [response.frames for response in responses if response.HasField("frames")]


def events_in(responses: list[pb.StreamInteractionResponse]) -> list[pb.SessionEvent]:
    return [response.event for response in responses if response.HasField("event")]


def still_pose(sequence: int, rate: float = 10.0) -> pb.StreamInteractionRequest:
    body = types_pb2.BodyPose(root_translation=[0, 1.2, 0], rotations=[0, 0, 0, 1] * 22)
    pose = pb.PlayerPose(sequence=sequence, time_code=(sequence - 1) / rate, body=body)
    return pb.StreamInteractionRequest(pose=pose)


async def live_poses(count: int, rate: float = 10.0) -> Requests:
    for sequence in range(1, count + 1):
        yield still_pose(sequence, rate)
        await asyncio.sleep(1 / rate)


def models_with(
    step: Callable[[Mapping[str, Array | IntArray]], dict[str, Array]],
) -> Models:
    return with_animator(still_models(), step=step)
