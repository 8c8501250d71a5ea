"""Poses to be in: the windows that reach them are told them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.pose import Pose, stacked
from engine.body.rotations import axis_angle_from_rotmat
from engine.motion.motion import FRAME_RATE
from engine.session.direction import Direction, Mode, PoseTarget
from engine.session.plan import KnownAhead, Plan
from engine.session.targets.pursuit import Pursuit, Upcoming

NEAR_ENOUGH, TURNED_ENOUGH = 0.02, np.radians(3.0)
"""Metres, and radians, in any joint within which a pose counts as reached."""
MEAN_SPEED = 4.5
"""Metres a second of the fastest joint, from pose to pose: half of what the clean-up lets pass,
for who starts and ends at rest is twice as fast on the way."""


@dataclass(frozen=True, kw_only=True)
class PoseError:
    """The joint that is farthest from where it should be, metres; the most turned one, radians."""

    distance: float
    angle: float

    @property
    def is_small(self) -> bool:
        return bool(self.distance <= NEAR_ENOUGH and self.angle <= TURNED_ENOUGH)

    def __str__(self) -> str:
        return f"off by {100 * self.distance:.1f} cm and {np.degrees(self.angle):.1f} degrees"


def pose_error(pose: Pose, wanted: Pose, rest_joints: Array) -> PoseError:
    turned = np.swapaxes(pose.rotmats, -1, -2) @ wanted.rotmats
    return PoseError(
        distance=float(_distances(pose, wanted, rest_joints).max()),
        angle=float(np.linalg.norm(axis_angle_from_rotmat(turned), axis=-1).max()),
    )


def is_within_reach(start: Pose, goal: Pose, rest_joints: Array, frames: int) -> bool:
    """Whether a body gets from start to goal in that many frames."""
    most = MEAN_SPEED * frames / FRAME_RATE
    return bool(_distances(start, goal, rest_joints).max() <= most)


def _distances(pose: Pose, other: Pose, rest_joints: Array) -> Array:
    """(22,) metres between the joints of two poses."""
    joints, _ = stacked([pose, other]).in_world(rest_joints)
    return np.asarray(np.linalg.norm(joints[0] - joints[1], axis=-1))


class PoseAim:
    """Only in mode INBETWEEN is the partner led to poses; they are judged in any."""

    def turn_to(self, direction: Direction, pursuit: Pursuit) -> None:
        """Nothing is remembered of poses."""

    def is_due(self, pursuit: Pursuit, plan: Plan, *, frozen: int, reach: int) -> bool:
        return any(
            target.frame not in plan or not _error(pursuit, plan, target, is_shown=False).is_small
            for target in _led_to(pursuit)
            if frozen < target.frame <= reach
        )

    def ahead(
        self, pursuit: Pursuit, plan: Plan, window: Upcoming, known: tuple[KnownAhead, ...]
    ) -> tuple[KnownAhead, ...]:
        """Each pose is gone to from the one before."""
        new = []
        start, begins = plan.pair(window.until, is_shown=True)[1], window.until
        for target in _led_to(pursuit):
            if not window.until + window.least <= target.frame <= window.reach:
                continue
            frames = target.frame - begins
            if not is_within_reach(start, target.partner, pursuit.rest_joints, frames):
                _settle(pursuit, target, is_reached=False, why="it is too far to get there in time")
                continue
            start, begins = target.partner, target.frame
            new.append(
                KnownAhead(
                    frame=target.frame, partner=target.partner, player=target.player, is_exact=True
                )
            )
        return tuple(new)

    def judge(
        self, pursuit: Pursuit, plan: Plan, now: int, player_at: Callable[[int], Pose]
    ) -> None:
        for target in pursuit.direction.poses:
            if target.frame > now:
                continue
            if target.frame in plan:
                error = _error(pursuit, plan, target, is_shown=True)
                _settle(pursuit, target, is_reached=error.is_small, why=str(error))
            else:
                _settle(pursuit, target, is_reached=False, why="its frame was past")


def _led_to(pursuit: Pursuit) -> tuple[PoseTarget, ...]:
    return pursuit.direction.poses if pursuit.direction.mode is Mode.INBETWEEN else ()


def _error(pursuit: Pursuit, plan: Plan, target: PoseTarget, *, is_shown: bool) -> PoseError:
    pose = plan.pair(target.frame, is_shown=is_shown)[1]
    return pose_error(pose, target.partner, pursuit.rest_joints)


def _settle(pursuit: Pursuit, target: PoseTarget, *, is_reached: bool, why: str) -> None:
    pursuit.settle(target, f"pose at frame {target.frame}", is_reached=is_reached, why=why)
