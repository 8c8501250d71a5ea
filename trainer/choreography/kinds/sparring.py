"""On guard: a blocked punch, two who circle each other. Each turns a cast into a scene."""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.vectors import unit
from trainer.choreography.arms import ArmMove, move_arms
from trainer.choreography.gestures import random_gestures
from trainer.choreography.hands import between, leftwards, reach_distance
from trainer.choreography.kinds.partnering import FACING, OUTWARD
from trainer.choreography.performer import SIDES, UP, WRISTS, Couple, Performer, stand
from trainer.choreography.score import Score
from trainer.choreography.stage import (
    PARTNER,
    PLAYER,
    Cast,
    Scene,
    clock,
    delayed,
    eyes,
    fine_frame,
    hurried,
    leave_steps,
    named,
    new_score,
    plan_approach,
    scene_of,
    touching_between,
    watch_each_other,
    write_scores,
)
from trainer.choreography.stepping import LEFT, RIGHT, SIDE
from trainer.choreography.timing import pulse, ramp, slow_noise, smoothed


# ------------------------------------------------------------------------------- block a punch
def block_punch(cast: Cast) -> Scene:
    first, second = cast.roles(0.6)
    ahead = reach_distance(cast.figures[first].arm, cast.uniform(0.86, 0.95), 0.08, 0.05)
    approach = plan_approach(cast, ahead + cast.uniform(0.36, 0.42))
    guard = approach.arrive + cast.uniform(-0.8, 0.1)
    hits = [max(guard + 1.0, approach.arrive + 0.35) + cast.uniform(0.0, 0.5)]
    punching = [RIGHT if cast.chance(0.65) else LEFT]
    for _ in range(int(cast.rng.choice([0, 1, 2], p=[0.45, 0.4, 0.15]))):
        hits.append(hits[-1] + cast.uniform(0.75, 1.2))
        punching.append(1 - punching[-1] if cast.chance(0.7) else punching[-1])
    lower = hits[-1] + cast.uniform(0.6, 1.4)
    time = clock(lower + cast.uniform(1.2, 2.2))
    cast = hurried(cast, first, half_width=cast.uniform(0.12, 0.16))
    cast = hurried(cast, second, half_width=cast.uniform(0.12, 0.16))
    scores = write_scores(cast, time, approach, lower, leave_steps(cast))
    guarded = {
        first: pulse(time, guard, guard + 0.6, lower, lower + 0.8),
        second: pulse(time, guard + 0.2, guard + 0.8, lower + 0.1, lower + 1.0),
    }
    force = cast.uniform(0.5, 1.0)
    strikes = [pulse(time, t - 0.28, t, t + 0.06, t + 0.45) for t in hits]
    for who, score in enumerate(scores):
        lead = -0.35 if cast.chance(0.7) else 0.35
        score.heading += lead * guarded[who]
        score.lean[:, 2] -= 0.6 * lead * guarded[who]
        score.drop += cast.uniform(0.02, 0.05) * guarded[who]
        score.lean[:, 0] += cast.uniform(0.02, 0.08) * guarded[who]
        score.shift[:, 0] += 0.012 * guarded[who] * np.sin(2 * np.pi * 0.9 * time + 2.0 * who)
    for strike, hit, hand in zip(strikes, hits, punching, strict=True):
        cocked = pulse(time, hit - 0.6, hit - 0.32, hit - 0.28, hit - 0.05)
        scores[first].lean[:, 2] -= SIDE[hand] * (0.30 * strike - 0.12 * cocked)
        scores[first].lean[:, 0] += 0.08 * strike
        scores[first].shift[:, 1] += 0.035 * strike - 0.02 * cocked
        flinch = pulse(time, hit - 0.18, hit + 0.05, hit + 0.12, hit + 0.7)
        scores[second].lean[:, 0] -= (0.05 + 0.08 * force) * flinch
        scores[second].lean[:, 2] += 0.10 * SIDE[1 - hand] * flinch
        scores[second].shift[:, 1] -= 0.03 * force * flinch
    bodies = (stand(scores[0]), stand(scores[1]))
    target = eyes(bodies[second]) - 0.06 * UP
    watch_each_other(bodies, cast, target, 0.3 * np.clip(np.sum(strikes, axis=0), 0, 1))
    moves: dict[int, list[ArmMove]] = {
        who: [_guarding(cast, bodies, who, h, guarded[who]) for h in (LEFT, RIGHT)]
        for who in (first, second)
    }
    level = cast.uniform(-0.16, 0.0)
    for hit, hand in zip(hits, punching, strict=True):
        spot = _stopped_at(bodies, second, 1 - hand, level, time, hit)
        moves[first] += _punching(bodies, first, hand, spot, time, hit)
        moves[second].append(_blocking(bodies, second, 1 - hand, spot, time, hit))
    for who in (first, second):
        move_arms(bodies[who], moves[who])
    frames = [fine_frame(t + 0.02, time) for t in hits]
    contacts = tuple(
        contact
        for frame, hand in zip(frames, punching, strict=True)
        for contact in touching_between(first, [frame], [(WRISTS[hand], WRISTS[1 - hand])])
    )
    return scene_of(bodies, _block_captions(first, punching[0]), frames, contacts, leads=first)


