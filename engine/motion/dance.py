"""Dance: a body that does as another does who faces it, like its mirror image, a little later; or
that dances first.

What arms, trunk and hips do is the image of what the other's did; feet are company's. People who
follow another's moves are some 0.3 s behind (Himberg; Noy 2017). Knows poses over frames; knows no
window, session or network.
"""

from __future__ import annotations

import math

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.arms import LINKS, SIGN, SPINE
from engine.body.kinematics import mirrored
from engine.body.pose import Pose
from engine.body.reach import ANKLES
from engine.body.rotations import rotmat_about, slerp_rotmat
from engine.body.skeleton import JOINT
from engine.motion.gait import KNEES_BENT
from engine.motion.motion import FRAME_RATE

NEAREST, FARTHEST = 1.0, 1.9
"""Metres between two pelvises at which it is made."""
STEADY = 8
"""Frames in whose mean the distance of the leader is taken."""
MOST_DROP = 0.35
"""Metres that hips go down."""
MOST_LEAN = math.radians(35.0)
"""Of the hips from upright."""
BEAT_S = 0.58
SWAY, BOUNCE, PUMP = 0.045, 0.03, 0.03
"""Metres to either side, down, and of the hands, on a beat of one who dances first."""
ROLL, TWIST = 0.08, 0.16
"""Radians of the trunk to either side."""
RAISES_S = 9.0
"""Seconds from one time that such a one raises both hands to the next."""
MOVED = [*SPINE, JOINT["neck"], JOINT["head"], *(joint for link in LINKS for joint in link)]
PELVIS = JOINT["pelvis"]


def danced(rotmats: Array, leader: Array, weights: Array) -> Array:
    """Frames (frame, 22, 3, 3) whose trunk and arms are the image of the leader's, as far as the
    weights (frame,) say; hips face as they did.

    leader  (frame, 22, 3, 3) some frames earlier
    """
    image, result = mirrored(leader), rotmats.copy()
    lean = _turned_back(image[:, PELVIS]) @ image[:, PELVIS]
    image[:, PELVIS] = np.swapaxes(_turned_back(rotmats[:, PELVIS]), -1, -2) @ _upright(lean)
    moved = [PELVIS, *MOVED]
    result[:, moved] = slerp_rotmat(rotmats[:, moved], image[:, moved], weights[:, None])
    return result


def sunk(leader: Pose, rest: Array, partner_rest: Array) -> Array:
    """(frame,) metres by which hips of who follows are lower than at ease, as the leader's are.

    leader  (frame,) some frames earlier
    rest    (22, 3) of the leader, and of who follows
    """
    joints, _ = leader.in_world(rest)
    drop = _hips_over_ankles(rest) - (joints[:, PELVIS, 1] - joints[:, ANKLES, 1].min(axis=1))
    drop = _hips_over_ankles(partner_rest) / _hips_over_ankles(rest) * drop - KNEES_BENT
    return np.asarray(np.clip(drop, 0.0, MOST_DROP))


def path_beside(places: Array, bearing: float, apart: float) -> Array:
    """(frame, 2) x, z of the hips of who follows: to the side as the leader's, as far off as they
    were, at ease.

    places   (STEADY + frame, 2) of the leader's hips: some frames earlier, after STEADY before them
    bearing  radians, yaw from the leader
    """
    away = np.array([math.sin(bearing), math.cos(bearing)])
    ahead = np.concatenate([[0.0], np.cumsum(places @ away)])
    steady = (ahead[STEADY + 1 :] - ahead[1:-STEADY]) / STEADY
    beside = places[STEADY:] - (places[STEADY:] @ away)[:, None] * away
    return np.asarray(beside + (steady + kept_apart(apart))[:, None] * away)


def kept_apart(apart: float) -> float:
    """Metres between two pelvises in a dance, of people who stood so far apart."""
    return min(max(apart, NEAREST), FARTHEST)


# ------------------------------------------------------------------------------------- dances first
def led_trunk(rotmats: Array, since: IntArray, weights: Array) -> Array:
    """Frames (frame, 22, 3, 3) whose trunk sways to a beat, so many frames after the first."""
    sway = np.sin(_phase(since)) * weights / len(SPINE)
    result = rotmats.copy()
    turn = rotmat_about("y", TWIST * sway) @ rotmat_about("z", ROLL * sway)
    result[:, SPINE] = rotmats[:, SPINE] @ turn[:, None]
    return result


def led_hips(since: IntArray) -> Array:
    """(frame, 3) metres left, up and ahead of hips that sway and bounce over the same feet."""
    phase = _phase(since)
    down = BOUNCE * (0.5 - 0.5 * np.cos(2 * phase))
    return np.stack([SWAY * np.sin(phase), -down, np.zeros(len(since))], axis=-1)


def led_palm(side: int, since: IntArray) -> Array:
    """(frame, 3) metres out, up and ahead of the shoulder: hands by turns, at times both high."""
    phase = _phase(since)
    raised = np.maximum(np.sin(2 * np.pi * since / (FRAME_RATE * RAISES_S)), 0.0)
    level = 0.3 + 0.3 * SIGN[side] * np.sin(phase) + 0.6 * raised
    high = -0.30 + 0.36 * level + PUMP * np.sin(2 * phase)
    return np.stack([0.14 + 0.10 * level, high, 0.30 - 0.06 * level], axis=-1)


def _phase(since: IntArray) -> Array:
    return np.asarray(np.pi * since / (FRAME_RATE * BEAT_S))


def _hips_over_ankles(rest: Array) -> float:
    """Metres, standing."""
    return float(rest[PELVIS, 1] - rest[ANKLES, 1].mean())


def _turned_back(root: Array) -> Array:
    """(frame, 3, 3) turns about the vertical by which hips would face +Z."""
    return rotmat_about("y", -np.arctan2(root[:, 0, 2], root[:, 2, 2]))


def _upright(lean: Array) -> Array:
    """Leans (frame, 3, 3) of hips, none over MOST_LEAN."""
    tilt = np.arccos(np.clip(lean[:, 1, 1], -1.0, 1.0))
    part = np.minimum(MOST_LEAN / np.maximum(tilt, 1e-6), 1.0)
    level = np.broadcast_to(np.eye(3), lean.shape)
    return np.asarray(slerp_rotmat(level, lean, part))
