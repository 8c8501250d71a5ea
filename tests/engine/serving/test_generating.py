"""Motions and pairs that a request asks for, without any transport."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from contrapose.v1 import generation_pb2, types_pb2

from engine.backends import open_backend
from engine.body.shape import load_body
from engine.bundle import KINDS_FILE, STARTER, load_bundle
from engine.errors import InputError, OverloadedError
from engine.sampling.executor import Executor
from engine.sampling.kinds import Kinds, load_kinds
from engine.sampling.loaded import LoadedBundle
from engine.sampling.models import Models, load_models
from engine.serving.generating import motion_responses, pair_response
from engine.serving.host import Host, ServiceConfig
from engine.testing import still_models


def person(z: float) -> types_pb2.Person:
    pose = types_pb2.BodyPose(root_translation=[0, 1.2, z], rotations=[0, 0, 0, 1] * 22)
    return types_pb2.Person(pose=pose)


PAIR = types_pb2.Pair(player=person(0.0), partner=person(1.0))


@contextmanager
def new_host(models: Models | None = None, kinds: Kinds | None = None) -> Iterator[Host]:
    host = Host(ServiceConfig(max_generations=1))
    with Executor(models or still_models()) as executor:
        bundle, body = load_bundle(STARTER), load_body()
        host.serve(
            LoadedBundle(
                bundle=bundle,
                executor=executor,
                body=body,
                backend="still",
                precision="f32",
                kinds=kinds,
            )
        )
        yield host
    host.session_thread.close()


def test_a_motion_comes_in_pieces_behind_how_it_was_made() -> None:
    async def answers() -> list[generation_pb2.GenerateMotionResponse]:
        request = generation_pb2.GenerateMotionRequest(pair=PAIR, frames=40, seed=3, steps=2)
        with new_host() as host:
            return list(await motion_responses(host, request))

    info, *chunks = asyncio.run(answers())
    assert (info.info.seed, info.info.steps, info.info.backend) == (3, 2, "still")
    assert [chunk.frames.first_frame_index for chunk in chunks] == [0, 30]
    assert [len(chunk.frames.frames) for chunk in chunks] == [30, 10]


def test_words_far_from_all_that_the_bundle_knows_are_told_with_what_was_made() -> None:
    def told(kinds: Kinds | None) -> list[str]:
        async def notices() -> list[str]:
            motion = generation_pb2.GenerateMotionRequest(pair=PAIR, frames=5, text="a recipe")
            pair = generation_pb2.GeneratePairRequest(text="a recipe", seed=3)
            bundle = load_bundle(STARTER)
            models = load_models(bundle, open_backend(threads=1), is_lazy=True)
            with new_host(models, kinds) as host:
                first, *_ = await motion_responses(host, motion)
                return [first.info.notice, (await pair_response(host, pair)).info.notice]

        return asyncio.run(notices())

    known = load_kinds(load_bundle(STARTER).file(KINDS_FILE))
    for notice in told(known):
        assert notice.startswith('"a recipe" is far from all that this bundle knows')
    assert told(None) == ["", ""]


def test_a_pair_keeps_the_person_that_was_given() -> None:
    async def answer() -> generation_pb2.GeneratePairResponse:
        request = generation_pb2.GeneratePairRequest(single=person(0.5), seed=3)
        with new_host() as host:
            return await pair_response(host, request)

    made = asyncio.run(answer())
    assert list(made.pair.player.pose.root_translation) == pytest.approx([0, 1.2, 0.5])
    assert made.info.seed == 3


def test_a_refused_request_costs_neither_capsules_nor_words(
    monkeypatch: pytest.MonkeyPatch, talking_models: Models
) -> None:
    def costs(*_: object) -> None:
        raise AssertionError("computed for a request that is refused")

    async def refusals() -> None:
        with new_host(talking_models) as host:
            async with host.generation_slot():
                monkeypatch.setattr(LoadedBundle, "fitted_capsules", costs)
                monkeypatch.setattr(LoadedBundle, "animator_takes_text", True)
                monkeypatch.setattr("engine.serving.generating.encode_text", costs)
                motion = generation_pb2.GenerateMotionRequest(pair=PAIR, frames=30, text="hug")
                with pytest.raises(OverloadedError):
                    await motion_responses(host, motion)
                with pytest.raises(OverloadedError):
                    await pair_response(host, generation_pb2.GeneratePairRequest(text="hug"))

    asyncio.run(refusals())


def test_one_more_than_may_be_is_refused_and_what_is_wrong_is_said_first() -> None:
    async def refusals() -> None:
        with new_host() as host:
            async with host.generation_slot():
                request = generation_pb2.GenerateMotionRequest(pair=PAIR, frames=30)
                with pytest.raises(OverloadedError):
                    await motion_responses(host, request)
                with pytest.raises(InputError):
                    await pair_response(host, generation_pb2.GeneratePairRequest())

    asyncio.run(refusals())
