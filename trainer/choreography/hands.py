"""Hands: where palms lie, and where two people's hands meet.

Knows two performers whose trunks are solved. Knows no interaction.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.vectors import unit
from trainer.choreography.arms import ArmMove
from trainer.choreography.performer import UP, Couple
from trainer.choreography.stepping import SIDE
from trainer.choreography.timing import smoothed

PALM = 0.085
"""From wrist to the middle of the palm, metres, along the fingers."""
PALM_DEPTH = 0.022
"""From the wrist's axis to the surface of the palm."""
HELD = 0.045
"""Metres from the wrist's axis to a palm on another: open, stiff fingers leave their plane."""
SHOULDER_TOP = 0.064
"""From the shoulder joint up to the skin, metres (0.055 to 0.078 over the packaged shapes)."""


def wrist_for_palm(
    palm_centre: Array, fingers: Array, palm: Array, depth: float = PALM_DEPTH
) -> Array:
    """The wrist of a hand the surface of whose palm is at `palm_centre`."""
    fingers = unit(fingers)
    normal = unit(palm - np.sum(palm * fingers, axis=-1, keepdims=True) * fingers)
    return np.asarray(palm_centre - PALM * fingers - depth * normal)


def lay_palm(
    side: int,
    weight: Array,
    spot: Array,
    fingers: Array,
    palm: Array,
    *,
    elbow: Array | None = None,
    arc: float = 0.4,
    depth: float = PALM_DEPTH,
) -> ArmMove:
    """Reach with the surface of the palm for `spot` (frame, 3)."""
    wrist = wrist_for_palm(spot, fingers, palm, depth)
    return ArmMove(side, weight, wrist, fingers, palm, elbow=elbow, arc=arc)


# ------------------------------------------------------------------------------------ two people
def between(bodies: Couple, who: int) -> Array:
    """(frame, 3) horizontal unit direction from one person to the other."""
    away = bodies[1 - who].at("spine3") - bodies[who].at("spine3")
    return unit(away * np.array([1.0, 0.0, 1.0]))


def leftwards(forward: Array) -> Array:
    return np.cross(UP, forward)


def reach_distance(arm: float, part: float, aside: float, vertical: float) -> float:
    """How far ahead of the shoulder the wrist is with the arm stretched to `part` of its length."""
    return float(np.sqrt(max((part * arm) ** 2 - aside**2 - vertical**2, 0.01)))


def clasping(bodies: Couple, who: int, hand: int, grip: Array) -> tuple[Array, Array, Array]:
    """Two right or two left hands that grip each other at `grip`: wrist, fingers, palm (frame, 3).

    The palms overlap by half, so that the wrists are 11 to 12 cm apart.
    """
    forward = between(bodies, who)
    palm = -SIDE[hand] * leftwards(forward)
    fingers = unit(forward + 0.12 * palm - 0.10 * UP)
    return wrist_for_palm(grip + 0.033 * forward, fingers, palm), fingers, palm


def grip_point(bodies: Couple, hands: tuple[int, int], below: float) -> Array:
    """Where the hand of each person meets the other's: midway between their shoulders, lower."""
    shoulders = [b.shoulder(hand) for b, hand in zip(bodies, hands, strict=True)]
    return smoothed(0.5 * (shoulders[0] + shoulders[1]) - below * UP, 4)
