"""Players who are about something, and players who are not: what the intent network learns from.

Each take has the player's frames at 10 a second, the partner's place, and which kind each frame is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from engine.arrays import Array, BoolArray, IntArray
from engine.body.arms import palms_seen
from engine.body.kinematics import ACROSS, forward_kinematics, mirrored
from engine.body.reach import WRISTS
from engine.body.rotations import rotmat_from_axis_angle
from engine.body.shape import load_body
from engine.body.skeleton import JOINT, MIRROR
from engine.body.vectors import lengths, unit
from engine.devices.calibration import (
    ROLE_COUNT,
    ROLE_JOINTS,
    Axes,
    Role,
    TrackerSample,
    uncalibrated,
)
from engine.devices.trackers import begin, solve
from engine.motion.guard import raised
from engine.motion.intent import FEATURES, KINDS, LOOKBACK, intent_features
from engine.motion.motion import FRAME_RATE
from trainer.choreography.arms import ArmMove, move_arms
from trainer.choreography.base_motion import Recordings
from trainer.choreography.clips import KINDS as CLIP_KINDS
from trainer.choreography.clips import draw_cast, draw_figure, make_clip
from trainer.choreography.gestures import random_gestures, resting_arms
from trainer.choreography.kinds.closeness import hugging
from trainer.choreography.kinds.greetings import bowing_arms, waving
from trainer.choreography.performer import SIDES, UP, Couple, Performer, stand
from trainer.choreography.score import RATE
from trainer.choreography.stage import (
    KEEP,
    PARTNER,
    PLAYER,
    BaseMotion,
    Cast,
    attend,
    brisk,
    clock,
    eyes,
    new_score,
)
from trainer.choreography.stepping import LEFT, RIGHT, SIDE
from trainer.choreography.timing import pulse, ramp
from trainer.data.shards import Clip

OFFERS = tuple(kind for kind in KINDS if kind not in ("nothing", "dance", "other"))
DANCES = ("dance", "mirror_me")
"""Kinds of clips in which one does what the other is to do as well."""
MOVES, MOVES_FRAMES = 0.25, 5
"""Metres a second of a hand of one who dances, seen from the chest, mean of so many frames."""
CALM = ("face_and_follow", "idle_together", "follow_along", "pass_by", "stroll_arm_in_arm")
"""Kinds whose player does nothing in particular."""
UNTOLD = -1
STRETCH = round(8 * RATE)
"""Fine frames of a recording at a time."""
CARRIED = np.zeros((22, 3))
"""Radians by which joints are turned throughout a stretch, so that few recordings teach many ways
to stand: standard deviations."""
for _names, _size in (
    (("shoulder", "elbow", "wrist"), 0.2),
    (("collar",), 0.05),
):
    CARRIED[[JOINT[f"{side}_{name}"] for side in SIDES for name in _names]] = _size
CARRIED[[JOINT[name] for name in ("spine1", "spine2", "spine3")]] = 0.05
CARRIED[[JOINT["neck"], JOINT["head"]]] = 0.12
UP_FROM = 0.10
"""Metres from which on a hand is up."""
WALKS, UP_IN_A_WALK = 0.4, 0.35
"""Metres a second of one who walks, and metres that arms which swing along are up: what they may do
besides nobody can tell from farther up on."""
BACKWARDS, LATE = 0.3, 12
"""Share of the stretches of moving people that are played backwards; frames by whose mean one goes
who keeps company."""
SEEN_BY_DEVICES = 1 / 6
"""Share of the takes of which devices alone are seen."""
SEEN_FRAMES = 2
"""From the onset on in which nobody can tell yet; they count for nothing in training."""
MIRRORED = {
    "right_hand": "left_hand",
    "left_hand": "right_hand",
    "high_five_right": "high_five_left",
    "high_five_left": "high_five_right",
}
MET = ("handshake", "high_five", "hug", "hand_over", "tug", "push")
"""Kinds of clips in which people meet as one does who takes what is offered."""
AHEAD, CARRIED_FOR, AFTER = 12, 20, 3
"""Frames before the first touch in which a hand that is up is offered, and before which it carries
something; frames after the last in which it is offered still."""
NO_OFFER = tuple(
    kind
    for kind in CLIP_KINDS
    if kind not in (*MET, "wave", "bow", "point_and_look", *DANCES)
    and not kind.startswith(("hold_hands", "lead_by", "push_and", "arm_around"))
)
"""Kinds of clips whose player is about none of our kinds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledTake:
    """rotmats (frame, 22, 3, 3), transl (frame, 3), betas, rest_joints (22, 3) of the player;
    partner (frame, 3) x, z, yaw; kind (frame,) index of KINDS, -1: not to be counted"""

    rotmats: Array
    transl: Array
    betas: Array
    rest_joints: Array
    partner: Array
    kind: IntArray


