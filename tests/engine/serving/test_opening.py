"""A session from its header to its summary, without any transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
from contrapose.v1 import interaction_pb2 as pb

from engine.body.shape import load_body
from engine.bundle import STARTER, load_bundle
from engine.errors import ContraposeError
from engine.sampling.loaded import LoadedBundle
from engine.serving.host import Host, ServiceConfig
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


# ---------------------------------------------------------------------------------------- tokens
POSES = count(1, 1000)
"""First numbers of clients' poses: they grow from run to run of a session."""


class Client:
    """One client's session: what it says, and what it hears.

    is_silent  whether it sends no pose
    """

    def __init__(self, host: Host, header: pb.SessionHeader, *, is_silent: bool = False) -> None:
        self.answers: list[pb.StreamInteractionResponse] = []
        self._heard = asyncio.Condition()
        self._is_silent = is_silent
        self.running = asyncio.ensure_future(interact(host, self._says(header), self._hear))

    async def _says(self, header: pb.SessionHeader) -> Requests:
        yield pb.StreamInteractionRequest(header=header)
        if self._is_silent:
            await asyncio.Event().wait()
        begun = next(POSES)
        for sequence in range(begun, begun + 1000):
            yield still_pose(sequence)
            await asyncio.sleep(0.1)

    async def _hear(self, answer: pb.StreamInteractionResponse) -> None:
        async with self._heard:
            self.answers.append(answer)
            self._heard.notify_all()

    @property
    def token(self) -> bytes:
        tokens = [a.status.resume_token for a in self.answers if a.status.resume_token]
        return tokens[-1] if tokens else b""

    async def has_token(self) -> None:
        async with self._heard:
            await self._heard.wait_for(lambda: bool(self.token))

    async def is_let_in(self) -> None:
        async with self._heard:
            await self._heard.wait_for(lambda: bool(self.answers))

    async def leaves(self) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)

    async def refused(self) -> str:
        with pytest.raises(ContraposeError) as refusal:
            await self.running
        return refusal.value.reason


def named(session_id: str = "player1") -> pb.SessionHeader:
    return pb.SessionHeader(session_id=session_id)


def resumed(token: bytes) -> pb.SessionHeader:
    return pb.SessionHeader(resume_token=token)


def test_the_token_of_an_earlier_session_of_that_name_ends_nobody_s() -> None:
    async def sessions() -> None:
        host = new_host()
        first = Client(host, named())
        await first.has_token()
        await first.leaves()
        second = Client(host, named())
        await second.has_token()
        assert await Client(host, resumed(first.token)).refused() == "RESUME_REPLACED"
        assert not second.running.done()
        await second.leaves()
        assert await Client(host, resumed(first.token)).refused() == "RESUME_REPLACED"

    asyncio.run(sessions())


def test_a_token_that_was_used_is_refused_and_the_session_that_goes_on_from_it_lasts() -> None:
    async def sessions() -> None:
        host = new_host()
        first = Client(host, named())
        await first.has_token()
        heir = Client(host, resumed(first.token))
        assert await first.refused() == "TAKEN_OVER"
        await heir.has_token()
        assert await Client(host, resumed(first.token)).refused() == "RESUME_REPLACED"
        assert not heir.running.done()
        await heir.leaves()
        assert await Client(host, resumed(first.token)).refused() == "RESUME_REPLACED"
        last = Client(host, resumed(heir.token))
        await last.has_token()
        assert last.answers[0].accepted.session_id == "player1"
        await last.leaves()

    asyncio.run(sessions())


def test_of_two_who_resume_at_once_one_goes_on_and_the_other_is_told() -> None:
    async def sessions() -> tuple[bool, str]:
        host = new_host()
        first = Client(host, named())
        await first.has_token()
        one, other = (Client(host, resumed(first.token)) for _ in range(2))
        await asyncio.wait({one.running, other.running}, return_when=asyncio.FIRST_COMPLETED)
        told, heir = (one, other) if one.running.done() else (other, one)
        await heir.has_token()
        assert await first.refused() == "TAKEN_OVER"
        is_going_on = not heir.running.done()
        await heir.leaves()
        return is_going_on, await told.refused()

    assert asyncio.run(sessions()) == (True, "RESUME_REPLACED")


def test_a_token_is_good_again_if_its_heir_never_had_one() -> None:
    """The connection broke again before the first status, or there was no room."""

    async def sessions() -> str:
        host = new_host()
        first = Client(host, named())
        await first.has_token()
        await first.leaves()
        heir = Client(host, resumed(first.token), is_silent=True)
        await heir.is_let_in()
        await heir.leaves()
        assert not heir.token
        again = Client(host, resumed(first.token))
        await again.has_token()
        await again.leaves()
        return again.answers[0].accepted.session_id

    assert asyncio.run(sessions()) == "player1"


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
