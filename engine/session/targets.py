"""Targets: poses, a place and a touch that are to be brought about, and how far that has got.

What a window is told of them ahead of time, when a revision is due for them, and whether they were
reached. Knows plans, poses and capsules; knows no window, no network and no clock of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array
from engine.body.canonical import yaw_of
from engine.body.capsules import Capsules
from engine.body.easing import smoothstep
from engine.body.pose import Pose, stacked
from engine.body.rotations import axis_angle_from_rotmat, wrapped
from engine.body.skeleton import JOINT, JOINT_NAMES
from engine.body.touch import (
    SIDES,
    Spot,
    arm_length,
    nearest_spot,
    on_body,
    part_of,
    skin_gap,
    touching,
)
from engine.errors import ConfigError
from engine.motion.motion import FRAME_RATE
from engine.motion.standing import standing_pose
from engine.motion.walk import Place, walk, walk_frames
from engine.session.direction import (
    ContactTarget,
    Direction,
    Mode,
    PlaceTarget,
    PoseTarget,
    TargetEvent,
)
from engine.session.plan import KnownAhead, Plan

NEAR_ENOUGH, TURNED_ENOUGH = 0.02, np.radians(3.0)
"""Metres, and radians, in any joint within which a pose counts as reached."""
MEAN_SPEED = 4.5
"""Metres a second of the fastest joint, from pose to pose: half of what the clean-up lets pass,
for who starts and ends at rest is twice as fast on the way."""
PLACE_NEAR, PLACE_TURNED = 0.10, np.radians(10.0)
"""Metres, and radians, within which a place counts as reached."""
MOST_WALKS = 4
"""Times that a walk is begun anew, after something has kept him from it."""
OFF_WALK = 0.08
"""Metres off the walk from which that is so."""
TOUCH_NEAR = 0.02
"""Metres between the skins within which a touch counts as reached."""
RAISE_FRAMES, LOWER_FRAMES = 8, 7
"""In which the arm comes up for a touch, and goes down again."""
STEP_NEARER, ARM_USED = 0.05, 0.9
"""Metres beyond the arm's reach from which he walks nearer; part of it at which he stops."""
HAND = 0.07
"""Metres from the wrist to the middle of the palm, laid flat."""


# ------------------------------------------------------------------------------------------- poses
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
    """Whether a body gets from start to goal in so many frames."""
    most = MEAN_SPEED * frames / FRAME_RATE
    return bool(_distances(start, goal, rest_joints).max() <= most)


def _distances(pose: Pose, other: Pose, rest_joints: Array) -> Array:
    """(22,) metres between the joints of two poses."""
    joints, _ = stacked([pose, other]).in_world(rest_joints)
    return np.asarray(np.linalg.norm(joints[0] - joints[1], axis=-1))


# ------------------------------------------------------------------------- what is known, how far
@dataclass(frozen=True, kw_only=True, eq=False)
class _Walk:
    """Frames `first` to `last` of a walk; poses (n,), in the last of which the partner stays."""

    first: int
    last: int
    poses: Pose

    def standing_for(self, frames: int) -> _Walk:
        """The walk, and so many frames more in its last pose."""
        return replace(self, last=self.last + frames)

    def at(self, frame: int) -> Pose:
        return self.poses[min(frame - self.first, len(self.poses.transl) - 1)]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Touch:
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
        """Of the touch against the arm as it came: 0 to 1 and back."""
        up = (frames - self.first) / RAISE_FRAMES
        down = (self.last - frames) / LOWER_FRAMES
        return smoothstep(np.clip(np.minimum(up, down), 0.0, 1.0))


