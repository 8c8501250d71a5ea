"""The gRPC services: translate requests to the engine and its errors to statuses, nothing more.

Knows messages, statuses and limits. What a session does is `session.py`'s, how a live stream runs
is `stream.py`'s, starting and stopping is `server.py`'s.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import grpc
import grpc.aio
import numpy as np
from contrapose.v1 import (
    generation_pb2,
    generation_pb2_grpc,
    interaction_pb2,
    interaction_pb2_grpc,
    server_info_pb2,
    server_info_pb2_grpc,
    types_pb2,
)
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no stubs

from engine.arrays import Array
from engine.body.capsules import Capsules, fitted_capsules
from engine.body.pose import Pose
from engine.body.shape import SHAPE_COUNT
from engine.bundle import ScheduleSpec
from engine.errors import (
    BackendError,
    BundleError,
    ConfigError,
    ContraposeError,
    InputError,
    OverloadedError,
    SessionError,
)
from engine.motion.motion import FRAME_RATE, WINDOW_FRAMES
from engine.sampling.executor import Executor
from engine.sampling.generation import (
    SamplePair,
    SampleWindows,
    generate_motion,
    generate_pair,
)
from engine.sampling.models import encode_text
from engine.sampling.pairs import generator_steps
from engine.sampling.request import SampledWindow, WindowRequest
from engine.serving import wire
from engine.serving.direction_wire import first_direction, start_from_wire
from engine.serving.host import Engine, Host, resident_mb
from engine.serving.resume import Sealer, StreamState, opened
from engine.serving.stream import LiveStream, changed_config
from engine.serving.tracked_player import TrackedPlayer, calibration_from_wire
from engine.session.config import SessionConfig
from engine.session.recording import AnySession, RecordedSession
from engine.session.session import Session

logger = logging.getLogger(__name__)

PROTOCOL_MINOR = 3
DOMAIN = "contrapose"
"""Of google.rpc.ErrorInfo: our reasons are unique within it."""
MOST_DETAIL_CHARACTERS = 1000
"""Statuses travel in trailers, which have little room."""
RETRY_SECONDS = 2.0
"""Where nothing better is known."""

STATUS: dict[type[ContraposeError], grpc.StatusCode] = {
    InputError: grpc.StatusCode.INVALID_ARGUMENT,
    ConfigError: grpc.StatusCode.INVALID_ARGUMENT,
    SessionError: grpc.StatusCode.FAILED_PRECONDITION,
    BundleError: grpc.StatusCode.FAILED_PRECONDITION,
    OverloadedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    BackendError: grpc.StatusCode.INTERNAL,
    ContraposeError: grpc.StatusCode.INTERNAL,
}
STATUS_OF_REASON: dict[str, grpc.StatusCode] = {
    "NOT_READY": grpc.StatusCode.UNAVAILABLE,
    "DRAINING": grpc.StatusCode.UNAVAILABLE,
    "ENGINE_LOST": grpc.StatusCode.UNAVAILABLE,
    "IDLE_TIMEOUT": grpc.StatusCode.ABORTED,
    "SESSION_EXISTS": grpc.StatusCode.ALREADY_EXISTS,
    "TAKEN_OVER": grpc.StatusCode.ABORTED,
}
"""Where the reason says more about what to do next than the class."""

Context = grpc.aio.ServicerContext[Any, Any]


# ------------------------------------------------------------------------------------------- errors
def status_of(error: ContraposeError) -> grpc.StatusCode:
    return STATUS_OF_REASON.get(error.reason, STATUS[type(error)])


def details_of(error: ContraposeError) -> status_pb2.Status:
    """google.rpc.Status: the reason, the field if there is one, when to retry if that helps."""
    code, message = status_of(error), str(error)[:MOST_DETAIL_CHARACTERS]
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)]
    if error.field is not None:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=message
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(error, OverloadedError):
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(1e9 * (error.retry_s or RETRY_SECONDS)))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = [any_pb2.Any() for _ in details]
    for box, detail in zip(packed, details, strict=True):
        box.Pack(detail)
    return status_pb2.Status(code=code.value[0], message=message, details=packed)


@asynccontextmanager
async def statuses(context: Context) -> AsyncIterator[None]:
    """Whatever goes wrong inside ends this call, and only this call, with a status."""
    try:
        yield
    except ContraposeError as error:
        if isinstance(error, BackendError):
            logger.error("call failed: %s", error)
        details = details_of(error)
        trailers = (("grpc-status-details-bin", details.SerializeToString()),)
        await context.abort(status_of(error), details.message, trailers)
    except (grpc.aio.AbortError, asyncio.CancelledError):
        raise
    except Exception:
        logger.exception("call failed")
        await context.abort(grpc.StatusCode.INTERNAL, "internal error; the server's log says more")


# -------------------------------------------------------------------------------------- interaction
class InteractionService(interaction_pb2_grpc.InteractionServiceServicer):
    """One stream is one session."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def StreamInteraction(
        self, requests: AsyncIterator[interaction_pb2.StreamInteractionRequest], context: Context
    ) -> None:
        async with statuses(context):
            header = wire.header_from_wire(await self._first(requests))
            engine = self._host.ready()
            _check_bundle(header, engine)
            state = await self._resumed(header, engine)
            session_id = header.session_id or secrets.token_hex(8)
            if state is None:
                config = session_config(header, self._host.config.session)
            else:
                session_id, config = state.session_id, state.session.config
                await self._host.take_over(session_id)
            with self._host.session_slot(session_id, config):
                stream, accepted = await self._opened(header, config, engine, session_id, state)
                self._host.streams[session_id] = stream
                logger.info("%s: opened by %s", session_id, header.client_name or "a client")
                stream.accept(accepted)
                stream.limit(self._host.level)
                if text := header.text if state is None else state.text:
                    stream.steer(text)
                try:
                    await stream.run(requests, context.write)
                finally:
                    logger.info("%s: closed", session_id)

    async def _first(
        self, requests: AsyncIterator[interaction_pb2.StreamInteractionRequest]
    ) -> interaction_pb2.StreamInteractionRequest:
        idle = self._host.config.idle_seconds
        try:
            async with asyncio.timeout(idle):
                return await anext(requests)
        except StopAsyncIteration:
            return interaction_pb2.StreamInteractionRequest()
        except TimeoutError as exc:
            raise SessionError(f"no header for {idle:g} s", reason="IDLE_TIMEOUT") from exc

    async def _resumed(
        self, header: interaction_pb2.SessionHeader, engine: Engine
    ) -> StreamState | None:
        """What the header's token holds; None if it has none."""
        if not header.resume_token:
            return None
        wire.check_resumes_only(header)
        return await asyncio.to_thread(
            opened,
            self._host.config.resume_keys,
            header.resume_token,
            engine=engine.fingerprint,
            now=time.time(),
            body=engine.body,
        )

    async def _opened(
        self,
        header: interaction_pb2.SessionHeader,
        config: SessionConfig,
        engine: Engine,
        session_id: str,
        state: StreamState | None,
    ) -> tuple[LiveStream, interaction_pb2.SessionAccepted]:
        """A new session, or the one that a token holds the state of."""
        if state is None:
            seed = header.seed if header.HasField("seed") else secrets.randbits(63)
            calibration = await asyncio.to_thread(calibration_from_wire, header, engine.body)
            partner_betas = wire.betas_from_wire(header.partner_betas, "header.partner_betas")
        else:
            seed = state.session.seed
            calibration, partner_betas = state.calibration, state.partner_betas
        betas = np.stack([calibration.worn.betas.astype(np.float32), partner_betas])
        rest_joints = engine.body.rest_joints(betas)
        capsules = await _fitted_capsules(engine, betas)
        if state is None:
            session = Session(
                config,
                rest_joints=rest_joints,
                seed=seed,
                capsules=capsules,
                partner_start=start_from_wire(header),
            )
            session.direct(first_direction(header))
        else:
            session = Session.resumed(state.session, rest_joints=rest_joints, capsules=capsules)
        stream = LiveStream(
            await self._recorded(session, session_id, seed, betas),
            engine.executor,
            self._host.session_thread,
            session_id=session_id,
            idle_seconds=self._host.config.idle_seconds,
            player=TrackedPlayer(calibration),
            takes_text=engine.animator_takes_text,
            sealer=Sealer(
                keys=self._host.config.resume_keys,
                engine=engine.fingerprint,
                session_id=session_id,
                calibration=calibration,
                partner_betas=partner_betas,
            ),
            resumes=state,
        )
        return stream, interaction_pb2.SessionAccepted(
            session_id=session_id,
            player_skeleton=wire.skeleton_to_wire(rest_joints[0], betas[0]),
            partner_skeleton=wire.skeleton_to_wire(rest_joints[1], betas[1]),
            frame_rate=FRAME_RATE,
            horizon_frames=config.horizon_frames,
            commit_frames=config.commit_frames,
            playout_delay=self._host.config.playout_delay,
            steps=config.steps,
            seed=seed,
            server_version=version("contrapose"),
            bundle=engine.name,
            backend=engine.backend,
            precision=engine.precision,
            resumed_at_frame=0 if state is None else state.session.frame,
        )

    async def _recorded(
        self, session: Session, session_id: str, seed: int, betas: Array
    ) -> AnySession:
        """The session, written down if the server does that."""
        recorder = self._host.recorder
        if recorder is None:
            return session
        about = {"seed": seed, "betas": betas.tolist(), "config": asdict(session.config)}
        return await asyncio.to_thread(RecordedSession, session, recorder.tape(session_id, about))


