"""One live stream: a session put on the event loop, with a clock, an inbox and an outbox.

Owns time and order, no decision about motion: `session.py` plans, the executor denoises. Knows the
wire's messages; neither sockets nor statuses, which are `service.py`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from contrapose.v1 import interaction_pb2, types_pb2
from google.protobuf.message import Message

from engine import wire
from engine.arrays import Array
from engine.body.calibration import TrackerSample
from engine.body.trackers import Flags, Tracking
from engine.contacts import Contact
from engine.errors import (
    BackendError,
    ConfigError,
    ContraposeError,
    OverloadedError,
    SessionError,
)
from engine.executor import Executor
from engine.motion import FRAME_RATE
from engine.outbox import Outbox, Response
from engine.plan import PlanFrame, Quality
from engine.player import frame_at
from engine.sampler import SampledWindow, encode_text
from engine.session import Chunk, Session, SessionConfig, WantedWindow
from engine.tracked_player import Seen, TrackedPlayer, flags_to_wire

logger = logging.getLogger(__name__)

CLOCK_LEAD = 0.1
"""Seconds that a client's time codes may run ahead of the session's clock."""
FRAME_GRACE = 0.03
"""Seconds into a frame until which its player pose is waited for; a plan made then is newer."""
MOST_FAILURES = 3
"""Windows that may fail in a row before the stream ends with their error."""
DROP_NOTICE_SECONDS = 1.0
"""Least time between two events about dropped poses."""

QUALITY = {
    Quality.GENERATED: types_pb2.FRAME_QUALITY_GENERATED,
    Quality.HELD: types_pb2.FRAME_QUALITY_HELD,
    Quality.FALLBACK: types_pb2.FRAME_QUALITY_FALLBACK,
}

Request = interaction_pb2.StreamInteractionRequest


@dataclass(frozen=True, kw_only=True)
class _Arrival:
    """A pose that was fed: the client's number, and when it came (event loop's clock)."""

    sequence: int
    at: float


@dataclass(frozen=True, kw_only=True)
class _WindowTimes:
    """Of a window, on the event loop's clock."""

    asked: float
    done: float


