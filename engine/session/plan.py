"""The plan of a session, and its timeline: both people, frame by frame, and the frame that is due.

A plan holds the frames a session intends to play, in ring arrays (person, frame, ...): frame i lies
at slot i % capacity. A timeline joins it with the player's track: the player as seen while that
is known, then as planned. Knows settings, poses and frames; knows no network, and not which window
is under way.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.arrays import Array, BoolArray, IntArray
from engine.body.pose import Pose, chained, no_poses
from engine.motion.cleanup import CleanupConfig
from engine.motion.floor import lowest_heights
from engine.motion.motion import WINDOW_FRAMES
from engine.motion.seams import MARGIN
from engine.motion.space import ARM_JOINTS
from engine.motion.track import Track
from engine.session.config import SessionConfig
from engine.session.player import PlayerStamp, PlayerTrack

KEPT_FRAMES = WINDOW_FRAMES + 2 * MARGIN
"""Frames of the player; no window looks further back."""
SPARE_FRAMES = 4
"""Sent beyond the horizon, so that a plan that stands needs a message every half second only."""
LONGEST_CATCH_UP = 100
"""Frames; a longer silence of the caller is skipped, not filled with frames nobody will play."""
RING_STEP = 32
"""Slots by which a plan's arrays grow; usual settings need 96."""


class Quality(IntEnum):
    GENERATED = 0
    HELD = 1
    """The plan ran dry, or is paused: the last motion dies away."""
    FALLBACK = 2
    """No window has arrived yet: the partner stands."""


Labels = npt.NDArray[np.void]
LABEL = np.dtype(
    [
        ("quality", "<i8"),
        ("window", "<i8"),
        ("steps", "<i8"),
        ("sequence", "<i8"),
        ("time_s", "<f8"),
    ]
)
"""What a frame says of itself: its `Quality`; the number of the window it comes from, from 1, or 0
where no network made it; denoiser steps of that window; the `PlayerStamp` it was computed from."""


def label(quality: Quality, based_on: PlayerStamp, *, window: int = 0, steps: int = 0) -> np.void:
    row = (quality, window, steps, based_on.sequence, based_on.time_s)
    return np.void(row, LABEL)