def session_config(header: interaction_pb2.SessionHeader, default: SessionConfig) -> SessionConfig:
    """The server's settings with those of the header in their place. Raises ConfigError."""
    if header.HasField("steps"):
        wire.steps_from_wire(header.steps, "header.steps")
    names = ("steps", "horizon_frames", "commit_frames", "allow_contact", "zone_radius")
    return changed_config(default, header, names, "header")


def _check_bundle(header: interaction_pb2.SessionHeader, engine: Engine) -> None:
    name = wire.name_from_wire(header.bundle, "header.bundle")
    if name not in ("", engine.name):
        raise BundleError(
            f"header.bundle: {name} is not loaded; this server has {engine.name}",
            field="header.bundle",
            reason="BUNDLE_UNKNOWN",
        )


# --------------------------------------------------------------------------------------- generation
class GenerationService(generation_pb2_grpc.GenerationServiceServicer):
    """Motions and pairs; they take turns with the live sessions, which go first."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def GenerateMotion(
        self, request: generation_pb2.GenerateMotionRequest, context: Context
    ) -> AsyncIterator[generation_pb2.GenerateMotionResponse]:
        async with statuses(context):
            engine = self._host.ready()
            wire.check_present(request, "pair", "pair")
            pair = wire.pair_from_wire(request.pair, "pair")
            most = self._host.config.max_motion_frames
            frames = wire.count_from_wire(request.frames, 1, most, "frames")
            anchor = wire.count_from_wire(request.anchor_index, 0, frames - 1, "anchor_index")
            steps = _steps(request, self._host.config.session.steps)
            info = _info(request, engine, steps)
            text = await _motion_text(engine, wire.text_from_wire(request.text, "text"))
            capsules = await _fitted_capsules(engine, pair.betas)
            with self._host.generation_slot(), _patient_sampler(engine.executor) as sample:
                made = await asyncio.to_thread(
                    generate_motion,
                    pair.pose,
                    rest_joints=engine.body.rest_joints(pair.betas),
                    anchor_index=anchor,
                    frames=frames,
                    seed=info.seed,
                    steps=steps,
                    sample=sample,
                    history_frames=engine.bundle.manifest.animator.history_frames,
                    text=text,
                    foot_lock=self._host.config.session.foot_lock,
                    capsules=capsules,
                )
            yield generation_pb2.GenerateMotionResponse(info=info)
            for first in range(0, frames, WINDOW_FRAMES):
                chunk = _motion_chunk(made, first, steps)
                yield generation_pb2.GenerateMotionResponse(frames=chunk)

    async def GeneratePair(
        self, request: generation_pb2.GeneratePairRequest, context: Context
    ) -> generation_pb2.GeneratePairResponse:
        response = generation_pb2.GeneratePairResponse()
        async with statuses(context):
            engine = self._host.ready()
            text = wire.text_from_wire(request.text, "text")
            single = None
            if request.HasField("single"):
                single = wire.person_from_wire(request.single, "single")
            elif not text:
                raise InputError(
                    "text: neither text nor single is given; give one or both", field="text"
                )
            spec = engine.bundle.manifest.generator
            if spec is None:
                raise BundleError(
                    f"bundle {engine.name} has no generator; load one that has",
                    reason="NO_GENERATOR",
                )
            steps = _steps(request, spec.steps_default)
            info = _info(request, engine, steps)

            with (
                self._host.generation_slot(),
                _patient_pairs(engine.executor, spec.guidance, steps) as sample,
            ):
                words = await _encoded(engine, text, spec.text_width)
                pair = await asyncio.to_thread(
                    generate_pair,
                    body=engine.body,
                    text=words,
                    single=single,
                    seed=info.seed,
                    sample=sample,
                )
            player, partner = (
                wire.person_to_wire(pair.pose[person], pair.betas[person]) for person in (0, 1)
            )
            response = generation_pb2.GeneratePairResponse(
                pair=types_pb2.Pair(player=player, partner=partner), info=info
            )
        return response


def _steps(
    request: generation_pb2.GenerateMotionRequest | generation_pb2.GeneratePairRequest, default: int
) -> int:
    return wire.steps_from_wire(request.steps, "steps") if request.HasField("steps") else default


def _info(
    request: generation_pb2.GenerateMotionRequest | generation_pb2.GeneratePairRequest,
    engine: Engine,
    steps: int,
) -> generation_pb2.GenerationInfo:
    return generation_pb2.GenerationInfo(
        seed=request.seed if request.HasField("seed") else secrets.randbits(63),
        steps=steps,
        bundle=engine.name,
        backend=engine.backend,
        precision=engine.precision,
        frame_rate=FRAME_RATE,
    )


async def _fitted_capsules(engine: Engine, betas: Array) -> tuple[Capsules, Capsules]:
    """Of both people, of shapes betas (2, 10)."""
    player, partner = await asyncio.to_thread(
        lambda: [fitted_capsules(engine.body, shape) for shape in betas]
    )
    return player, partner


async def _motion_text(engine: Engine, text: str) -> Array | None:
    """The vector of a motion's words, None for none. Raises BundleError where they have no use."""
    if not text:
        return None
    if not engine.animator_takes_text:
        raise BundleError(
            f"text: the animator of bundle {engine.name} understands no words; leave them out",
            field="text",
            reason="NO_TEXT",
        )
    return await _encoded(engine, text, engine.bundle.manifest.animator.text_width)


