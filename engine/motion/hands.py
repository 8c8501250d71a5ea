"""Hands: what fingers do, by what the hands are about, frame by frame.

A hand hangs relaxed; opens on its way to another and grips it; is flat in a high five, a wave, and
on somebody's back; points where an arm points away; is a fist where both are held up before the
chin. All of it follows from the poses of a frame and the few before, so what was shown stays as it
was when a plan changes, no hand leaps, and nothing has to be remembered. Knows poses; no plan,
contact list, session or network. Numbers: how people hold and move their hands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

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
LIFE_PERIODS = np.array([5.3, 8.9])[:, None]
"""A hand that hangs stirs by two slow waves of this size: 3 degrees of each joint."""
SHOULDERS, ELBOWS, WRISTS = (slice(left, right + 1) for left, right in LINKS[1:])
PELVIS, NECK, HEAD = (JOINT[name] for name in ("pelvis", "neck", "head"))
HANGING_REACH = 1.1
"""Metres between two pelvises from which hands that hang touch nobody, nor are about to."""
FOREARM = 0.75
"""Part of it, from the elbow on, that is taken hold of; beyond it is the hand."""
PARTS = np.array([1.0, 1.0, 1.0, 1.0, 1.0, FOREARM, FOREARM])
"""Of the axes of trunk, shoulders, head, upper arms and forearms, as far as they have skin."""
SKIN = np.array([0.14, 0.10, 0.10, 0.05, 0.05, 0.04, 0.04])
"""Metres from those to the skin."""
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
            curls += weight * (_first(shape, curls) - curls)
    eased = _eased(curls, _ease_frames(frame_rate))
    by_frame = eased.transpose(*range(2, eased.ndim), 1, 0)
    return by_frame.reshape(*by_frame.shape[:-2], CURLS)


def _ease_frames(frame_rate: float) -> int:
    """Frames before one that decide on it."""
    return max(round(EASE_SECONDS * frame_rate), 1)


def _wanted(
    joints: Array, world: Array, rest_joints: Array, frame_rate: float
) -> tuple[tuple[Array, Array], ...]:
    """Weights (2, person, ..., frame) of hand shapes, a later one over those before."""
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
    """(5, 2, person, ..., frame) of hands that do nothing; no two fingers stir alike."""
    turns = 2 * np.pi * ((first + np.arange(lead[-1])) / frame_rate) / LIFE_PERIODS
    waves = np.concatenate([np.sin(turns), np.cos(turns)]).reshape(4, *[1] * (len(lead) + 1), -1)
    relaxed, stirring = _stirring(lead[0], len(lead))
    curls = np.empty((5, 2, *lead))
    curls[:] = relaxed + (stirring * waves).sum(axis=0)
    return curls


@lru_cache
def _stirring(people: int, axes: int) -> tuple[Array, Array]:
    """(5, 1, 1, ..., 1) where fingers hang, and (4, 5, 2, person, 1, ..., 1) how much of the sines
    and cosines of both slow waves is in each; so many axes from the people on."""
    finger = np.arange(CURLS * people).reshape(people, 2, 5).T
    phases = np.array([0.8 * finger, 1.8 * finger]).reshape(2, 5, 2, people, *[1] * (axes - 1))
    return _first(RELAXED, phases[0]), LIFE * np.concatenate([np.cos(phases), np.sin(phases)])


def _eased(curls: Array, frames: int) -> Array:
    """Each frame, the last axis, the mean of itself and those before it, so many in all."""
    total = curls.copy()
    for late in range(1, frames):
        total[..., late:] += curls[..., :-late]
        total[..., :late] += curls[..., :1]
    return total / frames


# ---------------------------------------------------------------------------------- what is seen
class _Bodies(NamedTuple):
    """What hands go by, of people over frames: (2, person, ..., frame, 3) of both hands, or with an
    axis of one in place of the hands.

    palms, fingers, faces  the middles of the palms' skin, where fingers point and palms look
    ahead                  where the chest looks
    arms, reach, straight  from shoulders to wrists; (2, person, ..., frame) how far in metres, and
                           as a part of the arm's length
    starts, axes           (7, person, ..., frame, 3) of what has skin, in the order of SKIN
    """

    palms: Array
    fingers: Array
    faces: Array
    ahead: Array
    shoulders: Array
    wrists: Array
    arms: Array
    reach: Array
    straight: Array
    starts: Array
    axes: Array
    pelvis: Array
    neck: Array
    head: Array

    def of(self, people: list[int]) -> _Bodies:
        return _Bodies(*(values[:, people] for values in self))


def _bodies(joints: Array, world: Array, rest_joints: Array) -> _Bodies:
    by_joint = _by_joint(joints, 1)
    shoulders, elbows, wrists = (by_joint[link].copy() for link in (SHOULDERS, ELBOWS, WRISTS))
    pelvis, neck, head = (by_joint[joint][None] for joint in (PELVIS, NECK, HEAD))
    at_rest = _by_joint(rest_joints[..., None, :, :], 1)
    upper = lengths(at_rest[ELBOWS] - at_rest[SHOULDERS])
    forearms = at_rest[WRISTS] - at_rest[ELBOWS]
    lower = lengths(forearms)
    turns = _by_joint(world[..., WRISTS, :, :], 2)
    fingers = rotated(turns, forearms / lower[..., None])
    faces = -turns[..., 1]
    arms = wrists - shoulders
    reach = lengths(arms)
    starts = np.concatenate([pelvis, shoulders[:1], neck, shoulders, elbows])
    ends = np.concatenate([neck, shoulders[1:], head, elbows, wrists])
    return _Bodies(
        palms=wrists + PALM_AHEAD * fingers + PALM_DEPTH * faces,
        fingers=fingers,
        faces=faces,
        ahead=world[None, ..., CHEST, :, 2],
        shoulders=shoulders,
        wrists=wrists,
        arms=arms,
        reach=reach,
        straight=reach / (upper + lower),
        starts=starts,
        axes=_first(PARTS, starts) * (ends - starts),
        pelvis=pelvis,
        neck=neck,
        head=head,
    )


def _by_joint(values: Array, axes: int) -> Array:
    """Joints first, of values whose last axes are a joint's."""
    joint = values.ndim - 1 - axes
    return values.transpose(joint, *range(joint), *range(joint + 1, values.ndim))