def offer_take(kind: str, rng: np.random.Generator) -> LabelledTake:
    """One who walks up or stands, is about something for a while, and then no more."""
    cast = draw_cast(rng)
    begin, hold = (
        cast.uniform(0.6, 2.6),
        float(rng.choice([0.6, 1.5, 3.0])) * cast.uniform(0.7, 1.3),
    )
    raise_s = cast.uniform(0.4, 0.9)
    lower = begin + raise_s + hold
    if kind == "bow":
        lower = begin + 2.4
    time = clock(lower + cast.uniform(1.2, 2.5))
    gap = cast.uniform(0.75, 2.2)
    come = cast.uniform(0.2, 1.6) if cast.chance(0.45) else 0.0
    arrive = begin + cast.uniform(-0.4, 0.8)
    walked = brisk((time - arrive + 0.5 + come / 0.9) / (0.5 + come / 0.9))
    away = np.array([cast.rng.normal(0, 0.15), -gap])
    path = away - np.column_stack([np.zeros_like(time), come * (1 - walked)])
    heading = cast.rng.normal(0, 0.2) * np.ones_like(time)
    score = new_score(cast, PLAYER, time, path, heading)
    if kind == "bow":
        deep = cast.uniform(0.35, 1.0)
        curve = pulse(time, begin, begin + 0.9, begin + 1.3, begin + 2.4)
        score.hip_pitch += 0.62 * deep * curve
        score.lean[:, 0] += 0.38 * deep * curve
        score.shift[:, 1] -= 0.13 * np.sin(0.8 * deep) * curve
    other = new_score(cast, PARTNER, time, np.zeros((len(time), 2)), np.full(len(time), np.pi))
    bodies = (stand(score), stand(other))
    attend(cast, bodies[PLAYER], eyes(bodies[PARTNER]), 0.9)
    attend(cast, bodies[PARTNER], eyes(bodies[PLAYER]), 1.0)
    moves = _arms(cast, bodies, kind, time, begin, raise_s, lower)
    move_arms(bodies[PLAYER], moves)
    seconds = time[::KEEP]
    label = np.zeros(len(seconds), np.int64)
    number = KINDS.index(kind)
    label[(seconds >= begin) & (seconds <= lower + 0.1)] = number
    label[(seconds >= begin) & (seconds < begin + 0.1 * SEEN_FRAMES)] = UNTOLD
    label[(seconds > lower + 0.1) & (seconds < lower + 0.35)] = UNTOLD
    return _solved(bodies[PLAYER], label)


def _solved(body: Performer, kind: IntArray) -> LabelledTake:
    """What a player did before a partner who stands at the origin."""
    pose = body.pose()[::KEEP]
    return LabelledTake(
        rotmats=pose.rotmats,
        transl=pose.transl,
        betas=body.figure.betas,
        rest_joints=body.figure.rest,
        partner=np.broadcast_to([0.0, 0.0, np.pi], (len(kind), 3)),
        kind=kind,
    )


def _arms(
    cast: Cast,
    bodies: Couple,
    kind: str,
    time: Array,
    begin: float,
    raise_s: float,
    lower: float,
) -> list[ArmMove]:
    body = bodies[PLAYER]
    weight = pulse(time, begin, begin + raise_s, lower, lower + cast.uniform(0.5, 0.9))
    if kind == "bow":
        style = str(cast.rng.choice(["sides", "heart", "thighs"]))
        return bowing_arms(body, style, ramp(time, begin - 0.2, begin + 0.6) * weight)
    if kind == "wave":
        hand = RIGHT if cast.chance(0.7) else LEFT
        return [waving(cast, bodies, PLAYER, hand, time, begin, lower)]
    if kind == "open_arms":
        far = float(time[-1]) + 50
        return hugging(cast, bodies, PLAYER, 1.0, 0.0, time, begin, far, lower)[::2]
    hands = {"both_hands": (LEFT, RIGHT), "push": (LEFT, RIGHT)}.get(
        kind, (LEFT,) if kind.startswith("left") or kind.endswith("left") else (RIGHT,)
    )
    if kind == "point":
        hands = (RIGHT,) if cast.chance(0.6) else (LEFT,)
    at = [cast.uniform(-1, 1) for _ in range(4)]
    return [_held_out(cast, body, hand, kind, weight, at) for hand in hands]