async def _encoded(engine: Engine, text: str, width: int) -> Array:
    """The sentence vector (width,); zeros for no words."""
    if not text:
        return np.zeros(width, np.float32)
    if engine.bundle.manifest.text is None:
        raise BundleError(
            f"text: bundle {engine.name} understands no words; load one that does",
            field="text",
            reason="NO_TEXT",
        )
    call = engine.executor.call(lambda models: encode_text(models, [text]))
    encoded: Array = (await asyncio.wrap_future(call))[0]
    return encoded


@contextmanager
def _patient_sampler(executor: Executor) -> Iterator[SampleWindows]:
    """A blocking sampler whose windows go behind those of live sessions; stops with the block."""
    is_over = threading.Event()

    def sample(requests: list[WindowRequest]) -> Array:
        if is_over.is_set():
            raise OverloadedError("the client has gone", reason="CANCELLED")
        return sampled(executor, requests)

    try:
        yield sample
    finally:
        is_over.set()


@contextmanager
def _patient_pairs(executor: Executor, guidance: float, steps: int) -> Iterator[SamplePair]:
    """A blocking sampler of pairs that gives way to live sessions between two steps; stops with
    the block."""
    under_way: list[Future[Array]] = []

    def sample(noise: Array, pose: Array, mask: Array, words: Array) -> Array:
        under_way.append(
            executor.call_in_steps(
                lambda models: generator_steps(models, noise, pose, mask, words, guidance, steps)
            )
        )
        try:
            return under_way[-1].result()
        except CancelledError as exc:
            raise OverloadedError("the client has gone", reason="CANCELLED") from exc

    try:
        yield sample
    finally:
        for future in under_way:
            future.cancel()


