"""Arms that reach: a hand on its way to a place, over frames.

Knows poses and where hands should be; knows neither why, nor whose hand waits there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.ik import folded, frame_of, limited, soft_limit
from engine.body.kept import kept_by_joints
from engine.body.kinematics import along_chain
from engine.body.rotations import (
    quat_from_rotmat,
    rotmat_about,
    rotmat_from_axis_angle,
)
from engine.body.skeleton import JOINT
from engine.body.vectors import cross, dots, lengths, rotated, unit

SIGN = (1.0, -1.0)
"""Sign of +X for the left and the right arm."""
ARMS = tuple(
    tuple(JOINT[f"{side}_{part}"] for part in ("collar", "shoulder", "elbow", "wrist"))
    for side in ("left", "right")
)
LINKS = tuple(list(link) for link in zip(*ARMS, strict=True))
"""Of both arms: collars, shoulders, elbows, wrists."""
SPINE = [JOINT[name] for name in ("spine1", "spine2", "spine3")]
CHEST = SPINE[-1]
PALM_AHEAD, PALM_DEPTH = 0.085, 0.022
"""Metres from the wrist to the middle of the palm: along the fingers, and out to the skin."""
PALM = np.array([PALM_AHEAD, PALM_DEPTH, 0.0])
ELBOW_HINT = np.array([0.35, -0.55, -0.75])
"""Where a left elbow points, in the chest's upright axes."""
MOST_WRIST, MOST_TWIST, FREE_TWIST = 1.2, 1.6, 1.1
"""Radians that a hand bends, and twists, against the forearm."""
FOREARM_SHARE = 0.6
"""Part of a hand's twist that is in the forearm."""
SOFT_REACH, FULL_REACH = 0.95, 0.985
"""Parts of the arm's length."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reach:
    """A hand's way to a place, over frames.

    side            0 left, 1 right
    weight          (frame,) 0: as the arm came; 1: arrived
    palm            (frame, 3) where the middle of the palm's skin should be, world
    fingers, faces  (frame, 3) where the fingers point, and which way the palm looks
    elbow           (frame, 3) where the elbow points; None: down, out and back
    swivel          (frame,) as far as the elbow goes there; None: as the weight says
    """

    side: int
    weight: Array
    palm: Array
    fingers: Array
    faces: Array
    elbow: Array | None = None
    swivel: Array | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Arms:
    """What of a body's arms does not move, (arm, ...), in the rest pose.

    links          (4, arm) joints from collar to wrist, bones (4, arm, 3) to each; sign as SIGN
    upper, lower   (arm,) lengths of the bones from shoulder to elbow and from there to the wrist
    frames         (2, arm, 3, 3) transposed: each along its bone, across it the elbow's hinge
    along          (arm, 3) the forearm's way; twist, untwisted (arm, 3, 3) turns about it by an
                   angle are I + sin(angle) twist + (1 - cos(angle)) untwisted
    laid           (arm, 3, 3) transposed, of a hand: along its fingers, across where the palm looks
    elbow          (arm, 3) where it points on an upright chest
    """

    links: IntArray
    bones: Array
    sign: Array
    upper: Array
    lower: Array
    frames: Array
    along: Array
    twist: Array
    untwisted: Array
    laid: Array
    elbow: Array


BOTH = (0, 1)


@kept_by_joints(2048)
def _arms(rest: Array, sides: tuple[int, ...]) -> _Arms:
    links, sign = np.array(ARMS)[list(sides)].T, np.array(SIGN)[list(sides)]
    chain = np.concatenate([np.full_like(links[:1], CHEST), links])
    bones = np.diff(rest[chain], axis=0)
    hinge, along = sign[:, None] * [0.0, -1.0, 0.0], unit(bones[3])
    twist = np.cross(np.eye(3), along[:, None])
    laid = frame_of(along, np.array([0.0, -1.0, 0.0]))
    return _Arms(
        links=links,
        bones=bones,
        sign=sign,
        upper=lengths(bones[2]),
        lower=lengths(bones[3]),
        frames=np.swapaxes(frame_of(bones[2:], hinge), -1, -2),
        along=along,
        twist=twist,
        untwisted=twist @ twist,
        laid=np.swapaxes(laid, -1, -2),
        elbow=np.where([True, False, False], sign[:, None], 1.0) * ELBOW_HINT,
    )


def chest_of(rotmats: Array, transl: Array, rest_joints: Array) -> tuple[Array, Array]:
    """The chest's place (..., 3) and orientation (..., 3, 3) in the world."""
    root = JOINT["pelvis"], transl + rest_joints[0], rotmats[..., 0, :, :]
    places, turns = along_chain(rest_joints, rotmats, SPINE, root)
    return places[-1], turns[-1]


