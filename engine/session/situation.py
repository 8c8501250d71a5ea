"""The situation: what the layers know of a session at one moment, and what is seen in it at once.

Knows the player's poses and where the partner is; knows no plan, no memory and no network.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.arms import CHEST, LINKS, palms_of
from engine.body.rotations import wrapped
from engine.body.skeleton import JOINT
from engine.body.vectors import lengths, unit
from engine.motion.answers import OFFERED, PELVIS
from engine.motion.footsteps import Place
from engine.motion.motion import FRAME_RATE
from engine.session.outlook import Outlook
from engine.session.player import PlayerTrack

COMES_UP, WITHIN = 0.25, 2.0
"""Metres a second towards the partner of one who comes up to it, and within how many metres."""
ROOM, NEARER, ROOM_FRAMES = 0.55, 0.05, 15
"""Metres between two pelvises at which one has run into another, those by which it comes nearer for
that, and the frames in which it would, in which the partner gives way whatever hands do."""
SETTLED_FRAMES = 8
"""After which a player's hands, which slow down, have come to rest."""
SWAYED_FRAMES = 20
"""In whose mean a dancer is taken to be."""
HELD_OUT, DRAWN_BACK, TAKEN_WITHIN = 0.25, 0.10, 0.95
"""Metres over the ground from the shoulder to a palm that is held out, and to one that pulls no
more; and from it to the hips of one who sits and may take it."""
FACED = math.radians(40.0)
"""Radians off where a chest faces, within which that faces one."""
UP_BY, OUT_BY, FORWARD_BY = 0.08, 0.15, 0.7
"""Metres over the chest and ahead of it that both palms are, and part of the way ahead that they
look, which are held up to be clapped."""
TRUNK = 0.20
"""Metres from the middle of a trunk to a palm that lies on its front."""
SHOVES, MOST_SHOVE = 0.6, 2.0
"""Metres a second of palms that push, and at the most."""
SETS_OUT, ASSUMED = 0.2, 1.2
"""Those of palms that set out to push, as is seen, and what they are taken to come to."""
ABOUT_TO, SOON = 0.5, 0.15
"""Seconds before the touch at which one who pushes is known to, and hands that come to something
else."""
HIGHER = 0.1
"""Metres over the shoulders at which a push may come."""
SOLE = JOINT["left_foot"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Situation:
    """What the layers know of a session when they look at the player or change a window.

    player        the poses in known frames; newest: the last of them
    posed_at      joints and orientations of the player in a known frame, in the world
    rest_joints   (2, 22, 3)
    is_aimed      whether targets, or a mode other than REACT, say what the partner does
    is_led        whether words or targets lead, so that the partner has reasons of its own
    lag           frames by which the partner dances later than the player, so that it never has to
                  guess
    act           what words ask of the partner alone, of ACTS
    """

    player: PlayerTrack
    newest: int
    posed_at: Callable[[int], tuple[Array, Array]]
    rest_joints: Array
    floor: float
    is_aimed: bool
    is_led: bool
    lag: int
    act: str | None = None


def beside_whom(situation: Situation, partner: Place) -> tuple[float, float]:
    """Bearing and distance of the partner from where the player has been: who dances sways."""
    seen = situation.player.stretch(situation.newest - SWAYED_FRAMES + 1, SWAYED_FRAMES)
    middle = (seen.transl + situation.rest_joints[0, PELVIS])[:, [0, 2]].mean(axis=0)
    x, z = np.array(partner[:2]) - middle
    return math.atan2(x, z), math.hypot(x, z)


def is_faced(situation: Situation, partner: Place) -> bool:
    """Whether the player's chest faces the partner."""
    joints, world = situation.posed_at(situation.newest)
    x, z = np.array(partner[:2]) - joints[CHEST, [0, 2]]
    ahead_x, _, ahead_z = world[CHEST, :, 2]
    return abs(wrapped(math.atan2(x, z) - math.atan2(ahead_x, ahead_z))) < FACED


def held_out(situation: Situation, partner: Place, held: str | None) -> str | None:
    """The hand or hands that the player holds out to a partner who sits, of OFFERED; None: none.

    held  what is held already: until the hands have come back
    """
    joints, world = situation.posed_at(situation.newest)
    palms, shoulders = palms_of(joints, world, situation.rest_joints[0])[0], joints[LINKS[1]]
    out = (palms - shoulders)[:, [0, 2]]
    if held is not None:
        sides = [theirs for theirs, _ in OFFERED[held]]
        if lengths(out[sides]).min() > DRAWN_BACK:
            return held
    way = np.array(partner[:2]) - palms[:, [0, 2]]
    is_out = (lengths(out) > HELD_OUT) & (lengths(way) < TAKEN_WITHIN) & ((out * way).sum(-1) > 0)
    left, right = is_out
    if left and right:
        return "both_hands"
    return "left_hand" if left else "right_hand" if right else None


def comes_up(situation: Situation, partner: Place) -> bool:
    """Whether the player is near and comes nearer: much may change in little time."""
    earlier, newest = situation.player.held(situation.newest - 2), situation.newest
    seen = situation.player.stretch(earlier, newest + 1 - earlier)
    places = (seen.transl + situation.rest_joints[0, PELVIS])[:, [0, 2]]
    distance, before = (math.dist(places[row], partner[:2]) for row in (-1, 0))
    return distance < WITHIN and (before - distance) * FRAME_RATE > COMES_UP * (newest - earlier)


def runs_into(places: Array, hips: Array) -> bool:
    """Whether somebody who will be at places (frame, x z yaw) comes to where another's hips are."""
    distances = lengths(places[:ROOM_FRAMES, :2] - hips)
    return bool(distances.min() < min(ROOM, distances[0] - NEARER))


def are_palms_up(situation: Situation) -> bool:
    """Whether both of the player's palms are held up and look ahead."""
    joints, world = situation.posed_at(situation.newest)
    palms, _, faces = palms_of(joints, world, situation.rest_joints[0])
    forward = unit(world[CHEST, :, 2] * [1.0, 0.0, 1.0])
    over, out = palms[:, 1] - joints[CHEST, 1], (palms - joints[CHEST]) @ forward
    return bool(np.all((over > UP_BY) & (out > OUT_BY) & (faces @ forward > FORWARD_BY)))


def shove_seen(
    situation: Situation, partner: Place, *, is_push: bool
) -> tuple[int, float, float] | None:
    """The frames until the player's palms come upon the partner's trunk, their metres a second and
    yaw; None: they do not soon.

    Palms come upon it that look and go there, between hips and shoulders.
    is_push  whether the player is seen to push: then they are expected to
    """
    slowest, usual, within_s = (SETS_OUT, ASSUMED, ABOUT_TO) if is_push else (SHOVES, SHOVES, SOON)
    rest, newest = situation.rest_joints, situation.newest
    now, _, faces = palms_of(*situation.posed_at(newest), rest[0])
    way = np.array(partner[:2]) - now[:, [0, 2]]
    distance = np.maximum(lengths(way), 1e-6)
    ahead = way / distance[:, None]
    hips, shoulders = (rest[1, joint, 1] - rest[1, SOLE, 1] for joint in (PELVIS, LINKS[1][0]))
    level = now[:, 1] - situation.floor
    looks = (faces[:, [0, 2]] * ahead).sum(axis=-1)
    comes = (looks > (0.0 if is_push else FORWARD_BY)) & (level > hips)
    comes &= level < shoulders + HIGHER
    earlier = situation.player.held(newest - 1)
    if earlier == newest or not comes.any():
        return None
    before, _, _ = palms_of(*situation.posed_at(earlier), rest[0])
    velocity = (now - before) * FRAME_RATE / (newest - earlier)
    speed = (velocity[:, [0, 2]] * ahead).sum(axis=-1)
    seconds = np.maximum(distance - TRUNK, 0.0) / np.maximum(speed, usual)
    comes &= (speed > slowest) & (seconds < within_s)
    if not comes.any():
        return None
    x, z = velocity[comes][:, [0, 2]].mean(axis=0)
    frames = math.ceil(float(seconds[comes].min()) * FRAME_RATE)
    fastest = max(float(speed[comes].max()), usual)
    return frames, min(fastest, MOST_SHOVE), math.atan2(x, z)


def at_rest(situation: Situation) -> tuple[Array, Array]:
    """Joints (22, 3) and orientations (22, 3, 3) of the player whose hands have come to rest."""
    frame = situation.newest + SETTLED_FRAMES
    joints, world = Outlook(
        situation.player, situation.newest, situation.rest_joints[0], frame, 1
    ).posed
    return joints[0], world[0]