def _stopped_at(
    bodies: Couple, second: int, side: int, level: float, time: Array, hit: float
) -> Array:
    """Where the blocked wrist stops: before the face, then brushed outwards.

    side: the blocking arm; level: metres from the eyes up
    """
    body, forward = bodies[second], between(bodies, second)
    out = SIDE[side] * leftwards(forward)
    brushed = 0.05 + 0.07 * ramp(time, hit - 0.03, hit + 0.2)
    place = body.at("neck") + (0.10 + level) * UP + 0.30 * forward
    return np.asarray(smoothed(place, 3) + brushed[:, None] * out)


def _guarding(cast: Cast, bodies: Couple, who: int, hand: int, weight: Array) -> ArmMove:
    """Hands before the chin, elbows in."""
    body, forward = bodies[who], between(bodies, who)
    out = SIDE[hand] * leftwards(forward)
    near = cast.uniform(0.15, 0.24)
    wrist = body.at("neck") + (cast.uniform(-0.06, 0.02) * UP) + near * forward + 0.11 * out
    fingers, palm = unit(UP + 0.25 * forward - 0.2 * out), unit(-out + 0.2 * forward)
    elbow = unit(0.25 * out - UP)
    return ArmMove(hand, weight, wrist, fingers, palm, elbow=elbow)


def _punching(
    bodies: Couple, first: int, hand: int, spot: Array, time: Array, hit: float
) -> list[ArmMove]:
    body, forward = bodies[first], between(bodies, first)
    out = SIDE[hand] * leftwards(forward)
    cocked = body.shoulder(hand) + 0.06 * out - 0.14 * UP + 0.10 * forward
    elbow = unit(0.6 * out - 0.8 * UP - 0.3 * forward)
    fingers = unit(forward - 0.5 * UP)
    palm = unit(-UP - 0.5 * forward)
    back = pulse(time, hit - 0.6, hit - 0.32, hit - 0.25, hit + 0.1)
    thrown = pulse(time, hit - 0.26, hit, hit + 0.08, hit + 0.45)
    return [
        ArmMove(hand, back, cocked, elbow=elbow, arc=0.0),
        ArmMove(hand, thrown, spot, fingers, palm, elbow=elbow, arc=0.0),
    ]


def _blocking(
    bodies: Couple, second: int, hand: int, spot: Array, time: Array, hit: float
) -> ArmMove:
    """The forearm upright inside the other's, a hand's breadth below the wrist."""
    forward = between(bodies, second)
    out = SIDE[hand] * leftwards(forward)
    fingers = unit(UP + 0.15 * forward)
    wrist = spot - 0.072 * out + 0.065 * UP - 0.01 * forward
    weight = pulse(time, hit - 0.22, hit - 0.01, hit + 0.18, hit + 0.65)
    palm = unit(forward - 0.3 * out)
    elbow = unit(0.35 * out - UP)
    return ArmMove(hand, weight, wrist, fingers, palm, elbow=elbow, arc=0.0)


def _block_captions(first: int, hand: int) -> tuple[str, ...]:
    one, two = named(first)
    return (
        "one person throws a punch and the other blocks it",
        "blocking a punch",
        "two people spar, one punches and the other blocks",
        f"one person punches with the {SIDES[hand]} hand and the other blocks",
        f"the {one} punches and the {two} blocks with the {SIDES[1 - hand]} forearm",
        f"the {two} stands on guard and blocks the {one}'s punch",
        f"the {one} attacks the {two}, who parries the blow",
    )


