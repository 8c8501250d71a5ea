"""The outbox: what a live stream still has to write, bounded however slowly its client reads.

Knows messages; no session and no socket.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from contrapose.v1 import interaction_pb2, types_pb2

MOST_MESSAGES = 64
"""Small messages that wait for a slow client; more, and the oldest go."""

Response = interaction_pb2.StreamInteractionResponse


@dataclass
class _Pending:
    """A chunk that waits, and when the pose arrived that it is the first answer to."""

    chunk: types_pb2.FrameChunk
    reacts_to: float | None


class Outbox:
    """What waits to be written: small messages in order, then at most one chunk of frames, then at
    most one status.

    A newer status takes the place of one that waits. So does a chunk, which keeps the older frames
    in front of its own: a slow client gets fewer messages and never an old plan.
    """

    def __init__(self, most_frames: int) -> None:
        self._most_frames = most_frames
        self._messages: deque[Response] = deque(maxlen=MOST_MESSAGES)
        self._pending: _Pending | None = None
        self._status: interaction_pb2.SessionStatus | None = None
        self._last: Response | None = None
        self._is_closed = False
        self._news = asyncio.Event()
        self.coalesced = 0

    def put(self, **part: object) -> None:
        self._messages.append(Response(**part))  # type: ignore[arg-type]  # one keyword of the oneof
        self._news.set()

    def put_chunk(self, chunk: types_pb2.FrameChunk, reacts_to: float | None) -> None:
        if self._pending is not None:
            self.coalesced += 1
            chunk = merged(self._pending.chunk, chunk, self._most_frames)
            reacts_to = reacts_to if self._pending.reacts_to is None else self._pending.reacts_to
        self._pending = _Pending(chunk, reacts_to)
        self._news.set()

    def put_status(self, status: interaction_pb2.SessionStatus) -> None:
        self._status = status
        self._news.set()

    def close(self, last: Response) -> None:
        """After `last` no more comes."""
        self._last, self._is_closed = last, True
        self._news.set()

    async def take(self) -> tuple[Response, float | None] | None:
        """The next message and what it reacts to; None when closed and all has been taken."""
        while True:
            if self._messages:
                return self._messages.popleft(), None
            if self._pending is not None:
                pending, self._pending = self._pending, None
                return Response(frames=pending.chunk), pending.reacts_to
            if self._status is not None:
                status, self._status = self._status, None
                return Response(status=status), None
            if self._last is not None:
                last, self._last = self._last, None
                return last, None
            if self._is_closed:
                return None
            self._news.clear()
            await self._news.wait()


def merged(
    older: types_pb2.FrameChunk, newer: types_pb2.FrameChunk, most_frames: int
) -> types_pb2.FrameChunk:
    """`newer`, with those frames of `older` in front that it does not replace; the last ones."""
    first, split = older.first_frame_index, newer.first_frame_index
    if not first <= split <= first + len(older.frames):
        return newer
    frames = [*older.frames[: split - first], *newer.frames]
    skipped = max(len(frames) - most_frames, 0)
    result = types_pb2.FrameChunk()
    result.CopyFrom(newer)
    del result.frames[:]
    result.frames.extend(frames[skipped:])
    result.first_frame_index = first + skipped
    return result
