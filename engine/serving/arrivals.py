"""Arrivals: a client's poses on their way to its session, and the session's clock that they set.

Knows messages and the times it is told; no session, no loop and no socket.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from contrapose.v1 import interaction_pb2

from engine.motion.motion import FRAME_RATE
from engine.serving import wire
from engine.serving.resume import EXPIRES_SECONDS, StreamState
from engine.session.player import frame_at

CLOCK_LEAD = 0.1
"""Seconds that a client's time codes may run ahead of the session's clock."""
MOST_POSES = 8
"""Poses that wait for the session: those of four frames. If there are more, the oldest go."""


@dataclass(frozen=True, kw_only=True)
class PoseArrival:
    """A pose to feed: seconds of session time that it is for, and when it came (stream's clock)."""

    message: interaction_pb2.PlayerPose
    time_s: float
    at: float
    first_time_code: float
    """The client's time code where the session's clock begins."""


class Arrivals:
    """Keeps the first and the newest pose of each frame: the plan has 10 frames a second, a game
    may send 90 poses.

    resumes  what a session goes on from that began elsewhere; its clock goes on as the client's did
    """

    def __init__(self, resumes: StreamState | None = None) -> None:
        self._resumes = resumes
        self._waiting: deque[PoseArrival] = deque()
        self._newest: interaction_pb2.PlayerPose | None = None
        self._first_time_code = 0.0
        self.started: float | None = None
        """When the session's clock stood at 0; None before the first pose."""
        self.posed_until = -np.inf
        """Session time of the newest pose that was not dropped."""
        self.received = self.dropped = 0
        if resumes is not None:
            self._newest = interaction_pb2.PlayerPose(
                sequence=resumes.sequence, time_code=resumes.time_code
            )
            self._first_time_code = resumes.first_time_code
            self.posed_until = resumes.session.player.stamp.time_s

    def session_time(self, now: float) -> float | None:
        """None before the first pose."""
        return None if self.started is None else now - self.started

    def frames(self, now: float) -> tuple[int, int] | None:
        """The frames of the clock and of the newest pose; None before the first pose."""
        if self.started is None:
            return None
        return frame_at(now - self.started), frame_at(self.posed_until)

    def put(self, pose: interaction_pb2.PlayerPose, now: float) -> bool:
        """Returns whether a pose came too fast: this one, or one that waits, is dropped.

        Raises InputError unless number and time grow.
        """
        wire.check_follows(self._newest, pose)
        if self.started is None:
            self.started = now - self._begun_at(pose.time_code)
        self._newest = pose
        self.received += 1
        time_s = min(pose.time_code - self._first_time_code, now - self.started + CLOCK_LEAD)
        is_dropped = time_s <= self.posed_until
        if not is_dropped:
            self._wait(pose, time_s, now)
            is_dropped = len(self._waiting) > MOST_POSES
            if is_dropped:
                self._waiting.popleft()
        self.dropped += is_dropped
        return is_dropped

    def take(self) -> tuple[PoseArrival, ...]:
        """What waits."""
        taken = tuple(self._waiting)
        self._waiting.clear()
        return taken

    def _begun_at(self, time_code: float) -> float:
        """Session time of the first pose that comes here."""
        if self._resumes is None:
            self._first_time_code = time_code
            return 0.0
        stopped = self._resumes.session.frame / FRAME_RATE
        since = time_code - self._first_time_code
        return float(np.clip(since, stopped, stopped + EXPIRES_SECONDS))

    def _wait(self, pose: interaction_pb2.PlayerPose, time_s: float, now: float) -> None:
        frame, self.posed_until = frame_at(time_s), time_s
        if len(self._waiting) > 1 and frame_at(self._waiting[-2].time_s) == frame:
            self._waiting.pop()
        self._waiting.append(
            PoseArrival(message=pose, time_s=time_s, at=now, first_time_code=self._first_time_code)
        )
