"""The host: what all transports share. Who is being served, how many may be, and how that ends.

Knows counts, names and streams; no message and no socket.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from engine.errors import ConfigError, OverloadedError, SessionError
from engine.sampling.loaded import LoadedBundle
from engine.serving.calls import Calls
from engine.serving.load import USUAL_PYTHON, LoadConfig, PythonCost, SlotQueue
from engine.serving.load_watch import LoadWatch
from engine.serving.resume import ResumeKeys, random_keys
from engine.serving.runs import Runs
from engine.serving.session_thread import SessionThread
from engine.serving.stalls import StallWatch
from engine.serving.stream import LiveStream
from engine.session.config import SessionConfig
from engine.session.recording import Recorder

logger = logging.getLogger(__name__)

LAG_SECONDS = 0.01
"""Between two looks at the event loop; what holds it up for longer than that is always seen."""
LOOK_SECONDS = 0.25
"""Between two looks at the load."""
MOST_SESSIONS = 10_000
"""Before anything is known."""
TAKE_OVER_SECONDS = 2.0
"""How long a client who is back waits for its old connection to end."""
GENERATION_SLOT_SECONDS = 2.0
"""How long a motion or a pair waits for others to be done: one that asks again and again at once
would cost more than it is refused."""


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


@dataclass(eq=False)
class Slot:
    """What an open session holds of the host: its settings at first, and its stream once it is
    there."""

    config: SessionConfig
    stream: LiveStream | None = None

    @property
    def most_steps(self) -> int:
        """The most steps that it asked for, at first or now."""
        now = self.config if self.stream is None else self.stream.config
        return max(self.config.steps, now.steps)


class Host:
    def __init__(self, config: ServiceConfig) -> None:
        self.config = config
        self.loaded: LoadedBundle | None = None
        self.recorder: Recorder | None = None
        """Writes down every session; None: none is."""
        self.is_draining = False
        self.is_stalled = False
        """Whether a graph call hangs: nobody is served until it is done."""
        self.stall_changed = asyncio.Event()
        """Set when that has changed, for whoever tells of it."""
        self._stall: StallWatch | None = None
        self.calls = Calls()
        """So far, at every door."""
        self.session_thread = SessionThread()
        self.load_watch = LoadWatch(config.session, config.load, self.session_thread)
        self.runs = Runs()
        self.slots: dict[str, Slot] = {}
        """What open sessions hold, by their ids."""
        self._closed = asyncio.Event()
        """Set when a session closes, for those that wait for it."""
        self._generations = asyncio.Semaphore(config.max_generations)
        self._queue = SlotQueue()

    def serve(self, loaded: LoadedBundle, python: PythonCost = USUAL_PYTHON) -> None:
        """Sessions are accepted from now on.

        python  what a session costs of the interpreter, as measured before there is one
        """
        self.load_watch.begin(loaded, python)
        self._stall = StallWatch(lambda: loaded.executor.under_way)
        self.loaded = loaded

    def ready(self) -> LoadedBundle:
        """Raises OverloadedError while the bundle is loading, the server is draining, or a graph
        call hangs."""
        if self.is_draining:
            raise OverloadedError("the server is going away; try another", reason="DRAINING")
        if self.loaded is None:
            raise OverloadedError("the bundle is still loading; try again", reason="NOT_READY")
        if self.is_stalled:
            raise OverloadedError("a graph call hangs; try another server", reason="NOT_READY")
        return self.loaded

    # -- sessions ----------------------------------------------------------------------------------
    @property
    def streams(self) -> list[LiveStream]:
        """Streams of the open sessions that have one already."""
        return [slot.stream for slot in self.slots.values() if slot.stream is not None]

    @contextmanager
    def session_slot(self, session_id: str, config: SessionConfig) -> Iterator[Slot]:
        """A place among the open sessions for as long as the block lasts.

        Raises OverloadedError where one more with these settings could not be served in time.
        """
        if session_id in self.slots:
            raise SessionError.at(
                "header.session_id",
                f"{session_id} is open already; choose another, or none",
                "SESSION_EXISTS",
            )
        now = asyncio.get_running_loop().time()
        if len(self.slots) >= self.capacity(config):
            retry_s = self._queue.refused(now)
            raise OverloadedError(
                f"{len(self.slots)} sessions are open, and one more could not be served in time; "
                f"try again in {retry_s:.0f} s, or elsewhere",
                retry_s=retry_s,
            )
        slot = self.slots[session_id] = Slot(config)
        self._queue.opened(session_id, now)
        self.look(now)
        try:
            yield slot
        finally:
            del self.slots[session_id]
            self._queue.closed(session_id, asyncio.get_running_loop().time())
            self._closed.set()

    def capacity(self, config: SessionConfig) -> int:
        """How many sessions like this may be open at once, those that are included."""
        able = self.load_watch.capacity(config, len(self.slots) + 1)
        known = [most for most in (able, self.config.max_sessions) if most is not None]
        return min(known, default=MOST_SESSIONS)

    async def take_over(self, session_id: str) -> None:
        """End an open session whose client is back with its newest token: the old connection is
        dead, and the transport may take half a minute to say so."""
        slot = self.slots.get(session_id)
        if slot is None or slot.stream is None:
            return
        slot.stream.end(
            SessionError(f"{session_id} goes on over another connection", reason="TAKEN_OVER")
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(TAKE_OVER_SECONDS):
                while self.slots.get(session_id) is slot:
                    await self._one_closed()

    async def drain(self, seconds: float) -> None:
        """Tell the sessions, let them end by themselves, and end those that did not."""
        logger.info("draining %d sessions", len(self.slots))
        self.is_draining = True
        for stream in self.streams:
            stream.tell_of_draining(seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.slots:
                    await self._one_closed()
        for stream in self.streams:
            stream.end(OverloadedError("the server is going away; try another", reason="DRAINING"))

    async def _one_closed(self) -> None:
        self._closed.clear()
        await self._closed.wait()

    # -- load --------------------------------------------------------------------------------------
    def look(self, now: float) -> None:
        """See to the load: what sessions give up, and what they get back."""
        most_steps = max((slot.most_steps for slot in self.slots.values()), default=1)
        self.load_watch.look(now, self.streams, len(self.slots), most_steps)

    def look_for_stall(self) -> None:
        """See whether a graph call hangs. If so, sessions end, to go on elsewhere."""
        is_stalled = self._stall is not None and self._stall.look()
        if is_stalled == self.is_stalled:
            return
        self.is_stalled = is_stalled
        self.stall_changed.set()
        if not is_stalled:
            logger.warning("the graph call that hung is done")
            return
        logger.error("a graph call hangs; %d sessions end", len(self.slots))
        for stream in self.streams:
            stream.end(
                OverloadedError(
                    "the engine hangs in a graph call; resume the session elsewhere with its token",
                    reason="ENGINE_LOST",
                )
            )

    async def watch(self) -> None:
        """Measure for ever how late the event loop is, and see to the load and to stalls."""
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while True:
            due = loop.time() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            now = loop.time()
            self.load_watch.event_loop_lag.add(now, now - due)
            if now - looked >= LOOK_SECONDS:
                looked = now
                self.look(now)
                self.look_for_stall()

    # -- generation --------------------------------------------------------------------------------
    @asynccontextmanager
    async def generation_slot(self) -> AsyncIterator[None]:
        """Raises OverloadedError if none is free for a while."""
        try:
            async with asyncio.timeout(GENERATION_SLOT_SECONDS):
                await self._generations.acquire()
        except TimeoutError:
            raise OverloadedError(
                f"{self.config.max_generations} motions and pairs are being generated; try again"
            ) from None
        try:
            yield
        finally:
            self._generations.release()
