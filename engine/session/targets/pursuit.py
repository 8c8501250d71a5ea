"""Pursuit: what is wanted of a session, and all that is remembered of how far it has got.

And the protocol that each kind of target is pursued by. Knows plans and walks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from engine.arrays import Array
from engine.body.easing import smoothstep
from engine.body.pose import Pose
from engine.body.skeleton import JOINT_COUNT
from engine.body.touch import Spot
from engine.motion.walk import Destination, Steps, walk_frames
from engine.session.direction import ContactTarget, Direction, Target, TargetEvent
from engine.session.plan import KnownAhead, Plan

MOST_WALKS = 4
"""Times that a walk is begun anew, after something has kept the partner from it."""
OFF_WALK = 0.08
"""Metres off the walk from which that is so."""
RAISE_FRAMES, LOWER_FRAMES = 8, 7
"""In which the arm comes up for a touch, and goes down again."""


@dataclass(frozen=True, kw_only=True)
class Upcoming:
    """A window that is to be asked for: it goes on after frame `until`, up to `reach`.

    least  frames that it has at least to get to a pose; nearer ones are left to a revision
    floor  metres
    """

    until: int
    least: int
    reach: int
    floor: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Walk:
    """Frames `first` to `last` of a walk; where its steps end, the partner stays."""

    first: int
    last: int
    steps: Steps

    def at(self, frame: int) -> Pose:
        return self.steps.at(frame - self.first)


@dataclass(frozen=True, kw_only=True, eq=False)
class Touch:
    """A touch that is under way: from `frame` on, at a spot of the player's skin."""

    target: ContactTarget
    frame: int
    spot: Spot

    @property
    def first(self) -> int:
        return self.frame - RAISE_FRAMES

    @property
    def held_until(self) -> int:
        return self.frame + self.target.hold_frames - 1

    @property
    def last(self) -> int:
        return self.held_until + LOWER_FRAMES

    def weights(self, frames: Array) -> Array:
        """The part of the touch against the arm as it came: 0 to 1 and back."""
        up = (frames - self.first) / RAISE_FRAMES
        down = (self.last - frames) / LOWER_FRAMES
        return smoothstep(np.clip(np.minimum(up, down), 0.0, 1.0))


@dataclass(kw_only=True, eq=False)
class Pursuit:
    """The state of all targets of a session.

    rest_joints  (22, 3) of the partner; the session's, and not remembered with the rest
    walks        how often the walk to the same place, or for the same touch, was begun
    """

    rest_joints: Array = field(default_factory=lambda: np.zeros((JOINT_COUNT, 3)))
    direction: Direction = field(default_factory=Direction)
    walk: Walk | None = None
    walks: int = 0
    touch: Touch | None = None
    events: list[TargetEvent] = field(default_factory=list)

    def settle(self, target: Target, name: str, *, is_reached: bool, why: str) -> None:
        """The target is wanted no more, and that is told."""
        self.direction = self.direction.without(target)
        text = f"{name} {'reached' if is_reached else 'missed'}: {why}"
        self.events.append(TargetEvent(is_reached=is_reached, text=text))

    def forget_walk(self) -> None:
        self.walk, self.walks = None, 0

    def set_off(
        self, start: Pose, place: Destination, window: Upcoming, frames: int, stays: int = 0
    ) -> Walk:
        """Walk to a place from a window's first frame on, in so many frames or more, and stay."""
        frames = max(frames, walk_frames(start, place, self.rest_joints))
        steps = Steps(
            start=start,
            place=place,
            rest_joints=self.rest_joints,
            floor=window.floor,
            frames=frames,
        )
        last = window.until + frames + stays
        self.walk = Walk(first=window.until + 1, last=last, steps=steps)
        self.walks += 1
        return self.walk

    def is_off_walk(self, plan: Plan) -> bool:
        """Whether the plan has left the walk, though it could have followed."""
        if self.walk is None:
            return False
        frame = min(self.walk.last, plan.last)
        if self.walks >= MOST_WALKS or frame < self.walk.first + 5:
            return False
        off = plan.pair(frame, is_shown=False)[1].transl - self.walk.at(frame).transl
        return bool(np.linalg.norm(off[[0, 2]]) > OFF_WALK)

    def walk_ahead(self, window: Upcoming, known: tuple[KnownAhead, ...]) -> tuple[KnownAhead, ...]:
        """The walk's frames in a window, of which nothing is known yet."""
        walk = self.walk
        if walk is None:
            return ()
        taken = {pose.frame for pose in known}
        frames = range(max(window.until + 1, walk.first), min(walk.last, window.reach) + 1)
        return tuple(
            KnownAhead(frame=frame, partner=walk.at(frame))
            for frame in frames
            if frame not in taken
        )


class Aim(Protocol):
    """How targets of one kind are pursued. Keeps nothing itself: the `Pursuit` is its memory."""

    def turn_to(self, direction: Direction, pursuit: Pursuit) -> None:
        """Forget what another direction than `pursuit.direction` does not want. Raises ConfigError,
        with nothing changed, for what cannot be."""

    def is_due(self, pursuit: Pursuit, plan: Plan, *, frozen: int, reach: int) -> bool:
        """Whether a revision, from `frozen` to `reach`, would do for a target what the plan does
        not."""

    def ahead(
        self, pursuit: Pursuit, plan: Plan, window: Upcoming, known: tuple[KnownAhead, ...]
    ) -> tuple[KnownAhead, ...]:
        """What the window leads to besides what is known; what cannot be in time is settled."""

    def judge(
        self, pursuit: Pursuit, plan: Plan, now: int, player_at: Callable[[int], Pose]
    ) -> None:
        """Settle targets whose time has come."""