def _held_out(
    cast: Cast, body: Performer, hand: int, kind: str, weight: Array, at: list[float]
) -> ArmMove:
    side = SIDE[hand]
    forward, inward = body.direction([0.0, 0.0, 1.0]), body.direction([-side, 0.0, 0.0])
    elbow = None
    if kind.startswith("high_five"):
        local = [side * (0.06 + 0.08 * at[0]), 0.15 + 0.13 * at[1], 0.26 + 0.08 * at[2]]
        fingers, palm = unit(UP - 0.10 * inward), forward
        elbow = body.direction([side * 0.55, -0.8, -0.1])
    elif kind == "push":
        local = [-side * 0.02, -0.05 + 0.1 * at[0], 0.36 + 0.08 * at[1]]
        fingers, palm = unit(UP + 0.4 * forward), forward
    elif kind == "point":
        aim = [np.sin(1.4 * at[0]), 0.2 * at[1], np.cos(1.4 * at[0])]
        local = [0.92 * body.figure.arm * part for part in aim]
        fingers, palm = body.direction(aim), unit(-UP + 0.2 * inward)
    else:
        local = [-side * (0.06 + 0.08 * at[0]), -0.28 + 0.10 * at[1], 0.33 + 0.09 * at[2]]
        fingers = unit(forward + 0.12 * inward - 0.10 * UP + 0.1 * at[3] * UP)
        palm = unit(inward + cast.uniform(0.8, 2.5) * UP) if kind == "both_hands" else inward
        palm = unit(palm + 0.25 * at[3] * UP)
    wrist = body.shoulder(hand) + body.direction(local)
    return ArmMove(hand, weight, wrist, fingers, palm, elbow=elbow)


def idle_take(rng: np.random.Generator, base: BaseMotion | None = None) -> LabelledTake:
    """One who stands, keeps arms as people do who wait, fidgets and scratches: about nothing. Hands
    that talk are few, for held out before the belly they look like an offer."""
    cast = draw_cast(rng, base)
    time = clock(8.0)
    path = np.broadcast_to([0.0, -cast.uniform(0.8, 2.4)], (len(time), 2)).copy()
    body = stand(new_score(cast, PLAYER, time, path, np.full(len(time), cast.rng.normal(0, 0.4))))
    far = body.at("head") + body.direction([0.0, -0.1, 2.0])
    attend(cast, body, far, 0.7)
    rests = resting_arms(cast, body) if cast.chance(0.6) else []
    gestures = [
        move
        for move in random_gestures(cast, body, 0.3)
        if move.elbow is not None or cast.chance(0.15)
    ]
    move_arms(body, [*rests, *gestures])
    return _solved(body, np.zeros(len(time[::KEEP]), np.int64))


def clip_take(rng: np.random.Generator) -> LabelledTake:
    """Either half of a clip in which nobody offers what we know."""
    kind = str(rng.choice(NO_OFFER))
    clip = make_clip(int(rng.integers(2**62)), kind=kind)
    take = _half_of(clip, int(rng.integers(2)))
    if kind in CALM:
        return take
    is_active = _is_active(take.rotmats, take.rest_joints)
    return replace(take, kind=np.where(is_active, KINDS.index("other"), UNTOLD))


def met_take(rng: np.random.Generator) -> LabelledTake:
    """Either half of a clip of MET."""
    kind = str(rng.choice(MET))
    clip = make_clip(int(rng.integers(2**62)), kind=kind)
    return half_of_met(clip, int(rng.integers(2)))


def half_of_met(clip: Clip, who: int) -> LabelledTake:
    """One person of a clip of MET, who goes through with it: a hand that claps is in the air as
    long as it claps, and one that is pulled is held out."""
    kind, take = clip.kind, _half_of(clip, who)
    joints = {contact[1 + who] for contact in clip.contacts}
    sides = [side for side, wrist in enumerate(WRISTS) if wrist in joints]
    is_active = _is_active(take.rotmats, take.rest_joints)
    label = np.where(is_active, UNTOLD, 0)
    if kind == "push" and who != clip.leads:
        return replace(take, kind=label)
    hands = sides if len(sides) == 1 else [LEFT, RIGHT]
    is_up = raised(take.rotmats, take.rest_joints)[:, hands].max(axis=-1) > UP_FROM
    first, last = (pick(frame for frame, _, _ in clip.contacts) for pick in (min, max))
    frames = np.arange(len(label))
    label[is_up & (frames < first - CARRIED_FOR)] = KINDS.index("other")
    is_offered = is_up & (frames >= first - AHEAD) & (frames <= last + AFTER)
    begins = int(np.flatnonzero(is_offered)[0])
    is_offered &= frames >= begins + SEEN_FRAMES
    label[is_offered] = KINDS.index(_meeting(kind, sides))
    return replace(take, kind=label)


