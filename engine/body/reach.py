"""Reaching: the full pose of a body whose head, pelvis, hands and feet are given.

Inverse kinematics in closed form, except the spine, which is bent a few times over. Knows rest
joints and where joints should be; knows no tracker, no time and no state. Left and right are solved
side by side (axis 0: left, right), so a mirrored input gives the mirrored pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.ik import arc_vector, limited, swing_and_twist, two_bone
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import axis_angle_from_rotmat, rotmat_about, rotmat_from_axis_angle
from engine.body.skeleton import JOINT, JOINT_COUNT, JOINT_NAMES
from engine.body.vectors import cross, dots, lengths, rotated, unit


def _pair(part: str) -> list[int]:
    return [JOINT[f"left_{part}"], JOINT[f"right_{part}"]]


HIPS, KNEES, ANKLES, BALLS = (_pair(part) for part in ("hip", "knee", "ankle", "foot"))
COLLARS, SHOULDERS, ELBOWS, WRISTS = (
    _pair(part) for part in ("collar", "shoulder", "elbow", "wrist")
)
SPINE = [JOINT[name] for name in ("spine1", "spine2", "spine3", "neck")]
HEAD = JOINT["head"]

LIMITS = {
    "pelvis": 180.0,
    "spine1": 45.0,
    "spine2": 40.0,
    "spine3": 35.0,
    "neck": 50.0,
    "head": 60.0,
    "collar": 35.0,
    "shoulder": 150.0,
    "elbow": 165.0,
    "wrist": 100.0,
    "hip": 135.0,
    "knee": 150.0,
    "ankle": 70.0,
    "foot": 55.0,
}
"""Degrees that a joint may turn from rest: a little beyond what people do, so that no recording is
bent by them."""
MOST_TURN = np.radians([LIMITS[name.split("_")[-1]] for name in JOINT_NAMES])

SPINE_SHARE = np.array([0.3, 0.3, 0.25, 0.15])
"""Parts of the spine's bend: in spine1, spine2, spine3 and neck."""
SPINE_ROUNDS = 4
CHEST_TURN = 0.25
"""Part of the turn from pelvis to head that the spine has made at the chest."""
NECK_TURN = 0.5
"""Part of what is left that the neck makes."""
ELBOW_REST = np.array([0.35, -0.75, -0.55])
"""Where a left elbow points from the line shoulder to wrist, in the chest's axes."""
ELBOW_BY_HAND = 1.0
"""Weight of the elbow as the hand tells it (straight behind it), against the above."""
COLLAR_GAIN = 0.25
"""Part of the way to the hand that the collar turns."""
FOREARM_TWIST = 0.5
"""Part of the hand's twist that the forearm makes."""
KNEE_BY_FOOT = 0.6
"""Weight of the foot's direction, against the pelvis', in where the knee points."""
NO_POLE = 1e-6
"""Weight of a direction that is there when limbs point where knees and elbows would."""
MIRRORED = np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])
MOST_HEEL_LIFT = np.radians(55.0)


@dataclass(frozen=True, kw_only=True)
class Torso:
    """Where head and pelvis should be: joint positions (3,), world rotations (3, 3)."""

    head: Array
    head_rotmat: Array
    pelvis: Array
    pelvis_rotmat: Array


@dataclass(frozen=True, kw_only=True)
class Ends:
    """Where wrists or ankles should be: positions (..., 2, 3), world rotations (..., 2, 3, 3)."""

    positions: Array
    rotmats: Array


@dataclass(frozen=True, kw_only=True)
class Hips:
    """What legs hang from: places of both hips (..., 2, 3), the pelvis' orientation (..., 3, 3)."""

    places: Array
    pelvis: Array


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """The solved torso: local rotations (22, 3, 3) with limbs at rest, its joints in the world."""

    rotmats: Array
    transl: Array
    joints: Array
    world: Array

    @property
    def hips(self) -> Hips:
        return Hips(places=self.joints[..., HIPS, :], pelvis=self.world[..., 0, :, :])


