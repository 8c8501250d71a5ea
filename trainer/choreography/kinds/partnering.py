"""Two who play one part each: helping up, twirling, mirroring.

Each kind turns a cast into a scene.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.easing import min_jerk
from engine.body.vectors import unit
from trainer.choreography.arms import ArmMove, move_arms
from trainer.choreography.hands import HELD, between, lay_palm, leftwards
from trainer.choreography.performer import SIDES, UP, WRISTS, Couple, Performer, look, stand
from trainer.choreography.score import Score
from trainer.choreography.stage import (
    PARTNER,
    PLAYER,
    Cast,
    Scene,
    attend,
    clock,
    delayed,
    eyes,
    fine_frame,
    hurried,
    named,
    new_score,
    scene_of,
    touching,
    watch_each_other,
)
from trainer.choreography.stepping import LEFT, RIGHT, SIDE
from trainer.choreography.timing import pulse, ramp, slow_noise, smoothed

FACING = (0.0, np.pi)
"""Headings of two who face each other, the player at negative z."""
OUTWARD = np.array([[0.0, -1.0], [0.0, 1.0]])
"""From the middle of the stage towards the player, towards the partner."""


# -------------------------------------------------------------------------------------- help up
def help_up(cast: Cast) -> Scene:
    """One sits on the ground or a low seat; the other offers a hand or both and pulls."""
    helper, sitter = cast.roles(0.5)
    is_low = cast.chance(0.6)
    both = cast.chance(0.45)
    side = RIGHT if cast.chance(0.6) else LEFT
    asks = cast.chance(0.3)
    walk = 0.0 if cast.chance(0.3) else cast.uniform(0.3, 1.3)
    arrive = 0.3 + (0.5 + walk / 0.9 if walk else 0.0)
    offer = arrive + cast.uniform(-0.3, 0.3)
    answer = offer + cast.uniform(0.2, 0.4)
    first = sitter if asks else helper
    clasp = max(answer + cast.uniform(0.6, 0.85), arrive + 0.2)
    pull = clasp + cast.uniform(0.1, 0.35)
    up = pull + cast.uniform(1.1, 1.7)
    release = up + cast.uniform(0.1, 0.8)
    time = clock(release + cast.uniform(1.2, 2.4))

    near, back = cast.uniform(0.52, 0.62), cast.uniform(0.18, 0.30)
    place = walk * (1 - ramp(time, 0.1, arrive)) + near + back * ramp(time, pull + 0.45, up + 0.3)
    scores = {}
    for who in (PLAYER, PARTNER):
        away = place if who == helper else np.zeros(len(time))
        path = away[:, None] * OUTWARD[who]
        scores[who] = new_score(cast, who, time, path, np.full(len(time), FACING[who]))
    scores[sitter].start_error *= 0.0
    rise = (pull, up)
    _sit(cast, scores[sitter], is_low, rise)
    bent = pulse(time, offer, clasp - 0.1, pull + 0.1, 0.4 * pull + 0.6 * up)
    pulled = pulse(time, pull, pull + 0.4, up - 0.3, up + 0.4)
    depth = 1.0 if is_low else 0.6
    score = scores[helper]
    score.hip_pitch += depth * 0.55 * bent - 0.06 * pulled
    score.lean[:, 0] += depth * 0.30 * bent - 0.10 * pulled
    score.shift[:, 1] -= depth * 0.10 * bent + 0.05 * pulled
    score.drop += depth * 0.07 * bent + 0.03 * pulled
    bodies = (stand(scores[PLAYER]), stand(scores[PARTNER]))

    pairs = [(side, 1 - side), (1 - side, side)] if both else [(side, side)]
    grips = [pulling_grip(bodies, pair) for pair in pairs]
    watch_each_other(
        bodies, cast, grips[0], 0.8 * pulse(time, offer + 0.2, clasp, clasp + 0.1, pull + 0.4)
    )
    for who, body in enumerate(bodies):
        arm_moves = _resting_hands(cast, body, is_low, rise) if who == sitter else []
        begin = offer if who == first else answer
        for pair, grip in zip(pairs, grips, strict=True):
            hand = pair[who]
            forward = between(bodies, who)
            palm = _grip_palm(bodies, who, helper, hand, both)
            fingers = unit(grip - body.shoulder(hand) + 0.3 * forward)
            elbow = body.direction([0.9 * SIDE[hand], -0.8, -0.1])
            end = release + cast.uniform(0.5, 0.8)
            held_out = body.shoulder(hand) + 0.8 * (grip - body.shoulder(hand))
            offered = pulse(time, begin, begin + 0.65, release, end)
            clasped = pulse(time, clasp - 0.5, clasp, release, end)
            arm_moves += [
                ArmMove(hand, offered, held_out - 0.06 * fingers, fingers, palm, elbow=elbow),
                lay_palm(hand, clasped, grip, fingers, palm, elbow=elbow, arc=0.1, depth=HELD),
            ]
        move_arms(body, arm_moves)
    frames = [fine_frame(t, time) for t in (clasp + 0.1, 0.5 * (pull + up), up)]
    wrists = [(WRISTS[a], WRISTS[b]) for a, b in pairs]
    contacts = touching(frames, wrists)
    return scene_of(
        bodies, _help_captions(helper, is_low, both, side), frames, contacts, leads=helper
    )


def _sit(cast: Cast, score: Score, is_low: bool, rise: tuple[float, float]) -> None:
    """Sit with the feet flat in front until rise[0], stand from rise[1] on.

    The hip swings about the ankles: first forward over the feet, then up (r, angle from vertical).
    """
    figure, time = score.figure, score.time
    straight = figure.leg * (1 - score.manner.knee_bend)
    ankle, hip = figure.height_of("left_ankle"), -float(figure.offset("left_hip")[1])
    height = (0.145 if is_low else cast.uniform(0.40, 0.50)) - ankle - hip
    distance = figure.leg * (cast.uniform(0.56, 0.62) if is_low else cast.uniform(0.66, 0.72))
    angle = np.arccos(np.clip(height / distance, -0.2, 0.95))
    begin, end = rise
    length = end - begin
    over = ramp(time, begin, begin + 0.8 * length)
    lifted = ramp(time, begin + 0.15 * length, end)
    radius = distance + (straight - distance) * lifted
    tilt = angle * (1 - over)
    behind, level = radius * np.sin(tilt), radius * np.cos(tilt)
    score.shift[:, 1] -= behind + score.manner.gait.behind * (1 - over)
    score.drop += np.sqrt(np.maximum(straight**2 - behind**2, 0.0)) - level
    heave = pulse(time, begin - 0.25, begin + 0.35 * length, begin + 0.4 * length, end + 0.1)
    sitting = 1 - ramp(time, begin - 0.2, begin + 0.5 * length)
    score.hip_pitch += (-0.30 if is_low else -0.10) * sitting + 0.55 * heave
    score.lean[:, 0] += (0.42 if is_low else 0.15) * sitting + 0.20 * heave
    score.weight *= over


def pulling_grip(bodies: Couple, hands: tuple[int, int]) -> Array:
    """(frame, 3) between two shoulders, lowered as far as arms let that are nearly straight."""
    a, b = (body.shoulder(hand) for body, hand in zip(bodies, hands, strict=True))
    reach = 0.88 * (min(body.figure.arm for body in bodies) + 0.06)
    half = 0.5 * np.linalg.norm(a - b, axis=-1)
    lower = np.sqrt(np.maximum(reach**2 - half**2, 0.0004))
    return smoothed(0.5 * (a + b) - np.minimum(lower, 0.26)[:, None] * UP, 5)


def _grip_palm(bodies: Couple, who: int, helper: int, hand: int, both: bool) -> Array:
    """Two hands that pull: the helper's palms up, the other's down; one hand: as in a handshake."""
    if not both:
        return np.asarray(-SIDE[hand] * leftwards(between(bodies, who)))
    inward = -SIDE[hand] * leftwards(between(bodies, who)) * (1 if who == helper else -1)
    return np.asarray((1.0 if who == helper else -1.0) * (UP + 0.5 * inward))


def _resting_hands(
    cast: Cast, body: Performer, is_low: bool, rise: tuple[float, float]
) -> list[ArmMove]:
    """Hands on the knees, or propped behind on the ground, until the body rises."""
    time = body.score.time
    props = is_low and cast.chance(0.4)
    weight = 1 - ramp(time, rise[0] - 0.3, rise[0] + (0.4 if props else 0.5))
    arm_moves = []
    for hand in (LEFT, RIGHT):
        side = SIDE[hand]
        if props:
            spot = body.at("pelvis") * np.array([1.0, 0.0, 1.0]) + body.direction(
                [0.26 * side, 0.03, -0.20]
            )
            fingers = body.direction([0.6 * side, -0.1, -0.8])
            palm = np.broadcast_to(-UP, spot.shape)
        else:
            spot = body.at(f"{SIDES[hand]}_knee") + body.direction([0.0, 0.045, -0.02])
            fingers = body.direction([-0.3 * side, -0.35, 1.0])
            palm = body.direction([0.0, -1.0, -0.4])
        arm_moves.append(
            lay_palm(
                hand, weight, spot, fingers, palm, elbow=body.direction([0.8 * side, -0.3, -0.6])
            )
        )
    return arm_moves


def _help_captions(helper: int, is_low: bool, both: bool, side: int) -> tuple[str, ...]:
    one, two = named(helper)
    where = "on the ground" if is_low else "on a low seat"
    hand = "both hands" if both else f"the {SIDES[side]} hand"
    return (
        "one person helps the other to stand up",
        "someone pulls a sitting person to their feet",
        f"the {one} helps the {two} up",
        f"the {two} sits {where}, takes {hand} of the {one} and is pulled up",
        f"one person sits {where} and is helped up by the other",
        f"the {one} offers {hand} and pulls the {two} up",
        "a helping hand to get up",
    )


# ----------------------------------------------------------------------------------- dance turn
def dance_turn(cast: Cast) -> Scene:
    """The leader raises the joined hands and the other twirls beneath them."""
    tall = [f.height_of("head") for f in cast.figures]
    leader = int(np.argmax(tall)) if cast.chance(0.7) else int(cast.rng.integers(2))
    twirler = 1 - leader
    side = LEFT if cast.chance(0.6) else RIGHT
    hands = (side, 1 - side)
    beat = cast.uniform(0.48, 0.65)
    spin = cast.uniform(1.5, 2.2)
    sign = float(cast.rng.choice([-1, 1]))
    take = cast.uniform(0.6, 1.1) if cast.chance(0.4) else -1.0
    first_turn = max(take, 0.0) + cast.uniform(0.9, 2.0)
    turns = [first_turn]
    if cast.chance(0.3):
        turns.append(first_turn + spin + cast.uniform(0.9, 1.4))
    time = clock(turns[-1] + spin + cast.uniform(1.6, 2.8))
    raised = np.sum(
        [pulse(time, t - 0.7, t, t + spin - 0.1, t + spin + 0.7) for t in turns], axis=0
    )
    cast = hurried(cast, twirler, swing=0.27, double_support=0.02, threshold=0.06)

    wide, near = cast.uniform(0.74, 0.88), cast.uniform(0.60, 0.67)
    gap = wide + (near - wide) * raised
    phase = np.pi * (time - cast.uniform(0, beat)) / beat
    groove = ramp(time, max(take, 0.2), max(take, 0.2) + 1.0) * (1 - 0.7 * raised)
    sway = np.sin(phase) * groove
    aside = cast.uniform(0.03, 0.07) * sway * cast.chance(0.7)
    lag = cast.uniform(0.08, 0.2)
    scores = {}
    for who in (PLAYER, PARTNER):
        swayed = aside if who == leader else delayed(aside, lag)
        path = 0.5 * gap[:, None] * OUTWARD[who] + np.column_stack([swayed, np.zeros_like(swayed)])
        heading = np.full(len(time), FACING[who])
        if who == twirler:
            for begin in turns:
                u = np.clip((time - begin) / spin, 0, 1)
                wind_up = pulse(time, begin - 0.5, begin - 0.1, begin - 0.1, begin + 0.3)
                heading = heading + sign * (2 * np.pi * (0.6 * min_jerk(u) + 0.4 * smoothed(u, 8)))
                heading = heading - 0.18 * sign * wind_up
        score = new_score(cast, who, time, path, heading)
        mirror = 1.0 if who == PLAYER else -1.0
        score.shift[:, 0] += 0.03 * mirror * sway
        score.lean[:, 1] += 0.04 * mirror * sway
        score.drop += 0.012 * (0.5 - 0.5 * np.cos(2 * phase)) * groove
        scores[who] = score
    _make_room(scores[leader], scores[twirler], raised)
    bodies = (stand(scores[PLAYER]), stand(scores[PARTNER]))
    grip = _twirl_grip(bodies, leader, hands, raised)
    _watch_the_turn(cast, bodies, twirler, grip, raised)
    held = ramp(time, take - 0.7, take)
    for who, body in enumerate(bodies):
        arm_move = _twirling_hand(bodies, who, leader, hands[who], grip, raised, held)
        move_arms(body, [arm_move, _free_hand(cast, body, 1 - hands[who], raised, who == twirler)])
    frames = [fine_frame(t + part * spin, time) for t in turns for part in (0.0, 0.5, 1.0)]
    wrists = (WRISTS[hands[0]], WRISTS[hands[1]])
    contacts = touching(frames, [wrists])
    return scene_of(
        bodies, _turn_captions(leader, sign, len(turns)), frames, contacts, leads=leader
    )


def _make_room(leader: Score, twirler: Score, raised: Array) -> None:
    """The one who twirls ducks if the other's arm does not reach above the head."""
    top = twirler.figure.height_of("head") + 0.24
    reach = leader.figure.height_of("left_shoulder") + 0.88 * leader.figure.arm
    duck = float(np.clip(top - reach, 0.0, 0.16))
    twirler.drop += duck * raised
    twirler.lean[:, 0] += 0.5 * duck * raised
    leader.lean[:, 0] -= 0.04 * raised