def _meeting(kind: str, sides: Sequence[int]) -> str:
    """Which of our kinds one is about who meets another so, with these hands. Two palms held up to
    be clapped go by what the network takes them for (`PALMS_UP`)."""
    if kind == "push":
        return kind
    if kind == "hug" or (kind == "high_five" and len(sides) == 2):
        return "open_arms"
    if kind == "high_five":
        return f"high_five_{SIDES[sides[0]]}"
    return "both_hands" if len(sides) == 2 else f"{SIDES[sides[0]]}_hand"


def _half_of(clip: Clip, who: int) -> LabelledTake:
    """One person of a clip, before the other, about nothing."""
    rotmats, transl = clip.pose.rotmats.astype(float), clip.pose.transl.astype(float)
    rest = clip.rest_joints.astype(float)
    forward = rotmats[1 - who, :, 0, :, 2]
    hips = transl[1 - who] + rest[1 - who, 0]
    yaw = np.arctan2(forward[:, 0], forward[:, 2])
    return LabelledTake(
        rotmats=rotmats[who],
        transl=transl[who],
        betas=clip.betas[who],
        rest_joints=rest[who],
        partner=np.stack([hips[:, 0], hips[:, 2], yaw], axis=-1),
        kind=np.zeros(transl.shape[1], np.int64),
    )


def dance_take(rng: np.random.Generator, dances: Recordings | None = None) -> LabelledTake:
    """One who dances: either half of a clip, or a stretch of a recording."""
    if dances is not None and rng.random() < 0.5:
        return _danced(_alone(dances, rng, is_idle=False))
    clip = make_clip(int(rng.integers(2**62)), kind=str(rng.choice(DANCES)))
    return _danced(_half_of(clip, int(rng.integers(2))))


def _danced(take: LabelledTake) -> LabelledTake:
    """Dancing while a hand moves; nothing while hands hang, and what is held up nobody can tell."""
    palms, _, _ = palms_seen(take.rotmats, take.rest_joints)
    speed = lengths(np.gradient(palms, axis=0)).max(axis=-1) * FRAME_RATE
    mean = np.convolve(
        np.pad(speed, (MOVES_FRAMES - 1, 0)), np.full(MOVES_FRAMES, 1 / MOVES_FRAMES)
    )
    moves = mean[MOVES_FRAMES - 1 :][: len(speed)] > MOVES
    still = np.where(_is_active(take.rotmats, take.rest_joints) | (speed > MOVES), UNTOLD, 0)
    return replace(take, kind=np.where(moves, KINDS.index("dance"), still))


def real_take(base: Recordings, rng: np.random.Generator) -> LabelledTake:
    """A stretch of a recording, carried as somebody else might: alone when recorded, so that
    nothing is offered; about something where a hand is up or the trunk bent, unless they idle."""
    is_idle = bool(rng.random() < 0.5)
    take = _alone(base, rng, is_idle=is_idle)
    if is_idle:
        return take
    is_active = _is_active(take.rotmats, take.rest_joints)
    walks = lengths(np.gradient(_mean_of_late(take.transl[:, ::2]), axis=0)) * FRAME_RATE > WALKS
    kind = np.where(is_active, KINDS.index("other"), 0)
    swings = np.where(_is_active(take.rotmats, take.rest_joints, UP_IN_A_WALK), UNTOLD, 0)
    return replace(take, kind=np.where(walks, swings, kind))


def _alone(recordings: Recordings, rng: np.random.Generator, *, is_idle: bool) -> LabelledTake:
    """A stretch of a recording, about nothing; at times played backwards, unless they idle. The
    partner stands before where the player once is, or keeps company."""
    figure = draw_figure(rng)
    pose = recordings.play(figure, rng, STRETCH, is_idle)[::KEEP]
    if not is_idle and rng.random() < BACKWARDS:
        pose = pose[::-1]
    rotmats = pose.rotmats @ rotmat_from_axis_angle(rng.normal(0, CARRIED))
    joints, world = forward_kinematics(figure.rest, rotmats, pose.transl)
    places, faces = joints[:, 0, ::2], np.unwrap(np.arctan2(world[:, 0, 0, 2], world[:, 0, 2, 2]))
    if is_idle or rng.random() < 0.5:
        once = int(rng.integers(len(joints)))
        places, faces = places[[once]], faces[[once]]
    else:
        places = _mean_of_late(places)
        faces = _mean_of_late(faces[:, None])[:, 0] + rng.choice([0.0, np.pi / 2, -np.pi / 2])
    bearing, gap = faces + rng.normal(0, 0.5), rng.uniform(0.8, 2.4)
    partner = places + gap * np.stack([np.sin(bearing), np.cos(bearing)], axis=-1)
    placed = np.column_stack([partner, bearing + np.pi])
    return LabelledTake(
        rotmats=rotmats,
        transl=pose.transl,
        betas=figure.betas,
        rest_joints=figure.rest,
        partner=np.broadcast_to(placed, (len(joints), 3)),
        kind=np.zeros(len(joints), np.int64),
    )


