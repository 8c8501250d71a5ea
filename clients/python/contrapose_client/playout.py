"""Playout: which frame to show now, and how well that went.

Knows numbers and frames; no socket and no clock of its own: every time is an argument, in seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from contrapose.v1 import types_pb2

Array = npt.NDArray[np.floating]
JOINT_COUNT = 22
EASE_FRAMES = 5
"""Frames in which a partner comes back to the plan, after it had run out."""
MARGINS_KEPT = 10_000
"""Margins are kept of so many frames that came in time: the last."""


def pose_arrays(body: types_pb2.BodyPose) -> tuple[Array, Array]:
    """Unit quaternions x, y, z, w (22, 4) and root translation (3,) of a pose from the wire."""
    quats = np.array(body.rotations, np.float32).reshape(JOINT_COUNT, 4)
    return quats, np.array(body.root_translation, np.float32)


def curls_array(body: types_pb2.BodyPose) -> Array | None:
    """How the fingers of a pose from the wire are bent: (10,) from 0, straight, to 1, closed; the
    left hand, then the right, thumb first. None: it does not say."""
    return np.array(body.curls, np.float32) if body.curls else None


def quality_name(quality: int) -> str:
    """GENERATED, HELD or FALLBACK; UNSPECIFIED for one that only a newer server knows."""
    known = quality if quality in types_pb2.FrameQuality.values() else 0
    return types_pb2.FrameQuality.Name(known).removeprefix("FRAME_QUALITY_")


class ClockSync:
    """Estimates the session's clock from pings, by NTP's rule.

    Of the newest samples the one with the shortest round trip counts: its error is at most half of
    that round trip.
    """

    def __init__(self, samples: int = 16) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=samples)
        self._guess: float | None = None

    def begin(self, now: float) -> None:
        """The first pose leaves now: until a pong says better, this is where the session begins."""
        self._guess = -now

    def carry_on(self) -> None:
        """Another server tells the time from now on: until it does, the old time is a guess."""
        self._guess = self.offset if self.has_begun else None
        self._samples.clear()

    def add(self, *, sent: float, received: float, session_time: float) -> None:
        self._samples.append((received - sent, session_time - (sent + received) / 2))

    @property
    def has_begun(self) -> bool:
        return self._guess is not None

    @property
    def is_told(self) -> bool:
        """Whether the server has said what its clock shows; before, it is a guess."""
        return bool(self._samples)

    @property
    def offset(self) -> float:
        """session time = local time + offset. Raises ValueError before `begin`."""
        if self._guess is None:
            raise ValueError("the session's clock begins with the first pose; send one")
        return min(self._samples)[1] if self._samples else self._guess

    def session_time(self, now: float) -> float:
        return now + self.offset

    def local_time(self, session_time: float) -> float:
        return session_time - self.offset


@dataclass(frozen=True, kw_only=True)
class PlanFrame:
    """One frame of the partner, as planned, and when it came."""

    index: int
    time_code: float
    quats_xyzw: Array
    """(22, 4) parent-relative, root first."""
    transl: Array
    """(3,) metres, SMPL-X `transl`."""
    quality: str
    """GENERATED, HELD or FALLBACK."""
    revision: int
    window: int
    """Number of the denoised window; neighbours with different numbers have a seam between them."""
    based_on_sequence: int
    arrived: float
    """Session time at which this index was first heard of."""
    player_quats_xyzw: Array
    """(22, 4) of the player as planned, to be shown in mode "follow_plan"."""
    player_transl: Array
    curls: Array | None = None
    """(10,) of the partner's fingers, 0 straight to 1 closed, left hand first, thumb first; None
    from a server that does not know them."""
    player_curls: Array | None = None
    """(10,) of the player's, as planned."""
    is_late: bool = False
    """It was not there when its time came; an older pose is shown in its place."""


@dataclass(frozen=True, kw_only=True)
class PlayoutReport:
    """How a session's playout went."""

    frames: int
    """Frames shown."""
    late_frames: int
    """Frames that were not there at their time code plus the playout delay."""
    overwritten: int
    """Frames that a later revision replaced before they were shown."""
    margin_s: Array
    """(frames in time, the last of them) seconds each came before it had to be shown."""


