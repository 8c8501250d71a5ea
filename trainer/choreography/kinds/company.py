"""Keeping company: following a player who walks about, standing together, dancing.

These teach the partner what to do when nothing in particular happens. Each turns a cast into a
scene.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.easing import min_jerk
from engine.body.pose import stacked
from engine.body.rotations import wrapped
from engine.body.skeleton import JOINT
from trainer.choreography.arms import ArmMove, move_arms
from trainer.choreography.gestures import ATTENDING, random_gestures
from trainer.choreography.performer import SIDES, Performer, stand
from trainer.choreography.score import RATE, Score
from trainer.choreography.stage import (
    PARTNER,
    PERSONAL_SPACE,
    PLAYER,
    BaseMotion,
    Cast,
    Scene,
    attend,
    clock,
    delayed,
    eyes,
    new_score,
    scene_of,
)
from trainer.choreography.stepping import LEFT, RIGHT, SIDE, ground_forward, ground_left
from trainer.choreography.timing import ramp, smoothed
from trainer.data.shards import NOBODY


# ----------------------------------------------------------------------------- face and follow
def face_and_follow(cast: Cast) -> Scene:
    """The player goes about, by our own steps or as a recording; the partner follows."""
    if cast.base is not None and cast.chance(0.5):
        return _follow_recording(cast, cast.base)
    time = clock(cast.uniform(6.0, 10.5))
    while True:
        path, heading, doing = wander(cast, time)
        joined = join(cast, time, path, heading)
        if joined is not None:
            break
    score = new_score(cast, PLAYER, time, path, heading)
    player, partner = stand(score), stand(new_score(cast, PARTNER, time, *joined))
    attend(cast, player, eyes(partner), cast.uniform(0.2, 1.0))
    attend(cast, partner, eyes(player), 1.0)
    move_arms(player, random_gestures(cast, player, 0.35))
    move_arms(partner, random_gestures(cast, partner, ATTENDING))
    return scene_of((player, partner), _follow_captions(doing), _any_frames(cast, time))


def _follow_recording(cast: Cast, base: BaseMotion) -> Scene:
    """The partner keeps company with a real player."""
    figure = cast.figures[PLAYER]
    while True:
        is_idle = cast.chance(0.35)
        pose = base.play(figure, cast.rng, round(cast.uniform(6, 10.5) * RATE), is_idle)
        joints, world = pose.in_world(figure.rest)
        time = np.arange(len(joints)) / RATE
        forward = world[:, 0, :, 2]
        heading = np.unwrap(np.arctan2(forward[:, 0], forward[:, 2]))
        joined = join(cast, time, smoothed(joints[:, 0, [0, 2]], 6), smoothed(heading, 10))
        if joined is not None:
            break
    partner = stand(new_score(cast, PARTNER, time, *joined))
    attend(cast, partner, joints[:, JOINT["head"]] + np.array([0.0, 0.08, 0.0]), 1.0)
    move_arms(partner, random_gestures(cast, partner, ATTENDING))
    return Scene(
        pose=stacked([pose, partner.pose()]),
        captions=_idle_captions() if is_idle else _follow_captions("moves"),
        anchors=_any_frames(cast, time),
    )


def join(cast: Cast, time: Array, path: Array, heading: Array) -> tuple[Array, Array] | None:
    """Path and heading of a follower; None when the player ran into the follower."""
    gap = cast.uniform(0.9, 2.2)
    bearing = heading[0] + cast.rng.normal(0, 0.5)
    start = path[0] + gap * ground_forward(np.asarray(bearing))
    followed, facing = follow(cast, time, path, start, gap + cast.uniform(-0.2, 0.3))
    is_clear = np.linalg.norm(followed - path, axis=-1).min() > PERSONAL_SPACE
    return (followed, facing) if is_clear else None


def wander(cast: Cast, time: Array) -> tuple[Array, Array, str]:
    """A player who walks, turns, sidesteps, backs off and stops: path, heading, the main doing."""
    rng = cast.rng
    path = np.zeros((len(time), 2))
    heading = np.full(len(time), cast.uniform(-0.3, 0.3))
    now, doings = cast.uniform(0.0, 1.2), []
    while now < time[-1] - 0.6:
        doing = str(
            rng.choice(
                ["walk", "turn", "sidestep", "back off", "stand", "circle"],
                p=[0.34, 0.16, 0.12, 0.12, 0.14, 0.12],
            )
        )
        course = float(heading[-1])
        if doing == "walk":
            course += float(rng.choice([0.0, rng.normal(0, 0.8), rng.uniform(-np.pi, np.pi)]))
            length, pace = cast.uniform(0.4, 3.2), cast.uniform(0.5, 1.6)
            now = _turn_to(heading, time, now, course, overlap=True)
            now = _go(path, time, now, length, pace, course)
        elif doing == "circle":
            now = _arc(path, heading, time, now, cast)
        elif doing == "turn":
            now = _turn_to(
                heading, time, now, course + rng.choice([-1, 1]) * cast.uniform(0.4, 2.6)
            )
        elif doing == "sidestep":
            way = course + float(rng.choice([-1, 1])) * np.pi / 2
            now = _go(path, time, now, cast.uniform(0.2, 0.9), cast.uniform(0.35, 0.6), way)
        elif doing == "back off":
            now = _go(
                path, time, now, cast.uniform(0.2, 1.2), cast.uniform(0.4, 0.8), course + np.pi
            )
        else:
            now += cast.uniform(0.6, 2.5)
        doings.append(doing)
        now += cast.uniform(-0.1, 0.8)
    return smoothed(path, 4), smoothed(heading, 5), doings[0] if doings else "stand"


def _go(path: Array, time: Array, begin: float, length: float, pace: float, course: float) -> float:
    duration = length / pace + 0.5
    u = np.clip((time - begin) / duration, 0, 1)
    moved = 0.5 * min_jerk(u) + 0.5 * smoothed(u, 9)
    path += (length * moved)[:, None] * ground_forward(np.asarray(course))
    return begin + duration


def _turn_to(
    heading: Array, time: Array, begin: float, goal: float, overlap: bool = False
) -> float:
    change = goal - float(heading[-1])
    duration = 0.45 + abs(change) / 2.4
    heading += change * ramp(time, begin, begin + duration)
    return begin + duration * (0.55 if overlap else 1.0)


def _arc(path: Array, heading: Array, time: Array, begin: float, cast: Cast) -> float:
    """Walk along part of a circle, looking along it."""
    angle = cast.uniform(0.6, 2.8) * float(cast.rng.choice([-1, 1]))
    radius, pace = cast.uniform(0.6, 1.6), cast.uniform(0.5, 1.0)
    duration = abs(angle) * radius / pace + 0.6
    done = ramp(time, begin, begin + duration)
    course = heading[-1] + angle * done
    centre_side = np.sign(angle)
    left = ground_left(course) - ground_left(np.asarray(heading[-1]))
    path += -centre_side * radius * left
    heading += angle * done
    return begin + duration


def follow(
    cast: Cast, time: Array, path: Array, start: Array, gap: float, top: float | None = None
) -> tuple[Array, Array]:
    """Stay about `gap` metres from the player, face to face: a walker that reacts with a delay.

    Position: critically damped pull towards the nearest point of the comfortable ring, dead zone
    inside; heading: the same towards the player. Speed and acceleration are those of people.
    """
    delay = round(cast.uniform(0.2, 0.45) * RATE)
    slack, usual = cast.uniform(0.12, 0.3), cast.uniform(1.6, 2.1)
    top = usual if top is None else top
    step = float(time[1] - time[0])
    seen = np.concatenate([np.repeat(path[:1], delay, axis=0), path])[: len(path)]
    velocity_seen = np.gradient(seen, step, axis=0)
    place, velocity = start.astype(float).copy(), np.zeros(2)
    away = path[0] - place
    facing, spin = float(np.arctan2(away[0], away[1])) + float(cast.rng.normal(0, 0.2)), 0.0
    circle = cast.uniform(-0.12, 0.12) if cast.chance(0.3) else 0.0
    places, facings = np.empty_like(path), np.empty(len(path))
    for frame in range(len(time)):
        places[frame], facings[frame] = place, facing
        away = seen[frame] + 0.2 * velocity_seen[frame] - place
        distance = max(float(np.hypot(*away)), 1e-3)
        ahead = away / distance
        over = distance - gap
        beyond = np.sign(over) * max(abs(over) - slack, 0.0)
        fleeing = max(float(velocity_seen[frame] @ ahead), 0.0) * (over > -slack)
        wish = np.clip(2.2 * beyond + 0.9 * fleeing, -1.2, top) * ahead + circle * np.array(
            [ahead[1], -ahead[0]]
        )
        push = np.clip(5.0 * (wish - velocity), -3.0, 3.0)
        velocity = velocity + push * step
        place = place + velocity * step
        turn = wrapped(float(np.arctan2(away[0], away[1])) - facing)
        turn = np.sign(turn) * max(abs(turn) - 0.08, 0.0)
        spin += float(np.clip(16 * turn - 8 * spin, -12, 12)) * step
        facing += spin * step
    return smoothed(places, 3), smoothed(facings, 3)


def _any_frames(cast: Cast, time: Array) -> tuple[int, ...]:
    frames = cast.rng.choice(np.arange(5, len(time) // 3 - 3), size=3, replace=False)
    return tuple(int(f) * 3 for f in np.sort(frames))


def _follow_captions(doing: str) -> tuple[str, ...]:
    verb = {"walk": "walks", "turn": "turns", "sidestep": "steps aside", "back off": "backs away"}
    does = verb.get(doing, "moves" if doing == "circle" else "stands")
    return (
        "one person moves about and the other stays facing them",
        "the partner follows the player at a comfortable distance",
        f"the player {does} and the partner follows",
        "one person walks around while the other watches and keeps close",
        "two people keep facing each other while one of them walks",
        f"one person {does}, the other keeps the distance",
    )


# ------------------------------------------------------------------------------- idle together
def idle_together(cast: Cast) -> Scene:
    """Up to a minute in which nobody begins: the player fidgets, looks about, shifts weight or is
    a recording of someone idle; the partner attends with both hands down."""
    figure, most = cast.figures[PLAYER], cast.uniform(20.0, 60.0)
    if cast.base is not None and cast.chance(0.4):
        pose = cast.base.play(figure, cast.rng, round(most * RATE), True)
        joints, world = pose.in_world(figure.rest)
        time: Array = np.arange(len(joints)) / RATE
        forward = world[:, 0, :, 2]
        heading: Array = np.unwrap(np.arctan2(forward[:, 0], forward[:, 2]))
        path, face = smoothed(joints[:, 0, [0, 2]], 6), joints[:, JOINT["head"]]
        partner = _attending(cast, time, path, smoothed(heading, 10))
    else:
        time, rest = clock(most), float(cast.rng.choice([3.0, 10.0, 30.0]))
        path = smoothed(_shuffles(cast, time, 2, 0.16, rest), 8)
        heading = smoothed(cast.rng.normal(0, 0.35) + _shuffles(cast, time, 1, 0.35, rest)[:, 0], 8)
        score = new_score(cast, PLAYER, time, path, heading)
        score.weight += np.clip(1.4 * _shuffles(cast, time, 1, 0.9, rest)[:, 0], -0.9, 0.9)
        player = stand(score)
        partner = _attending(cast, time, path, heading)
        attend(cast, player, eyes(partner), cast.uniform(0.3, 1.0))
        move_arms(player, random_gestures(cast, player, cast.uniform(0.01, 0.25)))
        pose, face = player.pose(), player.at("head")
    attend(cast, partner, face + np.array([0.0, 0.08, 0.0]), cast.uniform(0.85, 1.0))
    move_arms(partner, [])
    return Scene(
        pose=stacked([pose, partner.pose()]),
        captions=_idle_captions(),
        anchors=_any_frames(cast, time),
        leads=NOBODY,
    )


def _attending(cast: Cast, time: Array, path: Array, heading: Array) -> Performer:
    """Someone who stands by the player and shifts weight now and then."""
    while (joined := join(cast, time, path, heading)) is None:
        pass
    score = new_score(cast, PARTNER, time, *joined)
    score.weight += np.clip(1.2 * _shuffles(cast, time, 1, 0.8, 30.0)[:, 0], -0.9, 0.9)
    return stand(score)


def _shuffles(cast: Cast, time: Array, channels: int, size: float, rest: float = 2.5) -> Array:
    """(frame, channels) that hold still for some `rest` seconds and then move to a new value."""
    values = np.zeros((len(time), channels))
    now, current = cast.uniform(0.0, 3.0), np.zeros(channels)
    while now < time[-1]:
        goal = cast.rng.normal(0, size, channels)
        length = cast.uniform(0.7, 1.3)
        values += ramp(time, now, now + length)[:, None] * (goal - current)
        current = goal
        now += length + float(cast.rng.exponential(rest))
    return values


def _idle_captions() -> tuple[str, ...]:
    return (
        "two people stand together",
        "two people stand and wait",
        "two people face each other and do nothing in particular",
        "they stand around, shifting their weight",
        "two people idle near each other",
        "two people stand and chat",
        "the player and the partner stand together and wait",
        "the partner stands near the player and waits",
    )


# --------------------------------------------------------------------------------------- dance
def dance(cast: Cast) -> Scene:
    """The player dances on the beat; the partner mirrors the player a little late."""
    time = clock(cast.uniform(6.0, 10.0))
    beat = cast.uniform(0.48, 0.70)
    lag = cast.uniform(0.2, 0.45)
    gap = cast.uniform(1.2, 2.0)
    lead = _dance_moves(cast, time, beat)
    copy = {name: delayed(values, lag) for name, values in lead.items()}
    scores = []
    for who, moves in ((PLAYER, lead), (PARTNER, copy)):
        mirror = 1.0 if who == PLAYER else -1.0
        facing = 0.0 if who == PLAYER else np.pi
        place = np.array([0.0, -gap / 2 if who == PLAYER else gap / 2])
        scale = 1.0 if who == PLAYER else cast.uniform(0.75, 1.1)
        path = place + np.column_stack([moves["aside"] * scale, np.zeros_like(time)])
        score = new_score(cast, who, time, path, np.full(len(time), facing))
        _dance_body(score, moves, mirror * scale)
        scores.append(score)
    bodies = (stand(scores[0]), stand(scores[1]))
    faces = [eyes(body) for body in bodies]
    for who, (body, moves) in enumerate(zip(bodies, (lead, copy), strict=True)):
        attend(cast, body, faces[1 - who], 1.0)
        move_arms(body, _dance_arms(body, moves, mirrored=who == PARTNER))
    return scene_of(bodies, _dance_captions(), _any_frames(cast, time))


def _dance_moves(cast: Cast, time: Array, beat: float) -> dict[str, Array]:
    """Curves of the leader: bounce, sway, side steps, and how high each hand is."""
    phase = np.pi * (time - cast.uniform(0, beat)) / beat
    build = ramp(time, cast.uniform(0.2, 1.0), cast.uniform(1.4, 2.2))
    hands = []
    for _ in range(2):
        level = np.clip(_shuffles(cast, time, 1, 0.55)[:, 0] + 0.25, -0.1, 1.0)
        hands.append(smoothed(level, 6) * build)
    stepping = cast.uniform(0.12, 0.30) * (1.0 if cast.chance(0.7) else 0.0)
    aside = stepping * smoothed(np.sign(np.sin(phase / 2)), round(0.6 * beat * 30)) * build
    return {
        "aside": aside,
        "bounce": cast.uniform(0.01, 0.035) * (0.5 - 0.5 * np.cos(2 * phase)) * build,
        "sway": np.sin(phase) * build * cast.uniform(0.5, 1.0),
        "left": hands[0],
        "right": hands[1],
        "pump": np.sin(2 * phase) * build * cast.uniform(0.02, 0.06),
    }


def _dance_body(score: Score, moves: dict[str, Array], mirror: float) -> None:
    score.drop += moves["bounce"]
    score.shift[:, 0] += 0.045 * mirror * moves["sway"]
    score.lean[:, 1] += 0.08 * mirror * moves["sway"]
    score.lean[:, 2] += 0.16 * mirror * moves["sway"]
    score.nod[:, 0] += 1.5 * moves["bounce"]


def _dance_arms(body: Performer, moves: dict[str, Array], mirrored: bool) -> list[ArmMove]:
    arm_moves = []
    for hand in (LEFT, RIGHT):
        level = moves[SIDES[1 - hand if mirrored else hand]]
        side, n = SIDE[hand], len(level)
        local = np.column_stack(
            [
                side * (0.12 + 0.16 * level),
                -0.32 + 0.62 * level + moves["pump"],
                np.full(n, 0.26) - 0.10 * level,
            ]
        )
        wrist = body.shoulder(hand) + body.direction(local)
        weight = min_jerk(np.clip(3 * (level + 0.05), 0, 1))
        elbow = body.direction([side * 0.9, -0.6, -0.2])
        arm_moves.append(ArmMove(hand, weight, wrist, elbow=elbow))
    return arm_moves


def _dance_captions() -> tuple[str, ...]:
    return (
        "two people dance facing each other",
        "one person dances and the other mirrors the moves",
        "two people dance together",
        "the player sways to the music and the partner follows",
        "they move to the beat and raise their arms",
        "the player dances and the partner mirrors the moves",
        "a mirrored dance",
    )
