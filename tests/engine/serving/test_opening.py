"""A session from its header to its summary, without any transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from contrapose.v1 import interaction_pb2 as pb

from engine.body.shape import load_body
from engine.bundle import STARTER, load_bundle
from engine.errors import ContraposeError
from engine.serving.host import Host, ServiceConfig
from engine.serving.loaded import LoadedBundle
from engine.serving.opening import interact
from engine.testing import InlineSessionThread, run_virtually
from tests.engine.streaming import Requests, new_executor, still_pose


def new_host() -> Host:
    host = Host(ServiceConfig(idle_seconds=5.0))
    host.session_thread = InlineSessionThread()
    host.serve(
        LoadedBundle(
            bundle=load_bundle(STARTER),
            executor=new_executor(),
            body=load_body(),
            backend="still",
            precision="f32",
        )
    )
    return host


async def session_of(
    header: pb.SessionHeader, poses: range = range(1, 21)
) -> AsyncIterator[pb.StreamInteractionRequest]:
    yield pb.StreamInteractionRequest(header=header)
    for sequence in poses:
        yield still_pose(sequence)
        await asyncio.sleep(0.1)


async def answers_to(host: Host, requests: Requests) -> list[pb.StreamInteractionResponse]:
    answers: list[pb.StreamInteractionResponse] = []

    async def write(answer: pb.StreamInteractionResponse) -> None:
        answers.append(answer)

    await interact(host, requests, write)
    return answers


def test_a_session_is_accepted_answered_and_summed_up_and_its_place_is_free_again() -> None:
    async def session() -> list[pb.StreamInteractionResponse]:
        host = new_host()
        answers = await answers_to(host, session_of(pb.SessionHeader(session_id="a", seed=7)))
        assert not host.slots
        return answers

    first, *others, last = run_virtually(session())
    assert (first.accepted.session_id, first.accepted.seed) == ("a", 7)
    assert any(answer.HasField("frames") for answer in others)
    assert last.summary.poses_received == 20


def test_a_session_goes_on_from_its_token() -> None:
    async def session() -> tuple[list[str], list[int]]:
        host = new_host()
        before = await answers_to(host, session_of(pb.SessionHeader(session_id="a", seed=7)))
        token = [answer.status.resume_token for answer in before if answer.HasField("status")][-1]
        header = pb.SessionHeader(resume_token=token)
        after = await answers_to(host, session_of(header, range(21, 31)))
        accepted = [answers[0].accepted for answers in (before, after)]
        return [a.session_id for a in accepted], [a.resumed_at_frame for a in accepted]

    ids, frames = run_virtually(session())
    assert ids == ["a", "a"]
    assert frames[0] == 0
    assert 15 <= frames[1] <= 20


async def silence() -> Requests:
    await asyncio.sleep(60)
    yield still_pose(1)


@pytest.mark.parametrize(
    ("requests", "reason"),
    [
        (lambda: silence(), "IDLE_TIMEOUT"),
        (lambda: session_of(pb.SessionHeader(bundle="another")), "BUNDLE_UNKNOWN"),
        (lambda: session_of(pb.SessionHeader(resume_token=b"x")), "RESUME_BAD_TOKEN"),
    ],
)
def test_what_cannot_be_opened_is_refused_and_takes_no_place(requests: object, reason: str) -> None:
    async def refused() -> str:
        host = new_host()
        with pytest.raises(ContraposeError) as refusal:
            await answers_to(host, requests())  # type: ignore[operator]
        assert not host.slots
        return refusal.value.reason

    assert run_virtually(refused()) == reason
