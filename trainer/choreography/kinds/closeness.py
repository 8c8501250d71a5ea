"""Closer than strangers stand: a hug, a whisper in the ear, an arm around the shoulder.

Each turns a cast into a scene.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.skeleton import JOINT
from engine.body.vectors import unit
from trainer.choreography.arms import ArmMove, move_arms
from trainer.choreography.hands import SHOULDER_TOP, lay_palm, wrist_for_palm
from trainer.choreography.performer import SIDES, UP, WRISTS, Couple, Performer, look, stand
from trainer.choreography.score import Score
from trainer.choreography.stage import (
    PLAYER,
    Cast,
    Scene,
    brisk,
    clock,
    delayed,
    eyes,
    fine_frame,
    named,
    new_score,
    plan_approach,
    scene_of,
    touching,
    touching_between,
    watch_each_other,
    write_scores,
)
from trainer.choreography.stepping import LEFT, RIGHT, SIDE, ground_forward
from trainer.choreography.timing import pulse, ramp

SHOULDER = (JOINT["left_shoulder"], JOINT["right_shoulder"])
MOUTH = np.array([0.0, 0.02, 0.13])
"""From the head joint, in the head's own axes; measured on the packaged body."""
EAR = np.array([0.08, 0.07, 0.02])
"""The left ear, likewise."""


# ----------------------------------------------------------------------------------------- hug
def hug(cast: Cast) -> Scene:
    first, second = cast.roles()
    near = sum(f.chest for f in cast.figures) + cast.uniform(0.025, 0.05)
    approach = plan_approach(cast, near, far=(0.9, 2.2))
    begins = {first: max(approach.arrive - cast.uniform(0.7, 1.0), 0.3)}
    begins[second] = begins[first] + cast.uniform(0.1, 0.4)
    closed = max(approach.arrive + 0.3, begins[second] + 0.9)
    release = closed + cast.uniform(1.0, 3.2)
    time = clock(release + cast.uniform(1.8, 2.8))
    back = cast.rng.uniform(0.25, 0.6, 2)
    scores = write_scores(cast, time, approach, release + 0.15, back)
    held = pulse(time, closed - 0.7, closed, release, release + 0.7)
    lead = 1.0 if cast.chance(0.75) else -1.0
    squeeze = held * np.sin(2 * np.pi * cast.uniform(0.25, 0.5) * time)
    for score in scores:
        left = np.array([1.0, 0.0]) if score is scores[0] else np.array([-1.0, 0.0])
        score.path = (
            score.path + (0.062 * lead * ramp(time, approach.begin.min(), closed))[:, None] * left
        )
        score.lean[:, 0] += (cast.uniform(0.05, 0.10)) * held + 0.015 * squeeze
        score.nod[:, 1] -= 0.20 * lead * held
        score.weight += 0.5 * squeeze
    bodies = (stand(scores[0]), stand(scores[1]))
    watch_each_other(bodies, cast, _past(bodies), held)
    tall = bodies[0].figure.height_of("left_shoulder") - bodies[1].figure.height_of("left_shoulder")
    for who, body in enumerate(bodies):
        taller = tall * (1 if who == PLAYER else -1)
        move_arms(
            body, hugging(cast, bodies, who, lead, taller, time, begins[who], closed, release)
        )
    frames = [fine_frame(t, time) for t in (closed + 0.2, 0.5 * (closed + release), release - 0.1)]
    return scene_of(
        bodies, _hug_captions(first), frames, touching(frames, [("spine3", "spine3")]), leads=first
    )


def _past(bodies: Couple) -> Array:
    """Where eyes rest in a hug: level, past the other's shoulder; one point serves both."""
    return 0.5 * (bodies[0].at("head") + bodies[1].at("head"))


def hugging(
    cast: Cast,
    bodies: Couple,
    who: int,
    lead: float,
    taller: float,
    time: Array,
    begin: float,
    closed: float,
    release: float,
) -> list[ArmMove]:
    """Open the arms, then lay the hands on the other's back: one arm over, one under.

    lead 1: right arms go over, left arms under; much taller people put both arms over.
    """
    body, other = bodies[who], bodies[1 - who]
    moves = []
    for hand in (LEFT, RIGHT):
        is_over = (hand == RIGHT) == (lead > 0)
        if abs(taller) > 0.13:
            is_over = taller > 0
        side = SIDE[hand]
        opened = body.shoulder(hand) + body.direction(
            [side * 0.20, -0.02 if is_over else -0.20, 0.36]
        )
        elbow = body.direction([side, 0.35 if is_over else -0.30, 0.0])
        forward = body.direction([0.0, 0.0, 1.0])
        inward = body.direction([-side, 0.0, 0.0])
        moves.append(
            ArmMove(
                side=hand,
                weight=pulse(time, begin, begin + 0.75, release + 0.15, release + 1.0),
                wrist=opened,
                fingers=unit(forward + 0.2 * UP),
                palm=unit(inward + 0.2 * forward),
                elbow=elbow,
            )
        )
        height = cast.uniform(0.06, 0.13) if is_over else cast.uniform(-0.14, -0.07)
        wrist, fingers, palm = on_back(body, other, hand, height, fine_frame(closed, time))
        weight = pulse(time, closed - 0.55, closed + 0.1, release, release + 0.6)
        moves.append(ArmMove(hand, weight, wrist, fingers, palm, elbow=elbow, arc=0.6))
    return moves