def _twirl_grip(bodies: Couple, leader: int, hands: tuple[int, int], raised: Array) -> Array:
    """(frame, 3) the joined hands: between the two, and above the other's head in the turn."""
    one, two = bodies[leader], bodies[1 - leader]
    away = between(bodies, leader)
    low = 0.5 * (one.at("spine3") + two.at("spine3")) + (0.20 * SIDE[hands[leader]]) * leftwards(
        away
    )
    above = _within_reach(one, hands[leader], two.at("head") + 0.23 * UP - 0.10 * away)
    w = raised[:, None]
    arched = low + w * (above - low) - 0.10 * np.sin(np.pi * w) * away
    return smoothed(arched, 4)


def _within_reach(body: Performer, hand: int, point: Array) -> Array:
    """The point (frame, 3), drawn level towards the shoulder until the palm reaches it."""
    away = point - body.shoulder(hand)
    length = 0.95 * body.figure.arm + 0.05
    level = np.sqrt(np.maximum(length**2 - away[:, 1] ** 2, 0.01))
    over = np.maximum(np.hypot(away[:, 0], away[:, 2]) / level, 1.0)
    nearer = away * np.column_stack([1 / over, np.ones_like(over), 1 / over])
    return np.asarray(point - away + nearer)


def _twirling_hand(
    bodies: Couple, who: int, leader: int, hand: int, grip: Array, raised: Array, held: Array
) -> ArmMove:
    """Palm on palm in front; in the turn the leader's hand lies above the other's fingers."""
    body, side = bodies[who], SIDE[hand]
    away = between(bodies, leader) * (1.0 if who == leader else -1.0)
    is_leader = who == leader
    inward = -SIDE[1 - hand if not is_leader else hand] * leftwards(between(bodies, leader))
    low_fingers = unit(away + 0.1 * UP)
    low_palm = (1.0 if is_leader else -1.0) * (UP + 0.4 * inward)
    if is_leader:
        high_fingers, high_palm = unit(away + 0.3 * UP), -UP + 0.3 * away
        elbow = body.direction([0.9 * side, -0.5, 0.0])
    else:
        high_fingers = unit(UP + 0.25 * body.direction([-side, 0.0, 0.3]))
        high_palm = body.direction([-0.3 * side, 0.0, 1.0])
        elbow = body.direction([side, 0.3, 0.2])
    w = raised[:, None]
    elbow = w * elbow + (1 - w) * body.direction([0.4 * side, -1.0, -0.2])
    fingers, palm = (
        unit((1 - w) * low_fingers + w * high_fingers),
        (1 - w) * low_palm + w * high_palm,
    )
    spot = grip - (0.0 if is_leader else 0.02) * w * UP
    return lay_palm(hand, held, spot, fingers, palm, elbow=elbow, arc=0.1, depth=HELD)


