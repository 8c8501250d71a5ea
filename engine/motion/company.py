"""Company: a body that keeps near another one: it stands while that stands, and comes along when
that goes.

Hips go as a person's do who sees the other: a pull towards a comfortable distance, with a dead zone
in which nothing moves (Rio, Rhea and Warren 2014: followers null the change of distance), speed and
acceleration bounded. Feet step under them from the phase they are in (`footsteps.py`); what becomes
of a body that goes so is `gait.py`'s.
Knows places and time, and the pose that one begins from; knows no window, session or network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.reach import ANKLES
from engine.body.rotations import wrapped
from engine.body.vectors import lengths
from engine.motion.footsteps import STOPPED, Foot, Place, step
from engine.motion.motion import FRAME_RATE

NEAREST, FARTHEST = 0.62, 2.1
"""Metres between two pelvises within which one who stands stays standing."""
PATIENCE = 5.0
"""Seconds after which one who stands goes to another who stands farther off than that."""
GAP, SLACK = 1.25, 0.10
"""Metres that one who walks keeps, give or take."""
LEAVES, LEAVING = 0.25, 1.35
"""Metres a second away from us at which the other is followed, from so many metres on."""
COMES = 0.25
"""Metres a second towards us at which the other is waited for."""
FORESIGHT = 0.45
"""Seconds by which the change of distance is taken ahead."""
ROOM, COMES_TO_STAND = 0.62, 2.0
"""Metres between two pelvises under which another who comes, and slows down by so many metres a
second squared, comes to stand: one steps aside."""
GENTLE, FROM_GENTLE = 0.8, 0.82
"""Metres a second below which one who comes up facing us may come nearer, and by which part."""
AVOIDS, LEAST_ROOM = 0.5, 0.66
"""Seconds of closing in after which the distance must not be under so many metres."""
DODGE = 1.4
"""Metres a second at which one gets out of the way of another who walks: as fast, at most."""
OFF_WAY, OFF_WAY_GAIN, OFF_WAY_SPEED = 0.8, 3.0, 0.8
"""Metres beside the line that another walks along, at which one comes along: out of the way, should
that turn back; metres a second for each that is missing, and at most."""
STRIDES = 0.5
"""Metres a second from which that is done."""
CLOSE = 0.70
"""Metres to which one gives way to another who has come up to one, or stands."""
USUAL, BEARS_S = 0.8, 2.5
"""Metres under which one who stands has had enough of it after so many seconds, and steps back."""
BESIDE, NARROWER = math.radians(45.0), 0.5
"""Radians off the side of another within which one may stand nearer, and by which part at most."""
TOP_SPEED, EASY_SPEED, BACK_SPEED, ASIDE_SPEED = 3.6, 1.3, 1.0, 1.0
WALKS, STANDS = 0.3, 0.15
"""Metres a second from which another walks, and up to which one stands."""
OUT_OF_VIEW, IN_VIEW = math.radians(65.0), math.radians(25.0)
"""Radians off where another faces who stands, from which one comes round, and as far as which."""
UNSEEN_S = 1.5
"""Seconds out of view after which one does."""
ROUND_SPEED, ROUND_GAIN, ROUND_TURN = 0.9, 2.0, math.radians(40.0)
"""Metres a second on the way round; for each metre that is left; and radians by which hips face
along it."""
ACCELERATION, BRAKING, FOLLOWING = 6.0, 5.0, 3.5
"""Metres a second squared of one who hurries, who slows down, and who goes after another."""
BEHIND = 1.8
"""Metres from which one who goes after another hurries."""
THERE, NOT_THERE = 0.02, 0.07
"""Metres from a place to stand at, within which one is there; and from which one sets off again."""
STRIDE, APPROACH = 1.5, 3.5
"""Metres a second on the way there; and for each metre that is left."""
JOINING = 0.6
"""Metres a second by which one who is led makes good what is missing."""
EAGER = 2.2
"""Times the distance that is too much: metres a second at which it is made good."""
TURNS_FROM, TURNED = math.radians(28.0), math.radians(5.0)
"""Radians off the other from which one who stands turns, and to which."""
SPIN, SPIN_GAIN, SPIN_DAMPING, SPIN_PUSH = 4.0, 26.0, 9.0, 25.0
FADE_SECONDS, LEAST_FADE = 1.2, 0.2
"""In which the other, whose future nobody knows, is taken to slow down; at least, if it brakes."""
SETTING_OFF, STEADY_SECONDS = 0.8, 0.4
"""Metres a second by which one becomes faster in a third of one who sets off, and for how long such
a one is taken to go on as it goes."""
SUBSTEPS = 3


@dataclass(frozen=True, kw_only=True)
class Companion:
    """One who keeps company, at one frame.

    hips          x, z, yaw; velocity (2) metres a second; spin radians a second
    waited        seconds that the other has been far off
    unseen        seconds that the other has stood and faced elsewhere
    risen         part of the way up of one who gets up: 0 sits, 1 stands
    """

    hips: Place
    velocity: tuple[float, float]
    spin: float
    is_going: bool
    is_turning: bool
    waited: float
    unseen: float
    feet: tuple[Foot, Foot]
    time_s: float
    risen: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """Where one who keeps company goes, frame by frame.

    hips    (frame, 3) x, z, yaw; pace (frame,) metres a second
    places  (frame, 2, 3) of the feet, lift (frame, 2)
    states  after each frame
    """

    hips: Array
    pace: Array
    places: Array
    lift: Array
    states: tuple[Companion, ...]

    def cut(self, frames: int) -> Course:
        """The first so many frames."""
        return Course(
            hips=self.hips[:frames],
            pace=self.pace[:frames],
            places=self.places[:frames],
            lift=self.lift[:frames],
            states=self.states[:frames],
        )

    @property
    def ahead(self) -> Array:
        """(frame, 2) metres that each foot is ahead of the hips."""
        way = self.places[:, :, :2] - self.hips[:, None, :2]
        yaw = self.hips[:, 2:]
        return np.asarray(way[..., 0] * np.sin(yaw) + way[..., 1] * np.cos(yaw))


def companion_of(pose: Pose, before: Pose, rest_joints: Array, time_s: float) -> Companion:
    """One who begins to keep company from a pose; `before` is the pose a frame earlier."""
    hips, earlier = (
        place_of(each.rotmats[0], each.transl + rest_joints[0]) for each in (pose, before)
    )
    v_x, v_z = ((hips[k] - earlier[k]) * FRAME_RATE for k in (0, 1))
    joints, world = pose.in_world(rest_joints)
    feet = []
    for ankle in ANKLES:
        yaw = math.atan2(world[ankle, 0, 2], world[ankle, 2, 2])
        place = (float(joints[ankle, 0]), float(joints[ankle, 2]), yaw)
        feet.append(Foot(start=place, goal=place))
    return Companion(
        hips=hips,
        velocity=(v_x, v_z),
        spin=wrapped(hips[2] - earlier[2]) * FRAME_RATE,
        is_going=math.hypot(v_x, v_z) > 0.3,
        is_turning=False,
        waited=0.0,
        unseen=0.0,
        feet=(feet[0], feet[1]),
        time_s=time_s,
    )


def place_of(root: Array, pelvis: Array) -> Place:
    """Of hips turned by `root` (3, 3), at `pelvis` (3,)."""
    return float(pelvis[0]), float(pelvis[2]), math.atan2(root[0, 2], root[2, 2])


def expected(known: Array, frames: int) -> Array:
    """(frames, 2) ground that a body crosses which was last seen at `known` (n >= 2, 2): it goes on
    as it went, and slows down; one that sets off goes on for a while first, and one that brakes
    comes to stand as it brakes."""
    steps = np.diff(known[-4:], axis=0) * FRAME_RATE
    before, now = (float(speed) for speed in lengths(steps[[0, -1]]))
    changed = min(max((now - before) / SETTING_OFF, -1.0), 1.0)
    velocity = steps.mean(axis=0)
    velocity = velocity + abs(changed) * (steps[-1] - velocity)
    braking = (before - now) * FRAME_RATE / max(len(steps) - 1, 1)
    fade = min(max(now / max(2 * braking, 1e-6), LEAST_FADE), FADE_SECONDS)
    seconds = np.arange(1, frames + 1) / FRAME_RATE
    steady = np.minimum(seconds, max(changed, 0.0) * STEADY_SECONDS)
    way = steady - fade * np.expm1((steady - seconds) / fade)
    return np.asarray(known[-1] + way[:, None] * velocity)


def accompany(
    state: Companion,
    other: Array,
    rest_joints: Array,
    stand: tuple[float, float] | None = None,
    shove: Array | None = None,
    led: Array | None = None,
) -> Course:
    """The frames after `state` beside one who crosses the ground `other` (frame, 3): x, z, yaw.

    stand  x, z to stand at, facing the other; None: at a comfortable distance
    shove  (frame, 2) metres a second x and z at which hips are made to go at least; None: free
    led    (frame, 2) x, z where hips are in each frame, if they can; None: where they like
    """
    left, right = (rest_joints[ANKLES][:, [0, 2]] - rest_joints[0, [0, 2]]).tolist()
    going, feet = [_Hips.of(state)], state.feet
    shoves = [(0.0, 0.0)] * len(other) if shove is None else [tuple(row) for row in shove.tolist()]
    nowhere: list[list[float] | None] = [None] * SUBSTEPS
    leads = [nowhere] * len(other) if led is None else _leads(led)
    for moved, shoved, lead in zip(_finer(other), shoves, leads, strict=True):
        hips = going[-1]
        for place, to in zip(moved, lead, strict=True):
            hips = _gone(hips, place, stand, shoved, to)
        going.append(hips)
    states: list[Companion] = []
    for frame, hips in enumerate(going[1:], 1):
        time_s = state.time_s + frame / FRAME_RATE
        coming = partial(_later, going, frame)
        feet = step(
            feet, coming, (hips.v_x, hips.v_z), (left, right), time_s, is_led=led is not None
        )
        states.append(hips.companion(feet, time_s))
    return Course(
        hips=np.array([after.hips for after in states]),
        pace=np.array([math.hypot(*after.velocity) for after in states]),
        places=np.array([[f.place(after.time_s) for f in after.feet] for after in states]),
        lift=np.array([[f.lift(after.time_s) for f in after.feet] for after in states]),
        states=tuple(states),
    )


class _Hips(NamedTuple):
    """What `_gone` carries on: a companion without feet and time."""

    x: float
    z: float
    yaw: float
    v_x: float
    v_z: float
    spin: float
    is_going: bool
    is_turning: bool
    waited: float
    unseen: float

    @classmethod
    def of(cls, state: Companion) -> _Hips:
        return cls(
            *state.hips,
            *state.velocity,
            state.spin,
            state.is_going,
            state.is_turning,
            state.waited,
            state.unseen,
        )

    def later(self, seconds: float) -> Place:
        return (
            self.x + seconds * self.v_x,
            self.z + seconds * self.v_z,
            self.yaw + seconds * self.spin,
        )

    def companion(self, feet: tuple[Foot, Foot], time_s: float) -> Companion:
        return Companion(
            hips=(self.x, self.z, self.yaw),
            velocity=(self.v_x, self.v_z),
            spin=self.spin,
            is_going=self.is_going,
            is_turning=self.is_turning,
            waited=self.waited,
            unseen=self.unseen,
            feet=feet,
            time_s=time_s,
        )


def _later(going: Sequence[_Hips], frame: int, seconds: float) -> Place:
    """Where hips are so many seconds after a frame of theirs; after the last, as they go then."""
    at = seconds * FRAME_RATE
    whole = min(int(at), len(going) - 1 - frame)
    return going[frame + whole].later((at - whole) / FRAME_RATE)


def _finer(other: Array) -> list[list[list[float]]]:
    """For each frame and each of its substeps, of the other: x, z, yaw, and how fast it goes."""
    count, ground = len(other), other[:, :2]
    velocity = np.gradient(ground, axis=0) * FRAME_RATE if count > 1 else np.zeros((1, 2))
    values = np.column_stack([ground, np.unwrap(other[:, 2]), velocity])
    at = np.arange(count * SUBSTEPS) / SUBSTEPS
    columns = [np.interp(at, np.arange(count), column) for column in values.T]
    moved: list[list[list[float]]] = np.stack(columns, -1).reshape(count, SUBSTEPS, 5).tolist()
    return moved


def _leads(led: Array) -> list[list[list[float] | None]]:
    """For each frame and each of its substeps, of hips that are led: x, z at its end, and how fast
    they change."""
    count, values = len(led), np.column_stack([led, np.gradient(led, axis=0) * FRAME_RATE])
    at = np.arange(1 - SUBSTEPS, (count - 1) * SUBSTEPS + 1) / SUBSTEPS
    columns = [np.interp(at, np.arange(count), column) for column in values.T]
    leads = np.stack(columns, -1).reshape(count, SUBSTEPS, 4)
    return [list(each) for each in leads.tolist()]


class _Other(NamedTuple):
    """Another, seen from us.

    ahead     x, z of the way there; past: on which side of us it would pass
    off       radians that we are beside where it faces
    pace, leaving, closing  metres a second: its own, away from us, and by which it gets farther off
    aside     metres that we are to the left of the line that it goes along; left: x, z of that way
    """

    distance: float
    ahead_x: float
    ahead_z: float
    past: float
    off: float
    pace: float
    leaving: float
    closing: float
    aside: float
    left_x: float
    left_z: float

    @classmethod
    def of(cls, hips: _Hips, other: list[float]) -> _Other:
        x, z, yaw, v_x, v_z = other
        away_x, away_z = x - hips.x, z - hips.z
        distance = max(math.hypot(away_x, away_z), 1e-3)
        ahead_x, ahead_z = away_x / distance, away_z / distance
        leaving = v_x * ahead_x + v_z * ahead_z
        pace = math.hypot(v_x, v_z)
        left_x, left_z = (v_z / pace, -v_x / pace) if pace > 1e-3 else (0.0, 0.0)
        return cls(
            distance=distance,
            ahead_x=ahead_x,
            ahead_z=ahead_z,
            past=(v_z - hips.v_z) * away_x - (v_x - hips.v_x) * away_z,
            off=wrapped(math.atan2(-away_x, -away_z) - yaw),
            pace=pace,
            leaving=leaving,
            closing=leaving - hips.v_x * ahead_x - hips.v_z * ahead_z,
            aside=-away_x * left_x - away_z * left_z,
            left_x=left_x,
            left_z=left_z,
        )


class _Wish(NamedTuple):
    """Where hips would go: metres a second x and z, and radians that they face beside the other;
    most: metres a second squared to get there. The rest is a companion's."""

    x: float
    z: float
    faces: float
    most: float
    is_going: bool
    waited: float
    unseen: float


