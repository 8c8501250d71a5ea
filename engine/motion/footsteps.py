"""Footsteps: feet that stay where they stand until hips are too far from them, and then step to
where these will be.

Plain numbers, as one step follows from the last. Knows the ground; knows no pose and no other body.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from engine.body.easing import smoothstep
from engine.body.rotations import wrapped

STEP_DISTANCE, STEP_TURN = 0.15, math.radians(30.0)
"""Metres from under its hip, and radians off where the hips face, at which a foot steps."""
AT_REST, SWAYS = 0.09, 0.20
"""The metres of one who has come to stand, and of one whose hips sway."""
STOPPED = 0.08
"""Metres a second of one who has come to stand."""
HOP_DISTANCE, COMING_OVER = 0.6, 0.12
"""Metres within which a foot waits for hips that come towards it by so many metres a second."""
STEP_SECONDS, QUICK_SECONDS, RUN_SPEED = 0.42, 0.3, 2.2
"""How long a step takes from standing, and at a run."""
MAY_PUSH_OFF, STRAINED = 0.7, 2.6
"""How far on its way the other foot must be for one to leave the floor before it has come down, and
how strained (1: it has to step) that one must be."""
MOST_CORRECTED = 0.05
"""Metres by which the goal of a step may change in a frame."""
COMMITTED = 0.6
"""Part of a step after which its goal stays."""
LEAST_WIDTH = 0.03
"""Metres that an ankle comes down on its own side of the other one: legs do not cross."""
ASIDE_FIRST, ASIDE_PACE = 0.4, 0.3
"""Strain for which the foot on the side that hips go to may step before the other, and the metres
a second to that side at which it does."""
MOST_AHEAD = 0.3
"""Metres that a foot comes down ahead of its place under the hips, which legs reach."""
FEET_LEAD = 0.15
"""Seconds by which feet step after the hips of later: a planned step comes before its need."""
LIFT, LONG_STEP = 0.11, 0.6
"""Metres that an ankle rises in a step of so many metres."""
TOES_OUT = 0.15

Place = tuple[float, float, float]
"""x, z and yaw on the ground."""
Ground = tuple[Sequence[float], Sequence[float]]
"""x and z of two points."""


@dataclass(frozen=True, kw_only=True)
class Foot:
    """One foot; places are the ankle's."""

    start: Place
    """Where it stands, or left the floor."""
    goal: Place
    """Where it will come down."""
    since: float = 0.0
    lasts: float = 0.0
    """Seconds that its step takes; 0 while it stands."""

    def part(self, time_s: float) -> float:
        """0 to 1 of its step; 1 while it stands."""
        return min((time_s - self.since) / self.lasts, 1.0) if self.lasts else 1.0

    def place(self, time_s: float) -> Place:
        if not self.lasts:
            return self.start
        done = smoothstep(self.part(time_s))
        (x, z, yaw), (to_x, to_z, to_yaw) = self.start, self.goal
        return x + done * (to_x - x), z + done * (to_z - z), yaw + done * (to_yaw - yaw)

    def lift(self, time_s: float) -> float:
        """Metres of the ankle over its height at rest: up before it travels, down after it."""
        if not self.lasts:
            return 0.0
        way = math.hypot(self.goal[0] - self.start[0], self.goal[1] - self.start[1])
        height = LIFT * (0.5 + 0.5 * min(way / LONG_STEP, 1.0))
        return float(height * math.sin(math.pi * self.part(time_s)) ** 0.8)


