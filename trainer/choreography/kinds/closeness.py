"""Close contact: hug, push and stumble. Each turns a cast into a scene."""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.skeleton import JOINT
from engine.body.vectors import unit
from trainer.choreography.kinds.greetings import between, leftwards
from trainer.choreography.performer import (
    SIDES,
    UP,
    Body,
    Reach,
    Score,
    move_arms,
    stand,
    wrist_for_palm,
)
from trainer.choreography.stage import (
    PLAYER,
    Cast,
    Scene,
    clock,
    fine_frame,
    hurried,
    named,
    plan_approach,
    scene_of,
    touching,
    watch_each_other,
    write_scores,
)
from trainer.choreography.stepping import LEFT, RIGHT, SIDE
from trainer.choreography.timing import pulse, ramp, smoothed


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
            body, _hugging(cast, bodies, who, lead, taller, time, begins[who], closed, release)
        )
    frames = [fine_frame(t, time) for t in (closed + 0.2, 0.5 * (closed + release), release - 0.1)]
    return scene_of(
        bodies,
        captions=_hug_captions(first),
        anchors=tuple(frames),
        contacts=touching(frames, [("spine3", "spine3")]),
    )


def _past(bodies: tuple[Body, Body]) -> Array:
    """Where eyes rest in a hug: level, past the other's shoulder; one point serves both."""
    return 0.5 * (bodies[0].at("head") + bodies[1].at("head"))


def _hugging(
    cast: Cast,
    bodies: tuple[Body, Body],
    who: int,
    lead: float,
    taller: float,
    time: Array,
    begin: float,
    closed: float,
    release: float,
) -> list[Reach]:
    """Open the arms, then lay the hands on the other's back: one arm over, one under.

    lead 1: right arms go over, left arms under; much taller people put both arms over.
    """
    body, other = bodies[who], bodies[1 - who]
    reaches = []
    for hand in (LEFT, RIGHT):
        is_over = (hand == RIGHT) == (lead > 0)
        if abs(taller) > 0.13:
            is_over = taller > 0
        side = SIDE[hand]
        opened = body.at(f"{SIDES[hand]}_shoulder") + body.direction(
            [side * 0.20, -0.02 if is_over else -0.20, 0.36]
        )
        elbow = body.direction([side, 0.35 if is_over else -0.30, 0.0])
        forward = body.direction([0.0, 0.0, 1.0])
        inward = body.direction([-side, 0.0, 0.0])
        reaches.append(
            Reach(
                side=hand,
                weight=pulse(time, begin, begin + 0.75, release + 0.15, release + 1.0),
                wrist=opened,
                fingers=unit(forward + 0.2 * UP),
                palm=unit(inward + 0.2 * forward),
                elbow=elbow,
            )
        )
        height = cast.uniform(0.06, 0.13) if is_over else cast.uniform(-0.14, -0.07)
        wrist, fingers, palm = _on_back(body, other, hand, height, fine_frame(closed, time))
        reaches.append(
            Reach(
                side=hand,
                weight=pulse(time, closed - 0.55, closed + 0.1, release, release + 0.6),
                wrist=wrist,
                fingers=fingers,
                palm=palm,
                elbow=elbow,
                arc=0.6,
            )
        )
    return reaches


def _on_back(
    body: Body, other: Body, hand: int, height: float, frame: int
) -> tuple[Array, Array, Array]:
    """Lay a palm on the other's back, as far round as the arm reaches.

    The trunk is an ellipse; the fingers follow it towards the spine. Returns wrist, fingers, palm
    (frame, 3) in the world.
    """
    chest, figure = other.world[:, JOINT["spine3"]], other.figure
    shoulder = body.at(f"{SIDES[hand]}_shoulder")[frame]
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
    wrist = f"{SIDES[hands[0]]}_wrist"
    pair = (wrist, "spine3") if first == PLAYER else ("spine3", wrist)
    return scene_of(
        bodies,
        captions=_push_captions(first, style, force),
        anchors=tuple(frames),
        contacts=touching(frames[:1], [pair]),
    )


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
    cast: Cast,
    bodies: tuple[Body, Body],
    first: int,
    hands: list[int],
    time: Array,
    begin: float,
    hit: float,
) -> list[Reach]:
    body, other = bodies[first], bodies[1 - first]
    forward = between(bodies, first)
    follow = np.minimum(np.arange(len(time)), fine_frame(hit + 0.12, time))
    reaches = []
    for hand in hands:
        side = SIDE[hand]
        aside = 0.10 if len(hands) == 2 else 0.06
        spot = other.on_chest([-side * aside, 0.03, other.figure.chest])[follow]
        fingers = unit(UP + 0.35 * forward + 0.15 * side * leftwards(forward))
        wrist = wrist_for_palm(spot, fingers, forward)
        ready = body.at(f"{SIDES[hand]}_shoulder") + body.direction([side * 0.02, -0.12, 0.17])
        elbow = body.direction([side * 0.7, -0.7, -0.4])
        reaches.append(
            Reach(
                side=hand,
                weight=pulse(time, begin, hit - 0.12, hit + 0.3, hit + 1.1),
                wrist=ready,
                fingers=fingers,
                palm=forward,
                elbow=elbow,
                arc=0.0,
            )
        )
        reaches.append(
            Reach(
                side=hand,
                weight=pulse(time, hit - 0.3, hit, hit + 0.15, hit + 0.6),
                wrist=wrist,
                fingers=fingers,
                palm=forward,
                elbow=elbow,
                arc=0.0,
            )
        )
    return reaches


def flailing(cast: Cast, body: Body, time: Array, hit: float, force: float) -> list[Reach]:
    """Arms fly forward and up as the chest is thrown back, then out for balance, then down."""
    reaches = []
    for hand in (LEFT, RIGHT):
        side, late = SIDE[hand], cast.uniform(0.0, 0.08)
        shoulder = body.at(f"{SIDES[hand]}_shoulder")
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
            reaches.append(Reach(side=hand, weight=(0.5 + 0.5 * force) * weight, wrist=wrist))
    return reaches


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