def trunk(rest_joints: Array, torso: Torso) -> Trunk:
    """Bend the spine so that the head is where it should be; the rest moves the pelvis.

    The spine bends in equal parts about one axis, towards the head as seen from its root, a few
    rounds over (cyclic coordinate descent with shared turns); it turns with the head.
    """
    rest = rest_joints
    offsets = np.diff(rest[[0, *SPINE, HEAD]], axis=0)
    pelvis = torso.pelvis_rotmat
    to_head = axis_angle_from_rotmat(pelvis.T @ torso.head_rotmat)
    twist = np.array([0.0, to_head[1], 0.0]) * CHEST_TURN
    goal = unit(pelvis.T @ (torso.head - torso.pelvis) - offsets[0])
    bend = np.zeros(3)
    turns: Array = np.empty((4, 3, 3))
    for _ in range(SPINE_ROUNDS):
        turns = rotmat_from_axis_angle(SPINE_SHARE[:, None] * (bend + twist))
        end: Array = np.zeros(3)
        turn: Array = np.eye(3)
        for joint in range(4):
            turn = turn @ turns[joint]
            end = end + turn @ offsets[joint + 1]
        bend = bend + 1.5 * arc_vector(unit(end), goal)
        bend *= min(1.0, 2.2 / max(float(lengths(bend)), 1e-9))
    turns = rotmat_from_axis_angle(SPINE_SHARE[:, None] * (bend + twist))
    chest = pelvis @ turns[0] @ turns[1] @ turns[2]
    left = axis_angle_from_rotmat(chest.T @ torso.head_rotmat)
    turns[3] = rotmat_from_axis_angle(NECK_TURN * left)
    rotmats = np.repeat(np.eye(3)[None], JOINT_COUNT, axis=0)
    rotmats[0] = pelvis
    rotmats[SPINE] = turns
    rotmats[HEAD] = (chest @ turns[3]).T @ torso.head_rotmat
    central = [*SPINE, HEAD]
    rotmats[central] = limited(rotmats[central], MOST_TURN[central][:, None])
    joints, world = forward_kinematics(rest, rotmats, torso.pelvis - rest[0])
    shift = torso.head - joints[HEAD]
    return Trunk(
        rotmats=rotmats,
        transl=torso.pelvis - rest[0] + shift,
        joints=joints + shift,
        world=world,
    )


def with_arms(rest: Array, body: Trunk, hands: Ends) -> Array:
    """Local rotations (22, 3, 3) with wrists where they should be.

    Collars go a little along; elbows point down, out and back, and away from the hand's palm.
    """
    chest = body.world[JOINT["spine3"]]
    collar = body.joints[COLLARS]
    towards = arc_vector(unit(body.joints[SHOULDERS] - collar), unit(hands.positions - collar))
    turn = limited(rotmat_from_axis_angle(COLLAR_GAIN * towards), MOST_TURN[COLLARS][:, None])
    collar_world = turn @ body.world[COLLARS]
    shoulder = collar + rotated(collar_world, rest[SHOULDERS] - rest[COLLARS])
    upper, lower = rest[ELBOWS] - rest[SHOULDERS], rest[WRISTS] - rest[ELBOWS]
    outward = unit(upper)

    axis = unit(hands.positions - shoulder)
    told = hands.positions - rotated(hands.rotmats, lower) - shoulder
    told = told / lengths(upper)[..., None]
    prior = rotated(chest, MIRRORED * ELBOW_REST)
    pole = _square(prior, axis) + ELBOW_BY_HAND * _square(told, axis)
    pole = pole + NO_POLE * cross(axis, MIRRORED * [1.0, 0.1, 0.0])
    hinge = cross(outward, np.array([0.0, 0.0, 1.0]))
    upper_world, lower_world, _, _ = two_bone(shoulder, hands.positions, pole, upper, lower, hinge)
    wrist = np.swapaxes(lower_world, -1, -2) @ hands.rotmats
    _, twist = swing_and_twist(wrist, outward)
    lower_world = lower_world @ rotmat_from_axis_angle(FOREARM_TWIST * twist[:, None] * outward)

    rotmats = body.rotmats.copy()
    rotmats[COLLARS] = np.swapaxes(body.world[COLLARS], -1, -2) @ collar_world
    rotmats[SHOULDERS] = np.swapaxes(collar_world, -1, -2) @ upper_world
    rotmats[ELBOWS] = np.swapaxes(upper_world, -1, -2) @ lower_world
    rotmats[WRISTS] = np.swapaxes(lower_world, -1, -2) @ hands.rotmats
    return rotmats


