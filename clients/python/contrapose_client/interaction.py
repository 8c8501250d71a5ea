"""A live session from the client's side: poses out, frames in, each shown when its time comes.

Knows the wire and asyncio; `playout.py` decides what is shown. Uses time.monotonic throughout.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import grpc.aio
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2

from contrapose_client.devices import Device, humanoid_pose, tracker_set
from contrapose_client.errors import translated
from contrapose_client.intent import (
    Intent,
    Offer,
    intent_of,
    kinds_message,
    offer_of,
    respond_number,
)
from contrapose_client.playout import Array, ClockSync, PlanFrame, PlayoutBuffer
from contrapose_client.standing import lowest_joint
from contrapose_client.targets import (
    Place,
    PoseAt,
    Touch,
    body_pose,
    contact_target,
    mode_number,
    place_target,
    pose_target,
)

KEPT = 10_000
"""Events, chunks and figures that are kept, the last of each: an hour and more of chunks."""
FLOATING = 0.5
"""Metres off the floor at which a first pose is taken for a mistake."""
TICK_S = 1e-4
"""Least step of a time code, seconds."""
QUICK_PINGS, QUICK_PING_INTERVAL, PING_INTERVAL = 5, 0.1, 1.0


class Interaction:
    """One session. Use as `async with client.interact(...) as session`.

    Send poses with `send_pose`; iterate over `frames()` for the partner, paced by the session's
    clock. Leaving the block ends the session; `finish()` does so in good order and returns the
    server's summary. A refusal by the server raises ServerError from whatever is awaited next.
    """

    def __init__(
        self,
        stream: Any,
        header: pb.SessionHeader,
        address: str,
        resumes: Interaction | None = None,
    ) -> None:
        self._stream = stream  # grpc's stubs are untyped: StreamStreamCall
        self._header = header
        self._address = address
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._clock_begun = asyncio.Event()
        self._writing = asyncio.Lock()  # gRPC takes one write at a time
        self._resumes = resumes
        self._sequence = 0
        self._time_code = -TICK_S
        self._pings = 0
        self._handlers: dict[str, Callable[[Any, float], None]] = {
            "frames": self._on_frames,
            "event": self._on_event,
            "pong": self._on_pong,
            "status": self._on_status,
            "summary": self._on_summary,
        }
        self.clock = ClockSync()
        self.accepted: pb.SessionAccepted
        self.playout: PlayoutBuffer
        self.events: deque[pb.SessionEvent] = deque(maxlen=KEPT)
        """The last events."""
        self.offers: deque[Offer] = deque(maxlen=KEPT)
        """What the partner would answer (respond: "ask"), as it came: take out what you have
        decided on, by `popleft`, and `confirm` what is to be answered."""
        self.reactions_ms: deque[float] = deque(maxlen=KEPT)
        """Milliseconds at the server from a pose to the first frame computed from it, the last."""
        self.chunks: deque[types_pb2.FrameChunk] = deque(maxlen=KEPT)
        """The last chunks, without their frames."""
        self.contacts: list[types_pb2.ContactEvent] = []
        """Touches in the plan that are not over yet, as the newest chunk has them; metres and
        metres a second. A touch begins at `start_frame_index` / `accepted.frame_rate` seconds on
        the session's clock, and is seen `accepted.playout_delay` seconds later."""
        self.status: pb.SessionStatus | None = None
        """How the session stands: the newest status; one comes at least every second."""
        self.summary: pb.SessionSummary | None = None

    async def __aenter__(self) -> Interaction:
        with translated(self._address):
            await self._write(header=self._header)
            first = await self._read()
        self.accepted = first.accepted
        if self._resumes is None:
            self.playout = PlayoutBuffer(self.accepted.playout_delay)
        else:
            self._carry_on(self._resumes)
        self._tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._ping())]
        return self

    def _carry_on(self, before: Interaction) -> None:
        """Take clock, numbers and playout over from another stream of the same session."""
        self.clock, self.playout = before.clock, before.playout
        self._sequence, self._time_code = before._sequence, before._time_code
        self.offers = before.offers
        self.clock.carry_on()
        self.status = before.status
        planned = 0 if self.status is None else self.status.revision
        if before.chunks and before.chunks[-1].revision > planned:
            self.playout.ease_in()  # the last frames that came are not in the token

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._stream.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def send_pose(
        self,
        quats_xyzw: Array,
        transl: Array,
        time_code: float | None = None,
        *,
        curls: Array | None = None,
    ) -> int:
        """Send the player's pose: (22, 4) unit quaternions and (3,) metres; returns its sequence.

        time_code  seconds since the first pose, growing; default: the session's clock
        curls      (10,) of the fingers, 0 straight to 1 closed, left hand first, thumb first
        Warns if the first pose floats over the floor y = 0, or is under it; `standing()` is on it.
        """
        if self._sequence == 0:
            self._check_floor(quats_xyzw, transl)
        return await self._send_player(time_code, body=body_pose(quats_xyzw, transl, curls))

    def _check_floor(self, quats_xyzw: Array, transl: Array) -> None:
        height = lowest_joint(self.accepted.player_skeleton, quats_xyzw, transl)
        if abs(height) > FLOATING:
            where = "over" if height > 0 else "under"
            warnings.warn(
                f"the player's lowest joint is {abs(height):.2f} m {where} the floor y = 0: transl "
                "is not where the pelvis is; begin with standing()",
                stacklevel=3,
            )

    async def send_trackers(
        self, trackers: Mapping[str, Device], time_code: float | None = None
    ) -> int:
        """Send tracked points by role: "head", "left_hand", "right_hand", "hips", "left_foot",
        "right_foot"; the server makes a whole pose of them. Missing ones count as lost."""
        return await self._send_player(time_code, trackers=tracker_set(trackers))

    async def send_humanoid(
        self,
        bones: Mapping[int, Array],
        hips_position: Array,
        *,
        is_local: bool = False,
        time_code: float | None = None,
    ) -> int:
        """Send a Unity humanoid, in Unity's axes: HumanBodyBones number -> quaternion (4,), of the
        world or local, and the hips' place (3,)."""
        humanoid = humanoid_pose(bones, hips_position, is_local=is_local)
        return await self._send_player(time_code, humanoid=humanoid)

    async def send_openxr(self, body: types_pb2.OpenXrBody, time_code: float | None = None) -> int:
        """Send body joints of OpenXR."""
        return await self._send_player(time_code, openxr=body)

    async def _send_player(self, time_code: float | None, **player: Any) -> int:
        now = time.monotonic()
        if not self.clock.has_begun:
            self.clock.begin(now)
        self._sequence += 1
        if time_code is None:  # a pong that knows better may put the clock back
            time_code = max(self.clock.session_time(now), self._time_code + TICK_S)
        self._time_code = time_code
        pose = pb.PlayerPose(sequence=self._sequence, time_code=time_code, **player)
        await self._send(pose=pose)
        self._clock_begun.set()
        return self._sequence

    async def control(
        self,
        *,
        text: str | None = None,
        steps: int | None = None,
        allow_contact: bool | None = None,
        zone_radius: float | None = None,
        mode: str | None = None,
        energy: float | None = None,
        contact: Touch | None = None,
        place: Place | None = None,
        targets: Sequence[PoseAt] = (),
        clear_targets: bool = False,
        respond: str | None = None,
        kinds: Sequence[str] | None = None,
    ) -> None:
        """Change settings; takes effect with the next revision, a zone (metres) at once.

        mode     "react", "follow_plan" (both people are the server's: `PlanFrame.player_...` is
                 then the one to show), "inbetween" or "paused"
        energy   0.5 to 1.5: how lively the partner moves
        contact, place  replace those wanted so far; `events` tell which are reached
        targets  poses to be in, added to those wanted so far; only in mode "inbetween"
        clear_targets  first forget every contact, place and pose
        respond  to what the player is about: "always", "never", or "ask": then `offers` has what
                 it would answer, for you to `confirm` within a second
        kinds    what may be answered ("right_hand", "wave", ...); []: all that can be
        """
        names = list(self.accepted.partner_skeleton.joint_names)
        await self._send(
            control=pb.SessionControl(
                text=text,
                steps=steps,
                allow_contact=allow_contact,
                zone_radius=zone_radius,
                mode=mode_number(mode),
                energy=energy,
                contact=None if contact is None else contact_target(contact, names),
                place=None if place is None else place_target(place),
                targets=[pose_target(target) for target in targets],
                clear_targets=clear_targets,
                respond=respond_number(respond),
                kinds=kinds_message(kinds),
            )
        )

    async def confirm(self, offer_id: int) -> None:
        """Have an offer answered. If it does not stand any more, `events` say so."""
        await self._send(control=pb.SessionControl(confirm=offer_id))

    async def frames(
        self, count: int | None = None, *, plays_on: bool = False
    ) -> AsyncIterator[PlanFrame]:
        """The partner's frames, each when it is due; a late one repeats the pose before it.

        Send the first pose before. Begins with frame 0 or, over a slow network, with the frame that
        is due when the first ones have come. Ends before frame `count`.
        plays_on  when the stream breaks, go on with the frames that are here, and then with the
                  last pose, while another task resumes the session; False: raise what ended it
        """
        rate = self.accepted.frame_rate
        while not self.playout.has_begun:
            if self.playout.planned and self.clock.is_told:
                self.playout.begin(self.session_time(), rate)
            else:
                await self._wait_for_news(None)
        while count is None or self.playout.next_index < count:
            index = self.playout.next_index
            await self._sleep_until(self.playout.due(index, rate), plays_on=plays_on)
            frame = self.playout.show(rate)
            if frame is not None:
                yield frame

    async def finish(self) -> pb.SessionSummary:
        """Say that no more poses come, and wait for the server's summary."""
        await self._send(end=pb.EndOfInput())
        with translated(self._address):
            await self._stream.done_writing()
        while self.summary is None:
            await self._wait_for_news(None)
        return self.summary

    @property
    def intent(self) -> Intent | None:
        """What the player is about, by the newest status; None: the server does not tell."""
        return intent_of(self.status)

    @property
    def resume_token(self) -> bytes:
        """The token that `Client.resume` needs; empty as long as the server gave none."""
        return b"" if self.status is None else self.status.resume_token

    async def closed(self) -> None:
        """Wait until the server ends the stream; raises ServerError if it does so with an error."""
        await asyncio.shield(self._tasks[0])

    def session_time(self) -> float:
        """Seconds on the session's clock, now."""
        return self.clock.session_time(time.monotonic())

    async def _sleep_until(self, session_time: float, *, plays_on: bool) -> None:
        """Wait for a moment of the session's clock; pongs that arrive meanwhile may move it."""
        while (left := session_time - self.session_time()) > 0:
            if plays_on and self._tasks[0].done():
                await asyncio.sleep(left)
            else:
                await self._wait_for_news(left)

    async def _wait_for_news(self, timeout: float | None) -> None:
        """Until a message comes or the time is over; raises what ended the stream."""
        receiver = self._tasks[0]
        if receiver.done():
            receiver.result()
            if timeout is None:
                raise ConnectionError(f"{self._address}: the stream ended without a summary")
            await asyncio.sleep(timeout)
            return
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()

    async def _send(self, **part: Any) -> None:
        try:
            with translated(self._address):
                await self._write(**part)
        except asyncio.InvalidStateError as exc:  # the stream has ended; the receiver knows why
            await self.closed()
            raise ConnectionError(f"{self._address}: the session is over") from exc

    async def _write(self, **part: Any) -> None:
        async with self._writing:
            await self._stream.write(pb.StreamInteractionRequest(**part))

    async def _read(self) -> pb.StreamInteractionResponse:
        response: Any = await self._stream.read()
        if not isinstance(response, pb.StreamInteractionResponse):
            raise ConnectionError(f"{self._address}: the stream ended before it began")
        return response

    async def _receive(self) -> None:
        try:
            with translated(self._address):
                while (response := await self._stream.read()) is not grpc.aio.EOF:
                    part = response.WhichOneof("part")
                    if part in self._handlers:  # else a newer server's, which says nothing to us
                        self._handlers[part](getattr(response, part), time.monotonic())
                    self._changed.set()
        finally:
            self._changed.set()

    async def _ping(self) -> None:
        await self._clock_begun.wait()
        while not self._tasks[0].done():
            self._pings += 1
            ping = pb.ClockPing(ping_id=self._pings, client_time=time.monotonic())
            await self._write(ping=ping)
            is_quick = self._pings < QUICK_PINGS
            await asyncio.sleep(QUICK_PING_INTERVAL if is_quick else PING_INTERVAL)

    def _on_frames(self, chunk: types_pb2.FrameChunk, now: float) -> None:
        self.playout.accept(chunk, self.clock.session_time(now))
        if chunk.latency.HasField("reaction_ms"):
            self.reactions_ms.append(chunk.latency.reaction_ms)
        self.contacts = list(chunk.contacts)
        del chunk.frames[:]
        self.chunks.append(chunk)

    def _on_event(self, event: pb.SessionEvent, now: float) -> None:
        self.events.append(event)
        if event.HasField("offer"):
            self.offers.append(offer_of(event.offer))

    def _on_pong(self, pong: pb.ClockPong, now: float) -> None:
        if pong.session_time >= 0:
            self.clock.add(sent=pong.client_time, received=now, session_time=pong.session_time)

    def _on_status(self, status: pb.SessionStatus, now: float) -> None:
        self.status = status

    def _on_summary(self, summary: pb.SessionSummary, now: float) -> None:
        self.summary = summary
