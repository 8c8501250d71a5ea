"""Players for the live evaluation: each group asks one thing of a partner, again and again.

An episode follows from (group, kind, seed) and, where there is one, a recording. The seeds lie far
from those of training sets. The truth beside each player is choreographed here as well, by the
rules of how people answer (people do within 0.25 to 0.6 s).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics
from engine.body.pose import Pose
from engine.body.reach import WRISTS
from engine.body.rotations import rotmat_about, slerp_rotmat
from engine.body.skeleton import JOINT
from engine.body.vectors import unit
from engine.motion.standing import standing_partner
from trainer.choreography.arms import ArmMove, move_arms
from trainer.choreography.base_motion import Recordings, Take
from trainer.choreography.clips import KINDS, draw_cast, make_clip
from trainer.choreography.hands import PALM, clasping, lay_palm, leftwards
from trainer.choreography.kinds.closeness import hugging
from trainer.choreography.kinds.company import follow
from trainer.choreography.kinds.greetings import bowing_arms, waving
from trainer.choreography.performer import UP, Couple, Performer, look, stand
from trainer.choreography.score import RATE
from trainer.choreography.stage import (
    KEEP,
    PARTNER,
    PLAYER,
    Cast,
    attend,
    brisk,
    clock,
    delayed,
    eyes,
    hurried,
    new_score,
)
from trainer.choreography.stepping import LEFT, RIGHT, SIDE, ground_forward
from trainer.choreography.timing import pulse, ramp, smoothed
from trainer.data.shards import Clip
from trainer.evaluation.live.episode import Episode, frame_of

FIRST_SEED = 7_000_000
"""The first seed of episodes; training sets draw 64-bit seeds at random."""
OFFER_SECONDS = 5.0
REST_SECONDS = 4.0
SPINE = JOINT["spine3"]


def _cast(seed: int, base: Recordings | None = None) -> Cast:
    return draw_cast(np.random.default_rng(FIRST_SEED + seed), base)


def _episode(
    cast: Cast, bodies: Couple, group: str, kind: str, seed: int, **about: object
) -> Episode:
    """Every third fine frame of two solved bodies."""
    player, truth = (_kept(body.pose()) for body in bodies)
    return Episode(
        group=group,
        kind=kind,
        seed=seed,
        pose=player,
        betas=np.stack([f.betas for f in cast.figures]).astype(np.float32),
        rest_joints=np.stack([f.rest for f in cast.figures]),
        start=truth[0],
        truth=truth,
        **about,  # type: ignore[arg-type]  # fields of Episode
    )


def _kept(fine: Pose) -> Pose:
    return Pose(fine.rotmats[::KEEP].astype(np.float32), fine.transl[::KEEP].astype(np.float32))


# --------------------------------------------------------------------------------------- patient
OFFERS = ("right_hand", "left_hand", "both_hands", "high_five", "open_arms", "wave", "bow")
HANDS = {
    "right_hand": (RIGHT,),
    "left_hand": (LEFT,),
    "both_hands": (LEFT, RIGHT),
    "high_five": (RIGHT,),
    "open_arms": (),
    "wave": (RIGHT,),
    "bow": (),
}


def patient(kind: str, seed: int) -> Episode:
    """Stands, offers something, waits for five seconds, takes it back, and stands again."""
    return _offer("patient", kind, seed, OFFER_SECONDS)


def withdrawn(kind: str, seed: int) -> Episode:
    """Offers something and takes it back, mostly before it can be taken."""
    hold = float(np.random.default_rng(FIRST_SEED + seed).uniform(0.8, 1.6))
    return _offer("withdraw", kind, seed, hold)


def _offer(group: str, kind: str, seed: int, hold: float) -> Episode:
    cast = _cast(seed)
    begin, gap = cast.uniform(1.5, 3.0), cast.uniform(1.1, 1.6)
    lower = begin + 0.7 + hold
    answer = begin + cast.uniform(0.3, 0.55)
    time = clock(lower + REST_SECONDS)
    is_far = kind in ("wave", "bow")
    near = gap if is_far else _meeting(cast, kind)
    walked = brisk((time - answer + 0.1) / max((gap - near) / 1.0 + 0.3, 0.6))
    if hold < answer - begin:
        walked = np.zeros_like(time)
    places = np.zeros((2, len(time), 2))
    places[PLAYER, :, 1] = -gap / 2
    places[PARTNER, :, 1] = gap / 2 + walked * (near - gap)
    if kind == "high_five":  # right hand against right hand: each stands a little to the left
        places[PARTNER, :, 0] = -0.26 * walked
    scores = [
        new_score(cast, who, time, places[who], np.full(len(time), np.pi * who))
        for who in (PLAYER, PARTNER)
    ]
    if kind == "bow":
        for who, at in ((PLAYER, begin), (PARTNER, answer)):
            deep = cast.uniform(0.55, 0.95)
            curve = pulse(time, at, at + 0.9, at + 1.3, at + 2.4)
            scores[who].hip_pitch += 0.62 * deep * curve
            scores[who].lean[:, 0] += 0.38 * deep * curve
            scores[who].shift[:, 1] -= 0.13 * np.sin(0.8 * deep) * curve
        lower = begin + 2.4
    bodies = (stand(scores[0]), stand(scores[1]))
    for who in (PLAYER, PARTNER):
        look(bodies[who], delayed(eyes(bodies[1 - who]), 0.15))
    _move_offer(cast, bodies, kind, time, (begin, answer, lower))
    return _episode(
        cast,
        bodies,
        group,
        kind,
        seed,
        begins=frame_of(begin),
        ends=frame_of(lower),
        hands=HANDS[kind],
        meets=_touching(kind),
    )


def _meeting(cast: Cast, kind: str) -> float:
    """Metres between two pelvises when what is offered is taken."""
    if kind == "open_arms":
        return sum(figure.chest for figure in cast.figures) + 0.04
    return 0.86 if kind == "both_hands" else 0.68 if kind == "high_five" else 0.92


def _touching(kind: str) -> tuple[tuple[int, int], ...]:
    if kind == "open_arms":
        return ((SPINE, SPINE),)
    if kind == "both_hands":
        return ((WRISTS[LEFT], WRISTS[RIGHT]), (WRISTS[RIGHT], WRISTS[LEFT]))
    return tuple((WRISTS[hand], WRISTS[hand]) for hand in HANDS[kind] if kind != "wave")


def _move_offer(
    cast: Cast, bodies: Couple, kind: str, time: Array, moments: tuple[float, ...]
) -> None:
    """The arms of both; moments: the offer begins, is answered, is taken back."""
    begin, answer, lower = moments
    if kind in ("bow", "wave"):
        for who, at in ((PLAYER, begin), (PARTNER, answer)):
            if kind == "bow":
                weight = ramp(time, at - 0.2, at + 0.6) - ramp(time, at + 1.9, at + 2.8)
                move_arms(bodies[who], bowing_arms(bodies[who], "sides", weight))
            else:
                end = lower if who == PLAYER else lower + 0.3
                move_arms(bodies[who], [waving(cast, bodies, who, RIGHT, time, at, end)])
        return
    if kind == "open_arms":
        far = float(time[-1]) + 50
        open_only = hugging(cast, bodies, PLAYER, 1.0, 0.0, time, begin, far, lower)[::2]
        closed = answer + 1.1
        answered = hugging(
            cast, bodies, PARTNER, 1.0, 0.0, time, answer, closed, max(lower, closed + 0.5)
        )
        move_arms(bodies[PLAYER], open_only)
        move_arms(bodies[PARTNER], answered)
        return
    held = pulse(time, begin, begin + 0.7, lower, lower + 0.8)
    taken = pulse(time, answer, answer + 0.9, max(lower, answer + 0.9) + 0.2, lower + 1.6)
    offered = [_held_out(bodies[PLAYER], hand, kind, held) for hand in HANDS[kind]]
    move_arms(bodies[PLAYER], offered)
    answers = []
    for move in offered:
        assert move.fingers is not None
        palm = move.wrist + PALM * unit(move.fingers)
        answers.append(_taking(bodies, move.side, kind, palm, taken))
    move_arms(bodies[PARTNER], answers)


def _held_out(body: Performer, hand: int, kind: str, weight: Array) -> ArmMove:
    side = SIDE[hand]
    shoulder, forward = body.shoulder(hand), body.direction([0.0, 0.0, 1.0])
    inward = body.direction([-side, 0.0, 0.0])
    if kind == "high_five":
        return ArmMove(
            side=hand,
            weight=weight,
            wrist=shoulder + body.direction([side * 0.10, 0.15, 0.24]),
            fingers=unit(UP - 0.10 * inward),
            palm=forward,
            elbow=body.direction([side * 0.55, -0.8, -0.1]),
        )
    palm = unit(inward + 2.0 * UP) if kind == "both_hands" else inward
    return ArmMove(
        side=hand,
        weight=weight,
        wrist=shoulder + body.direction([-side * 0.06, -0.30, 0.34]),
        fingers=unit(forward + 0.12 * inward - 0.10 * UP),
        palm=palm,
    )


def _taking(bodies: Couple, hand: int, kind: str, palm: Array, weight: Array) -> ArmMove:
    """The partner's hand in, on or against the one that is held out."""
    body = bodies[PARTNER]
    ahead = body.direction([0.0, 0.0, 1.0])
    if kind == "both_hands":
        other = 1 - hand
        return lay_palm(other, weight, palm + 0.03 * UP, unit(ahead - 0.1 * UP), -UP)
    if kind == "high_five":
        fingers = unit(UP + 0.10 * SIDE[hand] * leftwards(ahead))
        return lay_palm(hand, weight, palm - 0.03 * ahead, fingers, ahead, arc=0.0)
    wrist, fingers, inward = clasping(bodies, PARTNER, hand, palm + 0.033 * ahead)
    return ArmMove(side=hand, weight=weight, wrist=wrist, fingers=fingers, palm=inward)


