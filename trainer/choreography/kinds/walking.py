"""Going somewhere together: following, hand in hand, arm in arm, led by the hand, passing by.

Everybody walks along a trail, each at an own place on it. Each kind turns a cast into a scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engine.arrays import Array
from engine.body.easing import min_jerk
from engine.body.rotations import wrapped
from engine.body.vectors import unit
from trainer.choreography.arms import ArmMove, move_arms
from trainer.choreography.gestures import ATTENDING, random_gestures
from trainer.choreography.hands import HELD, lay_palm, wrist_for_palm
from trainer.choreography.performer import SIDES, UP, WRISTS, Couple, Performer, look, stand
from trainer.choreography.score import RATE
from trainer.choreography.stage import (
    PARTNER,
    PERSONAL_SPACE,
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
)
from trainer.choreography.stepping import LEFT, RIGHT, SIDE, ground_forward, ground_left
from trainer.choreography.timing import pulse, ramp, smoothed

SPACING = 0.02
"""Metres between the samples of a trail."""
BEHIND = 4.0
"""Metres of a trail before the place where the one in front starts."""
TAKING = 0.8
"""Seconds from the first move of a hand until it is in the other's."""


# -------------------------------------------------------------------------------------- trails
@dataclass(frozen=True, kw_only=True)
class Trail:
    """A line on the ground, sampled every SPACING metres: ground (n, 2), heading (n,)."""

    ground: Array
    heading: Array

    def at(self, along: Array, aside: Array | float = 0.0) -> tuple[Array, Array]:
        """Path and heading of one who is `along` (frame,) metres on and `aside` to the left."""
        place = (along + BEHIND) / SPACING
        index = np.arange(len(self.heading))
        heading = np.interp(place, index, self.heading)
        path = np.column_stack([np.interp(place, index, self.ground[:, i]) for i in range(2)])
        return path + np.asarray(aside)[..., None] * ground_left(heading), heading


def draw_trail(cast: Cast, length: float, tightest: float) -> Trail:
    """Straights and bends of at least `tightest` metres radius; heads along +Z where it begins."""
    samples = round((length + BEHIND + 1.0) / SPACING)
    bend, now = np.zeros(samples), round(cast.uniform(0.0, 1.5) / SPACING)
    while now < samples:
        reach = round(cast.uniform(0.4, 2.5) / SPACING)
        if cast.chance(0.65):
            sign = float(cast.rng.choice([-1, 1]))
            bend[now : now + reach] = sign / (tightest * cast.uniform(1.0, 3.0))
        now += reach
    heading = np.cumsum(smoothed(bend, 20)) * SPACING
    first = round(BEHIND / SPACING)
    heading -= heading[first] - cast.uniform(-0.3, 0.3)
    ground = np.cumsum(ground_forward(heading), axis=0) * SPACING
    return Trail(ground=ground - ground[first], heading=heading)


def draw_pace(cast: Cast, time: Array, low: float, high: float, warm: float) -> Array:
    """(frame,) metres a second: now brisk, now slow, sometimes standing.

    warm: seconds at the beginning in which the walk is already under way when they are over
    """
    pace = np.zeros(len(time))
    now = 0.0 if warm else cast.uniform(0.2, 1.4)
    current, is_first = 0.0, True
    while now < time[-1]:
        is_stop = not is_first and current > 0 and cast.chance(0.45)
        goal = 0.0 if is_stop else cast.uniform(low, high)
        length = max(abs(goal - current) / cast.uniform(1.2, 2.2), 0.35)
        pace += ramp(time, now, now + length) * (goal - current)
        hold = cast.uniform(0.6, 2.0) if is_stop else cast.uniform(1.5, 4.5)
        now, current, is_first = now + length + hold, goal, False
    return pace