def reaching(
    rotmats: Array, chest: tuple[Array, Array], rest_joints: Array, *reaches: Reach
) -> Array:
    """Frames (frame, 22, 3, 3) with arms on their way to places, as far as the weights say.

    chest    as `chest_of` has it
    reaches  those of one arm follow each other: each goes on from where the one before led

    The hand goes straight from where it was, and the collar a little along.
    """
    for reaches_at_once in _rounds(reaches):
        rotmats = _reached(rotmats, chest, rest_joints, reaches_at_once)
    return rotmats


def _rounds(reaches: Sequence[Reach]) -> list[list[Reach]]:
    """Reaches of different arms, to be made at once; without those that change nothing, or nothing
    that a later one leaves."""
    arms: list[list[Reach]] = [[] for _ in ARMS]
    for reach in reaches:
        arm = arms[reach.side]
        if reach.weight.min() == 1:
            arm.clear()
        if reach.weight.max() > 0:
            arm.append(reach)
    return [[r for r in at_once if r is not None] for at_once in zip_longest(*arms)]


def _reached(
    rotmats: Array, chest: tuple[Array, Array], rest_joints: Array, reaches: list[Reach]
) -> Array:
    """Frames with arms on their way; all arrays are (frame, arm, ...)."""
    arms = _arms(rest_joints, tuple(reach.side for reach in reaches))
    at, turn = (each[:, None] for each in chest)
    came = rotmats[:, arms.links].swapaxes(0, 1)
    places, turns = [], []
    place, own = at, turn
    for bone, local in zip(arms.bones, came, strict=True):
        place = place + rotated(own, bone)
        own = own @ local
        places.append(place)
        turns.append(own)
    collar, shoulder, elbow, wrist = places
    weights = np.stack([reach.weight for reach in reaches], axis=-1)
    told = np.array([[reach.palm, reach.fingers, reach.faces] for reach in reaches])
    palm, fingers, faces = told.transpose(1, 2, 0, 3)
    laid = frame_of(fingers, faces)
    goal = palm - rotated(laid, PALM)
    target = wrist + weights[..., None] * (goal - wrist)

    girdle = turn @ _girdle(turn, target - shoulder, arms)
    collar_world, hand = _turned(
        np.stack([turns[0], turns[3]]), np.stack([girdle, laid @ arms.laid]), weights
    )
    reach = target - collar - rotated(collar_world, arms.bones[1])
    distance = lengths(reach)
    axis = reach / distance[..., None]
    pole = rotated(_upright(turn), arms.elbow)
    for arm, wanted in enumerate(reaches):
        if wanted.elbow is not None:
            pole[:, arm] = wanted.elbow
    swivel = np.stack([r.weight if r.swivel is None else r.swivel for r in reaches], axis=-1)
    side = _swung(elbow - 0.5 * (shoulder + wrist), pole, axis, swivel)
    length = arms.upper + arms.lower
    distance = soft_limit(distance, SOFT_REACH * length, FULL_REACH * length)
    upper, lower = folded(axis, side, distance, arms.upper, arms.lower) @ arms.frames[:, None]

    bent = np.swapaxes(lower, -1, -2) @ hand
    quat = quat_from_rotmat(bent)
    twist = 2 * np.arctan2(dots(quat[..., :3], arms.along), quat[..., 3])
    kept = soft_limit(_unwound(twist), FREE_TWIST, MOST_TWIST)
    angles = np.stack([-twist, kept, FOREARM_SHARE * kept])[..., None, None]
    back, forth, half = (
        np.eye(3) + np.sin(angles) * arms.twist + (1 - np.cos(angles)) * arms.untwisted
    )
    # From the chest to the hand, and each in the one before.
    chain = np.empty((5, *bent.shape))
    chain[0], chain[1], chain[2], chain[3] = turn, collar_world, upper, lower @ half
    chain[4] = lower @ limited(bent @ back, MOST_WRIST) @ forth
    local = np.swapaxes(chain[:-1], -1, -2) @ chain[1:]
    result = rotmats.copy()
    is_moved = weights[..., None, None] > 0
    result[:, arms.links] = np.where(is_moved, local, came).swapaxes(0, 1)
    return result


