"""Stance: where the feet of a body are that has none tracked: planted, and stepping after the hips.

A foot stands at one spot until the hips have left its support, then steps to where they will be.
Plain state in, plain state out; knows hips, time and floor, no tracker and no leg.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.easing import smoothstep
from engine.body.rotations import rotmat_about, wrapped

STEP_DISTANCE = 0.15
"""Metres that a foot may be from under its hip before it steps."""
STEP_TURN = np.radians(35.0)
"""Radians that it may be turned from where the hips face."""
TOES_OUT = np.array([0.15, -0.15])
"""Radians that feet at ease are turned out."""
SWING = 3.0
"""How much the arms' swing counts in which foot goes: the one whose arm goes back."""
HOP_DISTANCE = 0.6
"""Metres from which a foot steps although the other one is in the air."""
LEAP_DISTANCE = 1.2
"""Metres from which a foot is put down again: the body was moved, it did not walk."""
STEP_SECONDS, QUICK_STEP_SECONDS = 0.55, 0.4
"""How long a step takes from standing, and at a run."""
RUN_SPEED = 2.5
STEP_LIFT = 0.07
"""Metres that the ankle rises in a long step."""
LONG_STEP = 0.5
SPEED_SECONDS = 0.15
"""Time constant of the hips' speed, by which steps are aimed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stance:
    """Both feet (axis 0: left, right). Places are x, z and yaw: (2, 3)."""

    start: Array
    """Where each stands, or left the floor."""
    goal: Array
    """Where it will come down; where it stands, if it does."""
    since: Array
    """(2,) seconds: when it left the floor."""
    lasts: Array
    """(2,) seconds that its step takes; 0 while it stands."""
    hips: Array
    """(3,) x, z and yaw of the hips, and how fast they go: by which the next step is aimed."""
    speed: Array
    time_s: float


@dataclass(frozen=True, kw_only=True)
class Feet:
    """places (2, 3): x, z and yaw of each ankle; lift (2,) metres over its height at rest."""

    places: Array
    lift: Array


def standing(hips: Array, home: Array, time_s: float) -> Stance:
    """Both feet at `home`, as `stepped` takes it."""
    return standing_at(_under(hips, home), hips, time_s)


def standing_at(places: Array, hips: Array, time_s: float) -> Stance:
    """Both feet at their places, as `Stance.start` has them."""
    return Stance(
        start=places,
        goal=places,
        since=np.zeros(2),
        lasts=np.zeros(2),
        hips=hips,
        speed=np.zeros(2),
        time_s=time_s,
    )


def stepped(
    stance: Stance,
    hips: Array,
    home: Array,
    time_s: float,
    known: tuple[BoolArray, Array] | None = None,
    swing: float = 0.0,
) -> tuple[Stance, Feet]:
    """The feet at a time at which the hips are here.

    hips   (3,) x, z, yaw
    home   (2, 2) x and z of the ankles from the hips, standing at ease, facing +Z
    known  feet that are tracked (2,), and their places (2, 3): they follow
    swing  how much faster the left hand goes ahead than the right one, metres a second
    """
    seconds = max(time_s - stance.time_s, 1e-6)
    moved = hips[:2] - stance.hips[:2]
    part = -np.expm1(-seconds / SPEED_SECONDS)
    if math.hypot(*moved) > LEAP_DISTANCE:
        stance = standing(hips, home, time_s)
        moved = np.zeros(2)
    speed = stance.speed + part * (moved / seconds - stance.speed)
    stance = replace(stance, hips=hips, speed=speed, time_s=time_s)
    if known is not None and known[0].any():
        follows = known[0][:, None]
        stance = replace(
            stance,
            start=np.where(follows, known[1], stance.start),
            goal=np.where(follows, known[1], stance.goal),
            lasts=np.where(known[0], 0.0, stance.lasts),
        )
    stance = _landed(stance)
    is_known = np.zeros(2, bool) if known is None else known[0]
    stance = _lifted(stance, home, is_known, swing)
    stance = _aimed(stance, home)
    return stance, _feet(stance)


def _landed(stance: Stance) -> Stance:
    is_down = stance.time_s >= stance.since + stance.lasts
    return replace(
        stance,
        start=np.where(is_down[:, None], stance.goal, stance.start),
        lasts=np.where(is_down, 0.0, stance.lasts),
    )


def _lifted(stance: Stance, home: Array, is_known: BoolArray, swing: float) -> Stance:
    """Let the foot go that is worst off, if it is far from its hip and the other one stands."""
    places = _under(stance.hips, home)
    away = stance.start - places
    distance = np.hypot(away[:, 0], away[:, 1])
    strain = np.maximum(distance / STEP_DISTANCE, np.abs(wrapped(away[:, 2])) / STEP_TURN)
    stands = (stance.lasts == 0) & ~is_known
    # A foot ahead of hips that come its way waits for them.
    ahead = np.sum(away[:, :2] * stance.speed, axis=1) > 0
    strain = np.where(ahead & (distance < HOP_DISTANCE), 0.0, strain)
    pace = math.hypot(*stance.speed)
    lead = SWING * np.clip(swing / max(2 * pace, 0.5), -1, 1) * min(pace / 0.5, 1.0)
    strain = strain * (1 + lead * np.array([-1.0, 1.0]))
    may = stands & (strain > 1) & (stands[::-1] | is_known[::-1] | (distance > HOP_DISTANCE))
    if may.all() and distance.max() <= 2 * HOP_DISTANCE:
        may[int(np.argmin(strain))] = False
    if not may.any():
        return stance
    quickness = min(pace / RUN_SPEED, 1.0)
    lasts = STEP_SECONDS + quickness * (QUICK_STEP_SECONDS - STEP_SECONDS)
    return replace(
        stance,
        since=np.where(may, stance.time_s, stance.since),
        lasts=np.where(may, lasts, stance.lasts),
    )


def _aimed(stance: Stance, home: Array) -> Stance:
    """Feet in the air aim at where the hips will be half a step after they have landed."""
    left = np.maximum(stance.since + stance.lasts - stance.time_s, 0.0)
    ahead = (left + 0.5 * stance.lasts)[:, None] * stance.speed
    goal = _under(stance.hips, home)
    goal[:, :2] += ahead
    return replace(stance, goal=np.where((stance.lasts > 0)[:, None], goal, stance.goal))


def _feet(stance: Stance) -> Feet:
    lasts = np.maximum(stance.lasts, 1e-9)
    part = np.where(
        stance.lasts > 0, np.clip((stance.time_s - stance.since) / lasts, 0.0, 1.0), 0.0
    )
    way = stance.goal - stance.start
    way[:, 2] = wrapped(way[:, 2])
    length = np.minimum(np.hypot(way[:, 0], way[:, 1]) / LONG_STEP, 1.0)
    lift = STEP_LIFT * (0.4 + 0.6 * length) * np.sin(np.pi * part) ** 2
    return Feet(places=stance.start + smoothstep(part)[:, None] * way, lift=lift)


def _under(hips: Array, home: Array) -> Array:
    """Places (2, 3) of feet at ease under the hips."""
    points = np.stack([home[:, 0], np.zeros(2), home[:, 1]], axis=-1)
    points = points @ rotmat_about("y", float(hips[2])).T
    yaws = hips[2] + TOES_OUT
    return np.stack([points[:, 0] + hips[0], points[:, 2] + hips[1], yaws], axis=-1)