def keep_up(cast: Cast, time: Array, lead: Array, gap: float, top: float) -> Array:
    """(frame,) metres along the trail of a follower who stays `gap` behind `lead` (frame,).

    Followers see where the leader was a reaction ago and how fast, and gain speed as people do.
    """
    delay = cast.uniform(0.15, 0.4)
    step = float(time[1] - time[0])
    seen = delayed(lead, delay)
    pace = np.gradient(seen, step)
    trust, eager = cast.uniform(0.6, 1.0) * delay, cast.uniform(1.2, 2.0)
    place, speed = float(lead[0]) - gap, 0.0
    places = np.empty(len(time))
    for frame in range(len(time)):
        places[frame] = place
        short = seen[frame] + trust * pace[frame] - gap - place
        wish = min(max(pace[frame] + eager * short, 0.0), top)
        speed += min(max(5.0 * (wish - speed), -4.0), 2.8) * step
        place += speed * step
    return smoothed(places, 4)


def arriving(cast: Cast, lead: Array) -> Array:
    """`lead` (frame,) of one who starts and stops a reaction later, but keeps abreast."""
    delay = cast.uniform(0.15, 0.35)
    pace = smoothed(np.gradient(lead) * RATE, round(0.8 * RATE))
    return smoothed(delayed(lead, delay), 4) + delay * pace


def _lively(cast: Cast, top: float) -> Cast:
    """The cast with feet quick enough for a pace of `top` metres a second."""
    if top < 1.6:
        return cast
    swing = 0.40 if top < 1.9 else 0.36
    return hurried(cast, PLAYER, PARTNER, swing=swing, double_support=0.03)


def _spread(cast: Cast, begin: float, end: float, time: Array, count: int = 3) -> list[int]:
    """Kept fine frames spread over the seconds from begin to end."""
    edges = np.linspace(begin, end, count + 1)
    frames = {fine_frame(cast.uniform(a, b), time) for a, b in pairwise(edges)}
    return sorted(frames)


# -------------------------------------------------------------------------------------- follow
def follow_along(cast: Cast) -> Scene:
    """One goes about at any pace up to a jog; the other keeps up, behind or beside, and stops."""
    first, second = cast.roles(0.85)
    place = str(cast.rng.choice(["behind", "left", "right"], p=[0.5, 0.25, 0.25]))
    top = float(
        cast.rng.choice([cast.uniform(0.6, 1.1), cast.uniform(1.1, 1.8), 1.95], p=[0.3, 0.6, 0.1])
    )
    cast = _lively(cast, top)
    warm = 1.5 if cast.chance(0.4) else 0.0
    time = clock(cast.uniform(6.0, 10.0) + warm)
    low = max(0.4, 0.6 * top)
    while True:
        pace = draw_pace(cast, time, low, top, warm)
        lead = np.cumsum(pace) / RATE
        trail = draw_trail(cast, float(lead[-1]), max(0.7, 0.6 * top * top))
        gap, aside = cast.uniform(1.0, 1.7), cast.uniform(-0.25, 0.25)
        if place != "behind":
            gap = cast.uniform(-0.1, 0.55)
            aside = cast.uniform(0.75, 1.15) * (1 if place == "left" else -1)
        along = keep_up(cast, time, lead, gap, min(1.3 * top + 0.4, 2.0))
        path, heading = trail.at(lead)
        followed, facing = trail.at(along, aside)
        if np.linalg.norm(followed - path, axis=-1).min() > PERSONAL_SPACE:
            break
    away = path - followed
    bearing = wrapped(np.arctan2(away[:, 0], away[:, 1]) - facing)
    still = [_stillness(lead), _stillness(along)]
    facing = facing + bearing * still[1] * cast.uniform(0.5, 1.0)
    turned = wrapped(np.arctan2(-away[:, 0], -away[:, 1]) - heading)
    heading = heading + smoothed(np.clip(turned, -2.4, 2.4), 6) * still[0] * (
        cast.uniform(0.4, 1.0) * cast.chance(0.4)
    )
    scores = [
        new_score(cast, first, time, path, heading),
        new_score(cast, second, time, followed, facing),
    ]
    for score, moved in zip(scores, (lead, along), strict=True):
        score.lean[:, 0] += 0.05 * smoothed(np.gradient(moved) * RATE, 6)
    bodies = {w: stand(s) for w, s in zip((first, second), scores, strict=True)}
    for who, moved, attention, often in (
        (first, lead, cast.uniform(0.1, 0.6), 0.12),
        (second, along, 0.9, ATTENDING),
    ):
        body, other = bodies[who], bodies[1 - who]
        attend(cast, body, eyes(other), attention)
        move_arms(body, random_gestures(cast, body, often) + _jogging(body, moved))
    anchors = _spread(cast, warm + 0.4, float(time[-1]) - 0.4, time)
    return scene_of(
        (bodies[PLAYER], bodies[PARTNER]),
        _follow_captions(first, place, top),
        anchors,
        warm=warm,
        leads=first,
    )