def _first(values: Array, like: Array) -> Array:
    """Values (n,) along the first axis of an array."""
    return values.reshape(-1, *(1,) * (like.ndim - 1))


def _counted(ends: Mapping[str, tuple[float, float]], seen: Mapping[str, Array]) -> Array:
    """How much of each thing that is seen counts, 0 to 1, in the order of `ends`."""
    values = np.array([seen[name] for name in ends])
    none, width = _ends(tuple(ends.values()), values.ndim - 1)
    values -= none
    values /= width
    return smoothstep(_unit_range(values))


@lru_cache
def _ends(ends: tuple[tuple[float, float], ...], axes: int) -> tuple[Array, Array]:
    """(thing, 1, ..., 1) where each counts for nothing, and how far from there it counts for all;
    so many axes of one."""
    none, full = np.array(ends).T.reshape(2, len(ends), *[1] * axes)
    return none, full - none


def _unit_range(values: Array) -> Array:
    """Clipped to 0..1 in place: on some hundred numbers np.clip takes twice as long."""
    np.maximum(values, 0.0, out=values)
    return np.minimum(values, 1.0, out=values)


def _alone(bodies: _Bodies) -> tuple[Array, Array, Array, Array]:
    """Weights (2, person, ..., frame) of hands that are lifted, show the palm, point, are fists."""
    chin = bodies.head.copy()
    chin[..., 1] = bodies.neck[..., 1]
    from_chin = bodies.wrists - chin
    looks = dots(bodies.faces, bodies.ahead)
    before = dots(from_chin, bodies.ahead)
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
            "lifted": bodies.wrists[..., 1] - bodies.pelvis[..., 1],
            "upright": bodies.fingers[..., 1],
            "high": bodies.palms[..., 1] - bodies.shoulders[..., 1],
            "shown": looks,
            "turned": looks,
            "straight": bodies.straight,
            "in_line": dots(bodies.arms, bodies.fingers) / bodies.reach,
            "level": bodies.arms[..., 1] / bodies.reach,
            "down": bodies.faces[..., 1],
            "near_chin": lengths(from_chin),
            "before_chin": before,
            "over_chest": from_chin[..., 1],
            "thrust": bodies.straight,
            "thrust_ahead": before,
        },
    )
    guards = near * before_chin * over_chest * turned
    strikes = thrust * thrust_ahead * over_chest
    fists = np.maximum(guards * np.maximum(guards, strikes)[::-1], strikes * guards[::-1])
    return (
        lifted,
        upright * high * shown,
        straight * in_line * level * down * (1 - lifted[::-1]),
        fists,
    )