def on_back(
    body: Performer, other: Performer, hand: int, height: float, frame: int
) -> tuple[Array, Array, Array]:
    """Lay a palm on the other's back, as far round as the arm reaches.

    The trunk is an ellipse; the fingers follow it towards the spine. Returns wrist, fingers, palm
    (frame, 3) in the world.
    """
    chest, figure = other.world[:, JOINT["spine3"]], other.figure
    shoulder = body.shoulder(hand)[frame]
    for angle in np.radians(np.arange(20, 95, 10)):
        side, depth = np.sin(angle), np.cos(angle)
        spot = [-SIDE[hand] * figure.side * side, height, -figure.back * depth]
        outward = np.array([-SIDE[hand] * side / figure.side, 0.0, -depth / figure.back])
        along = np.array([SIDE[hand] * depth * figure.side, 0.0, -side * figure.back])
        fingers, palm = chest @ unit(along), chest @ -unit(outward)
        wrist = wrist_for_palm(other.on_chest(spot), fingers, palm)
        if np.linalg.norm(wrist[frame] - shoulder) < 0.90 * body.figure.arm:
            break
    return wrist, fingers, palm


def _hug_captions(first: int) -> tuple[str, ...]:
    one, two = named(first)
    return (
        "two people hug",
        "a hug",
        "two people embrace each other",
        f"the {one} opens the arms and hugs the {two}",
        "two friends meet and hold each other in a hug",
        f"the {one} embraces the {two}, who hugs back",
    )


# -------------------------------------------------------------------------------------- visits
@dataclass(frozen=True, kw_only=True)
class Visit:
    """One person comes to a place (2,) beside another and later goes back; seconds."""

    goal: Array
    start: Array
    begin: float
    arrive: float

    def path(self, time: Array, leave: float, away: float) -> Array:
        """(frame, 2); from `leave` on, `away` metres back the way one came."""
        way = self.goal - self.start
        moved = brisk((time - self.begin) / (self.arrive - self.begin))[:, None]
        left = away * ramp(time, leave, leave + 0.5 + away / 0.7)[:, None]
        return np.asarray(self.start + moved * way - left * unit(way))


def plan_visit(cast: Cast, goal: Array, come_from: Array) -> Visit:
    """Come to `goal` from the direction `come_from` (2,)."""
    length, begin = cast.uniform(0.25, 1.3), cast.uniform(0.2, 0.8)
    arrive = begin + 0.5 + length / cast.uniform(0.6, 0.95)
    return Visit(goal=goal, start=goal + length * unit(come_from), begin=begin, arrive=arrive)


def settle(scores: tuple[Score, Score], watch: Callable[[Couple], None]) -> Couple:
    """Both stand and look."""
    bodies = (stand(scores[0]), stand(scores[1]))
    watch(bodies)
    return bodies


