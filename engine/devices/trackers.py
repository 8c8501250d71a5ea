"""Trackers: a player's full pose from a few tracked points, sample by sample.

`solve(state, sample) -> state, pose, flags`: state is plain and frozen; there is no clock and no
socket, times come with the samples. Knows that a device may be lost; what it has to do with a joint
is `calibration.py`'s, how a body reaches `reach.py`'s, where untracked feet step `stance.py`'s
business.

Each of the six joints has a measurement, smoothed by a one-euro filter (Casiez, Roussel, Vogel: "1
euro Filter", CHI 2012), and a guess, made from the others. It follows one of the two; when it
changes over, it starts from where it was shown and eases, so nothing jumps.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import Enum

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.easing import smoothstep
from engine.body.pose import Pose
from engine.body.reach import (
    ANKLES,
    HEAD,
    SHOULDERS,
    WRISTS,
    Ends,
    Torso,
    Trunk,
    trunk,
    with_arms,
    with_legs,
    within_limits,
)
from engine.body.rotations import axis_angle_from_rotmat, rotmat_about, rotmat_from_axis_angle
from engine.body.vectors import lengths, rotated
from engine.devices.calibration import ROLE_COUNT, Calibration, Role, TrackerSample
from engine.errors import SessionError
from engine.motion.feet import sole_heights
from engine.motion.stance import Stance, standing, stepped

ONLY_HEAD, HANDS, ONLY_HIPS, FEET = slice(0, 1), slice(1, 3), slice(3, 4), slice(4, 6)
"""Parts of arrays in the order of `Role`."""
LEAST_CUTOFF, CUTOFF_PER_SPEED, CUTOFF_PER_TURN = 2.0, 12.0, 2.5
"""The one-euro filters: hertz at rest, per metre a second, per radian a second. At rest the time
constant is 1 / (2 pi 2 Hz) = 80 ms, under one frame; at 0.5 m/s it is 20 ms."""
SPEED_CUTOFF = 4.0
FROZEN_SECONDS = 0.5
"""A device that repeats itself to the last bit for so long, while others move, is lost."""
HOLD_SECONDS = 0.3
"""A lost joint is held so long, then it eases to the guess."""
EASE_SECONDS = 0.4
MOST_EASE_SPEED, MOST_EASE_TURN = 1.5, 6.0
"""Metres and radians a second with which a joint eases at most."""
LEAP_SPEED = 20.0
"""Metres a second above which a tracked point was put elsewhere; no hand is as fast."""

HEADING_SECONDS = 0.3
"""Time constant of where the hips are taken to face: where head and hands do."""
LEAN, LEAN_AT_REST, PELVIS_LEAN, PELVIS_LEAN_AT_REST = 0.66, 0.016, 0.24, -0.045
"""How far trunk and pelvis lean, of the angle at which leaning alone lowers the head as seen;
least squares over 16 recordings (docs/trackers.md)."""
STANDING_DROP = 0.03
"""Metres that a head is lower than in the T pose without any lean."""
TRUNK_LENGTH = 0.985
"""Part of the way from head to pelvis, in motion against the T pose: spines are not straight."""
HANGING = 1.25
"""Radians down from the T pose of an arm that hangs."""


class Tracking(Enum):
    """How a joint of a pose was found."""

    TRACKED = "tracked"
    RETURNING = "returning"
    """Tracked again; it still eases to where it is."""
    BRIDGED = "bridged"
    """Lost: held, then eased to a guess."""
    ABSENT = "absent"
    """Never seen: a guess."""


Flags = dict[Role, Tracking]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Smooth:
    """One-euro filters of all joints: values and their speeds; all (6, ...)."""

    is_set: BoolArray
    positions: Array
    rotmats: Array
    speeds: Array
    turn_speeds: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shown:
    """Where joints were shown, and what they still have to make up for; all (6, ...).

    follows      whether the measurement is followed, else the guess
    offsets, turns  by which the joint was off what it follows, at `since`
    """

    positions: Array
    rotmats: Array
    follows: BoolArray
    offsets: Array
    turns: Array
    since: Array
    lasts: Array

    def copied(self) -> _Shown:
        return _Shown(**{field.name: getattr(self, field.name).copy() for field in fields(self)})


@dataclass(frozen=True, kw_only=True, eq=False)
class TrackerState:
    """What `solve` remembers from sample to sample."""

    calibration: Calibration
    time_s: float
    sample: TrackerSample | None
    changed_s: Array
    """(6,) seconds: when each device last moved by a bit."""
    was_seen: BoolArray
    smooth: _Smooth
    shown: _Shown
    heading: Array
    """(2,) x and z of where the hips are taken to face."""
    stance: Stance | None


def begin(calibration: Calibration) -> TrackerState:
    """Before the first sample: a body that stands at the origin, facing +Z."""
    rest = calibration.rest_joints
    lift = np.array([0.0, calibration.floor - calibration.sole, 0.0])
    joints = rest[[HEAD, *WRISTS, 0, *ANKLES]] * [1.0, 1.0, 1.0] + lift
    still = np.repeat(np.eye(3)[None], ROLE_COUNT, axis=0)
    none, zeros, vectors = np.zeros(ROLE_COUNT, bool), np.zeros(ROLE_COUNT), np.zeros((6, 3))
    return TrackerState(
        calibration=calibration,
        time_s=-np.inf,
        sample=None,
        changed_s=zeros,
        was_seen=none,
        smooth=_Smooth(
            is_set=none, positions=vectors, rotmats=still, speeds=vectors, turn_speeds=vectors
        ),
        shown=_Shown(
            positions=joints,
            rotmats=still,
            follows=none,
            offsets=vectors,
            turns=vectors,
            since=zeros - 1e9,
            lasts=zeros,
        ),
        heading=np.array([0.0, 1.0]),
        stance=None,
    )


def solve(state: TrackerState, sample: TrackerSample) -> tuple[TrackerState, Pose, Flags]:
    """The pose at a sample, and how each joint of it was found.

    Raises SessionError if the time does not increase.
    """
    if not state.time_s < sample.time_s < np.inf:
        raise SessionError(
            f"trackers at {sample.time_s} s follow ones at {state.time_s} s; times must increase",
            field="time_s",
            reason="TIME_NOT_INCREASING",
        )
    rest, floor = state.calibration.rest_joints, state.calibration.floor
    state, is_good = _looked_at(state, sample)
    torso, state = _torso(state, is_good)
    body = trunk(rest, torso)
    hands = _followed(state, HANDS, _hanging(state, body))
    rotmats = with_arms(rest, body, hands)
    feet, state = _feet(state, body)
    rotmats = within_limits(with_legs(rest, body.hips, rotmats, feet, floor))
    pose = on_floor(state.calibration, Pose(rotmats, body.transl))
    state = replace(
        state,
        sample=sample,
        time_s=sample.time_s,
        was_seen=state.was_seen | is_good,
    )
    state.shown.follows[:] = is_good
    return state, pose, _flags(state, is_good)


def _flags(state: TrackerState, is_good: BoolArray) -> Flags:
    shown = state.shown
    is_easing = state.time_s < shown.since + shown.lasts
    return {
        role: (
            (Tracking.RETURNING if is_easing[role] else Tracking.TRACKED)
            if is_good[role]
            else (Tracking.BRIDGED if state.was_seen[role] else Tracking.ABSENT)
        )
        for role in Role
    }


# ------------------------------------------------------------------------------------- measurements
def _looked_at(state: TrackerState, sample: TrackerSample) -> tuple[TrackerState, BoolArray]:
    """The smoothed measurements, and which devices can be trusted (6,)."""
    before = state.sample
    has_moved = np.ones(ROLE_COUNT, bool)
    if before is not None:
        has_moved = np.any(sample.positions != before.positions, axis=-1)
        has_moved |= np.any(sample.rotmats != before.rotmats, axis=(-1, -2))
    changed_s = np.where(has_moved, sample.time_s, state.changed_s)
    is_frozen = changed_s[sample.is_trusted].max(initial=0.0) - changed_s > FROZEN_SECONDS
    is_good = sample.is_trusted & ~is_frozen
    positions, rotmats = state.calibration.joints(sample)
    seconds = min(sample.time_s - state.time_s, 1.0)
    smooth, has_leapt = _smoothed(state.smooth, positions, rotmats, is_good, seconds)
    shown = state.shown.copied()
    if state.was_seen[Role.HEAD]:
        shown.follows[has_leapt] = False
    else:
        # Nobody has seen this body yet: it begins where its devices are.
        shown.follows[:], shown.since[:] = is_good, -1e9
        shown.offsets[:], shown.turns[:] = 0.0, 0.0
    return (
        replace(state, changed_s=changed_s, smooth=smooth, shown=shown, time_s=sample.time_s),
        is_good,
    )


def _smoothed(
    last: _Smooth, positions: Array, rotmats: Array, is_good: BoolArray, seconds: float
) -> tuple[_Smooth, BoolArray]:
    """The filters after a sample, and which points leapt: those begin again.

    Casiez 2012: x' = x + a (new - x),  a = 1 / (1 + 1 / (2 pi f dt)),  f = least + slope |speed|
    """
    step = positions - last.positions
    turn = axis_angle_from_rotmat(rotmats @ np.swapaxes(last.rotmats, -1, -2))
    has_leapt = last.is_set & (lengths(step) > LEAP_SPEED * seconds + 0.2)
    goes_on = (last.is_set & is_good & ~has_leapt)[:, None]
    slow = _gain(SPEED_CUTOFF, seconds)
    speeds = np.where(goes_on, last.speeds + slow * (step / seconds - last.speeds), 0.0)
    turns = np.where(goes_on, last.turn_speeds + slow * (turn / seconds - last.turn_speeds), 0.0)
    gain = _gain(LEAST_CUTOFF + CUTOFF_PER_SPEED * _norm(speeds), seconds)
    turn_gain = _gain(LEAST_CUTOFF + CUTOFF_PER_TURN * _norm(turns), seconds)
    towards = rotmat_from_axis_angle(turn_gain * turn) @ last.rotmats
    smooth = _Smooth(
        is_set=is_good,
        positions=np.where(goes_on, last.positions + gain * step, positions),
        rotmats=np.where(goes_on[..., None], towards, rotmats),
        speeds=speeds,
        turn_speeds=turns,
    )
    return smooth, has_leapt & is_good


def _gain(cutoff: Array | float, seconds: float) -> Array:
    return np.asarray(1 / (1 + 1 / (2 * np.pi * np.asarray(cutoff) * seconds)))


# ------------------------------------------------------------------------------------------ changes
def _followed(state: TrackerState, roles: slice, guess: Ends) -> Ends:
    """Where joints are shown: at the measurement or the guess, and on their way from where they
    were when they changed over. Noted in `state.shown`, which is this sample's own."""
    shown, smooth, now = state.shown, state.smooth, state.time_s
    good = smooth.is_set[roles]
    position = np.where(good[:, None], smooth.positions[roles], guess.positions)
    rotmat = np.where(good[:, None, None], smooth.rotmats[roles], guess.rotmats)
    changes = good != shown.follows[roles]
    if changes.any():
        off = shown.positions[roles] - position
        turned = axis_angle_from_rotmat(shown.rotmats[roles] @ np.swapaxes(rotmat, -1, -2))
        slowest = np.maximum(lengths(off) / MOST_EASE_SPEED, lengths(turned) / MOST_EASE_TURN)
        begins = now + np.where(good, 0.0, HOLD_SECONDS)
        shown.offsets[roles][changes] = off[changes]
        shown.turns[roles][changes] = turned[changes]
        shown.since[roles][changes] = begins[changes]
        shown.lasts[roles][changes] = np.maximum(1.5 * slowest, EASE_SECONDS)[changes]
    part = np.clip((now - shown.since[roles]) / np.maximum(shown.lasts[roles], 1e-9), 0.0, 1.0)
    left = (1 - smoothstep(part))[:, None]
    if left.any():
        position = position + left * shown.offsets[roles]
        rotmat = rotmat_from_axis_angle(left * shown.turns[roles]) @ rotmat
    shown.positions[roles], shown.rotmats[roles] = position, rotmat
    return Ends(positions=position, rotmats=rotmat)