def _among(bodies: _Bodies, frame_rate: float) -> list[Array]:
    """Weights (6, 2, person, ..., frame) of hands that open, hold a hand, hold a forearm, are flat
    and laid on somebody; and 1 for those that are clear of everybody."""
    people = bodies.straight.shape[1]
    if people == 2:
        return _towards(bodies, frame_rate)
    result = np.zeros((6, *bodies.straight.shape))
    result[5] = 1.0
    for pair in combinations(range(people), 2):
        rows = list(pair)
        found = np.stack(_towards(bodies.of(rows), frame_rate))
        result[:5, :, rows] = np.maximum(result[:5, :, rows], found[:5])
        result[5:, :, rows] = np.minimum(result[5:, :, rows], found[5:])
    return list(result)


def _towards(pair: _Bodies, frame_rate: float) -> list[Array]:
    """The same of two people, by what is seen of one hand and the other body."""
    apart = lengths(pair.palms[:, None] - pair.palms[:, ::-1])
    distance = np.minimum(apart[:, 0], apart[:, 1])
    soon_at = distance.copy()
    change = AHEAD_SECONDS * frame_rate * (distance[..., 1:] - distance[..., :-1])
    soon_at[..., 1:] += np.minimum(np.maximum(change, -AHEAD_METRES), AHEAD_METRES)
    up = pair.fingers[..., 1]
    their_up = np.where(apart[:, 1] < apart[:, 0], up[1, ::-1], up[0, ::-1])
    gaps = _gaps(pair)
    to_skin = gaps[:TRUNK].min(axis=0)
    to_neck = pair.neck[:, ::-1] - pair.shoulders
    on_its_way, soon, held, upright, on_skin, on_forearm, far, aside = _counted(
        TOWARDS,
        {
            "on_its_way": soon_at,
            "soon": soon_at,
            "held": soon_at,
            "either_upright": np.maximum(up, their_up),
            "on_skin": to_skin,
            "on_forearm": gaps[TRUNK:].min(axis=0),
            "far": np.minimum(distance, to_skin),
            "aside": dots(pair.arms, to_neck) / (pair.reach * lengths(to_neck)),
        },
    )
    level = 1 - upright
    return [on_its_way, level * held, level * on_forearm, soon * upright, on_skin, far * aside]


def _gaps(pair: _Bodies) -> Array:
    """Metres (7, 2, 2, ..., frame) from the other's skin, in the order of SKIN, to each palm."""
    starts, axes = pair.starts[:, None, ::-1], pair.axes[:, None, ::-1]
    seen = pair.palms - starts
    part = _unit_range(dots(seen, axes) / np.maximum(dots(axes, axes), 1e-9))
    metres = lengths(seen - part[..., None] * axes)
    return np.asarray(metres - _first(SKIN, metres))
