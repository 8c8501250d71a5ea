"""A walk to a place: feet that step under hips that travel, arms that swing against them.

For a body that should be somewhere else, where a network may dawdle. Knows poses and rest joints;
knows no window, plan or network.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from engine.arrays import Array
from engine.body.canonical import yaw_of
from engine.body.easing import smoothstep
from engine.body.pose import Pose
from engine.body.reach import ANKLES, ELBOWS, SHOULDERS, Ends, Trunk, with_legs
from engine.body.rotations import rotmat_about, wrapped
from engine.body.skeleton import JOINT
from engine.motion.feet import sole_heights
from engine.motion.motion import FRAME_RATE
from engine.motion.stance import Feet, Stance, standing, standing_at, stepped
from engine.motion.standing import standing_pose

SPEED = 1.0
"""Metres a second, between setting off and coming to stand."""
TURN_SPEED = 2.0
"""Radians a second."""
RAMP_SECONDS = 0.8
"""To set off, and to come to stand."""
SETTLE_SECONDS = 0.5
"""Time at the end in which the feet come together."""
FEET_LEAD = 0.15
"""Seconds by which the feet step after the hips of later: a planned step comes before its need."""
TURNS_FROM, BACKWARDS_UNTIL = 0.9, 1.6
"""Metres from which a walker turns towards the place; and up to which a place behind the walker is
walked to backwards."""
BEHIND = np.radians(100.0)
SINK = 0.025
"""Metres that hips are lower in a walk at full speed than standing."""
ARM_SWING = 1.1
"""Radians of an arm for each metre that the other foot is ahead."""
ELBOW_BEND = 0.25
ENDING_FRAMES = 100
"""In which a walker has forgotten how the walk began."""
KEPT_FRAMES = 300
"""Of a walk that may take half an hour: more than any plan has."""


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where to stand: x and z of the pelvis, metres; yaw to face, radians, or None for any."""

    ground: Array
    yaw: float | None = None


def _no_frames() -> deque[Pose]:
    return deque(maxlen=KEPT_FRAMES)


def walk_frames(start: Pose, place: Destination, rest_joints: Array) -> int:
    """Frames that a walk takes at an easy pace."""
    hips, turn, travel = _route(start, place, rest_joints)
    distance = float(np.linalg.norm(place.ground - hips[:2]))
    turning = abs(wrapped(travel - hips[2])) + abs(wrapped(turn - travel))
    seconds = max(distance / SPEED + RAMP_SECONDS, turning / TURN_SPEED + RAMP_SECONDS)
    return int(np.ceil((seconds + SETTLE_SECONDS) * FRAME_RATE))


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """The frames of a walk that ends, standing at ease, at a place; made as they are asked for.

    start   where it sets off; frame 0 is the one after it
    frames  that it takes: at least one
    """

    start: Pose
    place: Destination
    rest_joints: Array
    floor: float
    frames: int
    _made: deque[Pose] = field(init=False, repr=False, default_factory=_no_frames)
    """The newest of them."""
    _coming: list[tuple[int, Iterator[Pose]]] = field(init=False, repr=False, default_factory=list)
    """What makes the next one, and its number."""

    def at(self, row: int) -> Pose:
        """Frame `row`; from the last one on the walker stays."""
        row = min(row, self.frames - 1)
        if not self._coming or row < self._coming[0][0] - len(self._made):
            self._made.clear()
            self._coming[:] = [(0, self._from(0))]
        number, coming = self._coming[0]
        while number <= row:
            self._made.append(next(coming))
            number += 1
        self._coming[0] = number, coming
        return self._made[row - number]

    def end(self) -> Pose:
        """The last frame. Of a long walk nearly: its last steps are taken from standing."""
        if self.frames <= ENDING_FRAMES:
            return self.at(self.frames - 1)
        *_, last = self._from(self.frames - ENDING_FRAMES)
        return last

    def _from(self, first: int) -> Iterator[Pose]:
        """The frames from one on, before which the walker stands where the walk has led."""
        rest_joints, floor = self.rest_joints, self.floor
        hips, last_yaw, travel_yaw = _route(self.start, self.place, rest_joints)
        seconds = np.arange(1, self.frames + 1) / FRAME_RATE
        moving = max(self.frames / FRAME_RATE - SETTLE_SECONDS, 1 / FRAME_RATE)
        way = self.place.ground - hips[:2]
        part, speed = _progress(seconds, moving)
        soon, _ = _progress(seconds + FEET_LEAD, moving)
        ground, ground_soon = (hips[:2] + done[:, None] * way for done in (part, soon))
        yaw, yaw_soon = (
            _yaws(hips[2], travel_yaw, last_yaw, at, moving)
            for at in (seconds, seconds + FEET_LEAD)
        )
        pace = speed * float(np.linalg.norm(way))
        home = rest_joints[ANKLES][:, [0, 2]] - rest_joints[0, [0, 2]]
        if first == 0:
            stance = _stance_of(*self.start.in_world(rest_joints), hips)
        else:
            at = np.array([*ground[first - 1], yaw[first - 1]])
            stance = standing(at, home, float(seconds[first - 1]))
        at_ease = standing_pose()
        resting, at_rest = Pose(at_ease, np.zeros(3)).in_world(rest_joints)
        sole = float(sole_heights(resting, at_rest, rest_joints).min())
        for row in range(first, self.frames):
            where = np.array([*ground[row], yaw[row]])
            under = np.array([*ground_soon[row], yaw_soon[row]])
            stance, feet = stepped(stance, under, home, float(seconds[row]))
            sink = SINK * min(pace[row] / SPEED, 1.0)
            root = np.array([ground[row, 0], floor - sole + resting[0, 1] - sink, ground[row, 1]])
            rotmats = _posed(
                at_ease, root, where, feet, rest_joints, resting[ANKLES, 1] - sole, floor
            )
            yield Pose(rotmats, root - rest_joints[0])