def _stillness(along: Array) -> Array:
    """(frame,) 1 while standing, 0 while walking."""
    speed = np.abs(np.gradient(along)) * RATE
    return smoothed(1 - min_jerk(speed / 0.35), 8)


def _jogging(body: Performer, along: Array) -> list[ArmMove]:
    """Bent arms that swing against the legs, as far as the pace asks for them."""
    weight = min_jerk((smoothed(np.gradient(along) * RATE, 10) - 1.55) / 0.6)
    if weight.max() <= 0:
        return []
    moves = []
    for hand in (LEFT, RIGHT):
        feet, forward = body.feet.ground, ground_forward(body.score.heading)
        stride = smoothed(np.sum((feet[:, 1 - hand] - feet[:, hand]) * forward, -1), 4)
        n = len(stride)
        local = np.column_stack(
            [np.full(n, 0.02 * SIDE[hand]), -0.20 + 0.06 * stride, 0.20 + 0.16 * stride]
        )
        wrist = body.shoulder(hand) + body.direction(local)
        elbow = body.direction([0.3 * SIDE[hand], -0.4, -1.0])
        moves.append(ArmMove(hand, weight, wrist, elbow=elbow))
    return moves


def _follow_captions(first: int, place: str, top: float) -> tuple[str, ...]:
    one, two = named(first)
    where = "behind" if place == "behind" else f"on the {place} side of"
    pace = "slowly" if top < 1.0 else "quickly" if top > 1.4 else "along"
    moves = "jogs" if top > 1.9 else f"walks {pace}"
    plain = "one after the other" if place == "behind" else "side by side"
    return (
        "one person walks and the other follows",
        "two people walk, one keeps up with the other and stops when they stop",
        f"the {one} {moves} and the {two} follows",
        f"the {two} keeps up with the {one}",
        f"the {two} walks {where} the {one} at some distance",
        f"they go for a walk, {plain}",
        f"the {one} {moves}, the {two} comes along",
    )


# -------------------------------------------------------------------------------- hand in hand
def hold_hands_and_walk(cast: Cast) -> Scene:
    """Side by side, the inner hands joined and swinging; both begin and stop nearly together."""
    first, _ = cast.roles(0.6)
    side = LEFT if cast.chance(0.5) else RIGHT
    hands = (side, 1 - side)
    width = sum(f.side for f in cast.figures) + cast.uniform(0.27, 0.38)
    stroll = _abreast(cast, side, width, first, pace=(0.4, 1.3))
    time, bodies = stroll.time, stroll.bodies
    take = -1.0 if stroll.warm else cast.uniform(0.7, 1.2)
    end = float(time[-1])
    release = end - cast.uniform(0.9, 1.6) if cast.chance(0.35) else end + 5
    player = bodies[PLAYER]
    feet, forward = player.feet.ground, ground_forward(player.score.heading)
    stride = smoothed(np.sum((feet[:, 1 - side] - feet[:, side]) * forward, -1), 6)
    swing = cast.uniform(0.2, 0.7) * stride
    grip = low_grip(bodies, hands, cast.uniform(0.90, 0.97), swing)
    front = int(cast.rng.integers(2))
    for who, body in enumerate(bodies):
        late = 0.0 if who == first else cast.uniform(0.15, 0.35)
        weight = pulse(time, take - TAKING + late, take, release, release + 0.7)
        move_arms(body, [_hand_in_hand(bodies, who, hands[who], front, grip, weight)])
    frames = _spread(cast, max(take, stroll.warm) + 0.2, min(release, end) - 0.2, time)
    contacts = touching(frames, [(WRISTS[side], WRISTS[1 - side])])
    return scene_of(
        bodies, _hand_captions(first, side), frames, contacts, warm=stroll.warm, leads=first
    )