class Targets:
    """The targets of one session's direction.

    rest_joints  (2, 22, 3)
    capsules     of player and partner; without them there are no touches
    """

    def __init__(self, rest_joints: Array, capsules: tuple[Capsules, Capsules] | None) -> None:
        self._rest_joints = rest_joints
        self._capsules = capsules
        self._direction = Direction()
        self._walk: _Walk | None = None
        self._walks = 0
        self._touch: _Touch | None = None
        self._events: list[TargetEvent] = []

    @property
    def direction(self) -> Direction:
        return self._direction

    def want(self, direction: Direction) -> None:
        """Raises ConfigError for a touch without capsules, or of what is no hand or part."""
        contact = direction.contact
        if contact is not None:
            self._check(contact)
        is_same = contact == self._direction.contact
        if not is_same or direction.mode is Mode.PAUSED:
            self._touch = None
        is_same &= _is_same_place(direction.place, self._direction.place)
        if not is_same or direction.mode in (Mode.PAUSED, Mode.FOLLOW_PLAN):
            self._walk, self._walks = None, 0
        self._direction = direction

    def _check(self, contact: ContactTarget) -> None:
        if self._capsules is None:
            raise ConfigError("a contact needs the capsules of both bodies", field="contact")
        if contact.partner_joint not in SIDES:
            raise ConfigError(
                f"contact.partner_joint is {contact.partner_joint}, must be a hand: "
                f"{' or '.join(str(wrist) for wrist in SIDES)}",
                field="contact.partner_joint",
            )
        if contact.player_joint not in self._capsules[0].joints:
            raise ConfigError(
                f"contact.player_joint is {contact.player_joint}, must be a part of the body",
                field="contact.player_joint",
            )

    def take_events(self) -> tuple[TargetEvent, ...]:
        events, self._events = tuple(self._events), []
        return events

    # -- ahead of time -----------------------------------------------------------------------------
    def is_due(self, plan: Plan, *, frozen: int, reach: int) -> bool:
        """Whether a revision, from `frozen` to `reach`, would do for a target what the plan does
        not."""
        for target in self._poses:
            if frozen < target.frame <= reach:
                is_there = target.frame in plan
                if not (is_there and self._pose_error(plan, target, is_shown=False).is_small):
                    return True
        if not self._is_free:
            return False
        if self._walk is not None:
            return self._is_off_walk(plan)
        place, contact = self._direction.place, self._direction.contact
        start = _partner(plan, frozen)
        if contact is not None and self._touch is None:
            stand = self._stand_for(contact, plan, frozen)
            needed = RAISE_FRAMES + (0 if stand is None else self._walk_frames(start, stand))
            return contact.frame - needed <= frozen + 1
        if place is not None and contact is None:
            return self._sets_off(place, start, frozen)
        return False

    def ahead(
        self, plan: Plan, *, until: int, least: int, reach: int, floor: float
    ) -> tuple[KnownAhead, ...]:
        """What a window that is to go on after frame `until`, up to `reach`, leads to.

        least  frames that it has at least to get to a pose; nearer ones are left to a revision
        Targets that nobody gets to in time are given up.
        """
        known = self._poses_ahead(plan, until, least, reach)
        if not self._is_free:
            return known
        self._begin(plan, until, floor)
        touch = self._touch
        if touch is not None and until < touch.frame <= min(reach, plan.last):
            known += (KnownAhead(frame=touch.frame, partner=self._reaching(touch, plan)),)
        if self._walk is not None:
            frames = range(max(until + 1, self._walk.first), min(self._walk.last, reach) + 1)
            taken = {pose.frame for pose in known}
            known += tuple(
                KnownAhead(frame=frame, partner=self._walk.at(frame))
                for frame in frames
                if frame not in taken
            )
        return known

    @property
    def _is_free(self) -> bool:
        """Whether places and touches are looked at."""
        return self._direction.mode in (Mode.REACT, Mode.INBETWEEN)

    @property
    def _poses(self) -> tuple[PoseTarget, ...]:
        return self._direction.poses if self._direction.mode is Mode.INBETWEEN else ()

    def _poses_ahead(
        self, plan: Plan, until: int, least: int, reach: int
    ) -> tuple[KnownAhead, ...]:
        known: list[KnownAhead] = []
        start, begins = _partner(plan, until), until
        for target in self._poses:
            if not until + least <= target.frame <= reach:
                continue
            frames = target.frame - begins
            if not is_within_reach(start, target.partner, self._rest_joints[1], frames):
                self._settle(target, is_reached=False, why="it is too far to get there in time")
                continue
            start, begins = target.partner, target.frame
            known.append(
                KnownAhead(
                    frame=target.frame, partner=target.partner, player=target.player, is_exact=True
                )
            )
        return tuple(known)

    def _begin(self, plan: Plan, until: int, floor: float) -> None:
        """Set off, or raise the arm, if it is time to."""
        if self._walk is not None and self._is_off_walk(plan):
            self._walk = None
        place, contact = self._direction.place, self._direction.contact
        if contact is not None and self._touch is None:
            self._begin_touch(contact, plan, until, floor)
        elif place is not None and contact is None and self._walk is None:
            start = _partner(plan, until)
            if self._sets_off(place, start, until):
                frames = (place.frame or 0) - until
                self._set_off(_place_of(place), start, until, floor, frames)

    def _sets_off(self, place: PlaceTarget, start: Pose, frozen: int) -> bool:
        needed = self._walk_frames(start, _place_of(place))
        return place.frame is None or place.frame - needed <= frozen + 1

    def _walk_frames(self, start: Pose, place: Place) -> int:
        return walk_frames(start, place, self._rest_joints[1], FRAME_RATE)

    def _set_off(
        self, place: Place, start: Pose, until: int, floor: float, frames: int = 0
    ) -> None:
        needed = self._walk_frames(start, place)
        frames = max(frames, needed)
        poses = walk(
            start,
            place,
            standing_pose(),
            self._rest_joints[1],
            floor=floor,
            frames=frames,
            frame_rate=FRAME_RATE,
        )
        self._walk = _Walk(first=until + 1, last=until + frames, poses=poses)
        self._walks += 1

    def _is_off_walk(self, plan: Plan) -> bool:
        """Whether the plan has left the walk, though it could have followed."""
        assert self._walk is not None
        frame = min(self._walk.last, plan.last)
        if self._walks >= MOST_WALKS or frame < self._walk.first + 5:
            return False
        off = _partner(plan, frame, is_shown=False).transl - self._walk.at(frame).transl
        return bool(np.linalg.norm(off[[0, 2]]) > OFF_WALK)

    # -- touches -----------------------------------------------------------------------------------
    def _begin_touch(self, contact: ContactTarget, plan: Plan, until: int, floor: float) -> None:
        start = _partner(plan, until)
        stand = self._stand_for(contact, plan, until)
        needed = RAISE_FRAMES if stand is None else self._walk_frames(start, stand) + 2
        if contact.frame - needed > until + 1:
            return
        frame = max(contact.frame, until + needed)
        if stand is not None:
            self._set_off(stand, start, until, floor, frame - 2 - until)
            assert self._walk is not None
            start = self._walk.at(self._walk.last)
            self._walk = self._walk.standing_for(2 + contact.hold_frames)
        shoulder = self._shoulder(start, contact.partner_joint)
        spot = self._spot(contact, plan, frame, shoulder)
        self._touch = _Touch(target=contact, frame=frame, spot=spot)

    def _stand_for(self, contact: ContactTarget, plan: Plan, until: int) -> Place | None:
        """Where to go for the hand to reach the part; None: it does from where he will be."""
        frame = min(max(contact.frame, until), plan.last)
        pose = _partner(plan, frame)
        shoulder = self._shoulder(pose, contact.partner_joint)
        spot = self._spot(contact, plan, frame, shoulder)
        point, _ = self._on_player(spot, plan, [frame])
        length = arm_length(self._rest_joints[1], contact.partner_joint) + HAND
        if np.linalg.norm(point[0] - shoulder) <= length + STEP_NEARER:
            return None
        joints, _ = pose.in_world(self._rest_joints[1])
        away = (joints[0] - point[0]) * [1.0, 0.0, 1.0]
        away = away / max(float(np.linalg.norm(away)), 1e-9)
        up = float(point[0, 1] - shoulder[1])
        across = np.sqrt(max((ARM_USED * length) ** 2 - up**2, 0.15**2))
        yaw = float(np.arctan2(-away[0], -away[2]))
        wide = self._rest_joints[1, JOINT[f"{SIDES[contact.partner_joint]}_shoulder"], 0]
        wide = wide - self._rest_joints[1, 0, 0]
        side = wide * np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
        return Place(ground=(point[0] + across * away - side)[[0, 2]], yaw=yaw)

    def _shoulder(self, pose: Pose, wrist: int) -> Array:
        joints, _ = pose.in_world(self._rest_joints[1])
        return np.asarray(joints[JOINT[f"{SIDES[wrist]}_shoulder"]])

    def _spot(self, contact: ContactTarget, plan: Plan, frame: int, seen_from: Array) -> Spot:
        assert self._capsules is not None
        joints, world = plan.pair(frame, is_shown=True)[0].in_world(self._rest_joints[0])
        return nearest_spot(self._capsules[0], contact.player_joint, joints, world, seen_from)

    def _on_player(self, spot: Spot, plan: Plan, frames: list[int]) -> tuple[Array, Array]:
        player = stacked([plan.pair(frame, is_shown=True)[0] for frame in frames])
        return on_body(spot, *player.in_world(self._rest_joints[0]))

    def touch_frames(self, first: int, last: int) -> range:
        """The frames of first .. last whose arm a touch changes."""
        if self._touch is None:
            return range(0)
        return range(max(first, self._touch.first + 1), min(last, self._touch.last) + 1)

    def touched(
        self,
        frames: range,
        partner: Pose,
        player: Pose,
        shifts: Callable[[int, range], Array] | None = None,
    ) -> Array:
        """The partner's rotations (n, 22, 3, 3) with his hand where it is wanted.

        partner, player  (n,), without the touch, and as planned
        shifts  metres (n, 3) from where a joint of the player is planned to where it will be
        """
        assert self._touch is not None
        assert self._capsules is not None
        spot = self._touch.spot
        joints, world = player.in_world(self._rest_joints[0])
        if shifts is not None:
            joints = joints + shifts(spot.joint, frames)[:, None]
        return touching(
            partner,
            self._rest_joints[1],
            self._touch.target.partner_joint,
            *on_body(spot, joints, world),
            self._capsules[1],
            part_of(self._capsules[0], spot.joint, joints, world),
            self._touch.weights(np.array(frames)),
        )

    def _reaching(self, touch: _Touch, plan: Plan) -> Pose:
        """The pose at the beginning of a touch: as planned, the arm raised."""
        player, partner = (plan.pair(touch.frame, is_shown=False)[person] for person in (0, 1))
        if self._walk is not None and self._walk.first <= touch.frame <= self._walk.last:
            partner = self._walk.at(touch.frame)
        turned = self.touched(range(touch.frame, touch.frame + 1), partner[None], player[None])
        return Pose(turned[0], partner.transl)

    def forbid_contact(self) -> None:
        """A touch that is wanted, or under way, is given up: there is a zone now."""
        if self._direction.contact is not None:
            self._settle(self._direction.contact, is_reached=False, why="contact is not allowed")
        self._touch = None

    # -- reached or missed -------------------------------------------------------------------------
    def judge(self, plan: Plan, now: int, player_at: Callable[[int], Pose]) -> None:
        """Tell of targets whose time has come, and want them no more."""
        for target in self._direction.poses:
            if target.frame > now:
                continue
            if target.frame in plan:
                error = self._pose_error(plan, target, is_shown=True)
                self._settle(target, is_reached=error.is_small, why=str(error))
            else:
                self._settle(target, is_reached=False, why="its frame was past")
        self._judge_place(plan, now)
        self._judge_contact(plan, now, player_at)
        if self._touch is not None and now > self._touch.last:
            self._touch = None

    def _judge_place(self, plan: Plan, now: int) -> None:
        place = self._direction.place
        if place is None or self._direction.contact is not None or self._walk is None:
            return
        if now < self._walk.last:
            return
        joints, _ = _partner(plan, self._walk.last).in_world(self._rest_joints[1])
        distance = float(np.linalg.norm((joints[0] - place.position)[[0, 2]]))
        turn = 0.0 if place.heading is None else wrapped(float(yaw_of(joints)) - place.heading)
        is_reached = bool(distance <= PLACE_NEAR and abs(turn) <= PLACE_TURNED)
        self._walk = None
        if is_reached or self._walks >= MOST_WALKS:
            why = f"off by {100 * distance:.0f} cm and {np.degrees(abs(turn)):.0f} degrees"
            self._settle(place, is_reached=is_reached, why=why)

    def _judge_contact(self, plan: Plan, now: int, player_at: Callable[[int], Pose]) -> None:
        contact, touch = self._direction.contact, self._touch
        if contact is None:
            return
        if touch is None:
            if not self._is_free and now > contact.frame + contact.hold_frames:
                why = f"in mode {self._direction.mode.value} there are no touches"
                self._settle(contact, is_reached=False, why=why)
            return
        if now < touch.frame:
            return
        assert self._capsules is not None
        people = player_at(now), _partner(plan, now)
        posed = [
            pose[None].in_world(rest) for rest, pose in zip(self._rest_joints, people, strict=True)
        ]
        gap = float(
            skin_gap(
                part_of(self._capsules[0], contact.player_joint, *posed[0]),
                part_of(self._capsules[1], contact.partner_joint, *posed[1]),
            )[0]
        )
        if gap <= TOUCH_NEAR or now >= touch.held_until:
            why = f"{max(100 * gap, 0):.0f} cm between the skins at frame {now}"
            self._settle(contact, is_reached=gap <= TOUCH_NEAR, why=why)

    def _pose_error(self, plan: Plan, target: PoseTarget, *, is_shown: bool) -> PoseError:
        pose = _partner(plan, target.frame, is_shown=is_shown)
        return pose_error(pose, target.partner, self._rest_joints[1])

    def _settle(
        self, target: PoseTarget | PlaceTarget | ContactTarget, *, is_reached: bool, why: str
    ) -> None:
        """The target is wanted no more, and that is told."""
        if isinstance(target, PoseTarget):
            poses = tuple(pose for pose in self._direction.poses if pose is not target)
            self._direction = replace(self._direction, poses=poses)
            name = f"pose at frame {target.frame}"
        elif isinstance(target, PlaceTarget):
            self._direction = replace(self._direction, place=None)
            self._walk, self._walks = None, 0
            name = "place"
        else:
            self._direction = replace(self._direction, contact=None)
            self._walk, self._walks = None, 0
            hand, part = JOINT_NAMES[target.partner_joint], JOINT_NAMES[target.player_joint]
            name = f"contact of {hand} and {part}"
        text = f"{name} {'reached' if is_reached else 'missed'}: {why}"
        self._events.append(TargetEvent(is_reached=is_reached, text=text))


def _partner(plan: Plan, frame: int, *, is_shown: bool = True) -> Pose:
    return plan.pair(frame, is_shown=is_shown)[1]


def _is_same_place(first: PlaceTarget | None, second: PlaceTarget | None) -> bool:
    if first is None or second is None:
        return first is second
    is_same = np.array_equal(first.position, second.position)
    return is_same and (first.heading, first.frame) == (second.heading, second.frame)


def _place_of(target: PlaceTarget) -> Place:
    return Place(ground=target.position[[0, 2]], yaw=target.heading)
