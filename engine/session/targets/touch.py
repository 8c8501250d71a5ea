"""A touch: the partner walks near if necessary, raises an arm, and the hand follows the player."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.arrays import Array
from engine.body.capsules import Capsules
from engine.body.pose import Pose
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
from engine.motion.walk import Destination, walk_frames
from engine.session.direction import ContactTarget, Direction, Mode
from engine.session.plan import KnownAhead, Plan
from engine.session.targets.pursuit import RAISE_FRAMES, Pursuit, Touch, Upcoming

TOUCH_NEAR = 0.02
"""Metres between the skins within which a touch counts as reached."""
STEP_NEARER, ARM_USED = 0.05, 0.9
"""Metres beyond the arm's reach from which the partner walks nearer; part of it to stop at."""
HAND = 0.07
"""Metres from the wrist to the middle of the palm, laid flat."""


class TouchAim:
    """rest_joints (2, 22, 3) and capsules of player and partner."""

    def __init__(self, rest_joints: Array, capsules: tuple[Capsules, Capsules] | None) -> None:
        self._rest_joints = rest_joints
        self._bodies = capsules

    @property
    def _capsules(self) -> tuple[Capsules, Capsules]:
        assert self._bodies is not None
        return self._bodies

    def turn_to(self, direction: Direction, pursuit: Pursuit) -> None:
        contact = direction.contact
        if contact is not None:
            self._check(contact)
        is_same = contact == pursuit.direction.contact
        if not is_same:
            pursuit.forget_walk()
        if not is_same or direction.mode is Mode.PAUSED:
            pursuit.touch = None

    def _check(self, contact: ContactTarget) -> None:
        if self._bodies is None:
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

    def is_due(self, pursuit: Pursuit, plan: Plan, *, frozen: int, reach: int) -> bool:
        contact = pursuit.direction.contact
        if contact is None or not pursuit.direction.is_free:
            return False
        if pursuit.touch is not None:
            return pursuit.is_off_walk(plan)
        stand = self._stand_for(contact, plan, frozen)
        needed = RAISE_FRAMES
        if stand is not None:
            start = plan.pair(frozen, is_shown=True)[1]
            needed += walk_frames(start, stand, pursuit.rest_joints)
        return contact.frame - needed <= frozen + 1

    def ahead(
        self, pursuit: Pursuit, plan: Plan, window: Upcoming, known: tuple[KnownAhead, ...]
    ) -> tuple[KnownAhead, ...]:
        """Sets off, or raises the arm, if it is time to."""
        contact = pursuit.direction.contact
        if contact is None or not pursuit.direction.is_free:
            return ()
        if pursuit.is_off_walk(plan):
            pursuit.walk = None
        if pursuit.touch is None:
            self._begin(contact, pursuit, plan, window)
        new: tuple[KnownAhead, ...] = ()
        touch = pursuit.touch
        if touch is not None and window.until < touch.frame <= min(window.reach, plan.last):
            new = (KnownAhead(frame=touch.frame, partner=self._reaching(touch, pursuit, plan)),)
        return new + pursuit.walk_ahead(window, known + new)

    def judge(
        self, pursuit: Pursuit, plan: Plan, now: int, player_at: Callable[[int], Pose]
    ) -> None:
        contact, touch = pursuit.direction.contact, pursuit.touch
        if touch is not None and now > touch.last:
            pursuit.touch = None
        if contact is None:
            return
        if touch is None:
            if not pursuit.direction.is_free and now > contact.frame + contact.hold_frames:
                why = f"in mode {pursuit.direction.mode.value} there are no touches"
                _settle(pursuit, contact, is_reached=False, why=why)
            return
        if now < touch.frame:
            return
        gap = self._gap(contact, player_at(now), plan.pair(now, is_shown=True)[1])
        if gap <= TOUCH_NEAR or now >= touch.held_until:
            why = f"{max(100 * gap, 0):.0f} cm between the skins at frame {now}"
            _settle(pursuit, contact, is_reached=gap <= TOUCH_NEAR, why=why)

    def forbid(self, pursuit: Pursuit) -> None:
        """A touch that is wanted, or under way, is given up."""
        if pursuit.direction.contact is not None:
            why = "contact is not allowed"
            _settle(pursuit, pursuit.direction.contact, is_reached=False, why=why)
        pursuit.touch = None

    def bent(
        self,
        touch: Touch,
        frames: range,
        partner: Pose,
        player: Pose,
        shifts: Callable[[int, range], Array] | None = None,
    ) -> Array:
        """See `Targets.touched`."""
        joints, world = player.in_world(self._rest_joints[0])
        if shifts is not None:
            joints = joints + shifts(touch.spot.joint, frames)[:, None]
        return touching(
            partner,
            self._rest_joints[1],
            touch.target.partner_joint,
            *on_body(touch.spot, joints, world),
            self._capsules[1],
            part_of(self._capsules[0], touch.spot.joint, joints, world),
            touch.weights(np.array(frames)),
        )

    # -- beginning ---------------------------------------------------------------------------------
    def _begin(
        self, contact: ContactTarget, pursuit: Pursuit, plan: Plan, window: Upcoming
    ) -> None:
        until = window.until
        start = plan.pair(until, is_shown=True)[1]
        stand = self._stand_for(contact, plan, until)
        needed = RAISE_FRAMES
        if stand is not None:
            needed = walk_frames(start, stand, pursuit.rest_joints) + 2
        if contact.frame - needed > until + 1:
            return
        frame = max(contact.frame, until + needed)
        if stand is not None:
            stays = 2 + contact.hold_frames
            walk = pursuit.set_off(start, stand, window, frame - 2 - until, stays)
            start = walk.steps.end()
        shoulder = self._shoulder(start, contact.partner_joint)
        spot = self._spot(contact, plan, frame, shoulder)
        pursuit.touch = Touch(target=contact, frame=frame, spot=spot)

    def _stand_for(self, contact: ContactTarget, plan: Plan, until: int) -> Destination | None:
        """Where to go so that the hand reaches the part; None: it will do so without a walk."""
        rest_joints = self._rest_joints[1]
        frame = min(max(contact.frame, until), plan.last)
        player, partner = (plan.pair(frame, is_shown=True)[person] for person in (0, 1))
        shoulder = self._shoulder(partner, contact.partner_joint)
        spot = self._spot(contact, plan, frame, shoulder)
        (point,), _ = on_body(spot, *player[None].in_world(self._rest_joints[0]))
        length = arm_length(rest_joints, contact.partner_joint) + HAND
        if np.linalg.norm(point - shoulder) <= length + STEP_NEARER:
            return None
        joints, _ = partner.in_world(rest_joints)
        away = (joints[0] - point) * [1.0, 0.0, 1.0]
        away = away / max(float(np.linalg.norm(away)), 1e-9)
        up = float(point[1] - shoulder[1])
        across = np.sqrt(max((ARM_USED * length) ** 2 - up**2, 0.15**2))
        yaw = float(np.arctan2(-away[0], -away[2]))
        wide = rest_joints[JOINT[f"{SIDES[contact.partner_joint]}_shoulder"], 0] - rest_joints[0, 0]
        side = wide * np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
        return Destination(ground=(point + across * away - side)[[0, 2]], yaw=yaw)

    def _shoulder(self, partner: Pose, wrist: int) -> Array:
        joints, _ = partner.in_world(self._rest_joints[1])
        return np.asarray(joints[JOINT[f"{SIDES[wrist]}_shoulder"]])

    def _spot(self, contact: ContactTarget, plan: Plan, frame: int, seen_from: Array) -> Spot:
        joints, world = plan.pair(frame, is_shown=True)[0].in_world(self._rest_joints[0])
        return nearest_spot(self._capsules[0], contact.player_joint, joints, world, seen_from)

    def _reaching(self, touch: Touch, pursuit: Pursuit, plan: Plan) -> Pose:
        """The pose at the beginning of a touch: as planned, the arm raised."""
        player, partner = (plan.pair(touch.frame, is_shown=False)[person] for person in (0, 1))
        walk = pursuit.walk
        if walk is not None and walk.first <= touch.frame <= walk.last:
            partner = walk.at(touch.frame)
        frames = range(touch.frame, touch.frame + 1)
        turned = self.bent(touch, frames, partner[None], player[None])
        return Pose(turned[0], partner.transl)

    def _gap(self, contact: ContactTarget, player: Pose, partner: Pose) -> float:
        """Metres between hand and part."""
        parts = (contact.player_joint, contact.partner_joint)
        skins = [
            part_of(capsules, joint, *pose[None].in_world(rest_joints))
            for capsules, joint, pose, rest_joints in zip(
                self._capsules, parts, (player, partner), self._rest_joints, strict=True
            )
        ]
        return float(skin_gap(*skins)[0])


def _settle(pursuit: Pursuit, contact: ContactTarget, *, is_reached: bool, why: str) -> None:
    hand, part = JOINT_NAMES[contact.partner_joint], JOINT_NAMES[contact.player_joint]
    pursuit.forget_walk()
    pursuit.settle(contact, f"contact of {hand} and {part}", is_reached=is_reached, why=why)