# ------------------------------------------------------------------------------------- whisper
def whisper(cast: Cast) -> Scene:
    """The first leans to the second's ear behind a cupped hand; the second lends the ear."""
    first, second = cast.roles()
    ear = LEFT if cast.chance(0.5) else RIGHT
    side, bearing = SIDE[ear], cast.uniform(0.8, 1.3)
    toward = ground_forward(np.asarray(side * bearing))
    come_from = ground_forward(np.asarray(side * bearing + cast.uniform(-0.5, 0.3) * side))
    visit = plan_visit(cast, 0.46 * toward, come_from)
    near = visit.arrive + cast.uniform(0.2, 0.6)
    done = near + cast.uniform(1.0, 2.8)
    time = clock(done + cast.uniform(1.6, 2.8))
    told = pulse(time, near - 0.8, near, done, done + 0.8)
    there = ramp(time, visit.begin, visit.arrive)
    turned = side * bearing + np.pi + cast.uniform(-0.3, 0.3) * (1 - there)
    gone = visit.path(time, done + 0.2, cast.uniform(0.1, 0.5))
    back = cast.uniform(0.0, 0.5) * ramp(time, done + 0.3, done + 1.3)
    head_turn = cast.uniform(0.0, 0.4) * (1 - ramp(time, near - 0.6, near))
    parts = {
        first: new_score(cast, first, time, gone, turned),
        second: new_score(cast, second, time, np.zeros((len(time), 2)), side * (head_turn + back)),
    }
    scores = (parts[0], parts[1])
    _lean_to_the_ear(cast, scores[first], scores[second], told, side)
    beyond = cast.uniform(0.4, 0.8) * toward

    def watch(bodies: Couple) -> None:
        faces = [delayed(eyes(b), 0.15) for b in bodies]
        past = faces[second] - np.array([beyond[0], 0.0, beyond[1]])
        ahead = faces[second] + np.array([-0.8 * side, -0.35, 2.0])
        look(bodies[first], faces[second] + told[:, None] * (past - faces[second]))
        look(bodies[second], faces[first] + told[:, None] * (ahead - faces[first]))

    frame = fine_frame(0.5 * (near + done), time)
    lent = EAR * np.array([side, 1.0, 1.0])
    bodies = settle(scores, watch)
    for _ in range(2):
        wish = bodies[second].on_head(lent)[frame] + 0.11 * np.array([toward[0], 0.0, toward[1]])
        off = wish - bodies[first].on_head(MOUTH)[frame]
        scores[first].path += there[:, None] * off[[0, 2]]
        scores[first].drop += told * np.clip(-off[1], 0.0, 0.04)
        scores[second].drop += told * np.clip(off[1] - 0.07, 0.0, 0.03)
        bodies = settle(scores, watch)
    raised = pulse(time, near - 1.25, near - 0.4, done + 0.3, done + 1.1)
    moves = _cupped_hand(bodies[first], bodies[second], lent, ear, raised)
    if cast.chance(0.4):
        laid = pulse(time, near - 0.3, near + 0.1, done - 0.1, done + 0.3)
        moves += _hand_on_near_shoulder(bodies[first], bodies[second], ear, raised, laid)
    move_arms(bodies[second], _hearing(cast, bodies[second], time, done))
    move_arms(bodies[first], moves)
    frames = [fine_frame(t, time) for t in (near, 0.5 * (near + done), done)]
    contacts = touching_between(first, frames, [(WRISTS[ear], "head")])
    return scene_of(bodies, _whisper_captions(first, ear), frames, contacts, leads=first)


def _lean_to_the_ear(cast: Cast, teller: Score, hearer: Score, told: Array, side: float) -> None:
    taller = teller.figure.height_of("head") - hearer.figure.height_of("head")
    teller.lean[:, 0] += np.clip(cast.uniform(0.16, 0.24) + 0.9 * taller, 0.10, 0.5) * told
    teller.hip_pitch += np.clip(0.08 + 0.9 * taller, 0.02, 0.35) * told
    teller.shift[:, 1] += 0.02 * told
    hearer.lean[:, 1] -= side * np.clip(cast.uniform(0.03, 0.10) - 0.6 * taller, 0.0, 0.2) * told
    hearer.lean[:, 0] += np.clip(0.05 - 1.2 * taller, 0.0, 0.35) * told
    hearer.hip_pitch += np.clip(-0.8 * taller, 0.0, 0.25) * told
    hearer.nod[:, 1] -= side * cast.uniform(0.05, 0.18) * told
    hearer.nod[:, 2] -= side * cast.uniform(0.0, 0.15) * told


def _cupped_hand(
    teller: Performer, hearer: Performer, ear: Array, hand: int, raised: Array
) -> list[ArmMove]:
    """A screen between the mouth and everyone in front; a left ear asks for the left hand."""
    mouth, lent = teller.on_head(MOUTH), hearer.on_head(ear)
    out = SIDE[hand] * teller.direction([1.0, 0.0, 0.0])
    forward = teller.direction([0.0, 0.0, 1.0])
    spot = mouth + 0.045 * unit(lent - mouth) + 0.06 * out + 0.01 * UP
    fingers, palm = unit(UP + 0.45 * forward - 0.1 * out), unit(-out + 0.35 * forward)
    elbow = unit(out - 0.8 * UP)
    return [lay_palm(hand, raised, spot, fingers, palm, elbow=elbow, arc=0.2)]