def _free_hand(cast: Cast, body: Performer, hand: int, raised: Array, is_twirler: bool) -> ArmMove:
    """The other hand swings out with the turn, or rests behind the back or at the side."""
    side = SIDE[hand]
    out = cast.uniform(0.12, 0.30) if is_twirler else cast.uniform(0.0, 0.12)
    wrist = body.shoulder(hand) + body.direction([side * (0.08 + out), -0.36, 0.12])
    return ArmMove(
        side=hand,
        weight=smoothed(raised, 6) * (0.9 if is_twirler else 0.4),
        wrist=wrist,
        elbow=body.direction([side, -0.3, -0.4]),
    )


def _watch_the_turn(cast: Cast, bodies: Couple, twirler: int, grip: Array, raised: Array) -> None:
    """The leader watches; the one who turns looks ahead and finds the other's face again."""
    for who, body in enumerate(bodies):
        target = delayed(eyes(bodies[1 - who]), cast.uniform(0.1, 0.2))
        if who == twirler:
            ahead = body.at("head") + 1.5 * body.direction([0.0, 0.0, 1.0])
            target = target + raised[:, None] * (ahead - target)
        else:
            target = target + (0.3 * raised)[:, None] * (grip - target)
        look(body, target)


def _turn_captions(leader: int, sign: float, count: int) -> tuple[str, ...]:
    one, two = named(leader)
    way = "left" if sign > 0 else "right"
    often = "twice" if count > 1 else "once"
    return (
        "two people dance and one twirls under the other's arm",
        "a dance turn",
        f"the {one} raises the joined hands and the {two} twirls underneath",
        f"the {one} spins the {two} {often}",
        "one person turns around under the raised hands while they dance",
        f"the {two} turns to the {way} under the arm of the {one}",
    )


