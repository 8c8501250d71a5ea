"""Testing each other's strength: push and stumble, push and catch, a tug.

Each turns a cast into a scene.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array, BoolArray
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
from trainer.choreography.score import Score
from trainer.choreography.stage import (
    PLAYER,
    Cast,
    Scene,
    clock,
    fine_frame,
    hurried,
    leave_steps,
    named,
    plan_approach,
    scene_of,
    touching,
    touching_between,
    watch_each_other,
    write_scores,
)
from trainer.choreography.stepping import LEFT, RIGHT, SIDE
from trainer.choreography.timing import pulse, ramp, smoothed

FOREARM = 0.034
"""From the forearm's axis to its skin, metres, a hand's breadth above the wrist."""


def ahead_of(who: int) -> Array:
    """The ground direction (2,) from one person to the other as `write_scores` places them."""
    return np.array([0.0, 1.0 if who == PLAYER else -1.0])


# ---------------------------------------------------------------------------- push and stumble
def push(cast: Cast) -> Scene:
    first, second = cast.roles(0.7)
    style = str(cast.rng.choice(["both", "right", "left"], p=[0.7, 0.2, 0.1]))
    hands = {"both": [LEFT, RIGHT], "right": [RIGHT], "left": [LEFT]}[style]
    approach = plan_approach(
        cast,
        0.95 * cast.figures[first].arm + cast.figures[second].chest + cast.uniform(-0.06, 0.03),
    )
    begin = approach.arrive + cast.uniform(-0.2, 0.5)
    hit = max(begin + cast.uniform(0.45, 0.75), approach.arrive + 0.1)
    force = cast.uniform(0.3, 1.0)
    recovered = hit + cast.uniform(1.0, 1.4)
    time = clock(recovered + cast.uniform(1.0, 2.6))
    cast = hurried(cast, second, swing=0.28, double_support=0.04)
    scores = write_scores(cast, time, approach, recovered, np.zeros(2))
    thrust = pulse(time, begin + 0.1, hit + 0.1, hit + 0.2, hit + 1.0)
    scores[first].lean[:, 0] += cast.uniform(0.10, 0.2) * thrust
    scores[first].shift[:, 1] += 0.04 * thrust
    stumble(cast, scores[second], time, hit, force, second, hands)
    bodies = (stand(scores[0]), stand(scores[1]))
    chest = bodies[second].at("spine3")
    watch_each_other(bodies, cast, chest, 0.6 * pulse(time, begin, hit, hit + 0.2, hit + 0.7))
    move_arms(bodies[first], pushing(cast, bodies, first, hands, time, begin, hit))
    move_arms(bodies[second], flailing(cast, bodies[second], time, hit, force))
    frames = [fine_frame(hit + t, time) for t in (0.0, 0.1, 0.5)]
    wrist = WRISTS[hands[0]]
    pair = (wrist, "spine3") if first == PLAYER else ("spine3", wrist)
    contacts = touching(frames[:1], [pair])
    return scene_of(bodies, _push_captions(first, style, force), frames, contacts, leads=first)


def stumble(
    cast: Cast, score: Score, time: Array, hit: float, force: float, who: int, hands: list[int]
) -> None:
    """Thrown back: the chest goes first, then the feet catch up, then the body swings upright."""
    away = np.array([0.0, -1.0 if who == PLAYER else 1.0])
    u = np.clip((time - hit) / (0.7 + 0.4 * force), 0, 1)
    slide = smoothed(1 - (1 - u) ** 2.5, 3) * (0.25 + 0.55 * force)
    score.path = score.path + slide[:, None] * away
    thrown = ramp(time, hit, hit + 0.22) - ramp(time, hit + 0.25, hit + 0.85)
    caught = pulse(time, hit + 0.45, hit + 0.9, hit + 1.0, hit + 1.7)
    score.lean[:, 0] += force * (0.30 * caught - 0.32 * thrown)
    score.hip_pitch += force * (0.10 * caught - 0.10 * thrown)
    score.drop += 0.05 * force * caught
    if len(hands) == 1:
        score.lean[:, 2] += 0.35 * force * SIDE[hands[0]] * thrown
    score.nod[:, 0] += 0.25 * force * thrown
    if cast.chance(0.5):
        again = ramp(time, hit + 1.3, hit + 2.3) * cast.uniform(0.1, 0.4)
        score.path = score.path - again[:, None] * away


def pushing(
    cast: Cast, bodies: Couple, first: int, hands: list[int], time: Array, begin: float, hit: float
) -> list[ArmMove]:
    body, other = bodies[first], bodies[1 - first]
    forward = between(bodies, first)
    follow = np.minimum(np.arange(len(time)), fine_frame(hit + 0.12, time))
    moves = []
    for hand in hands:
        side = SIDE[hand]
        aside = 0.10 if len(hands) == 2 else 0.06
        spot = other.on_chest([-side * aside, 0.03, other.figure.chest])[follow]
        fingers = unit(UP + 0.35 * forward + 0.15 * side * leftwards(forward))
        wrist = wrist_for_palm(spot, fingers, forward)
        ready = body.shoulder(hand) + body.direction([side * 0.02, -0.12, 0.17])
        elbow = body.direction([side * 0.7, -0.7, -0.4])
        weight = pulse(time, begin, hit - 0.12, hit + 0.3, hit + 1.1)
        moves.append(ArmMove(hand, weight, ready, fingers, forward, elbow=elbow, arc=0.0))
        weight = pulse(time, hit - 0.3, hit, hit + 0.15, hit + 0.6)
        moves.append(ArmMove(hand, weight, wrist, fingers, forward, elbow=elbow, arc=0.0))
    return moves


def flailing(cast: Cast, body: Performer, time: Array, hit: float, force: float) -> list[ArmMove]:
    """Arms fly forward and up as the chest is thrown back, then out for balance, then down."""
    moves = []
    for hand in (LEFT, RIGHT):
        side, late = SIDE[hand], cast.uniform(0.0, 0.08)
        shoulder = body.shoulder(hand)
        for local, weight in (
            (
                [side * 0.18, -0.22 + 0.15 * force, 0.30],
                pulse(time, hit + late, hit + 0.38 + late, hit + 0.5, hit + 1.1),
            ),
            (
                [side * 0.34, -0.28, 0.12],
                force * pulse(time, hit + 0.35 + late, hit + 0.8, hit + 0.9, hit + 1.7),
            ),
        ):
            wrist = shoulder + body.direction(local)
            moves.append(ArmMove(hand, (0.5 + 0.5 * force) * weight, wrist))
    return moves


def _push_captions(first: int, style: str, force: float) -> tuple[str, ...]:
    one, two = named(first)
    hand = "both hands" if style == "both" else f"the {style} hand"
    how = "hard" if force > 0.65 else "lightly"
    return (
        "one person pushes the other, who stumbles back",
        "a push",
        f"the {one} pushes the {two} {how}",
        f"the {one} shoves the {two} with {hand} and the {two} stumbles backwards",
        "two people push and stumble",
        f"the {two} is pushed away and regains balance",
    )


# ------------------------------------------------------------------------------ push and catch
def push_and_catch(cast: Cast) -> Scene:
    """The second loses balance, pushed or by a slip; the first catches the arms and pulls."""
    first, second = cast.roles(0.7)
    is_pushed = cast.chance(0.75)
    style = str(cast.rng.choice(["both", "right", "left"], p=[0.45, 0.35, 0.2]))
    hands = {"both": [LEFT, RIGHT], "right": [RIGHT], "left": [LEFT]}[style]
    arm, chest = cast.figures[first].arm, cast.figures[second].chest
    apart = 0.95 * arm + chest + cast.uniform(-0.06, 0.03)
    if not is_pushed:
        apart = arm + cast.arm + cast.uniform(0.0, 0.2)
    approach = plan_approach(cast, apart)
    begin = approach.arrive + cast.uniform(-0.2, 0.5)
    hit = max(begin + cast.uniform(0.45, 0.7), approach.arrive + 0.1)
    force = cast.uniform(0.5, 1.0)
    caught = hit + cast.uniform(0.5, 0.7)
    upright = caught + cast.uniform(0.6, 1.0)
    release = upright + cast.uniform(0.1, 0.9)
    time = clock(release + cast.uniform(1.3, 2.4))
    cast = hurried(cast, second, swing=0.28, double_support=0.04)
    scores = write_scores(cast, time, approach, release + 0.3, leave_steps(cast))
    slide = (0.16 + 0.22 * force) * (1.0 if is_pushed else 0.5)
    _lose_balance(scores[second], time, hit, caught, upright, force, slide * ahead_of(first))
    hold = 0.82 * (cast.figures[first].arm + cast.figures[second].arm) - 0.04
    closing = max(apart + slide - hold, 0.0)
    step = ramp(time, hit + 0.15, caught + 0.1)[:, None]
    scores[first].path += closing * step * ahead_of(first)
    if is_pushed:
        thrust = pulse(time, begin + 0.1, hit + 0.1, hit + 0.15, hit + 0.6)
        scores[first].lean[:, 0] += cast.uniform(0.10, 0.18) * thrust
    scores[first].lean[:, 0] += 0.16 * pulse(time, hit + 0.1, caught, caught + 0.1, upright)
    scores[first].lean[:, 0] -= 0.08 * pulse(time, caught + 0.2, upright - 0.2, upright, release)
    scores[first].drop += 0.04 * pulse(time, hit + 0.2, caught, upright, release)
    bodies = (stand(scores[0]), stand(scores[1]))
    watch_each_other(
        bodies, cast, bodies[second].at("spine3"), 0.6 * pulse(time, begin, hit, caught, upright)
    )
    helped = [1 - hand for hand in hands]
    flung = flailing(cast, bodies[second], time, hit, force)
    grasped = [_held_out(bodies, second, h, time, hit, caught, release) for h in helped]
    move_arms(bodies[second], flung + grasped)
    moves = pushing(cast, bodies, first, hands, time, begin, hit) if is_pushed else []
    moves += [_catching(bodies, first, hand, time, hit, caught, release) for hand in hands]
    move_arms(bodies[first], moves)
    frames = [fine_frame(t, time) for t in (caught + 0.1, 0.5 * (caught + upright), upright)]
    pairs = [(WRISTS[h], WRISTS[1 - h]) for h in hands]
    contacts = touching_between(first, frames, pairs)
    return scene_of(bodies, _catch_captions(first, style, is_pushed), frames, contacts, leads=first)


def _lose_balance(
    score: Score, time: Array, hit: float, caught: float, upright: float, force: float, slide: Array
) -> None:
    """The chest is thrown back, a foot follows, and the body hangs there until it is pulled up."""
    u = np.clip((time - hit) / (caught + 0.2 - hit), 0, 1)
    score.path += smoothed(1 - (1 - u) ** 2.5, 3)[:, None] * slide
    thrown = ramp(time, hit, hit + 0.35) - ramp(time, caught + 0.1, upright + 0.1)
    over = pulse(time, upright - 0.3, upright + 0.1, upright + 0.2, upright + 0.9)
    score.lean[:, 0] += force * (0.10 * over - 0.30 * thrown)
    score.hip_pitch += force * (0.05 * over - 0.16 * thrown)
    score.drop += 0.05 * force * thrown
    score.nod[:, 0] += 0.22 * force * thrown
    score.shrug += 0.10 * force * thrown[:, None]


def _held_out(
    bodies: Couple, who: int, hand: int, time: Array, hit: float, caught: float, release: float
) -> ArmMove:
    """The arm flung out for help, and held by the other."""
    body, forward = bodies[who], between(bodies, who)
    local = np.array([0.03 * SIDE[hand], -0.16, 0.83 * body.figure.arm])
    fingers = unit(forward - 0.15 * SIDE[hand] * leftwards(forward))
    weight = pulse(time, hit + 0.1, caught, release, release + 0.7)
    wrist = body.shoulder(hand) + body.direction(local)
    palm = unit(0.3 * UP - SIDE[hand] * leftwards(forward))
    elbow = body.direction([0.3 * SIDE[hand], -1.0, -0.2])
    return ArmMove(hand, weight, wrist, fingers, palm, elbow=elbow)


def grasp_forearm(
    other: Performer, theirs: int, mine: int, forward: Array, weight: Array, *, arc: float = 0.1
) -> ArmMove:
    """Take hold of the other's forearm from above, near the wrist; forward: mine to the other."""
    wrist, elbow = other.at(WRISTS[theirs]), other.at(f"{SIDES[theirs]}_elbow")
    along = unit(elbow - wrist)
    out = SIDE[mine] * leftwards(forward)
    normal = UP + 0.7 * out
    normal = unit(normal - np.sum(normal * along, axis=-1, keepdims=True) * along)
    spot = wrist + 0.05 * along + FOREARM * normal
    return lay_palm(mine, weight, spot, unit(along - 0.35 * out), -normal, arc=arc)