def _hand_on_near_shoulder(
    teller: Performer, hearer: Performer, ear: int, above: Array, laid: Array
) -> list[ArmMove]:
    hand = 1 - ear
    out = SIDE[hand] * teller.direction([1.0, 0.0, 0.0])
    forward = teller.direction([0.0, 0.0, 1.0])
    spot = hearer.shoulder(ear) + (SHOULDER_TOP + 0.008) * UP + 0.02 * out
    ready = spot + 0.10 * UP + 0.07 * out - 0.16 * forward
    fingers, palm = unit(forward + 0.1 * out + 0.1 * UP), unit(-UP + 0.1 * forward)
    elbow = unit(out - 0.7 * UP)
    return [
        lay_palm(hand, above, ready, fingers, palm, elbow=elbow),
        lay_palm(hand, laid, spot, fingers, palm, elbow=elbow, arc=0.0),
    ]


def _hearing(cast: Cast, body: Performer, time: Array, done: float) -> list[ArmMove]:
    """What was said makes some laugh behind a hand."""
    if cast.chance(0.6):
        return []
    hand = int(cast.rng.integers(0, 2))
    begin = done + cast.uniform(0.2, 0.5)
    spot = body.on_head(np.array([0.0, 0.01, 0.15]))
    fingers = body.world[:, JOINT["head"]] @ np.array([-0.8 * SIDE[hand], 0.6, 0.0])
    palm = body.world[:, JOINT["head"]] @ np.array([0.0, 0.0, -1.0])
    weight = pulse(time, begin, begin + 0.5, begin + 1.1, begin + 1.8)
    elbow = body.direction([0.5 * SIDE[hand], -1.0, 0.1])
    return [lay_palm(hand, weight, spot, fingers, palm, elbow=elbow)]


def _whisper_captions(first: int, ear: int) -> tuple[str, ...]:
    one, two = named(first)
    return (
        "one person whispers in the other's ear",
        "a whisper",
        "two people share a secret",
        f"one person leans in and whispers into the other's {SIDES[ear]} ear",
        f"the {one} whispers something to the {two} behind a cupped hand",
        f"the {one} tells the {two} a secret",
        f"the {two} listens while the {one} whispers",
    )


# --------------------------------------------------------------------- arm around the shoulder
def arm_around_shoulder(cast: Cast) -> Scene:
    """Side by side, looking the same way; the first lays an arm around the second."""
    first, second = cast.roles()
    place = LEFT if cast.chance(0.5) else RIGHT
    side, near_hand = SIDE[place], 1 - place
    is_mutual = cast.chance(0.4)
    wide = sum(float(f.rest[SHOULDER[LEFT], 0]) for f in cast.figures)
    wide += 0.5 * max(sum(f.side for f in cast.figures) - 0.30, 0.0)
    behind = cast.uniform(0.06, 0.09) + cast.figures[second].back
    goal = np.array([side * (wide + cast.uniform(0.09, 0.12)), -behind])
    visit = plan_visit(cast, goal, np.array([side, cast.uniform(-0.8, 0.6)]))
    begin = visit.arrive + cast.uniform(-0.3, 0.2)
    laid = begin + cast.uniform(0.9, 1.3)
    release = laid + cast.uniform(1.2, 3.2)
    time = clock(release + cast.uniform(1.5, 2.4))
    held = pulse(time, begin, laid, release, release + 0.8)
    there = ramp(time, visit.arrive - 0.9, visit.arrive + 0.2)
    inward = cast.uniform(0.02, 0.16)
    turned = -side * (inward + cast.uniform(-0.2, 0.9) * (1 - there))
    opened = side * (inward + cast.uniform(-0.2, 0.7) * (1 - ramp(time, begin - 0.5, begin + 0.4)))
    parts = {
        first: new_score(
            cast, first, time, visit.path(time, release + 0.3, cast.uniform(0.0, 0.5)), turned
        ),
        second: new_score(cast, second, time, np.zeros((len(time), 2)), opened),
    }
    scores = (parts[0], parts[1])
    squeeze = held * np.sin(2 * np.pi * cast.uniform(0.25, 0.5) * (time - laid))
    for who, towards in ((first, 1.0), (second, -1.0)):
        lean = cast.uniform(0.01, 0.05) + 0.02 * squeeze
        scores[who].lean[:, 1] += towards * side * lean * held
        scores[who].nod[:, 1] += towards * side * cast.uniform(0.0, 0.15) * held
        scores[who].weight += 0.4 * squeeze
    bodies = (stand(scores[0]), stand(scores[1]))
    _look_ahead_together(cast, bodies, time, held)
    move_arms(bodies[second], _beside(cast, bodies[second], bodies[first], place, held, is_mutual))
    close = pulse(time, visit.arrive - 0.9, visit.arrive - 0.2, release + 0.6, release + 1.3)
    move_arms(bodies[first], _around(bodies[first], bodies[second], place, close, held))
    frames = [fine_frame(t, time) for t in (laid, 0.5 * (laid + release), release)]
    pair = (WRISTS[near_hand], f"{SIDES[near_hand]}_shoulder")
    contacts = touching_between(first, frames, [pair])
    return scene_of(
        bodies, _around_captions(first, near_hand, is_mutual), frames, contacts, leads=first
    )


