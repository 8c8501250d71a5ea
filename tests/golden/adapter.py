"""All that the golden set knows of the engine. When modules move, only this file changes.

Everything goes through the gRPC services: messages in, messages out, on a virtual clock, with the
starter bundle's real networks in f32 on one thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from contrapose.v1 import generation_pb2, interaction_pb2
from google.protobuf.message import Message
from google.rpc import status_pb2  # type: ignore[import-untyped]  # no stubs

from engine.backends import open_backend
from engine.body.shape import load_body
from engine.bundle import STARTER, load_bundle
from engine.errors import BackendError
from engine.sampling.executor import Executor
from engine.sampling.loaded import LoadedBundle
from engine.sampling.models import Models, load_models
from engine.sampling.scheduler import CallCosts
from engine.serving.grpc.service import GenerationService, InteractionService
from engine.serving.host import Host, ServiceConfig
from engine.serving.load import LoadLevel
from engine.serving.resume import ResumeKeys
from engine.session.config import SessionConfig
from engine.session.recording import Recorder
from engine.session.replay import read_recording, recordings_in, replayed
from engine.testing import InlineSessionThread, run_virtually, virtual_executor, with_animator

RECORDED_PLAYER = Path(__file__).parent / "data" / "recorded_player.npz"
BUCKETS = (1, 2)
USUAL: Mapping[str, Any] = {"steps": 4, "transit_frames": 4}
KEYS = ResumeKeys((bytes(range(32)),))


class Sent(NamedTuple):
    """A message to the client, and when; the status of a refusal comes last."""

    at: float
    message: Message


Answers = Sequence[Sequence[Sent]]
"""Of each session that was opened, or of one request."""
Script = Sequence[tuple[float, interaction_pb2.StreamInteractionRequest]]
"""When the client sends what, seconds; in order."""


# ------------------------------------------------------------------------------------------- engine
@cache
def models() -> Models:
    backend = open_backend("openvino", precision="f32", cache_dir=None, threads=1)
    return load_models(load_bundle(STARTER), backend, buckets=BUCKETS, is_lazy=True)


def _failing(every: int | None) -> Models:
    """The models, of whose denoiser calls the last of so many fails; None: none does."""
    calls, step = count(1), models().animator.step

    def run(inputs: Any) -> Any:
        if every is not None and next(calls) % every == 0:
            raise BackendError("as the golden set wants it")
        return step(inputs)

    return with_animator(models(), step=run)


def _host(executor: Executor, session: Mapping[str, Any], idle_seconds: float = 30.0) -> Host:
    """A server without sockets."""
    bundle = load_bundle(STARTER)
    spec = bundle.manifest.body
    body = load_body(None if spec is None else bundle.file(spec.file))
    settings = SessionConfig(**{**USUAL, **session})
    host = Host(ServiceConfig(session=settings, idle_seconds=idle_seconds, resume_keys=KEYS))
    host.session_thread = InlineSessionThread()
    host.serve(
        LoadedBundle(
            bundle=bundle, executor=executor, body=body, backend="openvino", precision="f32"
        )
    )
    return host


class _Refused(Exception):
    pass


class _Context:
    """What the services need of a gRPC call."""

    def __init__(self, write_seconds: float = 0.0) -> None:
        self.sent: list[Sent] = []
        self._write_seconds = write_seconds

    async def write(self, message: Message) -> None:
        await asyncio.sleep(self._write_seconds)
        copy = type(message)()
        copy.CopyFrom(message)
        self.sent.append(Sent(asyncio.get_running_loop().time(), copy))

    async def abort(
        self, code: grpc.StatusCode, details: str, trailers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        status = status_pb2.Status(code=code.value[0], message=details)
        for _, value in trailers:
            status = status_pb2.Status.FromString(value)
        await self.write(status)
        raise _Refused(details)


# ----------------------------------------------------------------------------------------- sessions
class _Inline(ThreadPoolExecutor):
    """What is sent to a thread runs at once: a virtual clock does not wait for threads."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as exc:
            done.set_exception(exc)
        return done


def streamed(
    *scripts: Script,
    session: Mapping[str, Any] | None = None,
    levels: Sequence[tuple[float, int | None, int | None]] = (),
    call_seconds: float = 0.02,
    write_seconds: float = 0.0,
    fails_every: int | None = None,
    idle_seconds: float = 30.0,
    recordings: Path | None = None,
) -> Answers:
    """What each of some sessions, open at once on one server, is sent.

    session        settings of the server in place of the usual ones
    levels         load control: when, steps at most, frames between revisions at least
    call_seconds   of the virtual clock, that a denoiser call takes
    write_seconds  that the client takes to read a message
    fails_every    so many denoiser calls, the last of them fails
    recordings     a folder to write the sessions down in
    """

    async def answers(service: InteractionService, script: Script) -> list[Sent]:
        context = _Context(write_seconds)
        with suppress(_Refused):
            await service.StreamInteraction(_played(script), context)  # type: ignore[arg-type]
        return context.sent

    async def limit(host: Host) -> None:
        for at, steps, revision_frames in levels:
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            for stream in host.streams:
                stream.limit(LoadLevel(steps=steps, revision_frames=revision_frames))

    async def run() -> Answers:
        asyncio.get_running_loop().set_default_executor(_Inline())
        costs = CallCosts(dict.fromkeys(BUCKETS, call_seconds), weight=0)
        executor = virtual_executor(_failing(fails_every), costs)
        host = _host(executor, session or {}, idle_seconds)
        if recordings is not None:
            host.recorder = Recorder(recordings, about={})
        limiting = asyncio.create_task(limit(host))
        try:
            service = InteractionService(host)
            return await asyncio.gather(*(answers(service, script) for script in scripts))
        finally:
            limiting.cancel()
            executor.close()
            if host.recorder is not None:
                host.recorder.close()

    return run_virtually(run())


async def _played(script: Script) -> AsyncIterator[interaction_pb2.StreamInteractionRequest]:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for at, request in script:
        await asyncio.sleep(begun + at - loop.time())
        yield request


def replay_of(recordings: Path) -> list[dict[str, int | str]]:
    """What comes of running all recordings in a folder again."""
    reports = [replayed(read_recording(path), models()) for path in recordings_in(recordings)]
    return [
        {
            "frames": report.frames,
            "windows": report.windows,
            "difference": "" if report.difference is None else report.difference.what,
        }
        for report in reports
    ]


# ------------------------------------------------------------------------------------------ offline
def generated(
    request: generation_pb2.GenerateMotionRequest | generation_pb2.GeneratePairRequest,
    session: Mapping[str, Any] | None = None,
) -> list[Sent]:
    """What a motion or a pair is answered with; all at time 0."""

    async def run() -> list[Message]:
        context: Any = _Context()
        with Executor(models()) as executor:
            service = GenerationService(_host(executor, session or {}))
            try:
                if isinstance(request, generation_pb2.GeneratePairRequest):
                    return [await service.GeneratePair(request, context)]
                return [part async for part in service.GenerateMotion(request, context)]
            except _Refused:
                return [sent.message for sent in context.sent]

    return [Sent(0.0, message) for message in asyncio.run(run())]