class PlayoutBuffer:
    """Plan frames by index; a later revision overwrites what has not been shown.

    When there is nothing to show, the last pose is held, and eased out of when frames come again.
    """

    def __init__(self, playout_delay: float) -> None:
        self.playout_delay = playout_delay
        self.has_begun = False
        self._plan: dict[int, PlanFrame] = {}
        self._next = 0
        self._count = 0
        self._shown: PlanFrame | None = None
        self._margins: deque[float] = deque(maxlen=MARGINS_KEPT)
        self._late = 0
        self._overwritten = 0
        self._eases_from: PlanFrame | None = None
        self._eased = 0

    def ease_in(self) -> None:
        """The next frames may not continue the shown ones: ease into them in EASE_FRAMES frames."""
        self._eases_from, self._eased = self._shown, 0

    def accept(self, chunk: types_pb2.FrameChunk, session_time: float) -> None:
        """Take a chunk that arrives now; frames already shown and older revisions are ignored."""
        for offset, frame in enumerate(chunk.frames):
            index = chunk.first_frame_index + offset
            known = self._plan.get(index)
            if index < self._next or (known is not None and known.revision > chunk.revision):
                continue
            quats, transl = pose_arrays(frame.partner)
            player_quats, player_transl = pose_arrays(frame.player)
            self._overwritten += known is not None
            self._plan[index] = PlanFrame(
                index=index,
                time_code=frame.time_code,
                quats_xyzw=quats,
                transl=transl,
                quality=quality_name(frame.quality),
                revision=chunk.revision,
                window=frame.window,
                based_on_sequence=chunk.based_on_sequence,
                arrived=session_time if known is None else known.arrived,
                player_quats_xyzw=player_quats,
                player_transl=player_transl,
                curls=curls_array(frame.partner),
                player_curls=curls_array(frame.player),
            )

    def begin(self, session_time: float, frame_rate: float) -> None:
        """Begin to show now; frames that were due before anything came are left out.

        All frames that are here arrived by now, whatever the clock was guessed to be when they did.
        """
        self.has_begun = True
        self._next = max(int(np.ceil((session_time - self.playout_delay) * frame_rate)), 0)
        self._plan = {
            index: replace(frame, arrived=min(frame.arrived, session_time))
            for index, frame in self._plan.items()
            if index >= self._next
        }

    def due(self, index: int, frame_rate: float) -> float:
        """Session time at which a frame is to be shown."""
        return index / frame_rate + self.playout_delay

    def show(self, frame_rate: float) -> PlanFrame | None:
        """The next frame, which is due now; a late one shows the last pose again.

        None when nothing has ever come.
        """
        index = self._next
        self._next += 1
        self._count += 1
        planned = self._plan.pop(index, None)
        due = self.due(index, frame_rate)
        if planned is not None and planned.arrived <= due:
            self._margins.append(due - planned.arrived)
            self._shown = self._with_ease(planned)
            return self._shown
        self._late += 1
        if planned is None:
            self.ease_in()
        held = self._shown if planned is None else self._with_ease(planned)
        if held is None:
            return None
        self._shown = replace(
            held, index=index, time_code=index / frame_rate, quality="HELD", is_late=True
        )
        return self._shown

    def _with_ease(self, planned: PlanFrame) -> PlanFrame:
        """Between the held pose and the plan, if the plan has only just come back."""
        if self._eases_from is None:
            return planned
        self._eased += 1
        part = self._eased / (EASE_FRAMES + 1)
        held, part = self._eases_from, part * part * (3 - 2 * part)
        if self._eased == EASE_FRAMES:
            self._eases_from = None
        sign = np.sign(np.sum(held.quats_xyzw * planned.quats_xyzw, axis=-1, keepdims=True))
        near = np.where(sign < 0, -held.quats_xyzw, held.quats_xyzw)
        quats = (1 - part) * near + part * planned.quats_xyzw
        curls = planned.curls
        if curls is not None and held.curls is not None:
            curls = (1 - part) * held.curls + part * curls
        return replace(
            planned,
            curls=curls,
            quats_xyzw=quats / np.linalg.norm(quats, axis=-1, keepdims=True),
            transl=(1 - part) * held.transl + part * planned.transl,
        )

    def upcoming(self) -> PlanFrame | None:
        """The frame that is shown next, as planned so far; to interpolate towards."""
        return self._plan.get(self._next)

    @property
    def next_index(self) -> int:
        return self._next

    @property
    def planned(self) -> Sequence[int]:
        """Indices that are here and not yet shown."""
        return sorted(self._plan)

    def report(self) -> PlayoutReport:
        return PlayoutReport(
            frames=self._count,
            late_frames=self._late,
            overwritten=self._overwritten,
            margin_s=np.array(self._margins),
        )