# ---------------------------------------------------------------------------------------- mirror
POSES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "out to the side": ((0.90, 0.02, 0.12), (1.0, 0.0, 0.1), (0.0, -1.0, 0.1), (0.0, -0.6, -1.0)),
    "straight up": ((0.16, 0.90, 0.10), (0.1, 1.0, 0.0), (-0.3, 0.0, 1.0), (1.0, 0.0, 0.1)),
    "to the front": ((0.05, 0.02, 0.90), (0.0, 0.1, 1.0), (-0.2, -1.0, 0.0), (0.8, -0.6, 0.0)),
    "palm against the air": (
        (0.08, 0.02, 0.72),
        (0.1, 1.0, 0.1),
        (0.0, 0.0, 1.0),
        (0.6, -0.8, 0.0),
    ),
    "up beside the head": ((0.38, 0.42, 0.28), (0.1, 1.0, 0.0), (0.0, 0.0, 1.0), (0.7, -0.7, -0.1)),
    "to the chest": ((-0.22, -0.30, 0.36), (-1.0, 0.25, 0.1), (0.0, 0.0, -1.0), (0.9, -0.5, 0.1)),
    "low to the side": ((0.60, -0.66, 0.14), (0.7, -0.8, 0.1), (-0.6, -0.6, 0.2), (0.3, 0.0, -1.0)),
    "across the belly": (
        (-0.20, -0.62, 0.42),
        (-1.0, 0.0, 0.3),
        (0.0, 0.2, -1.0),
        (0.8, -0.5, -0.2),
    ),
    "forward, palm up": ((0.10, -0.40, 0.68), (0.1, 0.2, 1.0), (-0.2, 1.0, 0.0), (0.5, -0.9, -0.2)),
}
"""Where a hand goes in the mirror game, for a left hand (left, up, forward) from the shoulder, in
arm lengths; then the directions of the fingers, out of the palm, and of the elbow."""


