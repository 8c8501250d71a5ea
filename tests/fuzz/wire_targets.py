"""The wire: one part of a session, or one request, that is not what it says.

The real opening and the real answers to requests, on a virtual clock, without a transport; bodies
stand still, so that what is measured is what a message costs.
"""

from __future__ import annotations

import asyncio
import math
import zlib
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import msgpack
from contrapose.v1 import generation_pb2, types_pb2
from contrapose.v1 import interaction_pb2 as pb
from google.protobuf.message import Message

from engine.body.shape import load_body
from engine.bundle import STARTER, load_bundle
from engine.sampling.executor import Executor
from engine.sampling.loaded import LoadedBundle
from engine.serving.generating import motion_responses, pair_response
from engine.serving.host import Host, ServiceConfig
from engine.serving.opening import interact
from engine.serving.resume import SIGNATURE_BYTES, VERSION, ResumeKeys
from engine.testing import InlineSessionThread, run_virtually, still_models
from tests.data.make_motion_files import DATA
from tests.engine.streaming import new_executor, still_pose
from tests.fuzz.changes import bytes_changed, data_changed, message_changed, message_filled

Target = Callable[[Random, Path], None]
KEYS = ResumeKeys((bytes(range(32)),))
"""That of the token in tests/data."""


def _host(executor: Executor) -> Host:
    host = Host(ServiceConfig(idle_seconds=5.0, resume_keys=KEYS))
    host.session_thread = InlineSessionThread()
    host.serve(
        LoadedBundle(
            bundle=_bundle(), executor=executor, body=load_body(), backend="still", precision="f32"
        )
    )
    return host


@cache
def _bundle() -> Any:
    return load_bundle(STARTER)


def _session(random: Random) -> list[pb.StreamInteractionRequest]:
    header = pb.SessionHeader(
        session_id="fuzz",
        seed=7,
        mode=pb.SESSION_MODE_REACT,
        respond=pb.RESPOND_ASK,
        kinds=pb.Kinds(names=["right_hand", "wave"]),
    )
    control = pb.SessionControl(energy=1.2, respond=pb.RESPOND_NEVER, kinds=pb.Kinds(), confirm=1)
    if random.random() < 0.5:
        control.place.position.extend((1.0, 0.0, 2.0))
        control.contact.partner_joint, control.contact.player_joint = 20, 16
    return [
        pb.StreamInteractionRequest(header=header),
        still_pose(1),
        still_pose(2),
        pb.StreamInteractionRequest(control=control),
        still_pose(3),
        pb.StreamInteractionRequest(ping=pb.ClockPing(ping_id=1, client_time=0.1)),
        still_pose(4),
        pb.StreamInteractionRequest(end=pb.EndOfInput()),
    ]


def _changed(random: Random, message: Message) -> None:
    if random.random() < 0.1:
        message.Clear()
        message_filled(random, message)
    for _ in range(random.choice((1, 1, 2, 4))):
        message_changed(random, message)


def _played(requests: list[pb.StreamInteractionRequest]) -> None:
    async def stream() -> AsyncIterator[pb.StreamInteractionRequest]:
        for request in requests:
            yield request
            await asyncio.sleep(0.1)

    async def write(response: Message) -> None:
        _check_numbers(response)

    async def run() -> None:
        await interact(_host(new_executor()), stream(), write)

    run_virtually(run())


def _check_numbers(message: Message) -> None:
    for field, value in message.ListFields():
        for part in value if field.is_repeated else [value]:
            if isinstance(part, Message):
                _check_numbers(part)
            elif isinstance(part, float):
                # A ping comes back as it was sent.
                assert math.isfinite(part) or field.name == "client_time", field.full_name


def _part(name: str) -> Target:
    def target(random: Random, folder: Path) -> None:
        requests = _session(random)
        at = [i for i, request in enumerate(requests) if request.WhichOneof("part") == name]
        _changed(random, getattr(requests[random.choice(at)], name))
        _played(requests)

    return target


def order(random: Random, folder: Path) -> None:
    """Parts twice, missing, or in another order."""
    requests = _session(random)
    for _ in range(random.choice((1, 2, 5))):
        at, to = random.randrange(len(requests)), random.randrange(len(requests))
        match random.randrange(3):
            case 0:
                requests[at], requests[to] = requests[to], requests[at]
            case 1:
                requests.insert(to, requests[at])
            case _:
                requests[at] = pb.StreamInteractionRequest()
    _played(requests)


@cache
def _token() -> bytes:
    return (DATA / "records" / f"token-{VERSION}.bin").read_bytes()


def token(random: Random, folder: Path) -> None:
    """Bytes of it otherwise; or its state, signed."""
    made = bytes_changed(random, _token())
    if random.random() < 0.7:
        body = _token()[1 + SIGNATURE_BYTES :]
        if random.random() < 0.7:
            plain = data_changed(random, msgpack.unpackb(zlib.decompress(body)))
            body = zlib.compress(msgpack.packb(plain))
        else:
            body = zlib.compress(bytes_changed(random, zlib.decompress(body)))
        head = bytes([VERSION])
        made = head + KEYS.signature(head + body) + body
    _played([pb.StreamInteractionRequest(header=pb.SessionHeader(resume_token=made))])


def _person(z: float) -> types_pb2.Person:
    pose = types_pb2.BodyPose(root_translation=[0, 1.2, z], rotations=[0, 0, 0, 1] * 22)
    return types_pb2.Person(pose=pose, betas=[0.0] * 10)


def _answered(ask: Callable[[Host], Any]) -> None:
    async def run() -> None:
        with Executor(still_models()) as executor:
            host = _host(executor)
            try:
                answer = await ask(host)
                for part in [answer] if isinstance(answer, Message) else answer:
                    _check_numbers(part)
            finally:
                host.session_thread.close()

    asyncio.run(run())


def motion_request(random: Random, folder: Path) -> None:
    pair = types_pb2.Pair(player=_person(0.0), partner=_person(1.0))
    request = generation_pb2.GenerateMotionRequest(pair=pair, frames=30, seed=3, steps=2)
    _changed(random, request)
    _answered(lambda host: motion_responses(host, request))


def pair_request(random: Random, folder: Path) -> None:
    request = generation_pb2.GeneratePairRequest(single=_person(0.0), seed=3, steps=2)
    _changed(random, request)
    _answered(lambda host: pair_response(host, request))


TARGETS: dict[str, Target] = {
    **{name: _part(name) for name in ("header", "pose", "control", "ping", "end")},
    "order": order,
    "token": token,
    "motion request": motion_request,
    "pair request": pair_request,
}
