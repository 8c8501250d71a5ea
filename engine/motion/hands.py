"""Hands: what fingers do, by what the hands are about, frame by frame.

A hand hangs relaxed; opens on its way to another and grips it; is flat in a high five, a wave, and
on somebody's back; points where an arm points away; is a fist where both are held up before the
chin. All of it follows from the poses of a frame and the few before, so what was shown stays as it
was when a plan changes, no hand leaps, and nothing has to be remembered. Knows poses; no plan,
contact list, session or network. Numbers: how people hold and move their hands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import numpy as np

from engine.arrays import Array
from engine.body.arms import CHEST, LINKS, PALM_AHEAD, PALM_DEPTH
from engine.body.easing import smoothstep
from engine.body.fingers import CURLS, FIST, FLAT, GRIP, LAID, OPENED, POINT, RELAXED
from engine.body.pose import Pose
from engine.body.skeleton import JOINT
from engine.body.vectors import dots, lengths, rotated
from engine.motion.motion import FRAME_RATE, Motion

EASE_SECONDS = 0.2
"""Over which a hand takes another shape, so that fingers are as quick as fingers are."""
AHEAD_SECONDS, AHEAD_METRES = 0.1, 0.12
"""By which a hand is ready before another is there, at most."""
LOOKBACK = round(EASE_SECONDS * FRAME_RATE)
"""Frames before one that decide on it, in a session."""
STRETCH = 300
"""Frames of a motion that are looked at together."""
LIFE = 0.015
LIFE_SECONDS = (5.3, 8.9)
"""A hand that hangs stirs by two slow waves of this size: 3 degrees of each joint."""
SHOULDERS, ELBOWS, WRISTS = LINKS[1:]
PELVIS, NECK, HEAD = (JOINT[name] for name in ("pelvis", "neck", "head"))
HANGING_REACH = 1.1
"""Metres between two pelvises from which hands that hang touch nobody, nor are about to."""
FOREARM = 0.75
"""Part of it, from the elbow on, that is taken hold of; beyond it is the hand."""
SKIN = np.array([0.14, 0.10, 0.10, 0.05, 0.05, 0.04, 0.04])
"""Metres from the axes of trunk, shoulders, head, upper arms and forearms to the skin."""
TRUNK = 5
"""As many of those are laid hands on; forearms are gripped."""

ALONE = {
    "lifted": (0.05, 0.20),  # the wrist, over the pelvis
    "upright": (0.35, 0.60),  # the fingers, against level
    "high": (-0.12, 0.05),  # the palm, over the shoulder
    "shown": (0.10, 0.50),  # the palm looks where the chest does
    "turned": (0.60, 0.35),  # the palm looks elsewhere
    "straight": (0.70, 0.77),  # from shoulder to wrist, over the arm's length
    "in_line": (0.75, 0.90),  # the fingers with the arm
    "level": (-0.65, -0.40),  # the arm, from hanging on
    "down": (0.10, -0.30),  # the palm looks
    "near_chin": (0.45, 0.34),
    "before_chin": (0.05, 0.12),
    "over_chest": (-0.20, -0.12),
    "thrust": (0.62, 0.80),  # as straight
    "thrust_ahead": (0.20, 0.35),
}
TOWARDS = {
    "on_its_way": (0.90, 0.40),  # from palm to palm
    "soon": (0.60, 0.30),
    "held": (0.26, 0.13),
    "either_upright": (0.35, 0.60),
    "on_skin": (0.12, 0.05),  # from the palm to the other's trunk, head or upper arms
    "on_forearm": (0.05, 0.01),
    "far": (0.20, 0.40),  # from anything of the other's
    "aside": (0.94, 0.85),  # the arm, against the way to the other's neck
}
"""What is seen of a hand, by itself and with another person: metres, or cosines, at which it counts
for nothing and for all."""


def curls_over(
    pose: Pose, rest_joints: Array, *, first: int = 0, frame_rate: float = FRAME_RATE
) -> Array:
    """The curls (person, ..., frame, 10) of all hands in a motion, in 0..1.

    pose   (person, ..., frame); rest_joints (person, ..., 22, 3). Axes between: several motions
    first  number of the first frame
    The first LOOKBACK frames are as if nothing had moved before them. A long motion is looked at in
    stretches, which takes a third of the time and no more room.
    """
    ease, lead = _ease_frames(frame_rate), (slice(None),) * (pose.transl.ndim - 2)
    stretches = []
    for start in range(0, max(pose.transl.shape[-2], 1), STRETCH):
        seen = max(start - ease, 0)
        posed = pose[*lead, seen : start + STRETCH].in_world(rest_joints[..., None, :, :])
        curls = curls_of(*posed, rest_joints, first=first + seen, frame_rate=frame_rate)
        stretches.append(curls[..., start - seen :, :])
    return np.concatenate(stretches, axis=-2)


def curls_of(
    joints: Array,
    world: Array,
    rest_joints: Array,
    *,
    first: int = 0,
    frame_rate: float = FRAME_RATE,
) -> Array:
    """The same of posed joints (person, ..., frame, 22, 3) and (person, ..., frame, 22, 3, 3)."""
    curls = _hanging(joints.shape[:-2], first, frame_rate)
    for weight, shape in _wanted(joints, world, rest_joints, frame_rate):
        if weight.any():
            curls += weight[..., None] * (shape - curls)
    curls = curls.reshape(*curls.shape[:-2], CURLS)
    return _eased(curls, _ease_frames(frame_rate))


def _ease_frames(frame_rate: float) -> int:
    """Frames before one that decide on it."""
    return max(round(EASE_SECONDS * frame_rate), 1)


def _wanted(
    joints: Array, world: Array, rest_joints: Array, frame_rate: float
) -> tuple[tuple[Array, Array], ...]:
    """Weights (person, ..., frame, 2) of hand shapes, a later one over those before."""
    if not _is_anything(joints):
        return ()
    bodies = _bodies(joints, world, rest_joints)
    lifted, raised, points, guards = _alone(bodies)
    opens, held, forearm, flat, laid, clear = _among(bodies, frame_rate)
    return (
        (lifted * opens, OPENED),
        (points * clear, POINT),
        (laid, LAID),
        (np.maximum(raised, lifted * flat), FLAT),
        (np.maximum(held, forearm), GRIP),
        (guards * (1 - held), FIST),
    )


def _is_anything(joints: Array) -> bool:
    """Whether any hand is lifted, or any two people are so near that hanging hands may touch."""
    height = joints[..., WRISTS, 1] - joints[..., PELVIS, 1, None]
    if height.max() > ALONE["lifted"][0]:
        return True
    hips = joints[..., PELVIS, :]
    return any(
        lengths(hips[one] - hips[other]).min() < HANGING_REACH
        for one, other in combinations(range(len(hips)), 2)
    )


def with_hands(motion: Motion, rest_joints: Array) -> Motion:
    """The motion with curls, if it says nothing of the hands; rest_joints (person, 22, 3)."""
    if motion.curls is not None:
        return motion
    pose = Pose(motion.rotmats.astype(np.float64), motion.transl.astype(np.float64))
    curls = curls_over(pose, rest_joints, frame_rate=motion.frame_rate)
    return replace(motion, curls=curls.astype(np.float32))


def _hanging(lead: tuple[int, ...], first: int, frame_rate: float) -> Array:
    """(person, ..., frame, 2, 5) of hands that do nothing; no two fingers stir alike."""
    people, *motions, frames = lead
    seconds = (first + np.arange(frames)[:, None, None]) / frame_rate
    finger = np.arange(2 * 5 * people).reshape(people, 1, 2, 5)
    short, long = (2 * np.pi * seconds / period for period in LIFE_SECONDS)
    curls = RELAXED + LIFE * (np.sin(short + 0.8 * finger) + np.sin(long + 1.8 * finger))
    return np.tile(np.expand_dims(curls, (*range(1, 1 + len(motions)),)), (*motions, 1, 1, 1))


def _eased(curls: Array, frames: int) -> Array:
    """Each frame the mean of itself and those before it, so many in all."""
    count = curls.shape[-2]
    padded = np.concatenate([np.repeat(curls[..., :1, :], frames - 1, axis=-2), curls], axis=-2)
    return np.asarray(sum(padded[..., at : at + count, :] for at in range(frames)) / frames)


# ---------------------------------------------------------------------------------- what is seen
@dataclass(frozen=True, kw_only=True, eq=False)
class _Bodies:
    """What hands go by, of people over frames: (person, ..., frame, 3), of both hands (.., 2, 3).

    palms, fingers, faces  the middles of the palms' skin, where fingers point and palms look
    ahead                  where the chest looks
    arms, straight         from shoulders to wrists; and (.., 2) as a part of the arm's length
    """

    palms: Array
    fingers: Array
    faces: Array
    ahead: Array
    shoulders: Array
    elbows: Array
    wrists: Array
    arms: Array
    straight: Array
    pelvis: Array
    neck: Array
    head: Array

    def of(self, people: list[int]) -> _Bodies:
        return _Bodies(**{name: values[people] for name, values in vars(self).items()})


def _bodies(joints: Array, world: Array, rest_joints: Array) -> _Bodies:
    shoulders, elbows, wrists = (joints[..., link, :] for link in (SHOULDERS, ELBOWS, WRISTS))
    at_rest = rest_joints[..., None, [SHOULDERS, ELBOWS, WRISTS], :]
    bones = np.diff(at_rest, axis=-3)
    length = lengths(bones)
    turns = world[..., WRISTS, :, :]
    fingers = rotated(turns, bones[..., 1, :, :] / length[..., 1, :, None])
    faces = -turns[..., 1]
    arms = wrists - shoulders
    return _Bodies(
        palms=wrists + PALM_AHEAD * fingers + PALM_DEPTH * faces,
        fingers=fingers,
        faces=faces,
        ahead=world[..., CHEST, :, 2],
        shoulders=shoulders,
        elbows=elbows,
        wrists=wrists,
        arms=arms,
        straight=lengths(arms) / length.sum(axis=-2),
        pelvis=joints[..., PELVIS, :],
        neck=joints[..., NECK, :],
        head=joints[..., HEAD, :],
    )


def _counted(ends: Mapping[str, tuple[float, float]], seen: Mapping[str, Array]) -> list[Array]:
    """How much of each thing that is seen counts, 0 to 1, in the order of `ends`."""
    values = np.array([seen[name] for name in ends])
    none, full = _ends(tuple(ends.values()), values.ndim - 1)
    values -= none
    values /= full - none
    return list(smoothstep(values.clip(0.0, 1.0)))


@lru_cache
def _ends(ends: tuple[tuple[float, float], ...], axes: int) -> tuple[Array, Array]:
    """(thing, 1, ..., 1) where each counts for nothing, and for all; so many axes of one."""
    none, full = np.array(ends).T.reshape(2, len(ends), *(1,) * axes)
    return none, full


def _alone(bodies: _Bodies) -> tuple[Array, Array, Array, Array]:
    """Weights (person, ..., frame, 2) of hands that are lifted, show the palm, point, are fists."""
    ahead = bodies.ahead[..., None, :]
    chin = bodies.head * [1.0, 0.0, 1.0] + bodies.neck * [0.0, 1.0, 0.0]
    from_chin = bodies.wrists - chin[..., None, :]
    looks = dots(bodies.faces, ahead)
    reach = lengths(bodies.arms)
    before = dots(from_chin, ahead)
    (
        lifted,
        upright,
        high,
        shown,
        turned,
        straight,
        in_line,
        level,
        down,
        near,
        before_chin,
        over_chest,
        thrust,
        thrust_ahead,
    ) = _counted(
        ALONE,
        {
            "lifted": bodies.wrists[..., 1] - bodies.pelvis[..., None, 1],
            "upright": bodies.fingers[..., 1],
            "high": bodies.palms[..., 1] - bodies.shoulders[..., 1],
            "shown": looks,
            "turned": looks,
            "straight": bodies.straight,
            "in_line": dots(bodies.arms, bodies.fingers) / reach,
            "level": bodies.arms[..., 1] / reach,
            "down": bodies.faces[..., 1],
            "near_chin": lengths(from_chin),
            "before_chin": before,
            "over_chest": from_chin[..., 1],
            "thrust": bodies.straight,
            "thrust_ahead": before,
        },
    )
    other_down = 1 - lifted[..., ::-1]
    guards = near * before_chin * over_chest * turned
    strikes = thrust * thrust_ahead * over_chest
    fists = np.maximum(guards * np.maximum(guards, strikes)[..., ::-1], strikes * guards[..., ::-1])
    return (
        lifted,
        upright * high * shown,
        straight * in_line * level * down * other_down,
        fists,
    )


def _among(bodies: _Bodies, frame_rate: float) -> Array:
    """Weights (6, person, ..., frame, 2) of hands that open, hold a hand, hold a forearm, are flat
    and laid on somebody; and 1 for those that are clear of everybody."""
    people = len(bodies.neck)
    if people == 2:
        return _towards(bodies, frame_rate)
    result = np.zeros((6, *bodies.straight.shape))
    result[5] = 1.0
    for pair in combinations(range(people), 2):
        rows = list(pair)
        found = _towards(bodies.of(rows), frame_rate)
        result[:5, rows] = np.maximum(result[:5, rows], found[:5])
        result[5, rows] = np.minimum(result[5, rows], found[5])
    return result


def _towards(pair: _Bodies, frame_rate: float) -> Array:
    """The same of two people, by what is seen of one hand and the other body."""
    theirs = pair.palms[::-1]
    apart = lengths(pair.palms[..., :, None, :] - theirs[..., None, :, :])
    is_second = apart[..., 1] < apart[..., 0]
    distance = np.where(is_second, apart[..., 1], apart[..., 0])
    soon_at = distance.copy()
    change = AHEAD_SECONDS * frame_rate * np.diff(distance, axis=-2)
    soon_at[..., 1:, :] += np.clip(change, -AHEAD_METRES, AHEAD_METRES)
    up = pair.fingers[..., 1]
    their_up = np.where(is_second, up[::-1, ..., 1:], up[::-1, ..., :1])
    gaps = _gaps(pair)
    to_skin = gaps[..., :TRUNK].min(axis=-1)
    to_neck = pair.neck[::-1, ..., None, :] - pair.shoulders
    cosine = dots(pair.arms, to_neck) / (lengths(pair.arms) * lengths(to_neck))
    on_its_way, soon, held, upright, on_skin, on_forearm, far, aside = _counted(
        TOWARDS,
        {
            "on_its_way": soon_at,
            "soon": soon_at,
            "held": soon_at,
            "either_upright": np.maximum(up, their_up),
            "on_skin": to_skin,
            "on_forearm": gaps[..., TRUNK:].min(axis=-1),
            "far": np.minimum(distance, to_skin),
            "aside": cosine,
        },
    )
    level = 1 - upright
    return np.stack(
        [on_its_way, level * held, level * on_forearm, soon * upright, on_skin, far * aside]
    )


def _gaps(pair: _Bodies) -> Array:
    """Metres (2, ..., frame, 2, 7) from each palm to the other's skin, in the order of SKIN."""
    starts = np.empty((*pair.neck.shape[:-1], len(SKIN), 3))
    axes = np.empty_like(starts)
    starts[..., 0, :], axes[..., 0, :] = pair.pelvis, pair.neck - pair.pelvis
    starts[..., 1, :] = pair.shoulders[..., 0, :]
    axes[..., 1, :] = pair.shoulders[..., 1, :] - pair.shoulders[..., 0, :]
    starts[..., 2, :], axes[..., 2, :] = pair.neck, pair.head - pair.neck
    starts[..., 3:5, :], axes[..., 3:5, :] = pair.shoulders, pair.elbows - pair.shoulders
    starts[..., 5:, :], axes[..., 5:, :] = pair.elbows, FOREARM * (pair.wrists - pair.elbows)
    starts, axes = starts[::-1, ..., None, :, :], axes[::-1, ..., None, :, :]
    seen = pair.palms[..., :, None, :] - starts
    part = np.clip(dots(seen, axes) / np.maximum(dots(axes, axes), 1e-9), 0.0, 1.0)
    return np.asarray(lengths(seen - part[..., None] * axes) - SKIN)
