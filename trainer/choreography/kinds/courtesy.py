"""Being good to each other: a pat on the shoulder, handing over, a whisper, pointing something out,
an arm around the shoulder. Each turns a cast into a scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.rotations import wrapped
from engine.body.skeleton import JOINT
from engine.body.vectors import unit
from trainer.choreography.arms import ArmMove, move_arms
from trainer.choreography.hands import SHOULDER_TOP, between, lay_palm, leftwards, reach_distance
from trainer.choreography.performer import SIDES, UP, WRISTS, Couple, Performer, look, stand
from trainer.choreography.score import Score
from trainer.choreography.stage import (
    PLAYER,
    Cast,
    Scene,
    clock,
    delayed,
    eyes,
    fine_frame,
    leave_steps,
    named,
    plan_approach,
    scene_of,
    touching_between,
    watch_each_other,
    write_scores,
)
from trainer.choreography.stepping import LEFT, RIGHT, SIDE, ground_forward
from trainer.choreography.timing import pulse, ramp, smoothed


# ------------------------------------------------------------------------- pat on the shoulder
def pat_shoulder(cast: Cast) -> Scene:
    first, second = cast.roles()
    hand = RIGHT if cast.chance(0.65) else LEFT
    is_sad = cast.chance(0.55)
    ahead = reach_distance(cast.figures[first].arm, cast.uniform(0.80, 0.94), 0.06, 0.05)
    approach = plan_approach(cast, ahead + cast.uniform(0.12, 0.18))
    begin = approach.arrive + cast.uniform(-0.4, 0.6)
    landed = max(begin + cast.uniform(0.55, 0.85), approach.arrive + 0.1)
    pats, hz = int(cast.rng.integers(2, 6)), cast.uniform(1.4, 2.4)
    rest = landed + (pats - 1) / hz
    release = rest + cast.uniform(0.15, 1.4)
    time = clock(release + cast.uniform(1.2, 2.4))
    scores = write_scores(cast, time, approach, release + 0.2, leave_steps(cast))
    held = pulse(time, begin, landed, release, release + 0.7)
    scores[first].lean[:, 0] += cast.uniform(0.04, 0.12) * held
    scores[first].lean[:, 2] -= 0.16 * SIDE[hand] * held
    scores[first].nod[:, 1] += cast.uniform(-0.15, 0.15) * held
    scores[first].nod[:, 0] += 0.08 * held * np.sin(2 * np.pi * 0.8 * hz * (time - landed))
    lifted = 0.5 * (1 - np.cos(2 * np.pi * hz * (time - landed))) * (time > landed) * (time < rest)
    jolt = held * (1 - lifted) * pulse(time, landed - 0.1, landed, rest, rest + 0.3)
    gloom = _mood(cast, scores[second], time, landed, is_sad)
    scores[second].shrug[:, 1 - hand] -= 0.05 * jolt
    scores[second].lean[:, 2] += 0.03 * SIDE[hand] * smoothed(jolt, 2)
    scores[second].hip_pitch -= 0.01 * jolt
    bodies = (stand(scores[0]), stand(scores[1]))
    floor = 0.5 * (bodies[0].at("pelvis") + bodies[1].at("pelvis")) * np.array([1.0, 0.2, 1.0])
    shoulder = bodies[second].shoulder(1 - hand)
    for who, (spot, part) in {first: (shoulder, 0.5 * held), second: (floor, 0.9 * gloom)}.items():
        face = delayed(eyes(bodies[1 - who]), cast.uniform(0.1, 0.25))
        look(bodies[who], face + part[:, None] * (spot - face))
    move_arms(bodies[second], _thanking(cast, bodies[second], time, release, is_sad))
    height = cast.uniform(0.05, 0.09) * lifted
    above = pulse(time, begin, landed - 0.15, release + 0.15, release + 0.85)
    laid = pulse(time, landed - 0.35, landed, release, release + 0.4)
    move_arms(bodies[first], _patting(cast, bodies, first, hand, height, above, laid))
    frames = [fine_frame(t, time) for t in (landed, rest, release - 0.05)]
    pair = (WRISTS[hand], f"{SIDES[1 - hand]}_shoulder")
    contacts = touching_between(first, frames, [pair])
    return scene_of(bodies, _pat_captions(first, hand, is_sad), frames, contacts, leads=first)


def _mood(cast: Cast, score: Score, time: Array, cheered: float, is_sad: bool) -> Array:
    """Bowed and looking down until the pats cheer one up. Returns how much so, (frame,)."""
    if not is_sad:
        return np.zeros_like(time)
    gloom = 1 - cast.uniform(0.5, 1.0) * ramp(time, cheered + 0.5, cheered + cast.uniform(1.4, 2.2))
    score.lean[:, 0] += cast.uniform(0.08, 0.18) * gloom
    score.nod[:, 0] += cast.uniform(0.05, 0.20) * gloom
    score.shrug -= 0.05 * gloom[:, None]
    return gloom


def _patting(
    cast: Cast, bodies: Couple, first: int, hand: int, height: Array, above: Array, laid: Array
) -> list[ArmMove]:
    """The palm comes from above onto the other's shoulder.

    height (frame,) how far it is lifted between pats; above, laid (frame,) weights
    """
    other, forward = bodies[1 - first], between(bodies, first)
    out = SIDE[hand] * leftwards(forward)
    aside = cast.uniform(0.0, 0.04)
    palm = unit(-UP - 8.0 * aside * out - 0.1 * forward)
    fingers = unit(forward - 0.2 * out + 0.15 * UP)
    skin = other.shoulder(1 - hand) + aside * out - 0.03 * forward
    spot = skin + (SHOULDER_TOP + 0.008 + height)[:, None] * UP
    elbow = bodies[first].direction([0.6 * SIDE[hand], -0.8, 0.0])
    ready = spot + 0.09 * UP - 0.12 * forward + 0.03 * out
    return [
        lay_palm(hand, above, ready, fingers, palm, elbow=elbow, arc=0.25),
        lay_palm(hand, laid, spot, fingers, palm, elbow=elbow, arc=0.0),
    ]


def _thanking(
    cast: Cast, body: Performer, time: Array, release: float, is_sad: bool
) -> list[ArmMove]:
    """The one who is patted lays a hand on the chest, or wipes the face, or does nothing."""
    if cast.chance(0.6):
        return []
    hand = int(cast.rng.integers(0, 2))
    side, begin = SIDE[hand], release - cast.uniform(0.0, 0.6)
    weight = pulse(time, begin, begin + 0.6, begin + 1.0, begin + 1.8)
    if is_sad:
        spot = body.on_head(np.array([0.05 * side, 0.03, 0.13]))
        fingers, palm = body.direction([-0.4 * side, 1.0, 0.0]), body.direction([0.0, 0.1, -1.0])
    else:
        spot = body.on_chest([0.03 * side, 0.06, body.figure.chest])
        fingers, palm = body.direction([-0.9 * side, 0.4, 0.0]), body.direction([0.0, 0.0, -1.0])
    elbow = body.direction([0.5 * side, -1.0, 0.1])
    return [lay_palm(hand, weight, spot, fingers, palm, elbow=elbow)]


def _pat_captions(first: int, hand: int, is_sad: bool) -> tuple[str, ...]:
    one, two = named(first)
    plain = (
        "one person pats the other on the shoulder",
        "a pat on the shoulder",
        f"one person pats the other's shoulder with the {SIDES[hand]} hand",
        f"the {one} pats the {two} on the shoulder",
        f"the {one} lays a hand on the {two}'s {SIDES[1 - hand]} shoulder and pats it",
    )
    if is_sad:
        return (
            *plain,
            "one person comforts the other with a pat on the shoulder",
            f"the {one} comforts the {two}, who is sad",
        )
    return (
        *plain,
        "someone encourages a friend with a pat on the shoulder",
        f"the {one} says well done and claps the {two} on the shoulder",
    )


# ----------------------------------------------------------------------------------- hand over
@dataclass(frozen=True, kw_only=True)
class Carried:
    """An imaginary thing and how hands hold it: from both flanks, or from below and above."""

    width: float
    hands: dict[int, list[int]]
    """By person."""
    is_flat: bool
    """Offered on an open hand and picked up from above."""


def hand_over(cast: Cast) -> Scene:
    """A thing of 10 to 25 cm goes from hand to hand; contacts are of hands that both hold it."""
    first, second = cast.roles()
    thing = _draw_thing(cast, first)
    ahead = reach_distance(cast.arm, cast.uniform(0.78, 0.93), 0.12, 0.26)
    approach = plan_approach(cast, 2 * (ahead + 0.08) + 0.5 * thing.width)
    offer = approach.arrive + cast.uniform(-0.6, 0.5)
    answer = offer + cast.uniform(0.25, 0.7)
    taken = max(answer + cast.uniform(0.6, 0.95), approach.arrive + 0.1)
    let_go = taken + cast.uniform(0.15, 0.55)
    time = clock(let_go + cast.uniform(1.8, 3.2))
    scores = write_scores(cast, time, approach, let_go + 0.5, leave_steps(cast))
    offered = pulse(time, offer, offer + 0.8, let_go, let_go + 0.8)
    reached = pulse(time, answer, taken, let_go + 0.1, let_go + 0.9)
    for who, weight in ((first, offered), (second, reached)):
        scores[who].lean[:, 0] += cast.uniform(0.03, 0.11) * weight
        if len(thing.hands[who]) == 1:
            scores[who].lean[:, 2] -= 0.12 * SIDE[thing.hands[who][0]] * weight
    scores[first].nod[:, 0] += 0.10 * pulse(time, let_go, let_go + 0.3, let_go + 0.4, let_go + 0.8)
    bodies = (stand(scores[0]), stand(scores[1]))
    level = 0.5 * (bodies[0].at("spine3") + bodies[1].at("spine3"))
    meet = smoothed(level + cast.uniform(-0.16, 0.02) * UP, 4)
    homes = [_before_the_belly(cast, body) for body in bodies]
    given = homes[first] + ramp(time, offer, offer + 0.8)[:, None] * (meet - homes[first])
    got = meet + ramp(time, let_go, let_go + 0.8)[:, None] * (homes[second] - meet)
    seen = np.where((time < let_go)[:, None], given, got)
    watch_each_other(bodies, cast, seen, pulse(time, offer, answer + 0.2, let_go, let_go + 1.6))
    weights = {first: 1 - ramp(time, let_go, let_go + 0.75), second: ramp(time, answer, taken)}
    for who, place in ((first, given), (second, got)):
        grips = [
            _holding(
                bodies[who],
                hand,
                place,
                thing,
                is_giver=who == first,
                is_paired=len(thing.hands[who]) == 2,
                weight=weights[who],
            )
            for hand in thing.hands[who]
        ]
        move_arms(bodies[who], grips)
    frames = [fine_frame(t, time) for t in (taken, 0.5 * (taken + let_go), let_go)]
    a, b = thing.hands[first][0], thing.hands[second][0]
    if len(thing.hands[first]) == len(thing.hands[second]) == 2:
        b = 1 - a
    contacts = touching_between(first, frames[:2], [(WRISTS[a], WRISTS[b])])
    return scene_of(bodies, _hand_over_captions(first, thing), frames, contacts, leads=first)


def _draw_thing(cast: Cast, giver: int) -> Carried:
    style = str(cast.rng.choice(["one", "mixed", "both"], p=[0.5, 0.2, 0.3]))
    favoured = RIGHT if cast.chance(0.75) else LEFT
    counts = {"one": (1, 1), "mixed": (2, 1) if cast.chance(0.5) else (1, 2), "both": (2, 2)}[style]
    is_flat = cast.chance(0.5)
    other = favoured if not is_flat or cast.chance(0.6) else 1 - favoured
    giving = [LEFT, RIGHT] if counts[0] == 2 else [favoured]
    taking = [LEFT, RIGHT] if counts[1] == 2 else [other]
    width = cast.uniform(0.10, 0.16) if style == "one" else cast.uniform(0.16, 0.25)
    return Carried(width=width, hands={giver: giving, 1 - giver: taking}, is_flat=is_flat)


def _before_the_belly(cast: Cast, body: Performer) -> Array:
    """Where one carries a thing: before the trunk, between belly and breast."""
    low = cast.uniform(0.06, 0.16)
    away = body.figure.chest + cast.uniform(0.12, 0.2)
    return np.asarray(body.at("spine3") + body.direction([0.0, -low, away]))


def _holding(
    body: Performer,
    hand: int,
    place: Array,
    thing: Carried,
    *,
    is_giver: bool,
    is_paired: bool,
    weight: Array,
) -> ArmMove:
    """One hand on its face of the thing whose middle is at `place` (frame, 3)."""
    side = SIDE[hand]
    palm = [-side, 0.25, 0.1]
    if thing.is_flat and not is_paired:
        palm = [-0.25 * side, 1.0 if is_giver else -1.0, 0.0]
    normal = unit(body.direction(palm))
    inward = body.direction([-0.15 * side, 0.0, 1.0])
    near = (0.25 if is_paired else 0.15) * thing.width
    lower = 0.03 if is_giver else -0.03
    spot = place - 0.5 * thing.width * normal - near * inward - lower * UP
    return lay_palm(hand, weight, spot, inward, normal, arc=0.2)


def _hand_over_captions(first: int, thing: Carried) -> tuple[str, ...]:
    one, two = named(first)
    giving, taking = (_hands_in_words(thing.hands[who]) for who in (first, 1 - first))
    return (
        "one person hands something to the other",
        "two people pass an object from hand to hand",
        "handing over an object",
        f"one person gives something with {giving} and the other takes it with {taking}",
        f"the {one} hands an object to the {two}",
        f"the {two} takes what the {one} holds out",
        "someone gives a present to a friend",
    )


def _hands_in_words(hands: list[int]) -> str:
    return "both hands" if len(hands) == 2 else f"the {SIDES[hands[0]]} hand"


# ------------------------------------------------------------------------------ point and look
def point_and_look(cast: Cast) -> Scene:
    """One shows the other something; the other looks at it, then back."""
    first, second = cast.roles()
    approach = plan_approach(cast, cast.uniform(0.9, 1.6), far=(1.2, 2.4))
    spread = cast.uniform(0.5, 1.7) * (1 if cast.chance(0.5) else -1)
    hand = (LEFT if spread > 0 else RIGHT) if cast.chance(0.85) else int(cast.rng.integers(0, 2))
    begin = approach.arrive + cast.uniform(0.0, 0.6)
    shown = begin + cast.uniform(0.55, 0.9)
    noticed = begin + cast.uniform(0.35, 0.7)
    lowered = shown + cast.uniform(1.0, 2.6)
    back = noticed + cast.uniform(1.6, 3.0)
    time = clock(max(lowered, back) + cast.uniform(1.2, 2.2))
    scores = write_scores(cast, time, approach, max(lowered, back) + 0.4, leave_steps(cast))
    facing = 0.0 if first == PLAYER else np.pi
    away = cast.uniform(2.5, 6.0) * ground_forward(np.asarray(facing + spread))
    thing = np.array([away[0], cast.uniform(0.2, 2.6), away[1]])
    attention = {
        first: pulse(time, begin - 0.25, begin + 0.3, lowered - 0.4, lowered + 0.2),
        second: pulse(time, noticed, noticed + 0.5, back, back + 0.6),
    }
    for who, score in enumerate(scores):
        course = float(np.arctan2(thing[0] - score.path[-1, 0], thing[2] - score.path[-1, 1]))
        turn = wrapped(course - float(score.heading[-1]))
        score.heading += cast.uniform(0.25, 0.65) * turn * delayed(smoothed(attention[who], 5), 0.1)
        score.lean[:, 2] += 0.15 * turn * attention[who]
    scores[first].nod[:, 0] += (
        0.12
        * np.sin(2 * np.pi * 1.6 * (time - shown))
        * pulse(time, shown, shown + 0.2, shown + 0.8, shown + 1.1)
    )
    nods = pulse(time, back + 0.3, back + 0.5, back + 1.0, back + 1.3)
    scores[second].nod[:, 0] += 0.16 * np.sin(2 * np.pi * 1.7 * (time - back)) * nods
    bodies = (stand(scores[0]), stand(scores[1]))
    checks = pulse(time, shown + 0.2, shown + 0.55, shown + 0.75, shown + 1.1)
    for who, body in enumerate(bodies):
        face = delayed(eyes(bodies[1 - who]), cast.uniform(0.1, 0.25))
        part = attention[who] * (1 - 0.9 * checks * (who == first))
        look(body, face + part[:, None] * (thing - face))
    move_arms(bodies[first], [_pointing(cast, bodies[first], hand, thing, time, begin, lowered)])
    move_arms(bodies[second], _looking(cast, bodies[second], thing, time, noticed, back))
    frames = [fine_frame(t, time) for t in (shown + 0.1, noticed + 0.8, min(lowered, back) - 0.2)]
    return scene_of(bodies, _point_captions(first, hand, spread), sorted(set(frames)), leads=first)


def _pointing(
    cast: Cast, body: Performer, hand: int, thing: Array, time: Array, begin: float, lowered: float
) -> ArmMove:
    shoulder = body.shoulder(hand)
    along = unit(thing - shoulder)
    length = cast.uniform(0.86, 0.97) * body.figure.arm
    jab = 0.03 * np.sin(2 * np.pi * 1.8 * (time - begin))
    jab *= pulse(time, begin + 0.7, begin + 0.9, lowered - 0.5, lowered - 0.2)
    if cast.chance(0.5):
        jab = 0.0 * jab
    weight = pulse(time, begin, begin + cast.uniform(0.55, 0.8), lowered, lowered + 0.8)
    wrist = shoulder + (length + jab - 0.03)[:, None] * along
    palm = unit(-UP - 0.4 * SIDE[hand] * body.direction([1.0, 0.0, 0.0]))
    elbow = body.direction([0.6 * SIDE[hand], -0.8, -0.2])
    return ArmMove(hand, weight, wrist, along, palm, elbow=elbow)


def _looking(
    cast: Cast, body: Performer, thing: Array, time: Array, noticed: float, back: float
) -> list[ArmMove]:
    """The one who looks may point there too, shade the eyes, or leave the hands down."""
    style = str(cast.rng.choice(["point", "shade", "none"], p=[0.2, 0.25, 0.55]))
    if style == "none":
        return []
    hand = int(cast.rng.integers(0, 2))
    begin, end = noticed + cast.uniform(0.4, 0.8), back + cast.uniform(-0.3, 0.2)
    if style == "point":
        return [_pointing(cast, body, hand, thing, time, begin, max(end, begin + 1.0))]
    side = SIDE[hand]
    spot = body.on_head(np.array([0.03 * side, 0.11, 0.17]))
    across = body.world[:, JOINT["head"]] @ np.array([-0.9 * side, 0.25, 0.25])
    down = body.world[:, JOINT["head"]] @ np.array([0.0, -1.0, -0.2])
    elbow = body.direction([side, -0.3, 0.3])
    weight = pulse(time, begin, begin + 0.6, max(end, begin + 0.8), max(end, begin + 0.8) + 0.7)
    return [lay_palm(hand, weight, spot, across, down, elbow=elbow)]


def _point_captions(first: int, hand: int, spread: float) -> tuple[str, ...]:
    one, two = named(first)
    way = "left" if spread > 0 else "right"
    return (
        "one person points at something and the other looks",
        "two people look at the same thing",
        "pointing something out to a friend",
        f"one person points with the {SIDES[hand]} hand and the other turns to look",
        f"the {one} points to the {way} and the {two} turns to look there",
        f"the {one} shows the {two} something in the distance",
        f"the {two} follows the {one}'s pointing finger with the eyes",
    )
