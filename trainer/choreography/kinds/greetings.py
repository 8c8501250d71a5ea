"""Greetings: handshake, high five, wave, bow. Each turns a cast into a scene."""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.vectors import unit
from trainer.choreography.arms import ArmMove, move_arms
from trainer.choreography.hands import (
    between,
    clasping,
    grip_point,
    lay_palm,
    leftwards,
    reach_distance,
    wrist_for_palm,
)
from trainer.choreography.performer import SIDES, UP, WRISTS, Couple, Performer, stand
from trainer.choreography.stage import (
    Cast,
    Scene,
    clock,
    fine_frame,
    leave_steps,
    named,
    plan_approach,
    scene_of,
    touching,
    watch_each_other,
    write_scores,
)
from trainer.choreography.stepping import LEFT, RIGHT, SIDE
from trainer.choreography.timing import pulse, ramp, smoothed


# ----------------------------------------------------------------------------------- handshake
def handshake(cast: Cast) -> Scene:
    hand = RIGHT if cast.chance(0.97) else LEFT
    first, _ = cast.roles()
    ahead = reach_distance(cast.arm, cast.uniform(0.83, 0.92), 0.17, 0.28)
    approach = plan_approach(cast, 2 * (ahead + 0.05) + 0.08)
    offer = approach.arrive + cast.uniform(-0.5, 0.5)
    answer = offer + cast.uniform(0.2, 0.6)
    clasp = max(answer + cast.uniform(0.55, 0.9), approach.arrive + 0.1)
    shakes, hz = int(cast.rng.integers(1, 5)), cast.uniform(1.4, 2.6)
    release = clasp + 0.25 + shakes / hz + cast.uniform(0.0, 0.8)
    time = clock(release + cast.uniform(1.2, 2.6))
    scores = write_scores(cast, time, approach, release + 0.1, leave_steps(cast))
    held = pulse(time, answer, clasp, release, release + 0.7)
    for score in scores:
        score.lean[:, 0] += cast.uniform(0.03, 0.14) * held
        score.lean[:, 2] -= 0.12 * SIDE[hand] * held
    bodies = (stand(scores[0]), stand(scores[1]))
    grip = grip_point(bodies, (hand, hand), cast.uniform(0.26, 0.36))
    shaking = pulse(time, clasp, clasp + 0.2, release - 0.15, release)
    grip[:, 1] += cast.uniform(0.02, 0.05) * shaking * np.sin(2 * np.pi * hz * (time - clasp))
    watch_each_other(bodies, cast, grip, pulse(time, answer, clasp, clasp + 0.2, clasp + 0.6))
    offered = pulse(time, offer, offer + 0.65, release + 0.1, release + 0.9)
    for who, body in enumerate(bodies):
        clasped = pulse(time, max(offer, answer), clasp, release, release + cast.uniform(0.6, 0.9))
        moves = _shaking_hand(bodies, who, hand, grip, offered, clasped)
        move_arms(body, moves if who == first else moves[1:])
    frames = [fine_frame(t, time) for t in (clasp + 0.1, 0.5 * (clasp + release), release - 0.1)]
    wrists = (WRISTS[hand], WRISTS[hand])
    contacts = touching(frames[:2], [wrists])
    return scene_of(
        bodies, _handshake_captions(first, hand), frames, contacts, is_mirrorable=False, leads=first
    )


def _shaking_hand(
    bodies: Couple, who: int, hand: int, grip: Array, offered: Array, clasped: Array
) -> list[ArmMove]:
    """The hand held out, waiting; then the hand in the other's."""
    body = bodies[who]
    wrist, fingers, palm = clasping(bodies, who, hand, grip)
    waiting = body.direction([-SIDE[hand] * 0.06, -0.30, 0.34])
    held_out = body.shoulder(hand) + waiting
    return [
        ArmMove(hand, offered, held_out, fingers, palm),
        ArmMove(hand, clasped, wrist, fingers, palm),
    ]


