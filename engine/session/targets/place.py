"""A place to go to: the partner walks there, and the windows are told the walk."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.body.canonical import yaw_of
from engine.body.pose import Pose
from engine.body.rotations import wrapped
from engine.motion.walk import Destination, walk_frames
from engine.session.direction import Direction, Mode, PlaceTarget
from engine.session.plan import KnownAhead, Plan
from engine.session.targets.pursuit import MOST_WALKS, Pursuit, Upcoming

PLACE_NEAR, PLACE_TURNED = 0.10, np.radians(10.0)
"""Metres, and radians, within which a place counts as reached."""


class PlaceAim:
    """A touch goes first: as long as one is wanted, the place waits."""

    def turn_to(self, direction: Direction, pursuit: Pursuit) -> None:
        is_same = _is_same(direction.place, pursuit.direction.place)
        if not is_same or direction.mode in (Mode.PAUSED, Mode.FOLLOW_PLAN):
            pursuit.forget_walk()

    def is_due(self, pursuit: Pursuit, plan: Plan, *, frozen: int, reach: int) -> bool:
        place = _walked_to(pursuit)
        if place is None:
            return False
        if pursuit.walk is not None:
            return pursuit.is_off_walk(plan)
        return _sets_off(pursuit, place, plan.pair(frozen, is_shown=True)[1], frozen)

    def ahead(
        self, pursuit: Pursuit, plan: Plan, window: Upcoming, known: tuple[KnownAhead, ...]
    ) -> tuple[KnownAhead, ...]:
        """Sets off if it is time to."""
        place = _walked_to(pursuit)
        if place is None:
            return ()
        if pursuit.is_off_walk(plan):
            pursuit.walk = None
        start = plan.pair(window.until, is_shown=True)[1]
        if pursuit.walk is None and _sets_off(pursuit, place, start, window.until):
            frames = (place.frame or 0) - window.until
            pursuit.set_off(start, _place_of(place), window, frames)
        return pursuit.walk_ahead(window, known)

    def judge(
        self, pursuit: Pursuit, plan: Plan, now: int, player_at: Callable[[int], Pose]
    ) -> None:
        place, walk = pursuit.direction.place, pursuit.walk
        if place is None or pursuit.direction.contact is not None:
            return
        if walk is None or now < walk.last:
            return
        joints, _ = plan.pair(walk.last, is_shown=True)[1].in_world(pursuit.rest_joints)
        distance = float(np.linalg.norm((joints[0] - place.position)[[0, 2]]))
        turn = 0.0 if place.heading is None else wrapped(float(yaw_of(joints)) - place.heading)
        is_reached = bool(distance <= PLACE_NEAR and abs(turn) <= PLACE_TURNED)
        pursuit.walk = None
        if is_reached or pursuit.walks >= MOST_WALKS:
            why = f"off by {100 * distance:.0f} cm and {np.degrees(abs(turn)):.0f} degrees"
            pursuit.forget_walk()
            pursuit.settle(place, "place", is_reached=is_reached, why=why)


def _walked_to(pursuit: Pursuit) -> PlaceTarget | None:
    direction = pursuit.direction
    return direction.place if direction.is_free and direction.contact is None else None


def _sets_off(pursuit: Pursuit, place: PlaceTarget, start: Pose, frozen: int) -> bool:
    if place.frame is None:
        return True
    return place.frame - walk_frames(start, _place_of(place), pursuit.rest_joints) <= frozen + 1


def _place_of(target: PlaceTarget) -> Destination:
    return Destination(ground=target.position[[0, 2]], yaw=target.heading)


def _is_same(first: PlaceTarget | None, second: PlaceTarget | None) -> bool:
    if first is None or second is None:
        return first is second
    is_same = np.array_equal(first.position, second.position)
    return is_same and (first.heading, first.frame) == (second.heading, second.frame)