@dataclass(frozen=True, kw_only=True)
class Stroll:
    """Two people abreast, arms still to be moved; the first `warm` seconds are to be cut off."""

    time: Array
    warm: float
    bodies: Couple


def _abreast(cast: Cast, side: int, width: float, first: int, pace: tuple[float, float]) -> Stroll:
    """Walk side by side, `width` metres from middle to middle, the partner on `side`."""
    warm = 1.5 if cast.chance(0.45) else 0.0
    time = clock(cast.uniform(5.5, 9.0) + warm)
    top = cast.uniform(pace[0] + 0.2, pace[1])
    speed = draw_pace(cast, time, pace[0], top, warm)
    speed *= ramp(time, 0.3, 1.6 if not warm else 0.8)
    lead = np.cumsum(speed) / RATE
    trail = draw_trail(cast, float(lead[-1]), max(0.9, 0.8 * top * top))
    alongs = {first: lead, 1 - first: arriving(cast, lead)}
    scores = []
    closing = cast.uniform(0.0, 0.10) * (1 - ramp(time, 0.2, 1.2))
    for who in (PLAYER, PARTNER):
        towards = SIDE[side] * (1 if who == PLAYER else -1)
        path, heading = trail.at(alongs[who], -towards * (0.5 * width + closing))
        inwards = cast.uniform(0.0, 0.5) * (_stillness(alongs[who]) if cast.chance(0.6) else 0.05)
        scores.append(new_score(cast, who, time, path, heading + towards * inwards))
    bodies = (stand(scores[0]), stand(scores[1]))
    faces = [eyes(body) for body in bodies]
    for who, body in enumerate(bodies):
        attend(cast, body, faces[1 - who], cast.uniform(0.15, 0.6))
    return Stroll(time=time, warm=warm, bodies=bodies)


def low_grip(bodies: Couple, hands: tuple[int, int], part: float, swing: Array | float) -> Array:
    """(frame, 3) where two hands meet between the shoulders, as low as both arms reach.

    part: how far the longer-reaching pair of arm and palm may stretch; swing: metres forward
    """
    shoulders = [b.shoulder(h) for b, h in zip(bodies, hands, strict=True)]
    reach = [part * (b.figure.arm + 0.07) for b in bodies]
    grip = 0.5 * (shoulders[0] + shoulders[1])
    heading = 0.5 * (bodies[0].score.heading + bodies[1].score.heading)
    ahead = ground_forward(heading) * np.asarray(swing)[..., None]
    grip[:, [0, 2]] += ahead
    lowest = []
    for shoulder, length in zip(shoulders, reach, strict=True):
        level = np.sum((grip - shoulder)[:, [0, 2]] ** 2, axis=-1)
        lowest.append(shoulder[:, 1] - np.sqrt(np.maximum(length**2 - level, 0.01)))
    grip[:, 1] = np.maximum(*lowest)
    return smoothed(grip, 3)


def _hand_in_hand(
    bodies: Couple, who: int, hand: int, front: int, grip: Array, weight: Array
) -> ArmMove:
    """The arm hangs towards the grip; the palm in front faces back, the other one forward."""
    heading = 0.5 * (bodies[0].score.heading + bodies[1].score.heading)
    ahead = np.insert(ground_forward(heading), 1, 0.0, axis=-1)
    palm = -ahead if who == front else ahead
    return _holding(bodies[who], hand, grip, palm, weight, [0.15 * SIDE[hand], -0.2, -1.0])


def _holding(
    body: Performer, hand: int, grip: Array, palm: Array, weight: Array, elbow: list[float]
) -> ArmMove:
    """A hand in another's at `grip`, the fingers along the arm; elbow: where it points."""
    fingers, points = unit(grip - body.shoulder(hand)), body.direction(elbow)
    return lay_palm(hand, weight, grip, fingers, palm, elbow=points, depth=HELD)