def _handshake_captions(first: int, hand: int) -> tuple[str, ...]:
    one, two = named(first)
    if hand == LEFT:
        return (
            "two people shake left hands",
            "a handshake with the left hands",
            "two people greet each other by shaking their left hands",
            f"the {one} and the {two} shake left hands",
            f"the {one} offers the left hand and they shake left hands",
        )
    return (
        "two people shake hands",
        "a handshake",
        "two people greet each other with a handshake, using their right hands",
        "one person offers the right hand and the other shakes it",
        f"the {one} holds out a hand and the {two} takes it",
        "they meet and shake hands",
        f"the {one} starts a handshake with the {two}",
    )


# ----------------------------------------------------------------------------------- high five
def high_five(cast: Cast) -> Scene:
    style = str(cast.rng.choice(["right", "left", "both"], p=[0.55, 0.2, 0.25]))
    hands = {"right": [RIGHT], "left": [LEFT], "both": [LEFT, RIGHT]}[style]
    first, _ = cast.roles()
    above = cast.uniform(0.08, 0.30)
    ahead = reach_distance(cast.arm, cast.uniform(0.86, 0.94), 0.17, above)
    approach = plan_approach(cast, 2 * ahead + 0.12)
    raised = approach.arrive + cast.uniform(-0.4, 0.4)
    answer = raised + cast.uniform(0.2, 0.6)
    hits = [max(answer + cast.uniform(0.55, 0.85), approach.arrive + 0.15)]
    if cast.chance(0.25):
        hits.append(hits[0] + cast.uniform(0.7, 1.0))
    time = clock(hits[-1] + cast.uniform(1.8, 3.0))
    scores = write_scores(cast, time, approach, hits[-1] + 0.4, leave_steps(cast))
    strike = np.sum([pulse(time, h - 0.28, h, h + 0.07, h + 0.45) for h in hits], axis=0)
    for score in scores:
        score.lean[:, 0] += cast.uniform(0.02, 0.10) * strike
        score.drop += cast.uniform(0.0, 0.02) * strike
    bodies = (stand(scores[0]), stand(scores[1]))
    chests = 0.5 * (bodies[0].at("spine3") + bodies[1].at("spine3"))
    level = 0.5 * (bodies[0].at("left_shoulder") + bodies[1].at("left_shoulder"))[:, 1]
    meet = smoothed(np.column_stack([chests[:, 0], level + above, chests[:, 2]]), 4)
    watch_each_other(bodies, cast, meet, strike * 0.7)
    for who, body in enumerate(bodies):
        begin = raised if who == first else answer
        lower = hits[-1] + cast.uniform(0.15, 0.5)
        moves = []
        for hand in hands:
            place = meet - 0.05 * UP
            if len(hands) == 2:
                place = place + 0.19 * SIDE[hand] * leftwards(between(bodies, who))
            moves += _striking_hand(cast, bodies, who, hand, place, (begin, lower), strike)
        move_arms(body, moves)
    frames = [fine_frame(h + 0.04, time) for h in hits]
    pairs = [(WRISTS[h], WRISTS[1 - h if style == "both" else h]) for h in hands]
    return scene_of(
        bodies, _five_captions(first, style), frames, touching(frames, pairs), leads=first
    )


def _striking_hand(
    cast: Cast,
    bodies: Couple,
    who: int,
    hand: int,
    place: Array,
    span: tuple[float, float],
    strike: Array,
) -> list[ArmMove]:
    """Raise the hand beside the head, strike at `place`, fall back, lower it.

    place (frame, 3) where the palms meet; span: seconds when the hand begins to rise and to sink
    """
    body, forward = bodies[who], between(bodies, who)
    fingers = unit(UP + 0.10 * SIDE[hand] * leftwards(forward))
    elbow = body.direction([SIDE[hand] * 0.55, -0.8, -0.1])
    beside = body.direction([SIDE[hand] * 0.10, cast.uniform(0.08, 0.22), 0.24])
    begin, lower = span
    return [
        ArmMove(
            side=hand,
            weight=pulse(
                body.score.time, begin, begin + cast.uniform(0.5, 0.7), lower, lower + 0.75
            ),
            wrist=body.shoulder(hand) + beside,
            fingers=fingers,
            palm=forward,
            elbow=elbow,
        ),
        lay_palm(hand, strike, place, fingers, forward, elbow=elbow, arc=0.0, depth=0.032),
    ]