def _gone(
    hips: _Hips,
    other: list[float],
    stand: tuple[float, float] | None,
    shoved: tuple[float, float],
    lead: list[float] | None,
) -> _Hips:
    """A substep later; of the other: x, z, yaw, and how fast x and z change.

    lead  x, z to be at then, and how fast they change
    """
    fine = 1 / (FRAME_RATE * SUBSTEPS)
    seen = _Other.of(hips, other)
    wish, gain = _wished(hips, seen, fine), 5.0
    if lead is not None and seen.distance + AVOIDS * min(seen.closing, 0.0) > LEAST_ROOM:
        wish, gain = _led(hips, wish, lead, fine), 1 / fine
    elif stand is not None:
        wish = _to_stand(hips, seen, wish, stand)
    push_x, push_z = gain * (wish.x - hips.v_x), gain * (wish.z - hips.v_z)
    scale = min(1.0, wish.most / max(math.hypot(push_x, push_z), 1e-9)) * fine
    v_x, v_z = hips.v_x + scale * push_x, hips.v_z + scale * push_z
    if force := math.hypot(*shoved):
        short = max(1.0 - (v_x * shoved[0] + v_z * shoved[1]) / (force * force), 0.0)
        v_x, v_z = v_x + short * shoved[0], v_z + short * shoved[1]
    turn = wrapped(math.atan2(seen.ahead_x, seen.ahead_z) + wish.faces - hips.yaw)
    is_turning = abs(turn) > (TURNED if hips.is_turning or wish.is_going else TURNS_FROM)
    push = (SPIN_GAIN * turn if is_turning else 0.0) - SPIN_DAMPING * hips.spin
    spin = hips.spin + min(max(push, -SPIN_PUSH), SPIN_PUSH) * fine
    spin = min(max(spin, -SPIN), SPIN)
    return _Hips(
        x=hips.x + v_x * fine,
        z=hips.z + v_z * fine,
        yaw=hips.yaw + spin * fine,
        v_x=v_x,
        v_z=v_z,
        spin=spin,
        is_going=wish.is_going,
        is_turning=is_turning,
        waited=wish.waited,
        unseen=wish.unseen,
    )


