"""One live stream on the event loop: a reader, a clock and a writer.

Owns time and order, no decision about motion: `stream_session.py` runs the session, on the session
thread, and the executor denoises. Here messages are only moved, so that the loop is never held up.
Knows the wire's messages; no socket and no status.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

import numpy as np
from contrapose.v1 import interaction_pb2

from engine.arrays import Array
from engine.errors import BackendError, ContraposeError, SessionError
from engine.motion.motion import FRAME_RATE
from engine.sampling.executor import Executor
from engine.sampling.kinds import Kinds
from engine.sampling.models import encode_text
from engine.serving import wire
from engine.serving.arrivals import Arrivals
from engine.serving.direction_wire import direction_change
from engine.serving.intent_wire import confirmed_from_wire
from engine.serving.load import LoadLevel
from engine.serving.outbox import Outbox, Response
from engine.serving.resume import Sealer, StreamState
from engine.serving.session_thread import SessionThread
from engine.serving.statuses import RETRY_SECONDS
from engine.serving.stream_session import (
    Change,
    Configure,
    Confirm,
    Delivery,
    Follow,
    Inbox,
    Outgoing,
    Redirect,
    StreamSession,
)
from engine.serving.tracked_player import TrackedPlayer
from engine.session.config import Respond, SessionConfig
from engine.session.recording import AnySession
from engine.session.session import SessionStatus

logger = logging.getLogger(__name__)

FRAME_GRACE = 0.03
"""Seconds into a frame until which its player pose is waited for; a plan made then is newer."""
SHORTEST_WAIT = 0.001
"""Seconds; time may stand still where it is counted in floats."""
MOST_CHANGES = 16
"""Changes that wait for the session; with more, no message is read."""
CHANGE_SECONDS = 0.02
"""Between a change that the session is told of and the next: a client may want something else many
times a second, but what that costs comes out of the time of all."""
PINGS_AT_ONCE, PING_SECONDS = 50, 0.02
"""So many pings are read as they come, and then one in this time: what comes after them waits."""
POSES_AS_ONE = 4
"""Wanted poses that weigh as much as one change."""
MOST_REACTIONS = 10_000
"""The newest, of which the summary tells percentiles."""
LAST_WRITE_SECONDS = 1.0
"""Time that a stream which ends with an error waits for a message on its way to a slow client."""
DROP_NOTICE_SECONDS = 1.0
"""Least time between two events about dropped poses."""

T = TypeVar("T")
Request = interaction_pb2.StreamInteractionRequest


class LiveStream:
    """A session between its first and its last message.

    session         plans; its clock begins with the first pose. The session thread's alone
    executor        denoises
    session_thread  where the session runs
    idle_seconds    without any message for so long, the stream ends with SessionError IDLE_TIMEOUT
    player          makes poses of what the client sends
    takes_text      whether the executor's models can read words and animate by them
    act_of          which act a text vector asks for; None: none does
    kinds           what the bundle knows, for those whose words are far from it; None: unknown
    tells_intent    whether the session can tell what the player is about
    sealer          makes tokens to resume by; None: there are none
    resumes         what `session` was made of, if it goes on from another server
    """

    def __init__(
        self,
        session: AnySession,
        executor: Executor,
        session_thread: SessionThread,
        *,
        session_id: str,
        idle_seconds: float,
        player: TrackedPlayer,
        takes_text: bool = False,
        act_of: Callable[[Array], str | None] | None = None,
        kinds: Kinds | None = None,
        tells_intent: bool = False,
        sealer: Sealer | None = None,
        resumes: StreamState | None = None,
    ) -> None:
        self.session_id = session_id
        self._executor = executor
        self._session_thread = session_thread
        self._idle_seconds = idle_seconds
        self._sealer = sealer
        self._takes_text, self._tells_intent, self._act_of = takes_text, tells_intent, act_of
        self._kinds = kinds
        self._loop = asyncio.get_running_loop()
        self._session = StreamSession(
            session,
            executor,
            player,
            session_id=session_id,
            clock=self._loop.time,
            on_delivery=self._on_delivery,
            sealer=sealer,
            resumes=resumes,
        )
        self._config = session.config
        """As the client wants it."""
        self._level = LoadLevel()
        self._status: SessionStatus = session.status()
        self._news = asyncio.Event()
        self._outbox = Outbox(most_frames=2 * session.config.horizon_frames)
        self._is_closed = False
        self._is_complete = False
        """Whether the client has said that no more comes."""
        self._ended: asyncio.Future[None] = self._loop.create_future()
        """Fails with what ends the stream from outside, whatever the session is at."""
        self._arrivals = Arrivals(resumes)
        self._deliveries: list[Delivery] = []
        self._changes: list[Change] = []
        self._changes_due = -np.inf
        """When the session may be told of them."""
        self._planned_at: tuple[int, int] | None = None
        self._reactions_ms: deque[float] = deque(maxlen=MOST_REACTIONS)
        self._words: str | None = None
        """To be encoded when the words before them are."""
        self._is_encoding = False
        self._room = asyncio.Event()
        self._writes = asyncio.Lock()
        self._told_of_drops = -np.inf
        self._pinged = -np.inf
        """When the last ping would have come, had they come one by one."""
        self._sent_until = -1
        self._is_resumed = resumes is not None

    # -- from outside ------------------------------------------------------------------------------
    async def run(
        self, requests: AsyncIterator[Request], write: Callable[[Response], Awaitable[None]]
    ) -> None:
        """Serve until the client ends its input; then flush, and write the summary.

        Raises the ContraposeError of a bad message, of a failing backend or of the idle limit.
        """
        reader = asyncio.ensure_future(self._read_all(requests))
        clock = asyncio.ensure_future(self._run_clock())
        writer = asyncio.ensure_future(self._write_all(write))
        try:
            # The clock goes on until the reader has read all and the session has seen it.
            waiting = {reader, clock, writer, self._ended}
            while clock in waiting and writer in waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            self._outbox.close(Response(summary=self._summary()))
            await self._flushed(writer)
        finally:
            self._is_closed = True
            if not self._ended.cancel():
                self._ended.exception()  # is known, or comes too late
            # gRPC takes no status while a message is still being written.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WRITE_SECONDS):
                    await self._writes.acquire()
            for task in (reader, clock, writer):
                task.cancel()
            await asyncio.gather(reader, clock, writer, return_exceptions=True)
            self._session.close()

    async def _flushed(self, writer: asyncio.Future[None]) -> None:
        """The client has the summary. Raises SessionError if it reads nothing for too long."""
        done, _ = await asyncio.wait(
            {writer, self._ended},
            timeout=self._idle_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        for task in done:
            task.result()
        if not done:
            raise SessionError(
                f"the end of the session was not read for {self._idle_seconds:g} s",
                reason="IDLE_TIMEOUT",
            )

    def accept(self, accepted: interaction_pb2.SessionAccepted) -> None:
        """The first message."""
        self._outbox.put(accepted=accepted)
        self._check_asking()

    def _check_asking(self) -> None:
        """A client that waits for offers is told if none will come."""
        answers = self._tells_intent and self._config.responses
        if self._config.respond is Respond.ASK and not answers:
            self._notify(
                interaction_pb2.SESSION_EVENT_KIND_NOTICE,
                "this server answers nothing that the player is about, and offers nothing",
            )

    def _notify(self, kind: interaction_pb2.SessionEventKind, text: str, **more: Any) -> None:
        event = interaction_pb2.SessionEvent(kind=kind, text=text, **more)
        self._outbox.put(event=event)

    @property
    def config(self) -> SessionConfig:
        """The settings that the client asked for; load control may leave less of them."""
        return self._config

    @property
    def has_begun(self) -> bool:
        """Whether the first pose has come."""
        return self._arrivals.started is not None

    def limit(self, level: LoadLevel) -> None:
        """Give up what this level says, or take it back; the client is told what has changed."""
        before, after = self._level.applied(self._config), level.applied(self._config)
        self._level = level
        if after == before:
            return
        self._change(Configure(wanted=self._config, limited=after))
        kind, how = interaction_pb2.SESSION_EVENT_KIND_DEGRADED, "busy"
        if after == self._config:
            kind, how = interaction_pb2.SESSION_EVENT_KIND_RECOVERED, "full quality"
        steps, frames = after.steps, after.revision_frames
        text = f"{how}: {steps} steps, revisions {frames} frames apart or more"
        self._notify(kind, text, steps=steps, revision_frames=frames)

    def tell_of_draining(self, seconds: float) -> None:
        self._notify(
            interaction_pb2.SESSION_EVENT_KIND_DRAINING,
            f"the server is going away in {seconds:g} s",
            reconnect_after=RETRY_SECONDS,
        )

    def steer(self, text: str) -> None:
        """Have the next revisions follow these words; none: the player's motion alone.

        They are encoded on the executor thread, once. A client whose words cannot steer is told.
        """
        if self._takes_text:
            self._words = text
            self._encode()
        elif text:
            self._notify(
                interaction_pb2.SESSION_EVENT_KIND_NOTICE,
                "this bundle does not use text in live sessions",
            )

    def _encode(self) -> None:
        """One text at a time: of those that come meanwhile the newest is next."""
        if self._words is None or self._is_encoding:
            return
        words, self._words, self._is_encoding = self._words, None, True
        encoded = self._executor.call(lambda models: encode_text(models, [words])[0])
        receive = partial(self._text_encoded, words)
        encoded.add_done_callback(lambda done: self._call_soon(receive, done))

    def _text_encoded(self, words: str, done: Future[Array]) -> None:
        if self._is_closed:
            return
        self._is_encoding = False
        error = done.exception()
        if error is None:
            text = done.result()
            act = None if self._act_of is None else self._act_of(text)
            notice = self._kinds.notice(words, text) if self._kinds and act is None else ""
            if notice:
                self._notify(interaction_pb2.SESSION_EVENT_KIND_NOTICE, notice)
            self._change(Follow(words=words, text=text, act=act))
            self._encode()
        elif isinstance(error, ContraposeError):
            self.end(error)
        else:
            self.end(BackendError(f"the text encoder failed: {type(error).__name__}: {error}"))

    def end(self, error: ContraposeError) -> None:
        """End the stream from outside, with this error."""
        if not self._ended.done():
            self._ended.set_exception(error)

    # -- incoming ----------------------------------------------------------------------------------
    async def _read_all(self, requests: AsyncIterator[Request]) -> None:
        handlers: dict[str, Callable[..., None]] = {
            "pose": self._on_pose,
            "control": self._on_control,
            "ping": self._on_ping,
        }
        while (request := await self._next(requests)) is not None:
            part = wire.part_from_wire(request)
            if part == "end":
                break
            handlers[part](getattr(request, part))
            if part == "ping":
                await self._spread_pings()
            while _weight(self._changes) >= MOST_CHANGES:
                self._room.clear()
                await self._room.wait()
        self._is_complete = True
        self._news.set()

    async def _spread_pings(self) -> None:
        now = self._loop.time()
        self._pinged = max(self._pinged, now - PINGS_AT_ONCE * PING_SECONDS) + PING_SECONDS
        if self._pinged > now:
            await asyncio.sleep(self._pinged - now)

    async def _next(self, requests: AsyncIterator[Request]) -> Request | None:
        try:
            async with asyncio.timeout(self._idle_seconds):
                return await anext(requests, None)
        except TimeoutError as exc:
            raise SessionError(
                f"no message for {self._idle_seconds:g} s; open a new session",
                reason="IDLE_TIMEOUT",
            ) from exc

    def _on_pose(self, pose: interaction_pb2.PlayerPose) -> None:
        now, arrivals = self._loop.time(), self._arrivals
        self._news.set()
        if not arrivals.put(pose, now) or now - self._told_of_drops < DROP_NOTICE_SECONDS:
            return
        self._told_of_drops = now
        self._notify(
            interaction_pb2.SESSION_EVENT_KIND_INPUT_DROPPED,
            f"{arrivals.dropped} of {arrivals.received} poses came too fast and were dropped",
        )

    def _on_control(self, control: interaction_pb2.SessionControl) -> None:
        if control.HasField("text"):
            self.steer(wire.text_from_wire(control.text, "control.text"))
        config = wire.changed_config(self._config, control)
        if config is not self._config:
            self._config = config
            self._change(Configure(wanted=config, limited=self._level.applied(config)))
            self._check_asking()
        change = direction_change(control)
        if change is not None:
            self._change(Redirect(change))
        offer = confirmed_from_wire(control)
        if offer is not None:
            self._change(Confirm(offer=offer))

    def _on_ping(self, ping: interaction_pb2.ClockPing) -> None:
        session_time = self._arrivals.session_time(self._loop.time())
        self._outbox.put(
            pong=interaction_pb2.ClockPong(
                ping_id=ping.ping_id,
                client_time=ping.client_time,
                session_time=-1.0 if session_time is None else session_time,
            )
        )

    def _on_delivery(self, delivery: Delivery) -> None:
        """A window is there, or failed. On the executor thread."""
        self._call_soon(self._delivered, delivery)

    def _delivered(self, delivery: Delivery) -> None:
        self._deliveries.append(delivery)
        self._news.set()

    def _change(self, change: Change) -> None:
        """Have the session told, at the next tick."""
        self._changes.append(change)
        self._news.set()

    def _call_soon(self, function: Callable[[T], None], argument: T) -> None:
        """On the event loop, from another thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(function, argument)

    # -- the clock ---------------------------------------------------------------------------------
    async def _run_clock(self) -> None:
        """Plan at every frame, and at once when something has come."""
        if self._is_resumed:
            self._put(await self._session_thread.run(self._session.resumed))
        while True:
            # What is here when no more comes is the last that the session sees, however long it
            # takes over it: under load there is always another frame to plan.
            is_last = self._is_complete
            self._news.clear()
            if self._has_work():
                inbox, started = self._taken(), self._arrivals.started
                self._put(await self._session_thread.run(self._session.tick, inbox, started))
                if not is_last:
                    continue
            if is_last:
                return
            # Not wait_for: before Python 3.12 it drops a cancellation that meets its result.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._until_next_tick()):
                    await self._news.wait()

    def _until_next_tick(self) -> float | None:
        """Seconds until the next frame, or until changes that wait are due; None: neither."""
        at = self._loop.time()
        waits = [max(self._changes_due - at, SHORTEST_WAIT)] if self._changes else []
        now = self._arrivals.session_time(at)
        if now is not None:
            next_frame = np.floor((now - FRAME_GRACE) * FRAME_RATE) + 1
            left = float(next_frame / FRAME_RATE + FRAME_GRACE - now)
            waits.append(max(left, SHORTEST_WAIT))
        return min(waits, default=None)

    def _has_work(self) -> bool:
        """Whether a tick could change anything: a new frame of the clock or of the player, a
        window, changes that are due. A window that failed is asked for again at the next frame, not
        at once."""
        has_window = any(not isinstance(d.result, ContraposeError) for d in self._deliveries)
        frames = self._arrivals.frames(self._loop.time())
        return has_window or self._are_changes_due() or frames != self._planned_at

    def _are_changes_due(self) -> bool:
        is_time = self._is_complete or self._loop.time() >= self._changes_due
        return bool(self._changes) and is_time

    def _taken(self) -> Inbox:
        self._planned_at = self._arrivals.frames(self._loop.time())
        changes: tuple[Change, ...] = ()
        if self._are_changes_due():
            changes = tuple(self._changes)
            self._changes_due = self._loop.time() + CHANGE_SECONDS * _weight(changes)
            self._changes.clear()
            self._room.set()
        inbox = Inbox(
            poses=self._arrivals.take(), deliveries=tuple(self._deliveries), changes=changes
        )
        self._deliveries.clear()
        return inbox

    def _put(self, outgoing: Outgoing) -> None:
        self._status = outgoing.session
        for event in outgoing.events:
            self._outbox.put(event=event)
        if outgoing.chunk is not None:
            last = outgoing.chunk.first_frame_index + len(outgoing.chunk.frames) - 1
            self._sent_until = max(self._sent_until, last)
            self._outbox.put_chunk(outgoing.chunk, outgoing.reacts_to)
        if outgoing.status is not None:
            self._outbox.put_status(outgoing.status)

    # -- outgoing ----------------------------------------------------------------------------------
    async def _write_all(self, write: Callable[[Response], Awaitable[None]]) -> None:
        while (taken := await self._outbox.take()) is not None:
            response, reacts_to = taken
            if reacts_to is not None:
                reaction_ms = 1000 * (self._loop.time() - reacts_to)
                response.frames.latency.reaction_ms = reaction_ms
                self._reactions_ms.append(reaction_ms)
            async with self._writes:
                await write(response)
            if self._sealer is not None and response.status.resume_token:
                self._sealer.run.told()

    def _summary(self) -> interaction_pb2.SessionSummary:
        reactions = self._reactions_ms or [0.0]
        p50, p95, p99 = (float(np.percentile(reactions, p)) for p in (50, 95, 99))
        return interaction_pb2.SessionSummary(
            poses_received=self._arrivals.received,
            poses_dropped=self._arrivals.dropped,
            frames_sent=self._sent_until + 1,
            chunks_coalesced=self._outbox.coalesced,
            revisions=self._status.revision,
            reaction_ms=interaction_pb2.Percentiles(p50=p50, p95=p95, p99=p99),
            duration=self._arrivals.session_time(self._loop.time()) or 0.0,
        )


def _weight(changes: Sequence[Change]) -> float:
    """How much these cost, in changes of one setting."""
    poses = sum(len(each.change.poses) for each in changes if isinstance(each, Redirect))
    return len(changes) + poses / POSES_AS_ONE
