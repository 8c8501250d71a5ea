"""The session thread's half of a live stream: what its session is told, and what comes of it.

Runs on the session thread alone, so it needs no lock. Knows the session, the executor and the
wire's messages; no event loop and no socket. `stream.py` is the other half.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from contrapose.v1 import interaction_pb2, types_pb2

from engine.arrays import Array
from engine.devices.calibration import TrackerSample
from engine.devices.trackers import Flags, Tracking
from engine.errors import ConfigError, ContraposeError, OverloadedError
from engine.sampling.executor import Executor
from engine.sampling.request import SampledWindow
from engine.serving.arrivals import PoseArrival
from engine.serving.chunk_wire import contact_to_wire, frames_to_wire
from engine.serving.direction_wire import DirectionChange, target_event
from engine.serving.intent_wire import intent_to_wire, offer_event
from engine.serving.resume import Sealer, StreamState
from engine.serving.tracked_player import TrackedPlayer, flags_to_wire
from engine.session.asking import WantedWindow
from engine.session.config import SessionConfig
from engine.session.player import frame_at
from engine.session.recording import AnySession
from engine.session.responding import Phase
from engine.session.session import Chunk, SessionStatus

logger = logging.getLogger(__name__)

MOST_FAILURES = 3
"""Windows that may fail in a row before the stream ends with their error."""
STATUS_SECONDS = 0.9
"""Between two status messages while the plan stands; ticks come every 0.1 s."""
KEPT_POSES, KEPT_WINDOWS = 1000, 100
"""How many of the newest are remembered, for latencies."""


@dataclass(frozen=True, kw_only=True)
class Configure:
    """New settings: as the client wants them, and what load control leaves of that."""

    wanted: SessionConfig
    limited: SessionConfig


@dataclass(frozen=True, eq=False)
class Redirect:
    """A change of direction."""

    change: DirectionChange


@dataclass(frozen=True, kw_only=True, eq=False)
class Follow:
    """Words, their vector, and the act that they ask for, if any."""

    words: str
    text: Array
    act: str | None


@dataclass(frozen=True, kw_only=True)
class Confirm:
    """The offer with this number is to be answered."""

    offer: int


Change = Configure | Redirect | Follow | Confirm


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What became of a window; when it was asked for and done, on the stream's clock."""

    ticket: int
    asked: float
    done: float
    result: SampledWindow | ContraposeError