# ------------------------------------------------------------------------------------------ guesses
def _torso(state: TrackerState, is_good: BoolArray) -> tuple[Torso, TrackerState]:
    head = _followed(state, ONLY_HEAD, _head_guess(state, is_good))
    state = replace(state, heading=_heading(state, head.rotmats[0], is_good))
    hips = _followed(state, ONLY_HIPS, _hips_guess(state, head))
    torso = Torso(
        head=head.positions[0],
        head_rotmat=head.rotmats[0],
        pelvis=hips.positions[0],
        pelvis_rotmat=hips.rotmats[0],
    )
    return torso, state


def _head_guess(state: TrackerState, is_good: BoolArray) -> Ends:
    """Upright over tracked hips; without them where it was."""
    if not is_good[Role.HIPS]:
        shown = state.shown
        left = Ends(positions=shown.positions[:1], rotmats=shown.rotmats[:1])
        return left
    hips = state.smooth.rotmats[Role.HIPS]
    turn = _facing(hips[[0, 2], 2])
    rest = state.calibration.rest_joints
    up = turn @ (rest[HEAD] - rest[0])
    return Ends(
        positions=state.smooth.positions[Role.HIPS][None] + TRUNK_LENGTH * up, rotmats=turn[None]
    )


def _heading(state: TrackerState, head: Array, is_good: BoolArray) -> Array:
    """Where the hips face (2,): as tracked; else where the head and a line between the hands do."""
    if is_good[Role.HIPS]:
        forward = state.smooth.rotmats[Role.HIPS][[0, 2], 2]
        return np.asarray(forward / max(float(lengths(forward)), 0.1))
    ahead = head[[0, 2], 2] / max(float(lengths(head[[0, 2], 2])), 0.1)
    if is_good[HANDS].all():
        left, right = state.smooth.positions[HANDS]
        across = (left - right)[[0, 2]]
        apart = max(float(lengths(across)), 1e-6)
        square = np.array([-across[1], across[0]]) / apart
        ahead = ahead + square * min(max((apart - 0.1) / 0.3, 0.0), 1.0)
    if state.sample is None:
        return np.asarray(ahead)
    seconds = state.time_s - state.sample.time_s
    return np.asarray(
        state.heading - np.expm1(-seconds / HEADING_SECONDS) * (ahead - state.heading)
    )