def sampled(executor: Executor, requests: list[WindowRequest]) -> Array:
    """Denoise windows behind those of live sessions; blocks. Returns x0 (n, 2, 30, 135)."""
    futures: list[Future[Array]] = [Future() for _ in requests]

    def submit(request: WindowRequest, future: Future[Array]) -> None:
        def on_done(result: SampledWindow | ContraposeError) -> None:
            if isinstance(result, ContraposeError):
                future.set_exception(result)
            else:
                future.set_result(result.x0)

        executor.submit(request, np.inf, on_done)

    for request, future in zip(requests, futures, strict=True):
        submit(request, future)
    return np.stack([future.result() for future in futures])


def _motion_chunk(motion: Pose, first: int, steps: int) -> types_pb2.FrameChunk:
    """Up to a window's length of a motion (2, frames) from frame `first` on."""
    last = min(first + WINDOW_FRAMES, motion.transl.shape[1])
    players, partners = (wire.poses_to_wire(motion[person, first:last]) for person in (0, 1))
    return types_pb2.FrameChunk(
        first_frame_index=first,
        steps=steps,
        frames=[
            types_pb2.Frame(
                time_code=index / FRAME_RATE,
                player=player,
                partner=partner,
                quality=types_pb2.FRAME_QUALITY_GENERATED,
            )
            for index, player, partner in zip(range(first, last), players, partners, strict=True)
        ],
    )