# ------------------------------------------------------------------------------------------- walk
WALKS = ("away", "side", "come", "round", "away_and_back", "run")


def walking(kind: str, seed: int) -> Episode:
    """Stands, goes somewhere, stands again. The truth keeps company at a comfortable distance."""
    cast = _cast(seed)
    slow = kind == "away_and_back"  # whoever follows is in the way back
    pace = cast.uniform(2.4, 3.0) if kind == "run" else cast.uniform(0.7, 1.0 if slow else 1.5)
    begin, gap = cast.uniform(1.2, 2.2), cast.uniform(1.2, 1.6)
    distance = {
        "away": cast.uniform(3.5, 6.0),
        "side": cast.uniform(2.5, 4.0),
        "come": cast.uniform(2.5, 4.0),
        "round": gap * cast.uniform(1.5, 2.0) * np.pi,
        "away_and_back": cast.uniform(2.5, 3.5),
        "run": cast.uniform(7.0, 9.0),
    }[kind]
    duration = distance / pace + 0.6
    back_at = begin + duration + cast.uniform(0.8, 1.6)
    end = back_at + duration if kind == "away_and_back" else begin + duration
    time = clock(end + 3.5)
    turn = 0.45 + (np.pi / 2.4 if kind.startswith(("away", "run")) else 0.6)
    moved = distance * brisk((time - begin - 0.4 * turn) / duration)
    if kind == "away_and_back":
        moved = moved - distance * brisk((time - back_at - 0.4 * turn) / duration)
    sign = float(cast.rng.choice([-1, 1]))
    here = np.array([0.0, -gap / 2])
    angle: Array
    if kind == "round":
        angle = sign * moved / gap
        centre = np.array([0.0, gap / 2])
        path = centre - gap * np.column_stack([np.sin(angle), np.cos(angle)])
        along = angle - sign * np.pi / 2
        heading: Array = along * ramp(time, begin, begin + 0.7)
        heading = heading + (angle - along) * ramp(time, end - 0.3, end + 0.6)
    elif kind == "come":
        path = here + np.column_stack([np.zeros_like(time), moved - distance])
        heading = np.zeros_like(time)
    else:
        course = sign * np.pi / 2 if kind == "side" else sign * np.pi
        way = course + (cast.rng.normal(0, 0.25) if kind != "side" else 0.0)
        path = here + moved[:, None] * ground_forward(np.asarray(way))
        heading = way * ramp(time, begin, begin + turn)
        if kind == "away_and_back":
            heading += sign * np.pi * ramp(time, back_at, back_at + turn)
    lively = pace > 1.6
    if lively:
        cast = hurried(cast, PLAYER, PARTNER, swing=0.32, double_support=0.02)
    start = np.array([0.0, gap / 2])
    if kind == "come":
        followed, facing = np.broadcast_to(start, path.shape).copy(), np.full(len(time), np.pi)
    else:
        followed, facing = follow(cast, time, path, start, gap, top=max(1.9, pace + 0.6))
    scores = [
        new_score(cast, PLAYER, time, smoothed(path, 4), smoothed(heading, 5)),
        new_score(cast, PARTNER, time, followed, facing),
    ]
    bodies = (stand(scores[0]), stand(scores[1]))
    attend(cast, bodies[PLAYER], eyes(bodies[PARTNER]), 0.3)
    attend(cast, bodies[PARTNER], eyes(bodies[PLAYER]), 1.0)
    for body in bodies:
        move_arms(body, [])
    return _episode(cast, bodies, "walk", kind, seed, begins=frame_of(begin), ends=frame_of(end))


