"""Small everyday gestures of one person, one after the other on each arm."""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from trainer.choreography.arms import ArmMove
from trainer.choreography.hands import lay_palm
from trainer.choreography.performer import SIDES, Performer
from trainer.choreography.stage import Cast
from trainer.choreography.stepping import LEFT, RIGHT, SIDE
from trainer.choreography.timing import pulse, slow_noise, smoothed

ATTENDING = 0.02
"""Gestures a second of someone who attends to another: what partners show here, live ones repeat
unprovoked."""


def random_gestures(cast: Cast, body: Performer, per_second: float) -> list[ArmMove]:
    """A few small everyday gestures, one after the other on each arm."""
    time, moves = body.score.time, []
    for hand in (LEFT, RIGHT):
        now = cast.uniform(0.0, 2.0)
        while now < time[-1]:
            now += float(cast.rng.exponential(2 / per_second))
            kind = str(cast.rng.choice(list(GESTURES)))
            hold = cast.uniform(0.3, 2.2)
            weight = pulse(time, now, now + 0.8, now + 0.8 + hold, now + 1.6 + hold)
            moves.append(GESTURES[kind](cast, body, hand, weight))
            now += 1.7 + hold
    return moves


def resting_arms(cast: Cast, body: Performer) -> list[ArmMove]:
    """Arms as people keep them for as long as they wait: one way for both, or each its own, now and
    then let go."""
    time, hands = body.score.time, (LEFT, RIGHT)
    kinds = [str(cast.rng.choice(list(RESTS))) for _ in hands]
    if cast.chance(0.6):
        kinds[1] = kinds[0]
    begin = cast.uniform(-6.0, 4.0)
    end = begin + cast.uniform(3.0, 20.0)
    last = float(time[-1]) + 2.0
    moves = []
    for hand, kind in zip(hands, kinds, strict=True):
        late = cast.uniform(0.0, 0.5)
        weight = pulse(time, begin + late, begin + late + 0.9, min(end, last), min(end, last) + 0.9)
        moves.append(RESTS[kind](cast, body, hand, weight))
    return moves


def _hand_on_hip(cast: Cast, body: Performer, hand: int, weight: Array) -> ArmMove:
    side = SIDE[hand]
    spot = body.at(f"{SIDES[hand]}_hip") + body.direction([side * 0.09, 0.13, 0.05])
    fingers, palm = body.direction([-0.2 * side, -0.6, 0.8]), body.direction([-side, 0.0, -0.2])
    return lay_palm(hand, weight, spot, fingers, palm, elbow=body.direction([side, 0.0, -0.5]))


def _touch_face(cast: Cast, body: Performer, hand: int, weight: Array) -> ArmMove:
    side = SIDE[hand]
    spot = body.at("head") + body.direction([side * 0.05, cast.uniform(-0.02, 0.03), 0.10])
    fingers, palm = (
        body.direction([-0.3 * side, 1.0, -0.1]),
        body.direction([-0.7 * side, 0.0, -0.7]),
    )
    return lay_palm(
        hand, weight, spot, fingers, palm, elbow=body.direction([side * 0.4, -1.0, 0.1])
    )


def _talk_with_hand(cast: Cast, body: Performer, hand: int, weight: Array) -> ArmMove:
    side, time = SIDE[hand], body.score.time
    beat = smoothed(slow_noise(time, 3, cast.rng, 1.4), 2) * 0.05
    local = np.array([side * 0.06, -0.28, 0.30]) + beat
    wrist = body.shoulder(hand) + body.direction(local)
    fingers = body.direction([-0.2 * side, 0.25, 1.0])
    palm = body.direction([-0.8 * side, 0.6, 0.2])
    return ArmMove(hand, weight, wrist, fingers, palm)


def _hold_hand_out(cast: Cast, body: Performer, hand: int, weight: Array) -> ArmMove:
    side = SIDE[hand]
    local = [side * cast.uniform(0.05, 0.35), cast.uniform(-0.35, 0.0), cast.uniform(0.1, 0.4)]
    return ArmMove(hand, weight, body.shoulder(hand) + body.direction(local))