def mirror_me(cast: Cast) -> Scene:
    """The player strikes poses with the arms; the partner mirrors them, a little late."""
    first, _ = cast.roles(0.85)
    time = clock(cast.uniform(6.0, 9.5))
    gap, lag = cast.uniform(1.1, 1.9), cast.uniform(0.2, 0.4)
    sloppy = cast.uniform(0.0, 0.06)
    moves = _draw_moves(cast, float(time[-1]))
    bend = 0.10 * slow_noise(time, 1, cast.rng, 0.3)[:, 0] * cast.chance(0.6)
    aside = cast.uniform(0.1, 0.3) * smoothed(np.sign(slow_noise(time, 1, cast.rng, 0.2)[:, 0]), 20)
    aside = (aside - aside[0]) * cast.chance(0.4)
    scores = {}
    for who in (PLAYER, PARTNER):
        late = 0.0 if who == first else lag
        path = 0.5 * gap * OUTWARD[who] + delayed(aside, late)[:, None] * np.array([1.0, 0.0])
        score = new_score(cast, who, time, path, np.full(len(time), FACING[who]))
        score.lean[:, 1] += (1 if who == PLAYER else -1) * delayed(bend, late)
        scores[who] = score
    bodies = (stand(scores[PLAYER]), stand(scores[PARTNER]))
    faces = [eyes(body) for body in bodies]
    for who, body in enumerate(bodies):
        attend(cast, body, faces[1 - who], 1.0)
        arm_moves = []
        for hand, name, begin, rise, end in moves:
            mine = hand if who == first else 1 - hand
            late = 0.0 if who == first else lag + cast.uniform(-0.05, 0.08)
            off = cast.rng.normal(0, 1, 3) * (0.0 if who == first else sloppy)
            weight = pulse(time, begin + late, begin + late + rise, end + late, end + late + 0.8)
            arm_moves.append(_posed(body, mine, name, weight, off))
        move_arms(body, arm_moves)
    holds = [begin + rise + lag + 0.1 for _, _, begin, rise, _ in moves]
    frames = sorted({fine_frame(t, time) for t in holds if t < time[-1]})[:3]
    named_moves = [(SIDES[hand], name) for hand, name, *_ in moves]
    return scene_of(bodies, _mirror_captions(first, named_moves[0]), frames, leads=first)


