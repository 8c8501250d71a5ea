"""What the services share: limits, the engine once it is loaded, and who is being served.

Knows counts and names; no message and no socket.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from engine.body.shape import Body
from engine.bundle import Bundle
from engine.errors import ConfigError, OverloadedError, SessionError
from engine.sampling.executor import Executor
from engine.sampling.meters import PeakMeter
from engine.serving.load import (
    LoadConfig,
    LoadControl,
    LoadLevel,
    LoadSample,
    Places,
    SessionCost,
)
from engine.serving.resume import ResumeKeys, random_keys
from engine.serving.session_thread import SessionThread
from engine.serving.stream import LiveStream
from engine.session.config import SessionConfig
from engine.session.recording import Recorder

logger = logging.getLogger(__name__)

LAG_SECONDS = 0.01
"""Between two looks at the event loop; what holds it up for longer than that is always seen."""
LOOK_SECONDS = 0.25
"""Between two looks at the load."""
PYTHON_WEIGHT = 0.02
"""Of each session at the newest look, in the average of what one costs."""
MOST_SESSIONS = 10_000
"""Before anything is known."""
TAKE_OVER_SECONDS = 2.0
"""How long a client who is back waits for its old connection to end."""


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    session: SessionConfig = field(default_factory=SessionConfig)
    """What a session gets unless its header says otherwise."""
    max_sessions: int | None = None
    """Open at once; None: as many as can be served, which is a limit in any case."""
    max_generations: int = 4
    """Motions and pairs under way at once."""
    max_motion_frames: int = 6000
    idle_seconds: float = 30.0
    """A stream without any message for so long is ended."""
    playout_delay: float = 0.2
    """Seconds behind the session's clock that clients are told to play."""
    resume_keys: ResumeKeys = field(default_factory=random_keys)
    """What resume tokens are signed with; a random key's are worth something here alone."""

    load: LoadConfig = field(default_factory=LoadConfig)
    """When sessions give something up, and when they get it back."""

    def __post_init__(self) -> None:
        for name in ("max_sessions", "max_generations", "max_motion_frames"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}, must be at least 1", field=name)
        if self.idle_seconds <= 0 or self.playout_delay < 0:
            raise ConfigError("idle_seconds must be over 0, playout_delay at least 0")


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What is loaded: all that requests need."""

    bundle: Bundle
    executor: Executor
    body: Body
    backend: str
    precision: str
    python_s: float = 0.0
    """Seconds of the interpreter for a session and second, as measured before there is one."""

    @property
    def name(self) -> str:
        return self.bundle.manifest.name

    @cached_property
    def fingerprint(self) -> bytes:
        """What tells this bundle and body from all others, 16 bytes."""
        return engine_fingerprint(self.bundle, self.body)

    @property
    def animator_takes_text(self) -> bool:
        """Whether words steer motion, and not pairs alone."""
        manifest = self.bundle.manifest
        return manifest.text is not None and manifest.animator.text_width > 0


def engine_fingerprint(bundle: Bundle, body: Body) -> bytes:
    """What tells a bundle and a body from all others, 16 bytes."""
    known = hashlib.sha256(bundle.manifest.digest.encode())
    for values in (body.template, body.shape_directions, body.joint_regressor):
        known.update(values.tobytes())
    return known.digest()[:16]


class Host:
    """What the services share: the engine once it is ready, and who is being served."""

    def __init__(self, config: ServiceConfig) -> None:
        self.config = config
        self.engine: Engine | None = None
        self.recorder: Recorder | None = None
        """Writes down every session; None: none is."""
        self.is_draining = False
        self.session_thread = SessionThread()
        self.loop_lag = PeakMeter()
        """Seconds that the event loop was held up; see `watch`."""
        self.streams: dict[str, LiveStream | None] = {}
        self.empty = asyncio.Event()
        """Set while no session is open."""
        self.empty.set()
        self._closed = asyncio.Event()
        """Set when a session closes; for who waits for that."""
        self._steps: dict[str, int] = {}
        """What the headers of the open sessions asked for."""
        self._generations = 0
        self._places = Places()
        self._load: LoadControl | None = None
        self._python_s = 0.0
        self._looked: tuple[float, float] | None = None

    def serve(self, engine: Engine) -> None:
        """Sessions are accepted from now on."""
        schedules = [spec.steps for spec in engine.bundle.manifest.animator.schedules]
        self._load = LoadControl(schedules, self.config.session, self.config.load)
        self._python_s = engine.python_s
        self.engine = engine

    def ready(self) -> Engine:
        """The engine. Raises OverloadedError while it is loading or the server is draining."""
        if self.is_draining:
            raise OverloadedError("the server is going away; try another", reason="DRAINING")
        if self.engine is None:
            raise OverloadedError("the bundle is still loading; try again", reason="NOT_READY")
        return self.engine

    @contextmanager
    def session_slot(self, session_id: str, config: SessionConfig) -> Iterator[None]:
        """A place among the open sessions for as long as the block lasts.

        Raises OverloadedError where one more with these settings could not be served in time.
        """
        if session_id in self.streams:
            raise SessionError(
                f"header.session_id: {session_id} is open already; choose another, or none",
                field="header.session_id",
                reason="SESSION_EXISTS",
            )
        now = asyncio.get_running_loop().time()
        if len(self.streams) >= self.capacity(config):
            retry_s = self._places.refused(now)
            raise OverloadedError(
                f"{len(self.streams)} sessions are open, and one more could not be served in time; "
                f"try again in {retry_s:.0f} s, or elsewhere",
                retry_s=retry_s,
            )
        self.streams[session_id] = None
        self._steps[session_id] = config.steps
        self._places.opened(session_id, now)
        self.look(now)
        self.empty.clear()
        try:
            yield
        finally:
            del self.streams[session_id], self._steps[session_id]
            self._places.closed(session_id, asyncio.get_running_loop().time())
            self._closed.set()
            if not self.streams:
                self.empty.set()

    async def take_over(self, session_id: str) -> None:
        """End an open session whose client is back with its token: the old connection is dead, and
        the transport may take half a minute to say so."""
        stream = self.streams.get(session_id)
        if stream is None:
            return
        stream.end(
            SessionError(f"{session_id} goes on over another connection", reason="TAKEN_OVER")
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(TAKE_OVER_SECONDS):
                while self.streams.get(session_id) is stream:
                    self._closed.clear()
                    await self._closed.wait()

    # -- load --------------------------------------------------------------------------------------
    @property
    def level(self) -> LoadLevel:
        """What sessions get now."""
        return LoadLevel() if self._load is None else self._load.level

    def capacity(self, config: SessionConfig) -> int:
        """How many sessions like this may be open at once, those that are included.

        One always may: who is alone on a machine that is too slow waits for nothing better.
        """
        most = self.config.max_sessions
        if self._load is not None:
            able = max(self._load.capacity(config, self._cost(len(self.streams) + 1)), 1)
            most = able if most is None else min(able, most)
        return MOST_SESSIONS if most is None else most

    def look(self, now: float) -> None:
        """See how things go; tell the sessions when they must give something up, or get it back.

        On the event loop's thread, whose processor time it reads.
        """
        if self._load is None or self.engine is None:
            return
        streams = [stream for stream in self.streams.values() if stream is not None]
        self._weigh(now, sum(stream.has_begun for stream in streams))
        status = self.engine.executor.status()
        sample = LoadSample(
            now=now,
            executor_s=status.live_s,
            rows=status.rows,
            session_thread_s=self.session_thread.busy_s,
            windows=status.windows,
            late_windows=status.late_windows,
            sessions=len(self.streams),
            most_steps=max([*self._steps.values(), *(s.config.steps for s in streams)], default=1),
            cost=self._cost(max(len(self.streams), 1)),
        )
        if self._load.update(sample):
            logger.info("load: %d sessions, now %s", len(self.streams), self._load.level)
            for stream in streams:
                stream.limit(self._load.level)

    def _cost(self, sessions: int) -> SessionCost:
        assert self.engine is not None
        executor = self.engine.executor
        return SessionCost(
            begin_s=executor.status().begin_s,
            step_s=executor.costs.seconds_a_row(sessions),
            python_s=self._python_s,
        )

    def _weigh(self, now: float, sessions: int) -> None:
        """Learn what a session costs of the interpreter, on both of our threads."""
        spent = self.session_thread.cpu_s + time.thread_time()
        if self._looked is not None and sessions:
            before, then = self._looked
            measured = (spent - before) / max(now - then, 1e-3) / sessions
            weight = 1 - (1 - PYTHON_WEIGHT) ** sessions
            self._python_s += weight * (measured - self._python_s)
        self._looked = spent, now

    @contextmanager
    def generation_slot(self) -> Iterator[None]:
        if self._generations >= self.config.max_generations:
            raise OverloadedError(
                f"{self._generations} motions and pairs are being generated; try again"
            )
        self._generations += 1
        try:
            yield
        finally:
            self._generations -= 1


async def watch(host: Host) -> None:
    """For ever: measure how late the event loop comes to what is due, and see to the load."""
    loop = asyncio.get_running_loop()
    looked = loop.time()
    while True:
        due = loop.time() + LAG_SECONDS
        await asyncio.sleep(LAG_SECONDS)
        now = loop.time()
        host.loop_lag.add(now, now - due)
        if now - looked >= LOOK_SECONDS:
            looked = now
            host.look(now)


def resident_mb() -> float:
    """Megabytes that this process holds in memory; 0 where the system does not say (not Linux)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGESIZE") / 1e6
