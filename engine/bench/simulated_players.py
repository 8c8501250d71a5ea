"""Simulated players: many sessions from one light process, each with a motion of its own.

Knows the client, the wire and asyncio; whom it talks to is not its business. It competes with the
server for processors, so poses are serialised before the clock runs, one stamp is put in front of
each as it leaves, and of what comes back only indices, qualities and times are read.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import numpy as np
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2
from contrapose_client import ClockSync

from engine.bench.doors import EndedError, Stream
from engine.body.rotations import quat_from_rotmat, rotmat_about, rotmat_from_quat
from engine.body.skeleton import MIRROR
from engine.formats import resampled
from engine.motion.motion import FRAME_RATE, Motion

LEAST_STRETCH = 0.5
"""The least part of a recording that a player gets."""
QUICK_PINGS, PING_EVERY = 5, 20
"""Each of the first poses takes a ping along, then one in twenty: as the client does."""
WAIT_AT_END_S = 10.0
NEVER = (np.inf, types_pb2.FRAME_QUALITY_HELD)
STARTING_FRAMES = 20
"""From then on, a frame that no network made was one that the network was late for."""
QUALITY_NAMES = {
    number: name.removeprefix("FRAME_QUALITY_").lower()
    for name, number in types_pb2.FrameQuality.items()
}


# ------------------------------------------------------------------------------------------ motions
def varied(recording: Motion, seed: int) -> Motion:
    """Someone else's motion: a stretch of the first person's, perhaps mirrored, turned and shifted.

    Played back and forth it is endless: the last frame joins the first.
    """
    rng = np.random.default_rng(seed)
    frames = recording.frames
    length = int(rng.integers(max(int(LEAST_STRETCH * frames), 2), frames + 1))
    first = int(rng.integers(0, frames - length + 1))
    there = np.arange(first, first + length)
    index = np.roll(np.concatenate([there, there[-2:0:-1]]), -int(rng.integers(0, length)))
    quats, transl = recording.quats_xyzw[0, index], recording.transl[0, index]
    if rng.random() < 0.5:
        quats = quats[:, list(MIRROR)] * np.array([1, -1, -1, 1])
        transl = transl * np.array([-1, 1, 1])
    turn = rotmat_about("y", float(rng.uniform(-np.pi, np.pi)))
    quats = quats.copy()
    quats[:, 0] = quat_from_rotmat(turn @ rotmat_from_quat(quats[:, 0]))
    transl = transl @ turn.T + np.array([rng.uniform(-2, 2), 0.0, rng.uniform(-2, 2)])
    return Motion(
        quats_xyzw=quats[None].astype(np.float32),
        transl=transl[None].astype(np.float32),
        betas=recording.betas[:1],
        frame_rate=recording.frame_rate,
    )


def pose_requests(motion: Motion, rate: float) -> list[bytes]:
    """The first person's poses at a rate: each a serialised request without sequence and time.

    A stamp with those, put in front, makes it whole: parsers merge the two halves of a message.
    """
    motion = resampled(motion, rate)
    bodies = (
        types_pb2.BodyPose(root_translation=transl.tolist(), rotations=quats.ravel().tolist())
        for quats, transl in zip(motion.quats_xyzw[0], motion.transl[0], strict=True)
    )
    return [
        pb.StreamInteractionRequest(pose=pb.PlayerPose(body=body)).SerializeToString()
        for body in bodies
    ]


# ------------------------------------------------------------------------------------------ figures
@dataclass
class PlayerFigures:
    """What one player saw. Frames are counted when they are due."""

    frames: int = 0
    late_frames: int = 0
    """Not there when they had to be shown: held, then."""
    starved_frames: int = 0
    """Held or fallen back on after the first STARTING_FRAMES."""
    by_quality: Counter[str] = field(default_factory=Counter)
    least_margin_s: float = np.inf
    """Least time that a frame came before it had to be shown; below 0 for a late one."""
    reactions_ms: list[float] = field(default_factory=list)
    """The server's figure of each pose that led to frames."""
    revisions: int = 0
    steps: set[int] = field(default_factory=set)
    send_lags_s: list[float] = field(default_factory=list)
    """How late this process was with each pose: its own fault, not the server's."""
    refusal: str | None = None
    """RESOURCE_EXHAUSTED: the server took no more sessions."""
    error: str | None = None
    """Whatever else ended the session before its time."""