def _hand_captions(first: int, side: int) -> tuple[str, ...]:
    one, two = named(first)
    return (
        "two people walk hand in hand",
        "a couple holds hands and walks",
        f"the {one} takes the hand of the {two} and they walk together",
        f"they stroll hand in hand, the partner on the {SIDES[side]} side of the player",
        "they hold hands while walking side by side",
        f"the player holds hands with the partner with the {SIDES[side]} hand",
    )


# ---------------------------------------------------------------------------------- arm in arm
def stroll_arm_in_arm(cast: Cast) -> Scene:
    """One offers a bent arm, the other lays a hand on its forearm; they stroll."""
    first, second = cast.roles(0.55)
    side = LEFT if cast.chance(0.5) else RIGHT
    hands = (side, 1 - side)
    near = sum(f.side for f in cast.figures)
    stroll = _abreast(cast, side, near + cast.uniform(0.25, 0.30), first, pace=(0.35, 1.0))
    time, bodies = stroll.time, stroll.bodies
    take = -1.0 if stroll.warm else cast.uniform(0.8, 1.3)
    giver, taker = bodies[first], bodies[second]
    offered = ramp(time, take - 1.0, take - 0.3)
    out = giver.direction([SIDE[hands[first]], 0.0, 0.0])
    forward = giver.direction([0.0, 0.0, 1.0])
    shoulder = giver.shoulder(hands[first])
    arm = giver.figure.arm
    wrist = shoulder + arm * (-0.42 * UP + 0.52 * forward - 0.10 * out)
    fingers, palm = unit(forward - 0.5 * out), unit(-out - 0.3 * UP)
    elbow = giver.direction([0.35 * SIDE[hands[first]], -1.0, -0.5])
    move_arms(giver, [ArmMove(hands[first], offered, wrist, fingers, palm, elbow=elbow)])
    name = SIDES[hands[first]]
    forearm = giver.at(f"{name}_wrist") - giver.at(f"{name}_elbow")
    spot = giver.at(f"{name}_elbow") + cast.uniform(0.55, 0.75) * forearm
    palm, fingers = unit(-UP - 0.3 * out), unit(forward - 0.7 * out)
    rested = wrist_for_palm(spot + 0.045 * UP, fingers, palm)
    rested, weight = smoothed(rested, 2), ramp(time, take - 0.6, take)
    elbow = taker.direction([0.3 * SIDE[hands[second]], -1.0, -0.2])
    move_arms(taker, [ArmMove(hands[second], weight, rested, fingers, palm, elbow=elbow)])
    frames = _spread(cast, max(take, stroll.warm) + 0.2, float(time[-1]) - 0.2, time)
    pair = (WRISTS[hands[0]], WRISTS[hands[1]])
    contacts = touching(frames, [pair])
    return scene_of(
        bodies, _arm_captions(first, hands[first]), frames, contacts, warm=stroll.warm, leads=first
    )


def _arm_captions(first: int, hand: int) -> tuple[str, ...]:
    one, two = named(first)
    return (
        "two people stroll arm in arm",
        "they link arms and walk",
        f"the {one} offers the {SIDES[hand]} arm and the {two} takes it",
        f"the {two} walks at the {SIDES[hand]} arm of the {one}",
        "a couple walks with linked arms",
        f"the {one} leads the {two} along, arm in arm",
    )