def _route(start: Pose, place: Destination, rest_joints: Array) -> tuple[Array, float, float]:
    """Where the hips are (x, z, yaw), and the yaws to arrive with and to travel with."""
    joints, _ = start.in_world(rest_joints)
    yaw = float(yaw_of(joints))
    hips = np.array([joints[0, 0], joints[0, 2], yaw])
    way = place.ground - hips[:2]
    distance = float(np.linalg.norm(way))
    travel = yaw
    if distance > TURNS_FROM:
        ahead = float(np.arctan2(way[0], way[1]))
        is_behind = abs(wrapped(ahead - yaw)) > BEHIND
        travel = yaw if is_behind and distance < BACKWARDS_UNTIL else ahead
    return hips, travel if place.yaw is None else place.yaw, travel


def _progress(seconds: Array, moving: float) -> tuple[Array, Array]:
    """Part of the way that is done, and its change a second, with soft ramps at both ends."""
    fine = np.linspace(0.0, moving, 400)
    ramp = min(RAMP_SECONDS, moving / 2)
    speed = _smooth(fine / ramp) * _smooth((moving - fine) / ramp)
    way = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2)])
    whole = way[-1] * (fine[1] - fine[0])
    return (
        np.interp(seconds, fine, way / way[-1]),
        np.interp(seconds, fine, speed / whole, right=0.0),
    )


def _yaws(first: float, travel: float, last: float, seconds: Array, moving: float) -> Array:
    """Headings that turn to where the walk goes first, and to the wanted heading last."""
    to_travel, to_last = wrapped(travel - first), wrapped(last - travel)
    away = min(max(abs(to_travel) / TURN_SPEED, RAMP_SECONDS), moving)
    back = min(max(abs(to_last) / TURN_SPEED, RAMP_SECONDS), moving)
    return np.asarray(
        first
        + to_travel * _smooth(seconds / away)
        + to_last * _smooth((seconds - moving + back) / back)
    )


def _stance_of(joints: Array, world: Array, hips: Array) -> Stance:
    """Both feet standing under where the ankles are."""
    ahead = world[ANKLES][..., 2]
    yaws = np.arctan2(ahead[:, 0], ahead[:, 2])
    places = np.stack([joints[ANKLES, 0], joints[ANKLES, 2], yaws], axis=-1)
    return standing_at(places, hips, 0.0)


def _posed(
    at_ease: Array,
    root: Array,
    hips: Array,
    feet: Feet,
    rest_joints: Array,
    ankle_height: Array,
    floor: float,
) -> Array:
    """Rotations (22, 3, 3) of the body over its feet; each arm goes with the other foot."""
    rotmats = at_ease.copy()
    rotmats[0] = rotmat_about("y", float(hips[2])) @ at_ease[0]
    forward = np.array([np.sin(hips[2]), np.cos(hips[2])])
    ahead = (feet.places[:, :2] - hips[:2]) @ forward
    for side in (0, 1):
        swing = rotmat_about("x", float(-ARM_SWING * ahead[1 - side]))
        rotmats[SHOULDERS[side]] = swing @ at_ease[SHOULDERS[side]]
        bend = -ELBOW_BEND if side == 0 else ELBOW_BEND
        rotmats[ELBOWS[side]] = at_ease[ELBOWS[side]] @ rotmat_about("y", bend)
    rotmats[JOINT["spine2"]] = rotmat_about("y", float(0.15 * (ahead[1] - ahead[0])))
    transl = root - rest_joints[0]
    joints, world = Pose(rotmats, transl).in_world(rest_joints)
    trunk = Trunk(rotmats=rotmats, transl=transl, joints=joints, world=world)
    ankles = np.stack(
        [feet.places[:, 0], floor + ankle_height + feet.lift, feet.places[:, 1]], axis=-1
    )
    turned = np.stack([rotmat_about("y", yaw) for yaw in feet.places[:, 2]])
    ends = Ends(positions=ankles, rotmats=turned)
    return with_legs(rest_joints, trunk.hips, rotmats, ends, floor)


def _smooth(x: Array) -> Array:
    return smoothstep(np.clip(x, 0.0, 1.0))