def _mean_of_late(values: Array) -> Array:
    """(frame, n) the mean of the last LATE frames: what one who keeps company goes by."""
    padded = np.concatenate([np.repeat(values[:1], LATE - 1, axis=0), values])
    return np.asarray(sliding_window_view(padded, LATE, axis=0).mean(axis=-1))


def _is_active(rotmats: Array, rest_joints: Array, up: float = UP_FROM) -> BoolArray:
    """(frame,) where a hand is so many metres up, or the trunk is bent."""
    palms = raised(rotmats, rest_joints).max(axis=-1)
    bent = np.arccos(np.clip(rotmats[:, 0, 1, 1], -1, 1))
    return np.asarray((palms > up) | (bent > 0.25))


def tracked_take(take: LabelledTake, rng: np.random.Generator) -> LabelledTake:
    """What a server makes of the same player when devices alone are seen: always head and hands, at
    times hips and feet."""
    body = load_body()
    worn = uncalibrated(body, take.betas, axes=Axes.JOINTS)
    joints, world = forward_kinematics(take.rest_joints, take.rotmats, take.transl)
    confidence = np.ones(ROLE_COUNT)
    confidence[Role.HIPS] = rng.random() < 0.3
    confidence[[Role.LEFT_FOOT, Role.RIGHT_FOOT]] = rng.random() < 0.15
    state, poses = begin(worn), []
    for frame in range(len(joints)):
        sample = TrackerSample(
            time_s=frame / FRAME_RATE,
            positions=joints[frame, ROLE_JOINTS],
            rotmats=world[frame, ROLE_JOINTS],
            confidence=confidence,
        )
        state, pose, _ = solve(state, sample)
        poses.append(pose)
    return replace(
        take,
        rotmats=np.stack([pose.rotmats for pose in poses]),
        transl=np.stack([pose.transl for pose in poses]),
        rest_joints=worn.rest_joints,
    )


def mirrored_take(take: LabelledTake) -> LabelledTake:
    names = [KINDS.index(MIRRORED.get(kind, kind)) for kind in KINDS]
    return replace(
        take,
        rotmats=mirrored(take.rotmats),
        transl=take.transl * ACROSS,
        rest_joints=take.rest_joints[list(MIRROR)] * ACROSS,
        partner=take.partner * np.array([-1.0, 1.0, -1.0]),
        kind=np.where(take.kind < 0, -1, np.array(names)[take.kind]),
    )


def examples_of(take: LabelledTake, rng: np.random.Generator) -> tuple[Array, IntArray]:
    """(n, FEATURES), (n,) of the frames of a take that count; with a tracker's noise."""
    frames = len(take.kind)
    noise = rng.normal(0, 0.004, take.transl.shape)
    index = np.arange(frames)[:, None] - np.array(LOOKBACK)
    index = np.maximum(index, 0)
    features = intent_features(
        take.rotmats[index], (take.transl + noise)[index], take.rest_joints, take.partner
    )
    counts = take.kind >= 0
    assert features.shape[1] == FEATURES
    return features[counts], take.kind[counts]


def draw_take(
    rng: np.random.Generator, base: Recordings | None = None, dances: Recordings | None = None
) -> LabelledTake:
    """One take: offers, standing about, dancing, doing other things, two who meet; with recordings,
    half of those that stand about are real, and of those that dance."""
    makers: list[Callable[[], LabelledTake]] = [
        lambda: offer_take(str(rng.choice(OFFERS)), rng),
        lambda: idle_take(rng, base),
        lambda: idle_take(rng) if base is None else real_take(base, rng),
        lambda: clip_take(rng),
        lambda: dance_take(rng, dances),
        lambda: met_take(rng),
    ]
    take = makers[int(rng.choice(6, p=[0.34, 0.12, 0.19, 0.14, 0.1, 0.11]))]()
    take = tracked_take(take, rng) if rng.random() < SEEN_BY_DEVICES else take
    return mirrored_take(take) if rng.random() < 0.5 else take