# ---------------------------------------------------------------------------------------- circle
def circle(cast: Cast) -> Scene:
    """Two face each other and circle, warily with the fists up, or curiously with the arms down."""
    first, _ = cast.roles(0.6)
    is_spar = cast.chance(0.55)
    time = clock(cast.uniform(5.5, 9.0))
    radius = 0.5 * (cast.uniform(1.1, 1.7) if is_spar else cast.uniform(1.0, 2.2))
    pace = cast.uniform(0.25, 0.65)
    rate = np.zeros(len(time))
    now, current = cast.uniform(0.1, 1.0), 0.0
    while now < time[-1]:
        goal = float(cast.rng.choice([-1.0, 0.0, 1.0], p=[0.42, 0.16, 0.42])) * pace / radius
        rate += ramp(time, now, now + 0.7) * (goal - current)
        now, current = now + cast.uniform(1.4, 4.0), goal
    angle = np.cumsum(rate) / 30
    lag = cast.uniform(0.15, 0.35)
    pulsing = 0.10 * slow_noise(time, 2, cast.rng, 0.35)
    scores = {}
    for who in (PLAYER, PARTNER):
        mine = angle if who == first else delayed(angle, lag)
        other = delayed(angle, lag) if who == first else angle
        towards = OUTWARD[who][1]
        at = (radius + pulsing[:, who])[:, None] * np.column_stack([np.sin(mine), np.cos(mine)])
        facing = FACING[who] + smoothed(0.5 * (mine + other), 4)
        score = new_score(cast, who, time, towards * at, facing)
        if is_spar:
            _guard_stance(cast, score, lead_foot=LEFT if cast.chance(0.75) else RIGHT)
        scores[who] = score
    bodies = (stand(scores[PLAYER]), stand(scores[PARTNER]))
    watch_each_other(bodies, cast)
    for body in bodies:
        if is_spar:
            move_arms(body, _fists_up(cast, body))
        else:
            move_arms(body, random_gestures(cast, body, 0.25))
    frames = sorted({fine_frame(cast.uniform(0.5, time[-1] - 0.3), time) for _ in range(3)})
    return scene_of(bodies, _circle_captions(first, is_spar, float(angle[-1])), frames, leads=first)


def _guard_stance(cast: Cast, score: Score, lead_foot: int) -> None:
    """Knees bent, one shoulder ahead, light on the feet."""
    hz = cast.uniform(1.2, 2.0)
    bounce = 0.5 - 0.5 * np.cos(2 * np.pi * hz * score.time)
    score.drop += 0.045 + 0.015 * bounce
    score.lean[:, 0] += 0.12
    score.lean[:, 2] -= 0.35 * SIDE[lead_foot]
    score.nod[:, 2] += 0.2 * SIDE[lead_foot]
    score.nod[:, 0] += 0.12


def _fists_up(cast: Cast, body: Performer) -> list[ArmMove]:
    """Fists before the chin; now and then a feint."""
    time, n = body.score.time, len(body.score.time)
    lift = np.ones(n) if cast.chance(0.6) else ramp(time, 0.3, 1.1)
    moves = []
    ahead = cast.uniform(0.20, 0.30)
    for hand in (LEFT, RIGHT):
        side = SIDE[hand]
        bob = 0.02 * slow_noise(time, 3, cast.rng, 1.2)
        feint = np.zeros(n)
        now = cast.uniform(0.5, 3.0)
        while now < time[-1] - 0.7:
            feint += pulse(time, now, now + 0.2, now + 0.2, now + 0.55) * cast.uniform(0.05, 0.16)
            now += cast.uniform(1.2, 4.0)
        local = np.column_stack([np.full(n, -0.05 * side), np.full(n, -0.02), ahead + feint])
        wrist = body.shoulder(hand) + body.direction(local + bob)
        fingers = body.direction([-0.35 * side, 0.7, 0.7])
        palm = body.direction([-1.0 * side, 0.1, 0.1])
        elbow = body.direction([0.35 * side, -1.0, 0.0])
        moves.append(ArmMove(hand, lift, wrist, fingers, palm, elbow=elbow))
    return moves


def _circle_captions(first: int, is_spar: bool, angle: float) -> tuple[str, ...]:
    one, two = named(first)
    way = "left" if angle < 0 else "right"
    if is_spar:
        return (
            "two people circle each other with their fists up",
            "two fighters size each other up",
            "they spar without touching",
            f"the {one} circles to the {way}, guard up, and the {two} answers",
            f"the {one} and the {two} take a fighting stance and circle",
            "two boxers move around each other",
        )
    return (
        "two people circle each other",
        "two people walk around each other and look",
        f"the {one} walks around the {two}, who keeps facing them",
        f"the {one} sidesteps to the {way} in a circle and the {two} turns along",
        "they move around each other in a ring, curious",
        "two strangers eye each other and circle",
    )