def _wished(hips: _Hips, seen: _Other, fine: float) -> _Wish:
    """What one wants who keeps company, so many seconds later."""
    distance, leaving = seen.distance, seen.leaving
    pace, off = math.hypot(hips.v_x, hips.v_z), abs(seen.off)
    side = 1.0 - NARROWER * max(1.0 - abs(off - 0.5 * math.pi) / BESIDE, 0.0)
    near = FROM_GENTLE if seen.pace < GENTLE and off < BESIDE else side
    halt = distance - leaving * leaving / (2 * COMES_TO_STAND)
    is_coming = leaving < -COMES and halt < ROOM * near
    is_pressed = is_coming or distance + AVOIDS * seen.closing < LEAST_ROOM * near
    is_close = distance < USUAL * side
    is_off = distance > FARTHEST or is_close
    waited = hips.waited + fine if is_off and leaving > -COMES else 0.0
    is_enough = waited > (BEARS_S if is_close else PATIENCE)
    over = distance + FORESIGHT * max(seen.closing, 0.0) - GAP
    keeps_gap = is_enough or (seen.pace > WALKS and leaving > -COMES)
    short = over + SLACK if keeps_gap else distance - CLOSE * near
    beyond = max(over - SLACK, 0.0) + min(short, 0.0)
    if hips.is_going:
        is_there = beyond == 0 or (beyond < 0 and distance > NEAREST * near and not is_enough)
        is_going = is_pressed or not (is_there and pace < STOPPED and seen.pace < STANDS)
    else:
        is_left = leaving > LEAVES and distance + FORESIGHT * leaving > LEAVING
        is_going = distance < NEAREST * near or is_left or is_pressed or is_enough
    is_round = seen.pace < WALKS and hips.unseen > UNSEEN_S and off > IN_VIEW
    is_unseen = distance > USUAL and off > OUT_OF_VIEW and seen.pace < STANDS
    is_hurried = is_pressed or distance > BEHIND
    towards = aside = off_way = faces = 0.0
    if is_pressed:
        towards = -BACK_SPEED
        if seen.pace > WALKS:
            off_way = math.copysign(min(seen.pace, DODGE), seen.aside)
        else:
            aside = math.copysign(ASIDE_SPEED, seen.past)
    elif is_round:
        is_going, left = True, distance * (off - 0.5 * IN_VIEW)
        aside = math.copysign(min(ROUND_GAIN * left, ROUND_SPEED), seen.off)
        faces = ROUND_TURN * aside / ROUND_SPEED
        towards = min(max(EAGER * (distance - GAP), -ASIDE_SPEED), ASIDE_SPEED)
    elif is_going:
        towards = EAGER * beyond + max(leaving, 0.0) * (over > -SLACK)
        if leaving < -COMES:
            towards = min(towards, 0.0)
        elif seen.pace > STRIDES:
            missing = max(OFF_WAY - abs(seen.aside), 0.0)
            off_way = math.copysign(min(OFF_WAY_GAIN * missing, OFF_WAY_SPEED), seen.aside)
        most = TOP_SPEED if seen.pace > WALKS else EASY_SPEED
        towards = min(max(towards, -BACK_SPEED), most)
    return _Wish(
        x=towards * seen.ahead_x + aside * seen.ahead_z + off_way * seen.left_x,
        z=towards * seen.ahead_z - aside * seen.ahead_x + off_way * seen.left_z,
        faces=faces,
        most=ACCELERATION if is_hurried else FOLLOWING if towards > pace else BRAKING,
        is_going=is_going,
        waited=waited,
        unseen=hips.unseen + fine if is_round or is_unseen else 0.0,
    )


