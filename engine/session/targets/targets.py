"""The targets of a session: all kinds together, in the order in which they are looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.arrays import Array
from engine.body.capsules import Capsules
from engine.body.pose import Pose
from engine.session.direction import Direction, TargetEvent
from engine.session.plan import KnownAhead, Plan
from engine.session.targets.place import PlaceAim
from engine.session.targets.pose import PoseAim
from engine.session.targets.pursuit import Aim, Pursuit, Upcoming
from engine.session.targets.touch import TouchAim


class Targets:
    """The targets of one session's direction.

    rest_joints  (2, 22, 3)
    capsules     of player and partner; without them there are no touches
    """

    def __init__(self, rest_joints: Array, capsules: tuple[Capsules, Capsules] | None) -> None:
        self._pursuit = Pursuit(rest_joints=rest_joints[1])
        self._touch = TouchAim(rest_joints, capsules)
        self._aims: tuple[Aim, ...] = (PoseAim(), self._touch, PlaceAim())

    @property
    def direction(self) -> Direction:
        return self._pursuit.direction

    def want(self, direction: Direction) -> None:
        """Raises ConfigError for a touch without capsules, or of what is no hand or part."""
        for aim in self._aims:
            aim.turn_to(direction, self._pursuit)
        self._pursuit.direction = direction

    def state(self) -> Pursuit:
        return replace(self._pursuit, events=list(self._pursuit.events))

    def restore(self, state: Pursuit) -> None:
        """All but the body is taken from there. Raises ConfigError as `want` does."""
        self.want(state.direction)
        rest_joints = self._pursuit.rest_joints
        self._pursuit = replace(state, rest_joints=rest_joints, events=list(state.events))

    def take_events(self) -> tuple[TargetEvent, ...]:
        events, self._pursuit.events = tuple(self._pursuit.events), []
        return events

    def is_due(self, plan: Plan, *, frozen: int, reach: int) -> bool:
        """Whether a revision, from `frozen` to `reach`, would do for a target what the plan does
        not."""
        return any(
            aim.is_due(self._pursuit, plan, frozen=frozen, reach=reach) for aim in self._aims
        )

    def ahead(
        self, plan: Plan, *, until: int, least: int, reach: int, floor: float
    ) -> tuple[KnownAhead, ...]:
        """What a window that is to go on after frame `until`, up to `reach`, leads to.

        least  frames that it has at least to get to a pose; nearer ones are left to a revision
        Targets that nobody gets to in time are given up.
        """
        window = Upcoming(until=until, least=least, reach=reach, floor=floor)
        known: tuple[KnownAhead, ...] = ()
        for aim in self._aims:
            known += aim.ahead(self._pursuit, plan, window, known)
        return known

    def judge(self, plan: Plan, now: int, player_at: Callable[[int], Pose]) -> None:
        """Tell of targets whose time has come, and want them no more."""
        for aim in self._aims:
            aim.judge(self._pursuit, plan, now, player_at)

    # -- touches -----------------------------------------------------------------------------------
    def forbid_contact(self) -> None:
        """A touch that is wanted, or under way, is given up: there is a zone now."""
        self._touch.forbid(self._pursuit)

    def touch_frames(self, first: int, last: int) -> range:
        """The frames of first .. last whose arm a touch changes."""
        touch = self._pursuit.touch
        if touch is None:
            return range(0)
        return range(max(first, touch.first + 1), min(last, touch.last) + 1)

    def touched(
        self, frames: range, partner: Pose, player: Pose, shifts: Callable[[int, range], Array]
    ) -> Array:
        """The partner's rotations (n, 22, 3, 3) with the hand where it is wanted.

        partner, player  (n,), without the touch, and as planned
        shifts  metres (n, 3) from where a joint of the player is planned to where it will be
        """
        assert self._pursuit.touch is not None
        return self._touch.bent(self._pursuit.touch, frames, partner, player, shifts)