# -------------------------------------------------------------------------------- by the hand
def lead_by_the_hand(cast: Cast) -> Scene:
    """One takes the other's hand and walks ahead; the other is drawn along."""
    first, second = cast.roles(0.6)
    side = LEFT if cast.chance(0.5) else RIGHT
    hands = {first: side, second: 1 - side}
    warm = 1.5 if cast.chance(0.3) else 0.0
    time = clock(cast.uniform(5.5, 9.0) + warm)
    take = -1.0 if warm else cast.uniform(0.8, 1.4)
    top = cast.uniform(0.6, 1.2)
    pace = draw_pace(cast, time, 0.4, top, warm) * ramp(time, take, take + 0.8)
    lead = np.cumsum(pace) / RATE
    trail = draw_trail(cast, float(lead[-1]), 1.0)
    gap = cast.uniform(1.25, 1.5) * cast.arm
    aside = SIDE[side] * cast.uniform(0.22, 0.34)
    along = np.maximum(arriving(cast, lead) - gap, lead - gap - 0.14)
    path, heading = trail.at(lead)
    drawn, facing = trail.at(smoothed(along, 3), aside)
    turned = SIDE[side] * cast.uniform(0.2, 0.7) * (_stillness(lead))
    scores = {
        first: new_score(cast, first, time, path, heading + turned),
        second: new_score(cast, second, time, drawn, facing),
    }
    scores[first].lean[:, 2] += 0.25 * SIDE[side] * ramp(time, take - 0.7, take)
    scores[first].lean[:, 0] += 0.04 * pace
    scores[second].lean[:, 0] += cast.uniform(0.02, 0.08) * ramp(time, take, take + 0.5)
    scores[second].lean[:, 2] -= 0.2 * SIDE[hands[second]] * ramp(time, take - 0.4, take)
    bodies = (stand(scores[PLAYER]), stand(scores[PARTNER]))
    faces = [eyes(body) for body in bodies]
    attend(cast, bodies[first], faces[second], cast.uniform(0.1, 0.4))
    attend(cast, bodies[second], faces[first], 0.8)
    grip = low_grip(bodies, (hands[PLAYER], hands[PARTNER]), cast.uniform(0.90, 0.95), 0.0)
    for who, body in enumerate(bodies):
        late = 0.0 if who == first else cast.uniform(0.1, 0.3)
        weight = ramp(time, take - TAKING + late, take)
        move_arms(body, [_led_hand(bodies, who, first, hands[who], grip, weight)])
    frames = _spread(cast, max(take, warm) + 0.1, float(time[-1]) - 0.2, time)
    wrists = (WRISTS[hands[PLAYER]], WRISTS[hands[PARTNER]])
    contacts = touching(frames, [wrists])
    return scene_of(bodies, _lead_captions(first, side), frames, contacts, warm=warm, leads=first)


def _led_hand(
    bodies: Couple, who: int, first: int, hand: int, grip: Array, weight: Array
) -> ArmMove:
    """An arm stretched along the line between the two; palm lies on palm."""
    palm = -SIDE[hand] * bodies[first].direction([1.0, 0.0, 0.0])
    elbow = [0.25 * SIDE[hand], 0.3 if who == first else -0.8, -1.0]
    return _holding(bodies[who], hand, grip, palm, weight, elbow)


def _lead_captions(first: int, side: int) -> tuple[str, ...]:
    one, two = named(first)
    return (
        "one person leads the other by the hand",
        "someone takes another person by the hand and walks ahead",
        f"the {one} takes the hand of the {two} and leads the way",
        f"the {one} pulls the {two} along with the {SIDES[side]} hand",
        "one walks in front holding the hand of the one behind",
        f"the {two} is led by the hand",
    )