# ------------------------------------------------------------------------------------------- idle
IDLE_SECONDS = 600.0


def idle(kind: str, seed: int, seconds: float = IDLE_SECONDS) -> Episode:
    """Somebody who stands there, shifts weight and looks about; so does the truth."""
    cast = _cast(seed)
    time, gap = clock(seconds), cast.uniform(1.1, 1.8)
    bodies = _two_who_stand(cast, time, gap)
    for body in bodies:
        move_arms(body, [])
    return _episode(cast, bodies, "idle", kind, seed)


def _two_who_stand(cast: Cast, time: Array, gap: float) -> Couple:
    scores = []
    for who in (PLAYER, PARTNER):
        place = np.array([0.0, gap / 2 * (1 if who == PARTNER else -1)])
        turn = smoothed(_held_values(cast, time, 0.12), 8)
        path = np.broadcast_to(place, (len(time), 2)).copy()
        score = new_score(cast, who, time, path, np.pi * who + turn)
        score.weight += np.clip(smoothed(_held_values(cast, time, 0.8), 10), -0.9, 0.9)
        scores.append(score)
    bodies = (stand(scores[0]), stand(scores[1]))
    attend(cast, bodies[PLAYER], eyes(bodies[PARTNER]), 0.8)
    attend(cast, bodies[PARTNER], eyes(bodies[PLAYER]), 1.0)
    return bodies


