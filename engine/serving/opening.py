"""Opening: from the header of a stream to the live stream, and on to its end; for every transport.

A transport hands in messages as they come and takes messages to write; what goes wrong is raised,
and `statuses.py` says how the call ends. Knows messages, the host and sessions; no socket.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from functools import partial
from importlib.metadata import version

import numpy as np
from contrapose.v1 import interaction_pb2

from engine.arrays import Array
from engine.errors import BundleError, SessionError
from engine.motion.motion import FRAME_RATE
from engine.sampling.acts import act_of
from engine.sampling.loaded import LoadedBundle
from engine.serving import wire
from engine.serving.direction_wire import first_direction, start_from_wire
from engine.serving.host import Host
from engine.serving.outbox import Response
from engine.serving.resume import Sealer, StreamState, opened
from engine.serving.runs import Run
from engine.serving.stream import LiveStream, Request
from engine.serving.tracked_player import TrackedPlayer, calibration_from_wire
from engine.session.config import SessionConfig
from engine.session.recording import AnySession, RecordedSession
from engine.session.session import Session
from engine.session.state import taken_up

logger = logging.getLogger(__name__)


async def interact(
    host: Host,
    requests: AsyncIterator[Request],
    write: Callable[[Response], Awaitable[None]],
) -> None:
    """One session: one stream of messages, each way.

    Raises the ContraposeError that ends it: of the header, of a place that is not free, or of what
    comes later (`LiveStream.run`).
    """
    header = wire.header_from_wire(await _first(requests, host.config.idle_seconds))
    loaded = host.ready()
    _check_bundle(header, loaded)
    state = await _resumed(header, host, loaded)
    session_id = header.session_id or secrets.token_hex(8)
    after = None
    if state is None:
        config = wire.session_config(header, host.config.session)
    else:
        session_id, after, config = state.session_id, state.run, state.session.config
    with host.runs.begun(session_id, after) as run:
        if state is not None:
            await host.take_over(session_id)
        with host.session_slot(session_id, config) as slot:
            stream, accepted = await _opened(header, config, host, loaded, session_id, run, state)
            slot.stream = stream
            logger.info("%s: opened by %s", session_id, header.client_name or "a client")
            stream.accept(accepted)
            stream.limit(host.load_watch.level)
            if text := header.text if state is None else state.text:
                stream.steer(text)
            try:
                await stream.run(requests, write)
            finally:
                logger.info("%s: closed", session_id)


async def _first(requests: AsyncIterator[Request], idle_seconds: float) -> Request:
    try:
        async with asyncio.timeout(idle_seconds):
            return await anext(requests)
    except StopAsyncIteration:
        return Request()
    except TimeoutError as exc:
        raise SessionError(f"no header for {idle_seconds:g} s", reason="IDLE_TIMEOUT") from exc


def _check_bundle(header: interaction_pb2.SessionHeader, loaded: LoadedBundle) -> None:
    name = wire.name_from_wire(header.bundle, "header.bundle")
    if name not in ("", loaded.name):
        raise BundleError.at(
            "header.bundle",
            f"{name} is not loaded; this server has {loaded.name}",
            "BUNDLE_UNKNOWN",
        )


async def _resumed(
    header: interaction_pb2.SessionHeader, host: Host, loaded: LoadedBundle
) -> StreamState | None:
    """What the header's token holds; None if it has none."""
    if not header.resume_token:
        return None
    wire.check_resumes_only(header)
    return await asyncio.to_thread(
        opened,
        host.config.resume_keys,
        header.resume_token,
        engine=loaded.fingerprint,
        now=time.time(),
        body=loaded.body,
    )


async def _opened(
    header: interaction_pb2.SessionHeader,
    config: SessionConfig,
    host: Host,
    loaded: LoadedBundle,
    session_id: str,
    run: Run,
    state: StreamState | None,
) -> tuple[LiveStream, interaction_pb2.SessionAccepted]:
    """A new session, or the one that a token holds the state of."""
    if state is None:
        seed = header.seed if header.HasField("seed") else secrets.randbits(63)
        calibration = await asyncio.to_thread(calibration_from_wire, header, loaded.body)
        partner_betas = wire.betas_from_wire(header.partner_betas, "header.partner_betas")
    else:
        seed = state.session.windows.seed
        calibration, partner_betas = state.calibration, state.partner_betas
    betas = np.stack([calibration.worn.betas.astype(np.float32), partner_betas])
    rest_joints = loaded.body.rest_joints(betas)
    capsules = await asyncio.to_thread(loaded.fitted_capsules, betas)
    if state is None:
        session = Session(
            config,
            rest_joints=rest_joints,
            seed=seed,
            capsules=capsules,
            partner_start=start_from_wire(header),
            intent=loaded.intent,
        )
        session.direct(first_direction(header))
    else:
        session = Session.restored(
            taken_up(state.session),
            rest_joints=rest_joints,
            capsules=capsules,
            intent=loaded.intent,
        )
    stream = LiveStream(
        await _recorded(session, host, session_id, seed, betas),
        loaded.executor,
        host.session_thread,
        session_id=session_id,
        idle_seconds=host.config.idle_seconds,
        player=TrackedPlayer(calibration),
        takes_text=loaded.animator_takes_text,
        act_of=None if loaded.acts is None else partial(act_of, loaded.acts),
        kinds=loaded.kinds,
        tells_intent=session.intent is not None and config.guard and config.company,
        sealer=Sealer(
            keys=host.config.resume_keys,
            engine=loaded.fingerprint,
            session_id=session_id,
            run=run,
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
        playout_delay=host.config.playout_delay,
        steps=config.steps,
        seed=seed,
        server_version=version("contrapose"),
        bundle=loaded.name,
        backend=loaded.backend,
        precision=loaded.precision,
        resumed_at_frame=0 if state is None else state.session.frame,
    )


async def _recorded(
    session: Session, host: Host, session_id: str, seed: int, betas: Array
) -> AnySession:
    """The session, written down if the server does that."""
    if host.recorder is None:
        return session
    about = {"seed": seed, "betas": betas.tolist(), "config": asdict(session.config)}
    tape = host.recorder.tape(session_id, about)
    return await asyncio.to_thread(RecordedSession, session, tape)