def _fold_hand(cast: Cast, body: Performer, hand: int, weight: Array) -> ArmMove:
    side = SIDE[hand]
    spot = body.at("spine1") + body.direction([side * 0.04, cast.uniform(-0.06, 0.05), 0.19])
    fingers, palm = body.direction([-side, -0.25, 0.15]), body.direction([0.0, 0.1, -1.0])
    return lay_palm(
        hand, weight, spot, fingers, palm, elbow=body.direction([side * 0.6, -0.6, -0.5])
    )


def _crossed(cast: Cast, body: Performer, hand: int, weight: Array) -> ArmMove:
    side = SIDE[hand]
    height, ahead = cast.uniform(-0.10, 0.02), 0.16 + 0.04 * hand
    spot = body.at("spine3") + body.direction([-side * 0.14, height - 0.04, ahead])
    fingers, palm = body.direction([-side, 0.25, -0.2]), body.direction([0.0, 0.0, -1.0])
    elbow = body.direction([side * 0.7, -0.7, 0.2])
    return lay_palm(hand, weight, spot, fingers, palm, elbow=elbow)


def _behind_back(cast: Cast, body: Performer, hand: int, weight: Array) -> ArmMove:
    side = SIDE[hand]
    low = cast.uniform(-0.12, 0.06)
    wrist = body.at("pelvis") + body.direction([side * 0.04, 0.10 + low, -0.17])
    fingers, palm = body.direction([-side, -0.4, 0.0]), body.direction([0.0, 0.2, -1.0])
    return ArmMove(hand, weight, wrist, fingers, palm, elbow=body.direction([side, -0.1, -0.8]))


def _in_pocket(cast: Cast, body: Performer, hand: int, weight: Array) -> ArmMove:
    side = SIDE[hand]
    wrist = body.at(f"{SIDES[hand]}_hip") + body.direction(
        [side * cast.uniform(0.06, 0.11), cast.uniform(0.02, 0.10), cast.uniform(0.0, 0.07)]
    )
    fingers, palm = body.direction([-0.1 * side, -1.0, 0.2]), body.direction([-side, 0.0, -0.1])
    return ArmMove(hand, weight, wrist, fingers, palm, elbow=body.direction([side, -0.1, -0.7]))


def _looks_at_hand(cast: Cast, body: Performer, hand: int, weight: Array) -> ArmMove:
    """A telephone, a cup, a watch: before the chest, the palm to the face."""
    side = SIDE[hand]
    local = [side * cast.uniform(-0.02, 0.10), cast.uniform(-0.12, 0.10), cast.uniform(0.2, 0.3)]
    wrist = body.at("spine3") + body.direction(local)
    fingers, palm = body.direction([-0.4 * side, 0.8, 0.5]), body.direction([-0.2 * side, 0.3, -1])
    return ArmMove(
        hand, weight, wrist, fingers, palm, elbow=body.direction([side * 0.3, -1.0, 0.0])
    )


def _hanging(cast: Cast, body: Performer, hand: int, weight: Array) -> ArmMove:
    """An arm that hangs wider, more ahead or more bent than most."""
    side = SIDE[hand]
    local = [side * cast.uniform(0.02, 0.26), cast.uniform(-0.98, -0.72), cast.uniform(-0.14, 0.28)]
    length = body.figure.arm * cast.uniform(0.86, 0.97)
    way = np.array(local) / np.linalg.norm(local)
    return ArmMove(hand, weight, body.shoulder(hand) + body.direction(list(length * way)))


GESTURES = {
    "hand on hip": _hand_on_hip,
    "touch face": _touch_face,
    "talk": _talk_with_hand,
    "hold out": _hold_hand_out,
    "fold": _fold_hand,
}
RESTS = {
    "hang": _hanging,
    "on hip": _hand_on_hip,
    "folded": _fold_hand,
    "crossed": _crossed,
    "behind back": _behind_back,
    "in pocket": _in_pocket,
    "look at": _looks_at_hand,
    "face": _touch_face,
}