def _led(hips: _Hips, wish: _Wish, lead: list[float], fine: float) -> _Wish:
    """What one wants who is led: as fast as that goes, and what is missing, by and by."""
    x, z, v_x, v_z = lead
    way_x, way_z = x - v_x * fine - hips.x, z - v_z * fine - hips.z
    quick = min(APPROACH, JOINING / max(math.hypot(way_x, way_z), 1e-9))
    return wish._replace(
        x=v_x + quick * way_x,
        z=v_z + quick * way_z,
        faces=0.0,
        most=ACCELERATION,
        is_going=True,
        unseen=0.0,
    )


def _to_stand(hips: _Hips, seen: _Other, wish: _Wish, stand: tuple[float, float]) -> _Wish:
    """What one wants who is to stand somewhere, facing the other."""
    way_x, way_z = stand[0] - hips.x, stand[1] - hips.z
    way = math.hypot(way_x, way_z)
    is_going = way > (THERE if hips.is_going else NOT_THERE)
    is_ahead = way_x * seen.ahead_x + way_z * seen.ahead_z > 0
    most = STRIDE if is_ahead else BACK_SPEED
    quick = min(APPROACH * way, most) / max(way, 1e-6) if is_going else 0.0
    return wish._replace(
        x=quick * way_x,
        z=quick * way_z,
        faces=0.0,
        most=FOLLOWING,
        is_going=is_going,
        unseen=0.0,
    )
