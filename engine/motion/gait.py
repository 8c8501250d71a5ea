"""Gait: poses of a body whose hips and feet go along a course (`company.py`).

Legs, root and the swing of the arms are made here; all else is left as it came. Knows poses and a
course; not whom or what it follows.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.easing import eased_between
from engine.body.kept import kept_by_joints
from engine.body.kinematics import along_chain
from engine.body.pose import Pose
from engine.body.reach import (
    ANKLES,
    COLLARS,
    ELBOWS,
    HIPS,
    KNEES,
    SHOULDERS,
    WRISTS,
    Ends,
    Hips,
    with_legs,
)
from engine.body.rotations import rotmat_about, slerp_rotmat
from engine.body.skeleton import JOINT
from engine.body.vectors import lengths
from engine.motion.company import Course
from engine.motion.floor import floor_height
from engine.motion.guard import ELBOW_BEND, hanging
from engine.motion.standing import standing_pose

KNEES_BENT = 0.008
"""Metres that hips are lower than straight legs have them."""
STRAIGHT, MOST_LOWERED = 0.995, 0.06
"""Part of a leg's length that is used; metres that hips sink further for a long step."""
SINK = 0.03
"""Metres that they are lower at a walk of 1 m/s."""
CREEPING, STRIDING = 0.05, 0.5
"""Metres a second from which arms swing along, and at which they do nothing else."""
ARM_SWING = 1.1
"""Radians of an arm for each metre that the other foot is ahead."""
TWIST = 0.15
"""The same of the spine."""
BENT = (0.4, 1.2, 1.6, 3.0), (ELBOW_BEND, 0.5, 0.5, 1.2)
"""Metres a second, and radians that elbows of one who goes so fast are bent by."""
BENT_AHEAD = 0.8
"""Radians more for each that the arm is ahead."""
SWUNG_SPINE = JOINT["spine2"]
SWINGING = [*SHOULDERS, *COLLARS, *ELBOWS, *WRISTS, SWUNG_SPINE]
AT_EASE = hanging()


def rooted(
    rotmats: Array,
    course: Course,
    rest_joints: Array,
    floor: float,
    off: Array,
) -> Pose:
    """Frames (frame, 22, 3, 3) whose root goes along a course.

    off  (frame, 3) metres left, up and ahead that the hips are off the course, over the same feet
    """
    result, yaw = facing(rotmats, course), course.hips[:, 2]
    pelvis = np.empty((len(rotmats), 3))
    left, up, ahead = off.T
    pelvis[:, 0] = course.hips[:, 0] + ahead * np.sin(yaw) + left * np.cos(yaw)
    pelvis[:, 1] = floor + hips_height(rest_joints) + up
    pelvis[:, 1] -= SINK * np.minimum(course.pace, 1.5)
    pelvis[:, 2] = course.hips[:, 1] + ahead * np.cos(yaw) - left * np.sin(yaw)
    ankles = ankles_of(course, rest_joints, floor)
    pelvis[:, 1] -= _lowered(_hips_of(result, pelvis, rest_joints), ankles, course, rest_joints)
    return Pose(result, pelvis - rest_joints[0])


def on_legs(
    rotmats: Array, transl: Array, course: Course, rest_joints: Array, floor: float
) -> Array:
    """Frames (frame, 22, 3, 3) at the transl that `rooted` gives them, which face along the course,
    on legs that stand and step as it has it."""
    result = facing(rotmats, course)
    hips = _hips_of(result, transl + rest_joints[0], rest_joints)
    ankles = ankles_of(course, rest_joints, floor)
    feet = Ends(
        positions=_within_reach(hips, ankles, course, rest_joints),
        rotmats=rotmat_about("y", course.places[..., 2]),
    )
    under = Hips(places=hips, pelvis=result[:, 0])
    return with_legs(rest_joints, under, result, feet, floor)


def hips_height(rest_joints: Array) -> float:
    """Metres of the hips of one who stands at ease over the floor."""
    return float(rest_joints[0, 1]) - _sole(rest_joints) - KNEES_BENT


def facing(rotmats: Array, course: Course) -> Array:
    """Frames whose hips face as the course has them; they lean as they did."""
    faces, result = rotmats[:, 0, :, 2], rotmats.copy()
    turn = rotmat_about("y", course.hips[:, 2] - np.arctan2(faces[:, 0], faces[:, 2]))
    result[:, 0] = turn @ rotmats[:, 0]
    return result