class FrameCounter:
    """What a player holds and could show: frames are counted when they are due.

    Times are seconds on the session's clock. As `contrapose_client.PlayoutBuffer`, without poses.
    """

    def __init__(self, playout_delay: float, figures: PlayerFigures) -> None:
        self._playout_delay, self._figures = playout_delay, figures
        self._held: dict[int, tuple[float, int]] = {}
        """When a frame came first, and its quality by its newest revision."""
        self._next = 0

    def take(self, chunk: types_pb2.FrameChunk, now: float) -> None:
        """Hold the frames of a chunk that arrives now."""
        for index, frame in enumerate(chunk.frames, chunk.first_frame_index):
            known = self._held.get(index)
            if index < self._next or (known is not None and now > self._due(index)):
                continue
            self._held[index] = now if known is None else known[0], frame.quality
        figures = self._figures
        figures.revisions = max(figures.revisions, chunk.revision)
        if chunk.steps:
            figures.steps.add(chunk.steps)
        if chunk.latency.HasField("reaction_ms"):
            figures.reactions_ms.append(chunk.latency.reaction_ms)

    def settle(self, now: float) -> None:
        """Count the frames whose time to be shown has come."""
        figures = self._figures
        while (due := self._due(self._next)) <= now:
            arrived, number = self._held.pop(self._next, NEVER)
            figures.frames += 1
            figures.late_frames += arrived > due
            figures.least_margin_s = min(figures.least_margin_s, due - arrived)
            quality = "held" if arrived > due else QUALITY_NAMES[number]
            figures.by_quality[quality] += 1
            figures.starved_frames += quality != "generated" and self._next >= STARTING_FRAMES
            self._next += 1

    def _due(self, index: int) -> float:
        return index / FRAME_RATE + self._playout_delay


class SimulatedPlayer:
    """One session of a player who loops through poses at a rate and counts the frames to show.

    requests  as `pose_requests` makes them; the player begins at the first
    header    of the session
    """

    def __init__(
        self, requests: Sequence[bytes], rate: float, header: pb.SessionHeader | None = None
    ) -> None:
        self._requests, self._rate = requests, rate
        self._header = header or pb.SessionHeader(client_name="contrapose-bench")
        self._clock = ClockSync()
        self.figures = PlayerFigures()

    async def play(self, door: AbstractAsyncContextManager[Stream], seconds: float) -> None:
        """One session through a door, for so long after the first pose."""
        try:
            async with door as stream:
                await self._play(stream, seconds)
        except EndedError as error:
            if error.code == "RESOURCE_EXHAUSTED":
                self.figures.refusal = str(error)
            else:
                self.figures.error = f"{error.code}: {error}"
        except TimeoutError:
            self.figures.error = f"the server did not end the stream in {WAIT_AT_END_S:g} s"

    async def _play(self, stream: Stream, seconds: float) -> None:
        header = pb.StreamInteractionRequest(header=self._header)
        await stream.write(header.SerializeToString())
        first = await stream.read()
        if first is None:
            raise EndedError("OK", "the server ended the stream before it began")
        frames = FrameCounter(first.accepted.playout_delay, self.figures)
        reader = asyncio.create_task(self._read(stream, frames))
        try:
            await self._send(stream, frames, seconds)
            async with asyncio.timeout(WAIT_AT_END_S):
                await reader
        finally:
            reader.cancel()

    async def _send(self, stream: Stream, frames: FrameCounter, seconds: float) -> None:
        begun = time.monotonic()
        self._clock.begin(begun)
        for count in range(round(seconds * self._rate) + 1):
            due = begun + count / self._rate
            await asyncio.sleep(max(due - time.monotonic(), 0.0))
            now = time.monotonic()
            self.figures.send_lags_s.append(now - due)
            stamp = pb.StreamInteractionRequest(
                pose=pb.PlayerPose(sequence=count + 1, time_code=count / self._rate)
            )
            body = self._requests[count % len(self._requests)]
            await stream.write(stamp.SerializeToString() + body)
            if count < QUICK_PINGS or count % PING_EVERY == 0:
                ping = pb.ClockPing(ping_id=count, client_time=time.monotonic())
                await stream.write(pb.StreamInteractionRequest(ping=ping).SerializeToString())
            frames.settle(self._clock.session_time(now))
        await stream.done_writing()

    async def _read(self, stream: Stream, frames: FrameCounter) -> None:
        while (response := await stream.read()) is not None:
            now = time.monotonic()
            part = response.WhichOneof("part")
            if part == "frames":
                frames.take(response.frames, self._clock.session_time(now))
            elif part == "pong" and response.pong.session_time >= 0:
                pong = response.pong
                self._clock.add(sent=pong.client_time, received=now, session_time=pong.session_time)