# ------------------------------------------------------------------------------------- passing
def pass_by(cast: Cast) -> Scene:
    """Two come towards each other, make room, nod or wave, and go on or stop and look back."""
    first, second = cast.roles(0.6)
    warm = 1.5
    time = clock(cast.uniform(5.0, 7.0) + warm)
    meet = cast.uniform(2.2, 3.2) + warm
    side = LEFT if cast.chance(0.35) else RIGHT
    room = cast.uniform(0.72, 0.95)
    yields = str(cast.rng.choice(["both", "second", "waits"], p=[0.5, 0.3, 0.2]))
    share = {first: 0.5, second: 0.5} if yields == "both" else {first: 0.0, second: 1.0}
    stands = {first: False, second: yields == "waits"}
    greeting = str(cast.rng.choice(["nod", "wave", "nothing"], p=[0.5, 0.25, 0.25]))
    scores = {}
    for who in (PLAYER, PARTNER):
        pace = cast.uniform(0.7, 1.4) * (0.35 if stands[who] else 1.0)
        begin = cast.uniform(0.1, 1.6)
        moved = np.cumsum(pace * ramp(time, begin, begin + 0.9) * _stop(cast, time, meet)) / RATE
        along = moved - np.interp(meet, time, moved)
        late = 0.0 if who == first else cast.uniform(0.15, 0.4)
        dodge = ramp(time, meet - 2.0 + late, meet - 0.3)
        if cast.chance(0.5):
            dodge = dodge - 0.6 * ramp(time, meet + 0.5, meet + 1.8)
        shift = room * share[who] * dodge * -SIDE[side]
        towards = 1.0 if who == PLAYER else -1.0
        path = towards * np.column_stack([shift, along])
        drift = np.gradient(shift) * RATE / max(pace, 0.5)
        heading = (0.0 if who == PLAYER else np.pi) + smoothed(0.7 * np.arctan(drift), 6)
        scores[who] = new_score(cast, who, time, path, heading)
        if greeting == "nod":
            at = meet - cast.uniform(0.5, 0.9) + late
            scores[who].nod[:, 0] += cast.uniform(0.2, 0.4) * pulse(
                time, at, at + 0.25, at + 0.3, at + 0.65
            )
    bodies = (stand(scores[PLAYER]), stand(scores[PARTNER]))
    faces = [eyes(body) for body in bodies]
    for who, body in enumerate(bodies):
        ahead = body.at("head") + body.direction([0.0, -0.1, 2.0])
        until = meet + cast.uniform(-0.1, 0.4)
        seeing = pulse(time, meet - 2.2, meet - 1.5, until, until + 0.5)
        look(body, ahead + seeing[:, None] * (delayed(faces[1 - who], 0.15) - ahead))
        late = 0.0 if who == first else cast.uniform(0.2, 0.4)
        wave = greeting == "wave" and (who == first or cast.chance(0.7))
        move_arms(body, [_small_wave(cast, body, meet - 1.1 + late)] if wave else [])
    frames = [fine_frame(t, time) for t in (meet - 0.6, meet, meet + 0.4)]
    return scene_of(
        bodies, _pass_captions(first, side, yields, greeting), frames, warm=warm, leads=first
    )


def _stop(cast: Cast, time: Array, meet: float) -> Array:
    """(frame,) 1, except for some who come to a halt after the meeting."""
    if cast.chance(0.6):
        return np.ones(len(time))
    halt = meet + cast.uniform(0.9, 1.6)
    return 1 - ramp(time, halt, halt + 0.8)


def _small_wave(cast: Cast, body: Performer, begin: float) -> ArmMove:
    """A hand raised to the shoulder for a moment."""
    hand, time = int(cast.rng.random() < 0.7), body.score.time
    side = SIDE[hand]
    rock = 0.15 * np.sin(2 * np.pi * cast.uniform(1.5, 2.4) * (time - begin))
    fingers = np.column_stack([side * (0.1 + rock), np.ones_like(rock), np.full_like(rock, 0.1)])
    return ArmMove(
        side=hand,
        weight=pulse(time, begin, begin + 0.5, begin + 1.0, begin + 1.6),
        wrist=body.shoulder(hand) + body.direction([0.14 * side, -0.04, 0.24]),
        fingers=body.direction(fingers),
        palm=body.direction([0.0, 0.0, 1.0]),
        elbow=body.direction([0.5 * side, -1.0, -0.1]),
    )


def _pass_captions(first: int, side: int, yields: str, greeting: str) -> tuple[str, ...]:
    one, two = named(first)
    does = {"nod": "nod to", "wave": "wave at", "nothing": "look at"}[greeting]
    makes = "steps aside" if yields != "both" else "makes room"
    return (
        "two people walk past each other",
        f"two people pass by and {does} each other",
        f"the {one} walks towards the {two}, who {makes}",
        f"they pass each other on the {SIDES[side]} side",
        "one person goes past the other",
        f"the {two} lets the {one} pass",
    )