def stamp_of(label: np.void) -> PlayerStamp:
    return PlayerStamp(int(label["sequence"]), float(label["time_s"]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """Consecutive frames as they are shown, the player first, world; copies of a plan's.

    first   index of the first
    pose    (2, n)
    labels  (n,) of LABEL
    """

    first: int
    pose: Pose
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def last(self) -> int:
        return self.first + len(self.labels) - 1

    @property
    def indices(self) -> IntArray:
        return np.arange(self.first, self.last + 1)

    def cut(self, first: int, last: int) -> Frames:
        rows = slice(first - self.first, last + 1 - self.first)
        return Frames(first=first, pose=self.pose[:, rows], labels=self.labels[rows])

    def before(self, later: Frames) -> Frames:
        """These, and those that follow the last of them."""
        return Frames(
            first=self.first,
            pose=chained([self.pose, later.pose], axis=1),
            labels=np.concatenate([self.labels, later.labels]),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownAhead:
    """Poses at a frame that a window is told of; exact ones are passed through as they are."""

    frame: int
    partner: Pose
    player: Pose | None = None
    is_exact: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanState:
    """All that a plan holds; copies.

    made        (2, m) of the frames (n,) that a network made
    untouched   the partner's rotations (k, 22, 3, 3) in the frames (n,) that are bent for a touch
    editions    (n,) of each frame; `edition` is the newest that was given
    """

    frames: Frames
    made: Pose
    is_made: BoolArray
    untouched: Array
    is_touched: BoolArray
    editions: IntArray
    edition: int


def plan_of(frames: Frames) -> PlanState:
    """Frames of which no more is known than what they show."""
    nothing, nowhere = no_poses(2, 0), np.zeros(len(frames), np.bool_)
    return PlanState(
        frames=frames,
        made=nothing,
        is_made=nowhere,
        untouched=nothing.rotmats[0],
        is_touched=nowhere,
        editions=np.zeros(len(frames), np.int64),
        edition=0,
    )


NO_FRAMES = Frames(first=0, pose=no_poses(2, 0), labels=np.zeros(0, LABEL))


class Plan:
    """Frames first .. last, without a gap: where the clock leaps, the old ones go.

    A generated frame is kept twice: as it is shown, and as it was *made*, before its feet were
    locked. Windows go on from what was made, so that the correction never feeds back into it; where
    no network made a frame, that is what is shown. A frame in which an arm is bent for a touch
    remembers how it was without.

    Reads give new arrays. Each change of what is shown gives its frames a new edition.
    """

    def __init__(self) -> None:
        self.first, self.last = 0, -1
        self._edition = 0
        self._allocate(0)

    def _allocate(self, capacity: int) -> None:
        self._capacity = capacity
        self._shown = no_poses(2, capacity)
        self._made = no_poses(2, capacity)
        self._is_made = np.zeros(capacity, np.bool_)
        self._untouched = no_poses(capacity).rotmats
        self._is_touched = np.zeros(capacity, np.bool_)
        self._labels = np.zeros(capacity, LABEL)
        self._editions = np.zeros(capacity, np.int64)

    @classmethod
    def restored(cls, state: PlanState) -> Plan:
        plan = cls()
        plan._load(state, len(state.frames))
        return plan

    def state(self) -> PlanState:
        first, last = self.first, self.last
        slots = self._slots(first, last)
        is_made, is_touched = self._is_made[slots], self._is_touched[slots]
        return PlanState(
            frames=self.frames(first, last),
            made=self._made.take(slots[is_made], axis=1),
            is_made=is_made,
            untouched=self._untouched[slots[is_touched]],
            is_touched=is_touched,
            editions=self._editions[slots],
            edition=self._edition,
        )

    def _load(self, state: PlanState, count: int) -> None:
        """With room for so many frames."""
        frames = state.frames
        self.first, self.last, self._edition = frames.first, frames.last, state.edition
        self._allocate(-(-count // RING_STEP) * RING_STEP)
        slots = self._slots(self.first, self.last)
        _put(self._shown, (slice(None), slots), frames.pose)
        _put(self._made, (slice(None), slots), frames.pose)
        _put(self._made, (slice(None), slots[state.is_made]), state.made)
        self._untouched[slots[state.is_touched]] = state.untouched
        self._is_made[slots], self._is_touched[slots] = state.is_made, state.is_touched
        self._labels[slots], self._editions[slots] = frames.labels, state.editions

    def __bool__(self) -> bool:
        return self.last >= self.first

    def __contains__(self, index: int) -> bool:
        return self.first <= index <= self.last

    # -- reading -----------------------------------------------------------------------------------
    def pair(self, index: int, *, is_shown: bool) -> Pose:
        """The pair at a frame; beyond the ends, that of the nearest."""
        return self.stretch(index, 1, is_shown=is_shown)[:, 0]

    def partner_root(self, index: int) -> tuple[Array, Array]:
        """The partner's root (3, 3) and transl (3,) as shown; beyond the ends, of the nearest."""
        slot = min(max(index, self.first), self.last) % self._capacity
        return self._shown.rotmats[1, slot, 0].copy(), self._shown.transl[1, slot].copy()

    def stretch(self, first: int, count: int, *, is_shown: bool) -> Pose:
        """(2, count) of as many frames; the same beyond the ends."""
        frames = np.arange(first, first + count)
        slots = np.minimum(np.maximum(frames, self.first), self.last) % self._capacity
        return (self._shown if is_shown else self._made).take(slots, axis=1)

    def frames(self, first: int, last: int) -> Frames:
        """As they are shown. Of these and below, all must be in the plan."""
        slots = self._slots(first, last)
        return Frames(first=first, pose=self._shown.take(slots, axis=1), labels=self._labels[slots])

    def labels(self, first: int, last: int) -> Labels:
        """(n,) of LABEL"""
        return self._labels[self._slots(first, last)]

    def label(self, index: int) -> np.void:
        row: np.void = self.labels(index, index)[0]
        return row

    def quality(self, index: int) -> Quality:
        return Quality(int(self.label(index)["quality"]))

    def editions(self, first: int, last: int) -> IntArray:
        """(n,) of each frame: another one means that what is shown may be another, too."""
        return self._editions[self._slots(first, last)]

    def untouched(self, first: int, last: int) -> Array:
        """The partner's rotations (n, 22, 3, 3) without any touch."""
        slots = self._slots(first, last)
        is_touched = self._is_touched[slots, None, None, None]
        return np.where(is_touched, self._untouched[slots], self._shown.rotmats[1, slots])

    def _slots(self, first: int, last: int) -> IntArray:
        return np.arange(first, last + 1) % max(self._capacity, 1)

    # -- writing -----------------------------------------------------------------------------------
    def append(
        self, first: int, poses: Pose, label: np.void | Labels, *, made: Pose | None = None
    ) -> None:
        """Frames from `first` on, (2, n), that follow the last one; or else the plan begins anew
        with them.

        label  of LABEL, of all of them or (n,); made: None if no network made them
        """
        if not self or first != self.last + 1:
            self.first = first
        last = first + poses.transl.shape[1] - 1
        if last - self.first >= self._capacity:
            self._load(self.state(), last - self.first + 1)
        self.last = last
        slots = self._slots(first, last)
        _put(self._shown, (slice(None), slots), poses)
        _put(self._made, (slice(None), slots), made or poses)
        self._is_made[slots], self._is_touched[slots] = made is not None, False
        self._labels[slots] = label
        self._renew(slots)

    def cut_after(self, index: int) -> None:
        self.last = min(self.last, index)

    def forget_before(self, index: int) -> None:
        self.first = max(self.first, index)

    def move_partner(self, indices: IntArray, partner: Pose) -> None:
        """Correct frames (n,), and what windows go on from: the partner stands there now."""
        slots = indices % self._capacity
        is_made = self._is_made[slots]
        made = slots[is_made]
        self._made.transl[1, made] += (partner.transl - self._shown.transl[1, slots])[is_made]
        self._made.rotmats[1, made[:, None], ARM_JOINTS] = partner.rotmats[is_made][:, ARM_JOINTS]
        _put(self._made, (1, slots[~is_made]), partner[~is_made])
        _put(self._shown, (1, slots), partner)
        self._renew(slots)

    def touch(self, first: int, rotmats: Array) -> None:
        """Bend the partner's arm from a frame on: rotmats (n, 22, 3, 3). Windows go on without it
        where a network made the frame."""
        last = first + len(rotmats) - 1
        slots = self._slots(first, last)
        is_made = self._is_made[slots]
        self._untouched[slots] = self.untouched(first, last)
        self._is_touched[slots] = True
        self._shown.rotmats[1, slots] = rotmats
        self._made.rotmats[1, slots[~is_made]] = rotmats[~is_made]
        self._renew(slots)

    def move_player(self, first: int, *, shown: Pose, made: Pose) -> None:
        """Have the player elsewhere from a frame on, (n,)."""
        slots = self._slots(first, first + len(shown.transl) - 1)
        is_made = self._is_made[slots]
        _put(self._shown, (0, slots), shown)
        _put(self._made, (0, slots[is_made]), made[is_made])
        _put(self._made, (0, slots[~is_made]), shown[~is_made])
        self._renew(slots)

    def _renew(self, slots: IntArray) -> None:
        self._edition += 1
        self._editions[slots] = self._edition


def _put(pose: Pose, where: tuple[Any, ...], new: Pose) -> None:
    pose.rotmats[where], pose.transl[where] = new.rotmats, new.transl


class Timeline:
    """The frames of one session, of both people.

    rest_joints  (2, 22, 3) of player and partner
    leads_from   from this frame on the player is the plan's, who leads; None: the client's
    sent_until   the last frame of the plan that the client holds
    tail         frames beyond the plan's end that it holds as well, and that the plan takes up if
                 no window comes
    floors       metres, of the player in the last frames
    """

    def __init__(self, config: SessionConfig, rest_joints: Array) -> None:
        self.config = config
        self.rest_joints = rest_joints
        self.now = -1
        self.player = PlayerTrack(KEPT_FRAMES)
        self.plan = Plan()
        self.leads_from: int | None = None
        self.sent_until = -1
        self.tail = NO_FRAMES
        self.floors: deque[float] = deque(maxlen=WINDOW_FRAMES)
        self._posed_player: tuple[int, tuple[Array, Array, float]] | None = None

    @property
    def plan_end(self) -> int:
        return self.plan.last if self.plan else self.now - 1

    @property
    def held_until(self) -> int:
        """The last frame that the client holds."""
        return self.sent_until + len(self.tail)

    @property
    def frozen_until(self) -> int:
        """The last planned frame that no revision may change."""
        return min(self.now + self.config.commit_frames, self.plan_end)

    @property
    def player_known_until(self) -> int:
        """The last frame whose player is known; one that has gone quiet is taken to stand still."""
        return max(min(self.player.last_frame, self.now), self.now - self.config.commit_frames)

    @property
    def is_led(self) -> bool:
        """Whether the player is the plan's."""
        return self.leads_from is not None

    @property
    def floor(self) -> float:
        return min(self.floors)

    @property
    def cleanup(self) -> CleanupConfig:
        """What frames are corrected by, where there is a clean-up."""
        return CleanupConfig(floor=self.floor, foot_lock=self.config.foot_lock)

    def posed_player(self, frame: int) -> tuple[Array, Array, float]:
        """World joints (22, 3) and orientations (22, 3, 3) of the player at a known frame, and the
        height of the lowest point; asked for several times in a frame."""
        if self._posed_player is None or self._posed_player[0] != frame:
            joints, world = self.player.at(frame).in_world(self.rest_joints[0])
            lowest = lowest_heights(joints, world, self.rest_joints[0])
            self._posed_player = frame, (joints, world, float(lowest.min()))
        return self._posed_player[1]

    @property
    def player_floor(self) -> float:
        """Metres, under the newest frame of the player."""
        return self.posed_player(self.player.last_frame)[2]

    def track(
        self,
        first: int,
        frames: int,
        player_until: int,
        partner_until: int,
        *,
        ahead: tuple[KnownAhead, ...] = (),
        is_shown: bool = False,
    ) -> Track:
        """Frames of the session: the player as known, then as planned.

        ahead     known frames after those
        is_shown  as the client has them; else as the network made them
        """
        poses = self.plan.stretch(first, frames, is_shown=is_shown)
        real_until = self.player_known_until
        if self.leads_from is not None:
            real_until = min(real_until, self.leads_from - 1)
        real = min(real_until + 1 - first, frames)
        if real > 0:
            _put(poses, (0, slice(real)), self.player.stretch(first, real))
        indices = np.arange(first, first + frames)
        is_known = np.stack([indices <= player_until, indices <= partner_until])
        for target in ahead:
            for person, pose in enumerate((target.player, target.partner)):
                at = target.frame - first
                if pose is None or not 0 <= at < frames or is_known[person, at]:
                    continue
                _put(poses, (person, at), pose)
                is_known[person, at] = True
        return Track(poses, is_known)

    @property
    def oldest(self) -> int:
        """The first frame that any later window asks for."""
        return self.now - WINDOW_FRAMES - 2 * MARGIN