def step(
    feet: tuple[Foot, Foot],
    coming: Callable[[float], Place],
    velocity: tuple[float, float],
    home: Ground,
    time_s: float,
    *,
    is_led: bool = False,
) -> tuple[Foot, Foot]:
    """The feet (left, right) at a time, under hips that go at a velocity.

    coming  where the hips are so many seconds later
    home    x and z of the left and the right ankle from the hips, standing at ease, facing +Z
    is_led  whether hips sway as another's do, over feet that stay
    A foot in the air is led to where the hips are going; the last part of a step stays as it was
    begun, and a change of goal moves no foot at once.
    """
    both, hips = [_landed(foot, time_s) for foot in feet], coming(FEET_LEAD)
    pace = math.hypot(*velocity)
    under = [_under(hips, home[side], side) for side in (0, 1)]
    room = SWAYS if is_led else STEP_DISTANCE if pace > STOPPED else AT_REST
    strains = [_strain(both[side], under[side], velocity, room) for side in (0, 1)]
    sideways = velocity[0] * math.cos(hips[2]) - velocity[1] * math.sin(hips[2])
    first = ASIDE_FIRST * min(max(sideways / ASIDE_PACE, -1.0), 1.0)
    worst = 0 if strains[0] + first > strains[1] else 1
    foot, other = both[worst], both[1 - worst]
    may = not other.lasts or (other.part(time_s) > MAY_PUSH_OFF and strains[worst] > STRAINED)
    if strains[worst] > 1 and may:
        lasts = STEP_SECONDS + min(pace / RUN_SPEED, 1.0) * (QUICK_SECONDS - STEP_SECONDS)
        both[worst] = replace(foot, goal=foot.start, since=time_s, lasts=lasts)
    for side, sign in ((0, 1.0), (1, -1.0)):
        if both[side].lasts:
            beyond = both[1 - side].goal, sign * math.cos(hips[2]), -sign * math.sin(hips[2])
            both[side] = _aimed(
                both[side], partial(_under, home=home[side], side=side), coming, time_s, beyond
            )
    return both[0], both[1]


def _landed(foot: Foot, time_s: float) -> Foot:
    if foot.lasts and time_s >= foot.since + foot.lasts - 1e-6:
        return Foot(start=foot.goal, goal=foot.goal)
    return foot


def _under(hips: Place, home: Sequence[float], side: int) -> Place:
    """Where a foot at ease is under the hips."""
    x, z, yaw = hips
    sine, cosine = math.sin(yaw), math.cos(yaw)
    out_x, out_z = home
    toes = TOES_OUT if side == 0 else -TOES_OUT
    return x + cosine * out_x + sine * out_z, z - sine * out_x + cosine * out_z, yaw + toes


def _strain(foot: Foot, under: Place, velocity: tuple[float, float], room: float) -> float:
    """How much a foot that stands is off; over 1 it has to step: from so many metres on."""
    if foot.lasts:
        return 0.0
    x, z = foot.start[0] - under[0], foot.start[1] - under[1]
    distance = math.hypot(x, z)
    coming = (x * velocity[0] + z * velocity[1]) / max(distance, 1e-6)
    if coming > COMING_OVER and distance < HOP_DISTANCE:
        return 0.0
    return max(distance / room, abs(wrapped(foot.start[2] - under[2])) / STEP_TURN)


def _aimed(
    foot: Foot,
    under_at: Callable[[Place], Place],
    coming: Callable[[float], Place],
    time_s: float,
    beyond: tuple[Place, float, float],
) -> Foot:
    """A foot in the air, led to under where the hips will be half a step after it has landed.

    under_at  its place at ease under hips
    coming    where hips are so many seconds later
    beyond    the other foot's place, and the direction x, z in which this one comes down from it
    """
    part = foot.part(time_s)
    if part > COMMITTED:
        return foot
    lands = foot.lasts * (1.0 - part)
    landing, middle = (under_at(coming(after)) for after in (lands, lands + 0.5 * foot.lasts))
    way_x, way_z = middle[0] - landing[0], middle[1] - landing[1]
    share = min(1.0, MOST_AHEAD / max(math.hypot(way_x, way_z), 1e-9))
    here = foot.place(time_s)
    turn = here[2] + wrapped(middle[2] - here[2])
    goal = (landing[0] + share * way_x, landing[1] + share * way_z, turn)
    (other_x, other_z, _), out_x, out_z = beyond
    width = (goal[0] - other_x) * out_x + (goal[1] - other_z) * out_z
    wider = max(LEAST_WIDTH - width, 0.0)
    goal = (goal[0] + wider * out_x, goal[1] + wider * out_z, turn)
    if part > 0:
        x, z = goal[0] - foot.goal[0], goal[1] - foot.goal[1]
        scale = min(1.0, MOST_CORRECTED / max(math.hypot(x, z), 1e-9))
        goal = (foot.goal[0] + scale * x, foot.goal[1] + scale * z, turn)
    done = smoothstep(part)
    x, z, yaw = ((at - done * to) / (1 - done) for at, to in zip(here, goal, strict=True))
    return replace(foot, start=(x, z, yaw), goal=goal)
