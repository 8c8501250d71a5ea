"""Generating: motions and pairs that a request asks for, for every transport.

They take turns with the live sessions, which go first. Knows messages, the host and samplers; no
session and no socket. What is wrong raises the ContraposeError that the call ends with.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

import numpy as np
from contrapose.v1 import generation_pb2, types_pb2

from engine.arrays import Array
from engine.body.skins import Skins
from engine.errors import BundleError, InputError
from engine.motion.hands import curls_over
from engine.motion.motion import FRAME_RATE, WINDOW_FRAMES
from engine.sampling.generation import Anchor, generate_motion, generate_pair
from engine.sampling.loaded import LoadedBundle
from engine.sampling.models import encode_text
from engine.sampling.offline import patient_pairs, patient_windows
from engine.serving import wire
from engine.serving.chunk_wire import motion_chunk
from engine.serving.host import Host

Request = generation_pb2.GenerateMotionRequest | generation_pb2.GeneratePairRequest


async def motion_responses(
    host: Host, request: generation_pb2.GenerateMotionRequest
) -> Iterator[generation_pb2.GenerateMotionResponse]:
    """The motion around a pair: how it was made, then its frames, a window's length at a time."""
    loaded = host.ready()
    wire.check_present(request, "pair", "pair")
    pair = wire.pair_from_wire(request.pair, "pair")
    frames = wire.count_from_wire(request.frames, 1, host.config.max_motion_frames, "frames")
    anchor = wire.count_from_wire(request.anchor_index, 0, frames - 1, "anchor_index")
    info = _info(request, loaded, host.config.session.steps)
    words = _motion_words(request.text, loaded)
    async with host.generation_slot():
        with patient_windows(loaded.executor) as sample:
            text = await _encoded(loaded, words, info) if words else None
            rest = loaded.body.rest_joints(pair.betas)
            made = await asyncio.to_thread(
                generate_motion,
                Anchor(
                    pair=pair.pose,
                    rest_joints=rest,
                    seed=info.seed,
                    text=text,
                    skins=Skins(body=loaded.body, betas=pair.betas[None]),
                ),
                anchor_index=anchor,
                frames=frames,
                steps=info.steps,
                sample=sample,
                history_frames=loaded.bundle.manifest.animator.history_frames,
                foot_lock=host.config.session.foot_lock,
            )
        curls = await asyncio.to_thread(curls_over, made, rest)

    def responses() -> Iterator[generation_pb2.GenerateMotionResponse]:
        yield generation_pb2.GenerateMotionResponse(info=info)
        for first in range(0, frames, WINDOW_FRAMES):
            chunk = motion_chunk(made, curls, first, info.steps)
            yield generation_pb2.GenerateMotionResponse(frames=chunk)

    return responses()


async def pair_response(
    host: Host, request: generation_pb2.GeneratePairRequest
) -> generation_pb2.GeneratePairResponse:
    """A pair for words, for one given person, or for both."""
    loaded = host.ready()
    words = _pair_words(request.text, loaded)
    single = None
    if request.HasField("single"):
        single = wire.person_from_wire(request.single, "single")
    elif not words:
        raise InputError.at("text", "neither text nor single is given; give one or both")
    spec = loaded.bundle.manifest.generator
    if spec is None:
        raise BundleError(
            f"bundle {loaded.name} has no generator; load one that has", reason="NO_GENERATOR"
        )
    info = _info(request, loaded, spec.steps_default)
    async with host.generation_slot():
        with patient_pairs(loaded.executor, spec.guidance, info.steps) as sample:
            no_words = np.zeros(spec.text_width, np.float32)
            text = await _encoded(loaded, words, info) if words else no_words
            pair = await asyncio.to_thread(
                generate_pair,
                body=loaded.body,
                text=text,
                single=single,
                seed=info.seed,
                sample=sample,
            )
    rest = loaded.body.rest_joints(pair.betas)
    curls = curls_over(pair.pose[:, None], rest)[:, 0]
    player, partner = (
        wire.person_to_wire(pair.pose[person], pair.betas[person], curls[person])
        for person in (0, 1)
    )
    return generation_pb2.GeneratePairResponse(
        pair=types_pb2.Pair(player=player, partner=partner), info=info
    )


def _info(
    request: Request, loaded: LoadedBundle, usual_steps: int
) -> generation_pb2.GenerationInfo:
    """How it is made: what the request says of it, and what it leaves open."""
    has_steps = request.HasField("steps")
    return generation_pb2.GenerationInfo(
        steps=wire.steps_from_wire(request.steps, "steps") if has_steps else usual_steps,
        seed=request.seed if request.HasField("seed") else secrets.randbits(63),
        bundle=loaded.name,
        backend=loaded.backend,
        precision=loaded.precision,
        frame_rate=FRAME_RATE,
    )


def _motion_words(text: str, loaded: LoadedBundle) -> str:
    """A motion's words. Raises BundleError where they have no use."""
    words = wire.text_from_wire(text, "text")
    if words and not loaded.animator_takes_text:
        raise BundleError.at(
            "text",
            f"the animator of bundle {loaded.name} understands no words; leave them out",
            "NO_TEXT",
        )
    return words


def _pair_words(text: str, loaded: LoadedBundle) -> str:
    """A pair's words. Raises BundleError where there is nothing that reads them."""
    words = wire.text_from_wire(text, "text")
    if words and loaded.bundle.manifest.text is None:
        raise BundleError.at(
            "text", f"bundle {loaded.name} understands no words; load one that does", "NO_TEXT"
        )
    return words


async def _encoded(loaded: LoadedBundle, words: str, info: generation_pb2.GenerationInfo) -> Array:
    """The sentence vector (width,). `info` tells of words far from all that the bundle knows."""
    call = loaded.executor.call(lambda models: encode_text(models, [words]))
    encoded: Array = (await asyncio.wrap_future(call))[0]
    if loaded.kinds is not None:
        info.notice = loaded.kinds.notice(words, encoded)
    return encoded