def _hips_of(rotmats: Array, pelvis: Array, rest_joints: Array) -> Array:
    """(frame, 2, 3) both hip joints."""
    root = JOINT["pelvis"], pelvis[:, None], rotmats[:, :1]
    return np.asarray(along_chain(rest_joints, rotmats, [HIPS], root)[0][0])


def ankles_of(course: Course, rest_joints: Array, floor: float) -> Array:
    """(frame, 2, 3) where a course has them."""
    ankles = np.empty((len(course.pace), 2, 3))
    ankles[..., [0, 2]] = course.places[..., :2]
    ankles[..., 1] = floor + rest_joints[ANKLES, 1] - _sole(rest_joints) + course.lift
    return ankles


def _lowered(hips: Array, ankles: Array, course: Course, rest_joints: Array) -> Array:
    """(frame,) metres by which hips (frame, 2, 3) sink for the foot ahead to stand flat; the one
    behind lifts its heel instead."""
    away = hips - ankles
    level = np.hypot(away[..., 0], away[..., 2])
    most = np.sqrt(np.maximum(_leg(rest_joints) ** 2 - level**2, 0.0))
    needed = (
        np.where(course.ahead > 0, away[..., 1] - most, 0.0).max(axis=-1).clip(0.0, MOST_LOWERED)
    )
    around = np.concatenate([needed[:1], needed, needed[-1:]])
    return np.asarray(0.25 * around[:-2] + 0.5 * needed + 0.25 * around[2:])


def _within_reach(hips: Array, ankles: Array, course: Course, rest_joints: Array) -> Array:
    """Ankles (frame, 2, 3), those that are swung ahead no farther off than a leg is long."""
    away = ankles - hips
    level = np.maximum(np.hypot(away[..., 0], away[..., 2]), 1e-9)
    most = np.sqrt(np.maximum(_leg(rest_joints) ** 2 - away[..., 1] ** 2, 0.0))
    is_swung = (course.ahead > 0) & (course.lift > 0)
    share = np.where(is_swung, np.minimum(most / level, 1.0), 1.0)
    return np.asarray(hips + away * np.stack([share, np.ones_like(share), share], axis=-1))


@kept_by_joints(1024)
def _leg(rest: Array) -> Array:
    """(2,) metres from hip to ankle of legs that are nearly straight."""
    upper, lower = rest[KNEES] - rest[HIPS], rest[ANKLES] - rest[KNEES]
    return np.asarray(STRAIGHT * (lengths(upper) + lengths(lower)))


@kept_by_joints(1024)
def _sole(rest: Array) -> float:
    """Metres of the soles over the origin, standing at ease."""
    return float(floor_height(Pose(standing_pose(), np.zeros(3)), rest))


def swinging(rotmats: Array, known: Array, course: Course) -> Array:
    """Frames (frame, 22, 3, 3), the last of them along the course, whose arms and spine go with the
    legs; those before are drawn to the known ones (frame, 22, 3, 3) as far as it walks."""
    walks = _walks(course, len(rotmats))
    if not walks.any():
        return rotmats
    first, ahead = len(rotmats) - len(course.pace), course.ahead
    swung = np.broadcast_to(AT_EASE, rotmats.shape).copy()
    swung[:first] = known[:first]
    swing = ARM_SWING * ahead[:, ::-1]
    swung[first:, SHOULDERS] = rotmat_about("x", -swing) @ AT_EASE[SHOULDERS]
    bend = np.interp(course.pace, *BENT)[:, None] + BENT_AHEAD * swing
    bend = np.maximum(bend, ELBOW_BEND)
    swung[first:, ELBOWS] = rotmat_about("y", bend * [-1.0, 1.0])
    swung[first:, SWUNG_SPINE] = rotmat_about("y", TWIST * (ahead[:, 1] - ahead[:, 0]))
    result = rotmats.copy()
    result[:, SWINGING] = slerp_rotmat(rotmats[:, SWINGING], swung[:, SWINGING], walks[:, None])
    return result


def _walks(course: Course, frames: int) -> Array:
    """(frames,) 0 standing, 1 walking; in frames before the course as in its first."""
    pace = np.full(frames, course.pace[0])
    pace[-len(course.pace) :] = course.pace
    return eased_between(pace, CREEPING, STRIDING)