def _held_values(cast: Cast, time: Array, size: float) -> Array:
    """(frame,) that rest for some 40 s at a time (`people.md` 7) and move on within one."""
    values, now, current = np.zeros(len(time)), cast.uniform(0.0, 20.0), 0.0
    while now < time[-1]:
        goal, length = float(cast.rng.normal(0, size)), cast.uniform(0.8, 1.5)
        values += ramp(time, now, now + length) * (goal - current)
        current, now = goal, now + length + float(cast.rng.exponential(40.0))
    return values


# ------------------------------------------------------------------------------------------- stop
STOPS = ("handshake", "hug", "high_five", "push", "dance", "whisper", "pat_shoulder", "hand_over")


def stopped(kind: str, seed: int) -> Episode:
    """Freezes in the middle of it, for five seconds."""
    clip = make_clip(FIRST_SEED + seed, kind=kind)
    at = clip.anchor_frames[len(clip.anchor_frames) // 2]
    shown = clip.pose[:, np.minimum(np.arange(at + frame_of(5.0)), at)]
    return _of_clip(clip, shown, group="stop", kind=kind, seed=seed, begins=at)


def _of_clip(clip: Clip, shown: Pose, **about: object) -> Episode:
    """The player's half of a clip, of which so many frames (2, frame) are shown."""
    return Episode(
        pose=shown[PLAYER],
        betas=clip.betas,
        rest_joints=clip.rest_joints.astype(np.float64),
        start=shown[PARTNER, 0],
        truth=shown[PARTNER],
        **about,  # type: ignore[arg-type]  # fields of Episode
    )


# ------------------------------------------------------------------------------------------- push
READY_FRAMES = 12
"""Before hands are there."""


def pushing(kind: str, seed: int) -> Episode:
    """Pushes the partner, who stands within reach: in the first of a row of clips where it does."""
    clips = (make_clip(FIRST_SEED + 1000 * seed + number, kind=kind) for number in count())
    clip = next(clip for clip in clips if clip.leads == PLAYER)
    begins = min(frame for frame, _, _ in clip.contacts)
    first = max(begins - READY_FRAMES, 0)
    shown, begins = clip.pose[:, first:], begins - first
    return _of_clip(clip, shown, group="push", kind=kind, seed=seed, begins=begins)


# ----------------------------------------------------------------------------------------- choreo
def choreographed(kind: str, seed: int) -> Episode:
    """The player's half of a clip that no training set holds."""
    clip = make_clip(FIRST_SEED + seed, kind=kind)
    pairs = dict.fromkeys((a, b) for _, a, b in clip.contacts)
    hands = tuple(h for h in (LEFT, RIGHT) if any(a == WRISTS[h] for a, _ in pairs))
    return _of_clip(
        clip,
        clip.pose,
        group="choreo",
        kind=kind,
        seed=seed,
        begins=min((f for f, _, _ in clip.contacts), default=None),
        hands=hands,
        meets=tuple(pairs),
    )


# ------------------------------------------------------------------------------------------ words
WORDS = {
    "dance": "two people dance together",
    "wave": "the partner waves at the player",
    "bow": "two people bow to each other",
    "offer_hand": "the partner holds out a hand",
    "open_arms": "two people hug each other",
    "come_closer": "the partner walks up to the player",
    "step_back": "the partner steps back",
}
GIVEN_S, TAKEN_BACK_S = 3.0, 8.0


def worded(kind: str, seed: int) -> Episode:
    """Stands while the partner is told to do something, and then to do it no more."""
    cast = _cast(seed)
    bodies = _two_who_stand(cast, clock(TAKEN_BACK_S + 4.0), cast.uniform(1.3, 1.8))
    for body in bodies:
        move_arms(body, [])
    return _episode(
        cast,
        bodies,
        "words",
        kind,
        seed,
        begins=frame_of(GIVEN_S),
        ends=frame_of(TAKEN_BACK_S),
        words=((frame_of(GIVEN_S), WORDS[kind]), (frame_of(TAKEN_BACK_S), "")),
    )


# ------------------------------------------------------------------------------------------- real
BLEND_FRAMES = round(RATE)
TAKE_S = (20.0, 60.0)
"""At least and at most played of a take."""


def recorded(take: Take, seed: int, seconds: float | None = None) -> Episode:
    """A real person, alone when recorded; the take is lengthened forwards and backwards.

    seconds  None: as long as the take, within TAKE_S
    """
    cast = _cast(seed)
    figure = cast.figures[PLAYER]
    wanted = float(np.clip(len(take) / RATE, *TAKE_S)) if seconds is None else seconds
    rotmats, pelvis = lengthened(take.rotmats, take.pelvis * figure.leg, round(wanted * RATE))
    transl = pelvis - figure.rest[0]
    joints, world = forward_kinematics(figure.rest, rotmats, transl)
    feet = [JOINT["left_foot"], JOINT["right_foot"]]
    low = (joints[:, feet, 1] - (figure.rest[feet, 1] - figure.floor)).min(axis=1)
    yaw = float(np.arctan2(world[0, 0, 0, 2], world[0, 0, 2, 2]))
    turn = rotmat_about("y", -yaw)
    rotmats = rotmats.copy()
    rotmats[:, 0] = turn @ rotmats[:, 0]
    pelvis = (pelvis - pelvis[0] * [1, 0, 1] - [0, np.quantile(low, 0.05), 0]) @ turn.T
    transl = pelvis - figure.rest[0]
    rest = np.stack([f.rest for f in cast.figures])
    pose = Pose(rotmats, transl)
    return Episode(
        group="real",
        kind="idle" if take.life is not None else take.name,
        seed=seed,
        pose=_kept(pose),
        betas=np.stack([f.betas for f in cast.figures]).astype(np.float32),
        rest_joints=rest,
        start=standing_partner(pose[0], rest, 1.4, 0.0),
    )


def lengthened(rotmats: Array, pelvis: Array, frames: int) -> tuple[Array, Array]:
    """A take (T, 22, 3, 3), (T, 3) of `frames` frames: forwards, backwards, forwards, each turn
    blended over a second."""
    if frames <= len(pelvis):
        return rotmats[:frames], pelvis[:frames]
    count = -(-frames // max(len(pelvis) - BLEND_FRAMES, 1)) + 1
    result_r, result_p = rotmats, pelvis
    for turn in range(1, count):
        next_r, next_p = (rotmats[::-1], pelvis[::-1]) if turn % 2 else (rotmats, pelvis)
        blend = min(BLEND_FRAMES, len(pelvis) // 2)
        part = ramp(np.arange(blend, dtype=float), 0, blend)
        mixed_r = slerp_rotmat(result_r[-blend:], next_r[:blend], part[:, None])
        mixed_p = result_p[-blend:] + part[:, None] * (next_p[:blend] - result_p[-blend:])
        result_r = np.concatenate([result_r[:-blend], mixed_r, next_r[blend:]])
        result_p = np.concatenate([result_p[:-blend], mixed_p, next_p[blend:]])
        if len(result_p) >= frames:
            break
    return result_r[:frames], result_p[:frames]


# ------------------------------------------------------------------------------------- all of them
GROUPS: dict[str, tuple[Sequence[str], Callable[[str, int], Episode]]] = {
    "choreo": (tuple(KINDS), choreographed),
    "patient": (OFFERS, patient),
    "walk": (WALKS, walking),
    "idle": (("made",), idle),
    "stop": (STOPS, stopped),
    "push": (("push",), pushing),
    "withdraw": (("right_hand", "high_five", "open_arms"), withdrawn),
    "words": (tuple(WORDS), worded),
}


def episodes_of(group: str, players: int, seed: int) -> list[Callable[[], Episode]]:
    """So many episodes of each kind of a group, each made when called."""
    kinds, make = GROUPS[group]
    return [
        partial(make, kind, seed + 1000 * number + index)
        for number, kind in enumerate(kinds)
        for index in range(players)
    ]