def _five_captions(first: int, style: str) -> tuple[str, ...]:
    one, two = named(first)
    hand = "both hands" if style == "both" else f"the {style} hand"
    return (
        "two people high five",
        "a high five",
        f"two people give each other a high five with {hand}",
        f"the {one} raises {hand} and the {two} claps against it",
        "they clap their palms together in the air",
        f"the {one} asks for a high five and the {two} gives it",
        "two friends celebrate with a high five",
    )


# ---------------------------------------------------------------------------------------- wave
def wave(cast: Cast) -> Scene:
    first, second = cast.roles()
    approach = plan_approach(cast, cast.uniform(1.1, 2.2), far=(1.4, 3.2))
    begins = {first: cast.uniform(0.4, 1.4)}
    begins[second] = begins[first] + cast.uniform(0.25, 0.7)
    ends = {w: begins[w] + cast.uniform(1.6, 3.0) for w in begins}
    time = clock(max(ends.values()) + cast.uniform(1.0, 2.5))
    scores = write_scores(cast, time, approach, max(ends.values()), leave_steps(cast))
    bodies = (stand(scores[0]), stand(scores[1]))
    watch_each_other(bodies, cast)
    hands = [int(cast.rng.random() < 0.7) for _ in bodies]
    if cast.chance(0.5):
        hands[second] = 1 - hands[first] if cast.chance(0.5) else hands[first]
    for who, body in enumerate(bodies):
        move_arms(body, [waving(cast, bodies, who, hands[who], time, begins[who], ends[who])])
    middle = 0.5 * (max(begins.values()) + min(ends.values()))
    frames = [fine_frame(t, time) for t in (begins[second] + 0.5, middle)]
    return scene_of(bodies, _wave_captions(first, SIDES[hands[first]]), frames, leads=first)


def waving(
    cast: Cast, bodies: Couple, who: int, hand: int, time: Array, begin: float, end: float
) -> ArmMove:
    body, forward = bodies[who], between(bodies, who)
    out = SIDE[hand] * leftwards(forward)
    hz, size = cast.uniform(1.3, 2.6), cast.uniform(0.05, 0.13)
    swing = np.sin(2 * np.pi * hz * (time - begin)) * pulse(
        time, begin + 0.2, begin + 0.6, end - 0.3, end
    )
    high = cast.uniform(0.05, 0.30)
    centre = body.shoulder(hand) + body.direction(
        [SIDE[hand] * cast.uniform(0.12, 0.22), high, cast.uniform(0.14, 0.28)]
    )
    weight = pulse(time, begin, begin + cast.uniform(0.5, 0.8), end, end + cast.uniform(0.6, 0.9))
    wrist = centre + (size * swing)[:, None] * out
    fingers = unit(UP + (0.15 + 0.5 * swing)[:, None] * out)
    elbow = body.direction([SIDE[hand] * 0.7, -0.7, -0.15])
    return ArmMove(hand, weight, wrist, fingers, forward, elbow=elbow)


def _wave_captions(first: int, hand: str) -> tuple[str, ...]:
    one, two = named(first)
    return (
        "two people wave at each other",
        "one person waves and the other waves back",
        f"the {one} waves with the {hand} hand and the {two} waves back",
        "they greet each other by waving",
        f"the {one} waves hello, the {two} answers",
        "two people wave goodbye",
    )