def _facing(forward: Array) -> Array:
    """The turn (3, 3) about Y that brings +Z to x and z of `forward` (2,)."""
    return rotmat_about("y", float(np.arctan2(forward[0], forward[1])))


def _hips_guess(state: TrackerState, head: Ends) -> Ends:
    """Behind and under the head, by as much as a body leans whose head is so low."""
    rest = state.calibration.rest_joints
    length = float(lengths(rest[HEAD] - rest[0]))
    tall = rest[HEAD, 1] - state.calibration.sole + state.calibration.floor
    drop = max(float(tall - head.positions[0, 1]) - STANDING_DROP, 0.0)
    folded = float(np.arccos(max(1 - drop / length, -1.0)))
    lean = LEAN_AT_REST + LEAN * folded
    up = TRUNK_LENGTH * length * np.array([0.0, np.cos(lean), np.sin(lean)])
    turn = _facing(state.heading)
    pitch = rotmat_about("x", PELVIS_LEAN_AT_REST + PELVIS_LEAN * folded)
    return Ends(positions=head.positions - turn @ up, rotmats=(turn @ pitch)[None])


def _hanging(state: TrackerState, body: Trunk) -> Ends:
    """Hands beside the hips."""
    rest, turn = state.calibration.rest_joints, _facing(state.heading)
    arms = rest[WRISTS] - rest[SHOULDERS]
    down = turn @ rotmat_about("z", np.array([-HANGING, HANGING]))
    return Ends(positions=body.joints[SHOULDERS] + 0.97 * rotated(down, arms), rotmats=down)