def _unwound(angles: Array) -> Array:
    """Angles (frame, ...) that go on from frame to frame, beyond half a turn too."""
    if np.abs(angles[1:] - angles[:-1]).max(initial=0.0) <= np.pi:
        return angles
    return np.asarray(np.unwrap(angles, axis=0))


def _turned(came: Array, goal: Array, weights: Array) -> Array:
    """From rotations (2, frame, arm, 3, 3) to others, as far as the weights (frame, arm) say.

    A frame goes the way that the one before it goes, also where another has become shorter, so
    that no hand flips over in between.
    """
    quat = quat_from_rotmat(np.swapaxes(came, -1, -2) @ goal)
    flips = dots(quat[:, 1:], quat[:, :-1]) < 0
    if flips.any():
        quat[:, 1:] *= np.cumprod(np.where(flips, -1.0, 1.0), axis=1)[..., None]
    sine = lengths(quat[..., :3])
    part = weights * 2 * np.arctan2(sine, quat[..., 3]) / np.maximum(sine, 1e-9)
    return np.asarray(came @ rotmat_from_axis_angle(part[..., None] * quat[..., :3]))


def _swung(came: Array, goal: Array, axis: Array, weights: Array) -> Array:
    """From one direction of the elbow (frame, arm, 3) to another, about the unit axis between
    shoulder and hand, as far as the weights say; frames go one way, as in `_turned`."""
    came, goal = (unit(each - dots(each, axis)[..., None] * axis) for each in (came, goal))
    across = cross(axis, came)
    angle = (_unwound(np.arctan2(dots(across, goal), dots(came, goal))) * weights)[..., None]
    return np.asarray(np.cos(angle) * came + np.sin(angle) * across)


def _upright(chest: Array) -> Array:
    return rotmat_about("y", np.arctan2(chest[..., 0, 2], chest[..., 2, 2]))


def _girdle(chest: Array, reach: Array, arms: _Arms) -> Array:
    """(frame, arm, 3, 3) the shoulder girdle rises and turns forward with the hand that reaches."""
    local = rotated(np.swapaxes(chest, -1, -2), reach) / (arms.upper + arms.lower)[:, None]
    rise = -0.10 + 0.30 * np.clip(local[..., 1] + 0.35, 0, 1.2)
    forward = 0.28 * np.clip(local[..., 2], -0.2, 1.0)
    return rotmat_about("y", -arms.sign * forward) @ rotmat_about("z", arms.sign * rise)


def hands_seen(rotmats: Array, rest_joints: Array) -> tuple[Array, Array, Array]:
    """From the chest, in its own axes: wrists (..., 2, 3) of left and right, where the fingers
    point and which way the palms look. rotmats (..., 22, 3, 3)"""
    lead = rotmats.shape[:-3]
    start = CHEST, np.zeros((*lead, 1, 3)), np.broadcast_to(np.eye(3), (*lead, 1, 3, 3))
    places, turns = along_chain(rest_joints, rotmats, LINKS, start)
    return places[-1], *_pointing(turns[-1], rest_joints)


def palms_seen(rotmats: Array, rest_joints: Array) -> tuple[Array, Array, Array]:
    """As `palms_of`, from the chest, in its own axes."""
    return _palms(*hands_seen(rotmats, rest_joints))


def palms_of(joints: Array, world: Array, rest_joints: Array) -> tuple[Array, Array, Array]:
    """For posed joints (..., 22, 3) and (..., 22, 3, 3): the palms' middles (..., 2, 3), where the
    fingers point and which way the palms look."""
    wrists, turns = joints[..., LINKS[3], :], world[..., LINKS[3], :, :]
    return _palms(wrists, *_pointing(turns, rest_joints))


def _pointing(turns: Array, rest_joints: Array) -> tuple[Array, Array]:
    return rotated(turns, _arms(rest_joints, BOTH).along), -turns[..., :, 1]


def _palms(wrists: Array, fingers: Array, faces: Array) -> tuple[Array, Array, Array]:
    return wrists + PALM_AHEAD * fingers + PALM_DEPTH * faces, fingers, faces