class LiveStream:
    """A session between its first and its last message.

    session         plans; its clock begins with the first pose
    executor        denoises
    idle_seconds    without any message for so long, the stream ends with SessionError IDLE_TIMEOUT
    player          makes poses of what the client sends
    takes_text      whether the executor's models can read words and animate by them
    """

    def __init__(
        self,
        session: Session,
        executor: Executor,
        *,
        session_id: str,
        idle_seconds: float,
        player: TrackedPlayer,
        takes_text: bool = False,
    ) -> None:
        self.session_id = session_id
        self._session = session
        self._executor = executor
        self._idle_seconds = idle_seconds
        self._takes_text = takes_text
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._outbox = Outbox(most_frames=2 * session.config.horizon_frames)
        self._is_closed = False
        self._ending: ContraposeError | None = None
        self._started: float | None = None
        self._player = player
        self._told_flags: Flags = {}
        self._pose: tuple[interaction_pb2.PlayerPose, Seen, float] | None = None
        self._newest: interaction_pb2.PlayerPose | None = None
        self._first_time_code = 0.0
        self._fed_until = -np.inf
        self._ticked_at: tuple[object, ...] = ()
        self._arrivals: dict[int, _Arrival] = {}
        self._reacted_to = -1
        self._reactions_ms: list[float] = []
        self._windows: dict[int, _WindowTimes] = {}
        self._has_answer = False
        self._failures = 0
        self._received = 0
        self._dropped = 0
        self._told_of_drops = -np.inf
        self._sent_until = -1

    # -- from outside ------------------------------------------------------------------------------
    async def run(
        self, requests: AsyncIterator[Request], write: Callable[[Response], Awaitable[None]]
    ) -> None:
        """Serve until the client ends its input; then flush, and write the summary.

        Raises the ContraposeError of a bad message, of a failing backend or of the idle limit.
        """
        writer = asyncio.ensure_future(self._write_all(write))
        tasks = [asyncio.ensure_future(c) for c in (self._read_all(requests), self._run_clock())]
        try:
            done, _ = await asyncio.wait([writer, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            self._outbox.close(Response(summary=self._summary()))
            await writer
        finally:
            self._is_closed = True
            for task in (writer, *tasks):
                task.cancel()
            await asyncio.gather(writer, *tasks, return_exceptions=True)

    def accept(self, accepted: interaction_pb2.SessionAccepted) -> None:
        """The first message."""
        self._outbox.put(accepted=accepted)

    def notify(self, event: interaction_pb2.SessionEvent) -> None:
        self._outbox.put(event=event)

    def steer(self, text: str) -> None:
        """Have the next revisions follow these words; none: the player's motion alone.

        They are encoded on the engine thread, once. A client whose words cannot steer is told.
        """
        if self._takes_text:
            encoded = self._executor.call(lambda models: encode_text(models, [text])[0])
            encoded.add_done_callback(
                lambda done: self._loop.call_soon_threadsafe(self._text_encoded, done)
            )
        elif text:
            self.notify(
                interaction_pb2.SessionEvent(
                    kind=interaction_pb2.SESSION_EVENT_KIND_NOTICE,
                    text="this bundle does not use text in live sessions",
                )
            )

    def _text_encoded(self, done: Future[Array]) -> None:
        if self._is_closed:
            return
        error = done.exception()
        if error is None:
            self._session.direct(replace(self._session.direction, text=done.result()))
            self._has_answer = True
            self._news.set()
        elif isinstance(error, ContraposeError):
            self.end(error)
        else:
            self.end(BackendError(f"the text encoder failed: {type(error).__name__}: {error}"))

    def end(self, error: ContraposeError) -> None:
        """End the stream from outside, with this error."""
        self._ending = error
        self._news.set()

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
                return
            handlers[part](getattr(request, part))

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
        wire.check_follows(self._newest, pose)
        seen = self._player.read(pose)
        now = self._loop.time()
        if self._started is None:
            self._started, self._first_time_code = now, pose.time_code
        self._newest = pose
        self._received += 1
        if self._pose is not None:
            self._drop(now)
        self._pose = (pose, seen, now)
        self._news.set()

    def _drop(self, now: float) -> None:
        """Count a pose that a newer one made useless; say so now and then."""
        self._dropped += 1
        if now - self._told_of_drops < DROP_NOTICE_SECONDS:
            return
        self._told_of_drops = now
        self.notify(
            interaction_pb2.SessionEvent(
                kind=interaction_pb2.SESSION_EVENT_KIND_INPUT_DROPPED,
                text=f"{self._dropped} of {self._received} poses came too fast and were dropped",
            )
        )

    def _on_control(self, control: interaction_pb2.SessionControl) -> None:
        if control.HasField("text"):
            self.steer(wire.text_from_wire(control.text, "control.text"))
        if control.HasField("steps"):
            wire.steps_from_wire(control.steps, "control.steps")
        names = ("steps", "allow_contact", "zone_radius")
        config = changed_config(self._session.config, control, names, "control")
        if config is not self._session.config:
            self._session.update(config)
            self._news.set()

    def _on_ping(self, ping: interaction_pb2.ClockPing) -> None:
        session_time = -1.0 if self._started is None else self._loop.time() - self._started
        self._outbox.put(
            pong=interaction_pb2.ClockPong(
                ping_id=ping.ping_id, client_time=ping.client_time, session_time=session_time
            )
        )

    # -- the clock ---------------------------------------------------------------------------------
    async def _run_clock(self) -> None:
        """Tick at every frame, and at once when a pose or a window arrives."""
        while True:
            if self._ending is not None:
                raise self._ending
            self._news.clear()
            if self._started is not None:
                self._step(self._started)
            # Not wait_for: before Python 3.12 it drops a cancellation that meets its result.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._until_next_frame()):
                    await self._news.wait()

    def _until_next_frame(self) -> float | None:
        if self._started is None:
            return None
        now = self._loop.time() - self._started
        next_frame = np.floor((now - FRAME_GRACE) * FRAME_RATE) + 1
        return float(next_frame / FRAME_RATE + FRAME_GRACE - now)

    def _step(self, started: float) -> None:
        now = self._loop.time() - started
        if self._pose is not None:
            self._feed(now)
        now = max(now, self._fed_until)  # a pose that came early is looked at now
        if not self._has_work(now):
            return
        tick = self._session.tick(now)
        for wanted in tick.wanted:
            self._ask(wanted, started)
        if tick.chunk is not None:
            self._outbox.put_chunk(*self._to_wire(tick.chunk))

    def _feed(self, now: float) -> None:
        assert self._pose is not None
        pose, seen, arrived = self._pose
        self._pose = None
        time_s = min(pose.time_code - self._first_time_code, now + CLOCK_LEAD)
        if time_s <= self._fed_until:
            self._drop(arrived)
            return
        is_in_known_frame = frame_at(time_s) == frame_at(max(self._fed_until, -1.0))
        if isinstance(seen, TrackerSample) and is_in_known_frame:
            return  # solving costs milliseconds, and a plan has 10 frames a second
        self._fed_until = time_s
        number = self._session.feed(time_s, *self._player.pose_at(time_s, seen))
        self._tell_tracking()
        self._arrivals[number] = _Arrival(sequence=pose.sequence, at=arrived)
        self._arrivals.pop(number - 1000, None)

    def _tell_tracking(self) -> None:
        """Say which devices were lost or came back, when that has changed."""
        flags = self._player.flags
        if flags == self._told_flags:
            return
        self._told_flags = flags
        lost = [role.name.lower() for role, how in flags.items() if how is Tracking.BRIDGED]
        self.notify(
            interaction_pb2.SessionEvent(
                kind=interaction_pb2.SESSION_EVENT_KIND_TRACKING,
                text=f"lost: {', '.join(lost)}" if lost else "no device lost",
                trackers=flags_to_wire(flags),
            )
        )

    def _has_work(self, now: float) -> bool:
        """Whether a tick could change anything: a new frame of the clock or the player, an answer
        of the executor.

        A game may send 90 poses a second; the plan has 10 frames a second.
        """
        at = (frame_at(now), frame_at(self._fed_until), self._session.config)
        has_work = self._has_answer or at != self._ticked_at
        self._ticked_at, self._has_answer = at, False
        return has_work

    # -- windows -----------------------------------------------------------------------------------
    def _ask(self, wanted: WantedWindow, started: float) -> None:
        asked = self._loop.time()

        def on_done(result: SampledWindow | ContraposeError) -> None:
            self._loop.call_soon_threadsafe(
                partial(self._window_done, wanted.ticket, asked, result)
            )

        self._executor.submit(wanted.request, started + wanted.deadline, on_done)

    def _window_done(
        self, ticket: int, asked: float, result: SampledWindow | ContraposeError
    ) -> None:
        if self._is_closed:
            return
        try:
            if isinstance(result, ContraposeError):
                self._session.fail(ticket)
                raise result
            self._session.accept(ticket, result.x0)
        except ContraposeError as error:
            logger.warning("%s: window %d failed: %s", self.session_id, ticket, error)
            # Want of memory says nothing about the session: it keeps its plan, and asks again.
            self._failures += not isinstance(error, OverloadedError)
            if self._failures >= MOST_FAILURES:
                self.end(error)
        else:
            self._failures = 0
            self._has_answer = True
            self._windows[ticket + 1] = _WindowTimes(asked=asked, done=self._loop.time())
            self._windows.pop(ticket - 100, None)
        self._news.set()

    # -- outgoing ----------------------------------------------------------------------------------
    def _to_wire(self, chunk: Chunk) -> tuple[types_pb2.FrameChunk, float | None]:
        first = chunk.frames[0]
        times = self._windows.get(first.window)
        based_on = self._arrivals.get(first.based_on.sequence)
        message = types_pb2.FrameChunk(
            first_frame_index=chunk.first_frame,
            revision=chunk.revision,
            frames=frames_to_wire(chunk.frames),
            based_on_sequence=0 if based_on is None else based_on.sequence,
            steps=first.steps,
            latency=types_pb2.LatencyBreakdown(),
            contacts=[_contact_to_wire(contact) for contact in chunk.contacts],
        )
        self._sent_until = max(self._sent_until, chunk.frames[-1].index)
        if based_on is None or times is None:
            return message, None
        message.latency.waited_ms = 1000 * max(times.asked - based_on.at, 0.0)
        message.latency.denoised_ms = 1000 * (times.done - times.asked)
        if first.based_on.sequence <= self._reacted_to:
            return message, None
        self._reacted_to = first.based_on.sequence
        return message, based_on.at

    async def _write_all(self, write: Callable[[Response], Awaitable[None]]) -> None:
        while (taken := await self._outbox.take()) is not None:
            response, reacts_to = taken
            if reacts_to is not None:
                reaction_ms = 1000 * (self._loop.time() - reacts_to)
                response.frames.latency.reaction_ms = reaction_ms
                self._reactions_ms.append(reaction_ms)
            await write(response)

    def _summary(self) -> interaction_pb2.SessionSummary:
        reactions = self._reactions_ms or [0.0]
        p50, p95, p99 = (float(np.percentile(reactions, p)) for p in (50, 95, 99))
        return interaction_pb2.SessionSummary(
            poses_received=self._received,
            poses_dropped=self._dropped,
            frames_sent=self._sent_until + 1,
            chunks_coalesced=self._outbox.coalesced,
            revisions=self._session.status().revision,
            reaction_ms=interaction_pb2.Percentiles(p50=p50, p95=p95, p99=p99),
            duration=0.0 if self._started is None else self._loop.time() - self._started,
        )


def changed_config(
    config: SessionConfig, message: Message, names: Sequence[str], field: str
) -> SessionConfig:
    """A session's settings with those of a message in their place; the same if it has none.

    Raises ConfigError that names the field of the message, whose path is `field`.
    """
    wanted = {name: getattr(message, name) for name in names if message.HasField(name)}
    try:
        return replace(config, **wanted) if wanted else config
    except ConfigError as error:
        raise ConfigError(f"{field}.{error}", field=f"{field}.{error.field}") from error


def frames_to_wire(frames: Sequence[PlanFrame]) -> list[types_pb2.Frame]:
    people = wire.poses_to_wire(
        np.concatenate([frame.rotmats for frame in frames]),
        np.concatenate([frame.transl for frame in frames]),
    )
    return [
        types_pb2.Frame(
            time_code=frame.index / FRAME_RATE,
            player=player,
            partner=partner,
            quality=QUALITY[frame.quality],
            window=frame.window,
        )
        for frame, player, partner in zip(frames, people[::2], people[1::2], strict=True)
    ]


def _contact_to_wire(contact: Contact) -> types_pb2.ContactEvent:
    return types_pb2.ContactEvent(
        contact_id=contact.id,
        player_joint=contact.player_joint,
        partner_joint=contact.partner_joint,
        start_frame_index=contact.start,
        end_frame_index=contact.end,
        closing_speed=contact.closing_speed,
        point=contact.point.tolist(),
        is_open=contact.is_open,
    )