def _feet(state: TrackerState, body: Trunk) -> tuple[Ends, TrackerState]:
    """Feet as tracked, or planted; a tracked foot that is lost stands where it was last."""
    rest, floor = state.calibration.rest_joints, state.calibration.floor
    forward = state.heading
    pelvis = rest[0] + body.transl
    hips = np.array([pelvis[0], pelvis[2], np.arctan2(forward[0], forward[1])])
    home = (rest[ANKLES] - rest[0])[:, [0, 2]]
    stance = state.stance
    if stance is None:
        stance = standing(hips, home, state.time_s - 1e-3)
    smooth = state.smooth
    places = smooth.positions[FEET, ::2]
    toes = smooth.rotmats[FEET, :, 2]
    yaws = np.arctan2(toes[:, 0], toes[:, 2])
    known = (smooth.is_set[FEET], np.concatenate([places, yaws[:, None]], axis=-1))
    hands = smooth.speeds[HANDS]
    swing = float((hands[0] - hands[1])[[0, 2]] @ forward / max(lengths(forward), 0.1))
    stance, feet = stepped(stance, hips, home, state.time_s, known, swing)
    low = floor + rest[ANKLES][:, 1] - state.calibration.sole
    height = low + feet.lift
    guess = Ends(
        positions=np.stack([feet.places[:, 0], height, feet.places[:, 1]], axis=-1),
        rotmats=rotmat_about("y", feet.places[:, 2]),
    )
    ends = _followed(state, FEET, guess)
    above = ends.positions.copy()
    above[:, 1] = np.maximum(above[:, 1], low)
    return replace(ends, positions=above), replace(state, stance=stance)


def on_floor(calibration: Calibration, pose: Pose) -> Pose:
    """The pose, raised so that no sole and no joint is under the floor."""
    rest = calibration.rest_joints
    joints, world = pose.in_world(rest)
    lowest = min(sole_heights(joints, world, rest).min(), joints[:, 1].min())
    raised = np.array([0.0, max(calibration.floor - float(lowest), 0.0), 0.0])
    return Pose(pose.rotmats, pose.transl + raised)


def _norm(vectors: Array) -> Array:
    return lengths(vectors)[..., None]