def _look_ahead_together(cast: Cast, bodies: Couple, time: Array, held: Array) -> None:
    """Both look at one far point, and now and then at each other."""
    far = np.array([cast.uniform(-1.5, 1.5), cast.uniform(1.0, 1.9), 4.0])
    begin = cast.uniform(0.3, 0.6) * float(time[-1])
    glance = pulse(time, begin, begin + 0.4, begin + 0.9, begin + 1.4)
    for who, body in enumerate(bodies):
        face = delayed(eyes(bodies[1 - who]), cast.uniform(0.1, 0.3))
        part = held * (1 - cast.uniform(0.0, 1.0) * glance)
        look(body, face + part[:, None] * (far - face))


def _around(
    body: Performer, other: Performer, place: int, close: Array, held: Array
) -> list[ArmMove]:
    """The near arm goes out and up behind the other, then the palm down on the far shoulder.

    close (frame,): how near the other is; the hand then hangs behind one's own hip
    """
    hand, side = 1 - place, SIDE[place]
    low = np.array([-0.02 * side, -0.95 * body.figure.arm, -0.09])
    aside = body.shoulder(hand) + body.direction(low)
    behind = other.direction([0.0, 0.35, -1.0])
    near = other.shoulder(place)
    over = near + other.direction([-0.08 * side, 0.15, -0.30])
    far = other.shoulder(hand)
    stretch = np.linalg.norm(far - body.shoulder(hand), axis=-1)
    short = np.clip(stretch[held > 0.99].mean() / body.figure.arm - 0.92, 0.0, 0.3)
    spot = far + other.direction([-0.026 * side, 0.062, -0.01 - min(0.2 * short, 0.03)])
    spot += short * (near - far)
    fingers = other.direction([-0.66 * side, -0.60, 0.45])
    palm = other.direction([0.55 * side, -0.83, 0.10])
    waypoint = np.clip(2.2 * held, 0, 1)
    settled = np.clip((held - 0.35) / 0.65, 0, 1) ** 1.5
    return [
        ArmMove(hand, close, aside),
        ArmMove(hand, waypoint, over, elbow=behind, arc=0.9),
        lay_palm(hand, settled, spot, fingers, palm, elbow=behind, arc=0.5),
    ]


def _beside(
    cast: Cast, body: Performer, other: Performer, place: int, held: Array, is_mutual: bool
) -> list[ArmMove]:
    """The near arm of the one who is held: around the other's back, or out of the way in front."""
    side = SIDE[place]
    shoulder = body.shoulder(place)
    if not is_mutual:
        tucked = shoulder + body.direction([-0.03 * side, -0.95 * body.figure.arm, 0.10])
        return [ArmMove(place, np.clip(1.3 * held, 0, 1), tucked)]
    back = other.on_chest([-0.05 * side, -0.20, -other.figure.back])
    fingers = other.direction([0.9 * side, 0.25, 0.0])
    palm = other.direction([0.0, 0.0, 1.0])
    elbow = body.direction([0.3 * side, -0.6, -1.0])
    beside = shoulder + body.direction([0.10 * side, -0.34, -0.32])
    waypoint, settled = np.clip(2.0 * held, 0, 1), np.clip(2.0 * held - 1.0, 0, 1)
    return [
        ArmMove(place, waypoint, beside, elbow=elbow),
        lay_palm(place, settled, back, fingers, palm, elbow=elbow),
    ]


def _around_captions(first: int, hand: int, is_mutual: bool) -> tuple[str, ...]:
    one, two = named(first)
    plain = (
        "one person puts an arm around the other's shoulder",
        "two people stand side by side, arm around the shoulder",
        "an arm around the shoulder",
        f"one person lays the {SIDES[hand]} arm around the other's shoulders",
        f"the {one} puts an arm around the {two}",
        f"the {one} stands beside the {two} and holds them by the shoulder",
    )
    if is_mutual:
        return (*plain, "two friends stand arm in arm, holding each other")
    return (*plain, "two friends pose for a picture")