# ----------------------------------------------------------------------------------------- bow
def bow(cast: Cast) -> Scene:
    first, second = cast.roles()
    approach = plan_approach(cast, cast.uniform(1.15, 1.9), far=(1.3, 2.8))
    is_together = cast.chance(0.25)
    begins = {first: approach.arrive + cast.uniform(0.0, 0.5)}
    begins[second] = begins[first] + (
        cast.uniform(0.0, 0.1) if is_together else cast.uniform(0.3, 0.7)
    )
    depth = cast.uniform(0.35, 1.0)
    deep = {w: depth * cast.uniform(0.8, 1.25) for w in begins}
    down, hold = cast.uniform(0.7, 1.1), cast.uniform(0.1, 0.8)
    ends = {w: begins[w] + 2 * down + hold + 0.1 for w in begins}
    time = clock(max(ends.values()) + cast.uniform(0.8, 2.2))
    scores = write_scores(cast, time, approach, max(ends.values()), leave_steps(cast))
    curves = []
    for who, score in enumerate(scores):
        curve = pulse(time, begins[who], begins[who] + down, begins[who] + down + hold, ends[who])
        score.hip_pitch += 0.62 * deep[who] * curve
        score.lean[:, 0] += 0.38 * deep[who] * curve
        score.shift[:, 1] -= 0.13 * np.sin(np.minimum(0.8 * deep[who], 1.2)) * curve
        score.nod[:, 0] += 0.25 * deep[who] * curve
        curves.append(curve)
    bodies = (stand(scores[0]), stand(scores[1]))
    floor = 0.5 * (bodies[0].at("pelvis") + bodies[1].at("pelvis")) * np.array([1.0, 0.0, 1.0])
    watch_each_other(bodies, cast, floor, 0.9 * np.maximum(*curves))
    style = str(cast.rng.choice(["sides", "heart", "thighs"], p=[0.55, 0.2, 0.25]))
    for who, body in enumerate(bodies):
        move_arms(
            body,
            bowing_arms(
                body,
                style,
                ramp(time, begins[who] - 0.2, begins[who] + 0.6)
                - ramp(time, ends[who] - 0.5, ends[who] + 0.4),
            ),
        )
    frames = [
        fine_frame(begins[second] + down + 0.5 * hold, time),
        fine_frame(begins[second] + 0.6 * down, time),
    ]
    return scene_of(bodies, _bow_captions(first, depth), frames, leads=first)


def bowing_arms(body: Performer, style: str, weight: Array) -> list[ArmMove]:
    if style == "heart":
        palm = -body.direction([0.0, 0.1, 1.0])
        fingers = body.direction([0.9, 0.45, 0.0])
        wrist = wrist_for_palm(body.on_chest([0.02, 0.06, 0.15]), fingers, palm)
        elbow = body.direction([-0.8, -0.6, 0.1])
        return [ArmMove(RIGHT, weight, wrist, fingers, palm, elbow=elbow)]
    if style == "thighs":
        moves = []
        for hand in (LEFT, RIGHT):
            thigh = 0.45 * body.at(f"{SIDES[hand]}_hip") + 0.55 * body.at(f"{SIDES[hand]}_knee")
            wrist = thigh + body.direction([0.03 * SIDE[hand], 0.10, 0.10])
            fingers = body.direction([-0.15 * SIDE[hand], -1.0, 0.25])
            palm = body.direction([-0.35 * SIDE[hand], -0.2, -1.0])
            moves.append(ArmMove(hand, weight, wrist, fingers, palm))
        return moves
    return []


def _bow_captions(first: int, depth: float) -> tuple[str, ...]:
    one, two = named(first)
    how = "deeply" if depth > 0.7 else "slightly"
    return (
        "two people bow to each other",
        f"two people bow {how} to each other",
        f"the {one} bows and the {two} bows back",
        "a polite bow",
        "they greet each other with a bow",
        f"the {one} bows {how}, the {two} returns the bow",
    )
