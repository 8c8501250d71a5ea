"""What the services share: limits, the engine once it is loaded, and who is being served.

Knows counts and names; no message and no socket.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from engine.body.shape import Body
from engine.bundle import Bundle
from engine.errors import ConfigError, OverloadedError, SessionError
from engine.executor import Executor
from engine.meters import PeakMeter
from engine.planner import Planner
from engine.recording import Recorder
from engine.resume import ResumeKeys, random_keys
from engine.session import SessionConfig
from engine.stream import LiveStream


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    session: SessionConfig = field(default_factory=SessionConfig)
    """What a session gets unless its header says otherwise."""
    max_sessions: int = 16
    max_generations: int = 4
    """Motions and pairs under way at once."""
    max_motion_frames: int = 6000
    idle_seconds: float = 30.0
    """A stream without any message for so long is ended."""
    playout_delay: float = 0.2
    """Seconds behind the session's clock that clients are told to play."""
    resume_keys: ResumeKeys = field(default_factory=random_keys)
    """What resume tokens are signed with; a random key's are worth something here alone."""

    def __post_init__(self) -> None:
        for name in ("max_sessions", "max_generations", "max_motion_frames"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}, must be at least 1", field=name
                )
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
        self.planner = Planner()
        self.loop_lag = PeakMeter()
        """Seconds that the event loop was held up; see `watch_loop`."""
        self.streams: dict[str, LiveStream | None] = {}
        self.empty = asyncio.Event()
        """Set while no session is open."""
        self.empty.set()
        self._generations = 0

    def ready(self) -> Engine:
        """The engine. Raises OverloadedError while it is loading or the server is draining."""
        if self.is_draining:
            raise OverloadedError("the server is going away; try another", reason="DRAINING")
        if self.engine is None:
            raise OverloadedError("the bundle is still loading; try again", reason="NOT_READY")
        return self.engine

    @contextmanager
    def session_slot(self, session_id: str) -> Iterator[None]:
        """A place among the open sessions for as long as the block lasts."""
        if session_id in self.streams:
            raise SessionError(
                f"header.session_id: {session_id} is open already; choose another, or none",
                field="header.session_id",
                reason="SESSION_EXISTS",
            )
        if len(self.streams) >= self.config.max_sessions:
            raise OverloadedError(
                f"all {self.config.max_sessions} sessions are taken; try again or elsewhere"
            )
        self.streams[session_id] = None
        self.empty.clear()
        try:
            yield
        finally:
            del self.streams[session_id]
            if not self.streams:
                self.empty.set()

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


LOOK_SECONDS = 0.01
"""Between two looks at the event loop; what holds it up for longer than that is always seen."""


async def watch_loop(lag: PeakMeter) -> None:
    """Measure for ever by how many seconds the event loop comes late to what is due."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOK_SECONDS
        await asyncio.sleep(LOOK_SECONDS)
        now = loop.time()
        lag.add(now, now - due)


def resident_mb() -> float:
    """Megabytes that this process holds in memory; 0 where the system does not say (not Linux)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGESIZE") / 1e6