def _catching(
    bodies: Couple, first: int, hand: int, time: Array, hit: float, caught: float, release: float
) -> ArmMove:
    weight = pulse(time, hit + 0.2, caught, release, release + 0.7)
    return grasp_forearm(bodies[1 - first], 1 - hand, hand, between(bodies, first), weight)


def _catch_captions(first: int, style: str, is_pushed: bool) -> tuple[str, ...]:
    one, two = named(first)
    hand = "both hands" if style == "both" else f"the {style} hand"
    if not is_pushed:
        return (
            "one person stumbles and the other catches them",
            "someone is caught before falling",
            f"one person loses balance and the other catches the arm with {hand}",
            f"the {two} stumbles backwards and the {one} catches the {two}",
            f"the {one} saves the {two} from falling",
            "two people, one of whom nearly falls and is held",
        )
    return (
        "one person pushes the other and catches them",
        "a push and a catch",
        f"one person pushes the other with {hand} and catches the stumbling one by the arm",
        f"the {one} pushes the {two} and then catches the {two}'s arm",
        f"the {two} is pushed, stumbles, and is caught by the {one}",
        "a playful push, then a saving grip",
    )


# ----------------------------------------------------------------------------------------- tug
def tug(cast: Cast) -> Scene:
    """Pulling each other by the hand or by the wrists; one of them gives way."""
    first, second = cast.roles()
    style = str(cast.rng.choice(["hand", "wrist", "wrists"], p=[0.45, 0.3, 0.25]))
    hand = RIGHT if cast.chance(0.7) else LEFT
    hands = [LEFT, RIGHT] if style == "wrists" else [hand]
    ahead = reach_distance(cast.arm, cast.uniform(0.90, 0.95), 0.15, 0.22)
    approach = plan_approach(cast, 2 * ahead + (0.16 if style == "hand" else 0.04))
    begin = approach.arrive + cast.uniform(-0.4, 0.4)
    grip = max(begin + cast.uniform(0.65, 0.95), approach.arrive + 0.15)
    pulls, hz = int(cast.rng.integers(1, 4)), cast.uniform(0.6, 1.0)
    decided = grip + 0.3 + pulls / hz
    released = decided + cast.uniform(0.7, 1.1)
    time = clock(released + cast.uniform(1.4, 2.4))
    winner = first if style != "hand" or cast.chance(0.6) else second
    cast = hurried(cast, 1 - winner, swing=0.32)
    scores = write_scores(cast, time, approach, released + 0.5, leave_steps(cast))
    strain = pulse(time, grip + 0.05, grip + 0.5, decided + 0.2, released)
    wave = strain * np.sin(2 * np.pi * hz * (time - grip - 0.2))
    drawn = cast.uniform(0.25, 0.6) * ramp(time, decided - 0.1, released)
    given = pulse(time, decided, decided + 0.4, released - 0.1, released + 0.6)
    for who, score in enumerate(scores):
        pull = wave if who == first else -wave
        score.path -= drawn[:, None] * ahead_of(winner)
        effort = cast.uniform(0.7, 1.1)
        score.lean[:, 0] -= (0.05 * strain + 0.08 * pull) * effort
        score.hip_pitch -= (0.06 * strain + 0.05 * pull) * effort
        score.shift[:, 1] -= (0.09 * strain + 0.05 * pull) * effort
        score.drop += (0.02 * strain + 0.01 * pull) * effort
        score.lean[:, 0] += (-0.10 if who == winner else 0.26) * given
        score.nod[:, 0] += 0.10 * strain
        if len(hands) == 1:
            mine = hand if style == "hand" or who == first else 1 - hand
            score.lean[:, 2] -= 0.16 * SIDE[mine] * strain
    below = cast.uniform(0.16, 0.27)
    theirs = {h: h if style == "hand" else 1 - h for h in hands}
    pairs = [(h, theirs[h]) if first == PLAYER else (theirs[h], h) for h in hands]
    reach = 0.97 * cast.arm + 0.05
    bodies = _within_reach(
        scores, pairs, (time > grip) & (time < decided), 2 * np.sqrt(reach**2 - below**2)
    )
    nearer = 0.04 * wave - (0.0 if style == "hand" else 0.06)
    pulled = nearer[:, None] * (bodies[first].at("pelvis") - bodies[second].at("pelvis"))
    meets = [grip_point(bodies, pair, below) + pulled for pair in pairs]
    watch_each_other(bodies, cast, meets[0], 0.6 * pulse(time, begin, grip, grip + 0.3, decided))
    weight = pulse(time, begin, grip, released, released + 0.8)
    late = pulse(time, min(begin + 0.2, grip - 0.4), grip, released, released + 0.8)
    if style == "hand":
        for who, body in enumerate(bodies):
            wrist, fingers, palm = clasping(bodies, who, hand, meets[0])
            w = weight if who == first else late
            move_arms(body, [ArmMove(hand, w, wrist, fingers, palm)])
    else:
        lent = [
            _lent(bodies, second, theirs[h], m, weight) for h, m in zip(hands, meets, strict=True)
        ]
        move_arms(bodies[second], lent)
        forward = between(bodies, first)
        grasps = [grasp_forearm(bodies[second], theirs[h], h, forward, late) for h in hands]
        move_arms(bodies[first], grasps)
    frames = [fine_frame(t, time) for t in (grip + 0.2, 0.5 * (grip + decided), decided)]
    contacts = touching(frames, [(WRISTS[a], WRISTS[b]) for a, b in pairs])
    return scene_of(
        bodies, _tug_captions(first, winner, style, hand), frames, contacts, leads=first
    )