@dataclass(frozen=True, kw_only=True)
class Inbox:
    """What came since the last tick, each kind in its order."""

    poses: tuple[PoseArrival, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """What a tick has for the client."""

    session: SessionStatus
    chunk: types_pb2.FrameChunk | None = None
    reacts_to: float | None = None
    """When the pose came that `chunk` is the first answer to."""
    events: tuple[interaction_pb2.SessionEvent, ...] = ()
    status: interaction_pb2.SessionStatus | None = None
    """Only when one is due."""


class StreamSession:
    """A session, its player and what is remembered of their messages.

    clock      the time in seconds, on which the executor's deadlines are; also from other threads
    on_delivery  called on the executor thread with every window that was asked for
    sealer     makes tokens to resume by; None: there are none
    resumes    what `session` was made of, if it goes on from another server
    """

    def __init__(
        self,
        session: AnySession,
        executor: Executor,
        player: TrackedPlayer,
        *,
        session_id: str,
        clock: Callable[[], float],
        on_delivery: Callable[[Delivery], None],
        sealer: Sealer | None = None,
        resumes: StreamState | None = None,
    ) -> None:
        self._session = session
        self._executor = executor
        self._player = player
        self._session_id = session_id
        self._clock = clock
        self._on_delivery = on_delivery
        self._sealer = sealer
        self._newest: PoseArrival | None = None
        self._wanted = session.config
        """The settings that the client asked for; load control may leave the session less."""
        self._words = "" if resumes is None else resumes.text
        """That the session follows; they go into tokens."""
        self._events: list[interaction_pb2.SessionEvent] = []
        self._told_flags: Flags = {}
        self._fed_until = -np.inf if resumes is None else resumes.session.player.stamp.time_s
        self._fed: dict[int, tuple[int, float]] = {}
        """By our number of a pose: the client's, and when it came."""
        self._reacted_to = -1
        self._windows: dict[int, tuple[float, float]] = {}
        """By the number that frames carry: when it was asked for, and done."""
        self._failures = 0
        self._status_at = -np.inf
        self._told_intent: tuple[str, Phase] | None = None

    def tick(self, inbox: Inbox, started: float | None) -> Outgoing:
        """Tell the session what came, tick it, ask for its windows.

        started  when the session's clock began; None: not yet
        Raises the ContraposeError of what the session refuses, or of windows that keep failing.
        """
        for change in inbox.changes:
            self._apply(change)
        for delivery in inbox.deliveries:
            self._take(delivery)
        for pose in inbox.poses:
            self._feed(pose)
        if started is None:
            return Outgoing(session=self._session.status())
        now = max(self._clock() - started, self._fed_until)  # a pose may have come early
        tick = self._session.tick(now)
        for wanted in tick.wanted:
            self._ask(wanted, started)
        self._events += map(target_event, tick.events)
        if tick.offer is not None:
            self._events.append(offer_event(tick.offer))
        chunk, reacts_to = (None, None) if tick.chunk is None else self._to_wire(tick.chunk)
        session = self._session.status()
        events, self._events = tuple(self._events), []
        return Outgoing(
            session=session,
            chunk=chunk,
            reacts_to=reacts_to,
            events=events,
            status=self._due_status(now, session, has_chunk=chunk is not None),
        )

    def close(self) -> None:
        """No tick that is still to begin counts any more. From any thread."""
        self._session.close()

    def resumed(self) -> Outgoing:
        """The plan of a resumed session, before its clock goes on."""
        chunk, _ = self._to_wire(self._session.plan_again())
        return Outgoing(session=self._session.status(), chunk=chunk)

    def resume_token(self) -> bytes:
        """What the session goes on from elsewhere; empty: it cannot."""
        newest = self._newest
        if self._sealer is None or newest is None:
            return b""
        state = self._session.state()
        if not state.has_plan:
            return b""
        return self._sealer.token(
            replace(state, config=self._wanted),
            text=self._words,
            first_time_code=newest.first_time_code,
            sequence=newest.message.sequence,
            time_code=newest.message.time_code,
        )

    # -- what comes in -----------------------------------------------------------------------------
    def _apply(self, change: Change) -> None:
        match change:
            case Configure():
                self._session.update(change.limited)
                self._wanted = change.wanted
            case Follow():
                direction = replace(self._session.direction, text=change.text, act=change.act)
                self._session.direct(direction)
                self._words = change.words
            case Redirect():
                try:
                    self._session.direct(change.change.applied(self._session.direction))
                except ConfigError as error:
                    raise error.within("control") from error
            case Confirm():
                if not self._session.confirm(change.offer):
                    self._tell_of_late(change.offer)

    def _tell_of_late(self, offer: int) -> None:
        self._events.append(
            interaction_pb2.SessionEvent(
                kind=interaction_pb2.SESSION_EVENT_KIND_NOTICE,
                text=f"offer {offer} does not stand any more, and is not answered",
            )
        )

    def _take(self, delivery: Delivery) -> None:
        try:
            if isinstance(delivery.result, ContraposeError):
                self._session.fail(delivery.ticket)
                raise delivery.result
            self._session.accept(delivery.ticket, delivery.result)
        except ContraposeError as error:
            logger.warning("%s: window %d failed: %s", self._session_id, delivery.ticket, error)
            # Want of memory says nothing about the session: it keeps its plan, and asks again.
            self._failures += not isinstance(error, OverloadedError)
            if self._failures >= MOST_FAILURES:
                raise
        else:
            self._failures = 0
            self._windows[delivery.ticket + 1] = delivery.asked, delivery.done
            self._windows.pop(delivery.ticket + 1 - KEPT_WINDOWS, None)

    def _feed(self, pose: PoseArrival) -> None:
        self._newest = pose
        seen = self._player.read(pose.message)
        is_in_known_frame = frame_at(pose.time_s) == frame_at(max(self._fed_until, -1.0))
        if isinstance(seen, TrackerSample) and is_in_known_frame:
            return  # solving costs milliseconds, and a plan has 10 frames a second
        self._fed_until = pose.time_s
        number = self._session.feed(pose.time_s, self._player.pose_at(pose.time_s, seen))
        self._tell_tracking()
        self._fed[number] = pose.message.sequence, pose.at
        self._fed.pop(number - KEPT_POSES, None)

    def _tell_tracking(self) -> None:
        """Say which devices were lost or came back, when that has changed."""
        flags = self._player.flags
        if flags == self._told_flags:
            return
        self._told_flags = flags
        lost = [role.name.lower() for role, how in flags.items() if how is Tracking.BRIDGED]
        self._events.append(
            interaction_pb2.SessionEvent(
                kind=interaction_pb2.SESSION_EVENT_KIND_TRACKING,
                text=f"lost: {', '.join(lost)}" if lost else "no device lost",
                trackers=flags_to_wire(flags),
            )
        )

    def _ask(self, wanted: WantedWindow, started: float) -> None:
        asked = self._clock()

        def on_done(result: SampledWindow | ContraposeError) -> None:
            done = self._clock()
            self._on_delivery(Delivery(ticket=wanted.ticket, asked=asked, done=done, result=result))

        self._executor.submit(wanted.request, started + wanted.deadline, on_done)

    # -- what goes out -----------------------------------------------------------------------------
    def _to_wire(self, chunk: Chunk) -> tuple[types_pb2.FrameChunk, float | None]:
        first = chunk.frames.labels[0]
        window = self._windows.get(int(first["window"]))
        sequence = int(first["sequence"])
        based_on = self._fed.get(sequence)
        message = types_pb2.FrameChunk(
            first_frame_index=chunk.frames.first,
            revision=chunk.revision,
            frames=frames_to_wire(chunk.frames, chunk.curls),
            based_on_sequence=0 if based_on is None else based_on[0],
            steps=int(first["steps"]),
            latency=types_pb2.LatencyBreakdown(),
            contacts=[contact_to_wire(contact) for contact in chunk.contacts],
        )
        if based_on is None or window is None:
            return message, None
        (asked, done), came = window, based_on[1]
        message.latency.waited_ms = 1000 * max(asked - came, 0.0)
        message.latency.denoised_ms = 1000 * (done - asked)
        if sequence <= self._reacted_to:
            return message, None
        self._reacted_to = sequence
        return message, came

    def _due_status(
        self, now: float, session: SessionStatus, *, has_chunk: bool
    ) -> interaction_pb2.SessionStatus | None:
        """With every chunk, so that its token knows all that was sent; when the last one is long
        ago; and when the player is about something else, or the answer to it is further on."""
        intent = session.intent
        seen = None if intent is None else (intent.kind, intent.phase)
        is_told = has_chunk or now - self._status_at >= STATUS_SECONDS
        if not is_told and seen == self._told_intent:
            return None
        self._status_at, self._told_intent = now, seen
        return interaction_pb2.SessionStatus(
            frame_index=session.frame,
            planned_until=max(session.planned_until, 0),
            revision=session.revision,
            departure=session.departure,
            steps=self._session.config.steps,
            revision_frames=self._session.config.revision_frames,
            engine_load=self._executor.figures().busy,
            resume_token=self.resume_token(),
            intent=None if intent is None else intent_to_wire(intent),
        )