# --------------------------------------------------------------------------------------- the server
class ServerInfoService(server_info_pb2_grpc.ServerInfoServiceServicer):
    """Answers at any time, also while the bundle loads."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def GetServerInfo(
        self, request: server_info_pb2.GetServerInfoRequest, context: Context
    ) -> server_info_pb2.GetServerInfoResponse:
        config, engine = self._host.config, self._host.engine
        info = server_info_pb2.GetServerInfoResponse(
            server_version=version("contrapose"),
            protocol_minor=PROTOCOL_MINOR,
            is_ready=engine is not None and not self._host.is_draining,
            default_steps=config.session.steps,
            frame_rate=FRAME_RATE,
            default_horizon_frames=config.session.horizon_frames,
            max_sessions=0 if engine is None else self._host.capacity(config.session),
            active_sessions=len(self._host.streams),
            max_motion_frames=config.max_motion_frames,
        )
        if engine is not None:
            betas = np.zeros(SHAPE_COUNT, np.float32)
            info.bundle = engine.name
            info.backend, info.precision = engine.backend, engine.precision
            info.has_generator = engine.bundle.manifest.generator is not None
            info.has_text = engine.bundle.manifest.text is not None
            info.animator_takes_text = engine.animator_takes_text
            info.schedules.extend(map(_schedule, engine.bundle.manifest.animator.schedules))
            info.skeleton.CopyFrom(wire.skeleton_to_wire(engine.body.rest_joints(betas), betas))
            info.load.CopyFrom(self._load(engine))
        return info

    def _load(self, engine: Engine) -> server_info_pb2.ServerLoad:
        status = engine.executor.status()
        session = self._host.level.applied(self._host.config.session)
        return server_info_pb2.ServerLoad(
            engine_busy=status.busy,
            mean_batch=status.mean_batch,
            loop_lag_ms=1000 * self._host.loop_lag.peak(time.monotonic()),
            late_windows=status.late_windows,
            windows=status.windows,
            steps=session.steps,
            revision_frames=session.revision_frames,
            resident_mb=resident_mb(),
        )


def _schedule(spec: ScheduleSpec) -> server_info_pb2.StepSchedule:
    if spec.quality is None:
        return server_info_pb2.StepSchedule(steps=spec.steps)
    quality = server_info_pb2.StepQuality(**asdict(spec.quality))
    return server_info_pb2.StepSchedule(steps=spec.steps, quality=quality)