def with_legs(rest: Array, hips: Hips, rotmats: Array, feet: Ends, floor: float) -> Array:
    """`rotmats` (..., 22, 3, 3) with ankles where they should be, heels lifted where legs are too
    short; the arrays of `hips` and `feet` have the same leading axes.

    floor  height on which toes bend
    """
    pelvis, hip = hips.pelvis[..., None, :, :], hips.places
    upper, lower = rest[KNEES] - rest[HIPS], rest[ANKLES] - rest[KNEES]
    ankle, foot = _on_tiptoe(rest, hip, feet)
    across = pelvis[..., 0] + KNEE_BY_FOOT * (foot[..., 0] - pelvis[..., 0])
    pole = cross(unit(ankle - hip), across) + NO_POLE * pelvis[..., 2]
    hinge = np.array([1.0, 0.0, 0.0])
    upper_world, lower_world, _, ankle = two_bone(hip, ankle, pole, upper, lower, hinge)
    ball = ankle + rotated(foot, rest[BALLS] - rest[ANKLES])
    rotmats = rotmats.copy()
    rotmats[..., HIPS, :, :] = np.swapaxes(pelvis, -1, -2) @ upper_world
    rotmats[..., KNEES, :, :] = np.swapaxes(upper_world, -1, -2) @ lower_world
    rotmats[..., ANKLES, :, :] = np.swapaxes(lower_world, -1, -2) @ foot
    rotmats[..., BALLS, :, :] = _toes(foot, ball[..., 1] - floor)
    return rotmats


def _on_tiptoe(rest: Array, hip: Array, feet: Ends) -> tuple[Array, Array]:
    """Ankles (..., 2, 3) and feet (..., 2, 3, 3), heels lifted about the balls as far as legs are
    too short.

    The lift is the least that lets a straight leg reach, by trying twelve angles at once.
    """
    length = lengths(rest[KNEES] - rest[HIPS]) + lengths(rest[ANKLES] - rest[KNEES])
    length = 0.999 * length
    to_ball = rest[BALLS] - rest[ANKLES]
    if np.all(lengths(feet.positions - hip) <= length):
        return feet.positions, feet.rotmats
    ball = feet.positions + rotated(feet.rotmats, to_ball)
    angles = np.linspace(0.0, MOST_HEEL_LIFT, 12)
    lifted = feet.rotmats[..., None, :, :] @ rotmat_about("x", angles)
    ankle = ball[..., None, :] - rotated(lifted, to_ball[:, None])
    excess = lengths(ankle - hip[..., None, :]) - length[:, None]
    foot = feet.rotmats @ rotmat_about("x", _first_zeros(angles, excess))
    return ball - rotated(foot, to_ball), foot


def _first_zeros(angles: Array, excess: Array) -> Array:
    """(...) the first angles at which the excess (..., angle) is gone, else where it is least."""
    gone = excess <= 0
    at = np.where(gone.any(axis=-1), gone.argmax(axis=-1), excess.argmin(axis=-1))
    before = np.maximum(at - 1, 0)
    now, then = (np.take_along_axis(excess, k[..., None], -1)[..., 0] for k in (at, before))
    crosses = gone.any(axis=-1) & (at > 0)
    part = np.where(crosses, then / np.where(crosses, then - now, 1.0), 1.0)
    return np.asarray(angles[before] + part * (angles[at] - angles[before]))


def _toes(foot: Array, height: Array) -> Array:
    """Toes (..., 2, 3, 3) that stay level while the heel is up and the ball near the floor."""
    heel_up = np.arcsin(np.clip(-foot[..., 1, 2], -1.0, 1.0))
    nearness = np.clip((0.15 - height) / 0.08, 0.0, 1.0)
    return rotmat_about("x", -np.clip(heel_up, 0.0, 0.9) * nearness)


def within_limits(rotmats: Array) -> Array:
    """The pose (22, 3, 3) with no joint turned further than people can (`MOST_TURN`)."""
    return np.concatenate([rotmats[:1], limited(rotmats[1:], MOST_TURN[1:, None])])


def _square(vectors: Array, axis: Array) -> Array:
    """The part of vectors that is square to unit axes."""
    return np.asarray(vectors - dots(vectors, axis)[..., None] * axis)