def _draw_moves(cast: Cast, end: float) -> list[tuple[int, str, float, float, float]]:
    """(hand, pose, seconds when it begins, takes to arrive, ends); both hands, one, or in turn."""
    style = str(cast.rng.choice(["both", "one", "either"], p=[0.4, 0.2, 0.4]))
    hand = int(cast.rng.integers(2))
    tempo = cast.uniform(0.75, 1.3)
    moves: list[tuple[int, str, float, float, float]] = []
    now = cast.uniform(0.2, 0.9)
    while now < end - 1.6:
        name = str(cast.rng.choice(list(POSES)))
        rise, hold = tempo * cast.uniform(0.55, 0.85), tempo * cast.uniform(0.3, 1.2)
        if style == "either":
            hand = int(cast.rng.integers(2))
        for side in (LEFT, RIGHT) if style == "both" or cast.chance(0.15) else (hand,):
            moves.append((side, name, now, rise, now + rise + hold + 0.25))
        now += rise + hold
    return moves


def _posed(body: Performer, hand: int, name: str, weight: Array, off: Array) -> ArmMove:
    place, fingers, palm, elbow = (
        np.array(part) * np.array([SIDE[hand], 1.0, 1.0]) for part in POSES[name]
    )
    shoulder = body.shoulder(hand)
    return ArmMove(
        side=hand,
        weight=weight,
        wrist=shoulder + body.figure.arm * body.direction(place + off),
        fingers=body.direction(fingers),
        palm=body.direction(palm),
        elbow=body.direction(elbow),
        arc=0.7,
    )


def _mirror_captions(first: int, move: tuple[str, str]) -> tuple[str, ...]:
    one, two = named(first)
    hand, where = move
    return (
        "one person mirrors the arm movements of the other",
        "two people play the mirror game",
        "they move their arms like reflections in a mirror",
        f"the {two} copies the gestures of the {one}",
        f"the {one} moves the {hand} hand {where} and the {two} mirrors it",
        "one person copies every gesture of the other",
    )