def _within_reach(
    scores: tuple[Score, Score], hands: list[tuple[int, int]], held: BoolArray, most: float
) -> Couple:
    """Both stand, so that the shoulders of the hands that hold are at most `most` metres apart."""
    bodies = (stand(scores[0]), stand(scores[1]))
    apart = [
        np.linalg.norm(bodies[0].shoulder(a) - bodies[1].shoulder(b), axis=-1)[held]
        for a, b in hands
    ]
    excess = float(np.max(apart)) - most
    for who, score in enumerate(scores):
        score.path += 0.5 * excess * ahead_of(who)
    return stand(scores[0]), stand(scores[1])


def _lent(bodies: Couple, who: int, hand: int, place: Array, weight: Array) -> ArmMove:
    """The arm by which the other pulls; its wrist is at `place` (frame, 3)."""
    body, forward = bodies[who], between(bodies, who)
    out = SIDE[hand] * leftwards(forward)
    fingers, palm = unit(forward - 0.1 * UP), unit(-out - 0.4 * UP)
    elbow = body.direction([0.4 * SIDE[hand], -1.0, -0.3])
    return ArmMove(hand, weight, place, fingers, palm, elbow=elbow)


def _tug_captions(first: int, winner: int, style: str, hand: int) -> tuple[str, ...]:
    one, two = named(first)
    strong, weak = named(winner)
    if style == "hand":
        return (
            "two people pull each other by the hand",
            "a tug of war by the hand",
            "two people hold hands and pull, until one gives way",
            f"two people grip {SIDES[hand]} hands and try to pull each other over",
            f"the {one} takes the {two}'s {SIDES[hand]} hand and pulls",
            f"the {strong} pulls the {weak} off balance",
        )
    held = "both wrists" if style == "wrists" else f"the {SIDES[1 - hand]} wrist"
    return (
        "one person pulls the other by the wrist",
        "a tug at the arm",
        f"one person grabs the other by {held} and pulls",
        f"the {one} pulls the {two} along by {held}",
        f"the {two} resists, but the {one} drags the {two} closer",
        "someone is pulled along by the arm",
    )
