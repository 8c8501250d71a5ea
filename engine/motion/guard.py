"""Posture guard and attention: what drifts is drawn back, before anyone sees it.

A network that goes on from its own motion has nothing that pulls it back: errors of a degree a
window add up to a body that leans, bends backwards, looks away and holds up its hands. Here each
frame is brought within what people do at ease; within that nothing is changed. Joined to the frames
that were shown before, the way back takes about a second, and windows go on from there.
Knows poses, and how much reason there is for a gesture; knows no window, session or network.
Ranges: how people stand and look (soft guards well inside the joints' limits).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.arms import (
    ARMS,
    CHEST,
    PALM_AHEAD,
    SPINE,
    Reach,
    hands_seen,
    palms_seen,
)
from engine.body.easing import smoothstep
from engine.body.ik import arc_vector, soft_limit
from engine.body.kept import kept_by_joints
from engine.body.kinematics import along_chain
from engine.body.pose import Pose
from engine.body.reach import ANKLES, HIPS, KNEES
from engine.body.rotations import axis_angle_from_rotmat, rotmat_about, rotmat_from_axis_angle
from engine.body.skeleton import JOINT
from engine.body.vectors import lengths, rotated, unit
from engine.motion.motion import FRAME_RATE
from engine.motion.standing import standing_pose

TILT = np.radians([[2.0, 7.0], [0.5, 3.0]])
"""Lean of the pelvis from upright, of one who goes and of one who stands: free up to the first,
never beyond the second."""
SPINE_BENT = np.radians([[1.0, 7.0], [0.7, 4.0]])
"""The same of each spine joint, bent or twisted."""
SPINE_BACK = np.radians([1.0, 3.0])
"""The same backwards, of either."""
NECK_BENT = np.radians([8.0, 10.0, 3.0])
NECK_ROOM = np.radians([25.0, 45.0, 9.0])
"""The same of neck and head: nod, turn, and tilt to a side."""
OVER_FEET = np.array([[-0.07, -0.03], [0.07, 0.09]])
"""Least and most metres that the pelvis is left and ahead of the middle of the ankles."""
ELBOWS_FROM = 0.1
"""Part of its way down that a hand still has to go, from which the elbow is brought down too."""
HANGING, HELD_UP = 0.01, 0.035
"""Metres of a palm from where it hangs: free up to the first, never beyond the second."""
LOOKS_PAST = np.radians(10.0)
"""By which the face may point past what it attends to."""
MOST_YAW, MOST_UP = np.radians(75.0), np.radians(40.0)
"""As far as head and neck turn from the chest."""
NECK_SHARE = 0.4
WALKING = 0.7
"""Metres a second of the pelvis at which nothing is known of a standing body's balance any more."""
ARM_OUT, ELBOW_BEND = 0.16, 0.12
"""Radians off the vertical, and of the elbow, of a hanging arm."""
LEGS = [HIPS, KNEES, ANKLES]
HEAD, NECK = JOINT["head"], JOINT["neck"]
EYES = np.array([0.0, 0.08, 0.0])
"""From the head joint, metres."""


def guarded(pose: Pose, rest_joints: Array, reason: float, *, balance: bool) -> Pose:
    """One person's frames with the trunk within what people do at ease; for the hands there is
    `hands_down`.

    pose         (frame,)
    rest_joints  (22, 3)
    reason       0..1: for a gesture; 1: nothing is changed but what is bent backwards
    balance      whether the pelvis, too, goes back over the feet
    """
    ease, transl = 1 - reason, pose.transl
    stands = 1 - smoothstep(np.clip(_speed(transl) / WALKING, 0, 1))
    rotmats = _upright(pose.rotmats, ease, ease * stands)
    if balance:
        transl = transl + _over_the_feet(rotmats, transl, rest_joints, ease * stands)
    return Pose(rotmats, transl)


def off_hanging(rotmats: Array, rest_joints: Array) -> Array:
    """(..., 2) metres of the left and the right palm from where they hang, seen from the chest."""
    hangs = _hanging_hands(rest_joints).middles
    return np.asarray(lengths(_middles(rotmats, rest_joints) - hangs))


def raised(rotmats: Array, rest_joints: Array) -> Array:
    """(..., 2) metres by which the left and the right palm are higher than where they hang."""
    hangs = _hanging_hands(rest_joints).middles
    return np.asarray((_middles(rotmats, rest_joints) - hangs)[..., 1])


# -------------------------------------------------------------------------------------------- trunk
def _speed(transl: Array) -> Array:
    """(frame,) metres a second over the ground, the mean of half a second."""
    speed = lengths(np.gradient(transl[:, [0, 2]], axis=0)) * FRAME_RATE
    return np.asarray(np.convolve(np.pad(speed, 2, mode="edge"), np.full(5, 0.2), mode="valid"))


def _upright(rotmats: Array, gain: float, stands: Array) -> Array:
    """Pelvis and spine back within what people do at ease, as far as the gain says; all the way
    where they are bent backwards, for which nobody has a reason.

    stands  (frame,) 0..1: at ease on one spot, where people lean less
    """
    result = rotmats.copy()
    up, forward = rotmats[:, 0, :, 1], unit(rotmats[:, 0, :, 2] * [1.0, 0.0, 1.0])
    level = np.hypot(up[:, 0], up[:, 2])
    tilt = np.arctan2(level, up[:, 1])
    free, most = _limits(TILT, stands)
    if np.any(tilt > free):
        backwards = -(up * forward).sum(axis=-1) / np.maximum(level, 1e-9)
        gains = gain + (1 - gain) * np.maximum(backwards, 0.0)
        back = gains * (soft_limit(tilt, free, most) - tilt) / np.maximum(level, 1e-9)
        across = np.stack([up[:, 2], 0 * level, -up[:, 0]], axis=-1)
        result[:, 0] = rotmat_from_axis_angle(back[:, None] * across) @ rotmats[:, 0]
    bend = axis_angle_from_rotmat(rotmats[:, SPINE])
    free, most = (limit[:, None, None] for limit in _limits(SPINE_BENT, stands))
    if np.any(np.abs(bend) > free):
        kept = bend + gain * (soft_limit(bend, free, most) - bend)
        stretched = -soft_limit(-bend[..., 0], *SPINE_BACK)
        kept[..., 0] = np.where(bend[..., 0] < 0, stretched, kept[..., 0])
        result[:, SPINE] = rotmat_from_axis_angle(kept)
    return result


def _limits(of_both: Array, stands: Array) -> tuple[Array, Array]:
    """Two limits (frame,), between those of one who goes and those of one who stands."""
    goes, at_rest = of_both
    free, most = (goes + stands[:, None] * (at_rest - goes)).T
    return free, most


def _over_the_feet(rotmats: Array, transl: Array, rest_joints: Array, gain: Array) -> Array:
    """(frame, 3) metres by which the pelvis goes back over the feet."""
    pelvis = rest_joints[0] + transl
    root = JOINT["pelvis"], pelvis[:, None], rotmats[:, :1]
    legs, _ = along_chain(rest_joints, rotmats, LEGS, root)
    away = pelvis - legs[-1].mean(axis=1)
    forward = unit(rotmats[:, 0, :, 2] * [1.0, 0.0, 1.0])
    left = np.stack([forward[:, 2], np.zeros(len(forward)), -forward[:, 0]], axis=-1)
    seen = np.stack([(away * left).sum(-1), (away * forward).sum(-1)], axis=-1)
    back = gain[:, None] * (np.clip(seen, *OVER_FEET) - seen)
    return np.asarray(back[:, :1] * left + back[:, 1:] * forward)


# --------------------------------------------------------------------------------------------- arms
def hanging() -> Array:
    """(22, 3, 3) of a body that stands with its arms hanging."""
    rotmats = standing_pose()
    for arm, sign in zip(ARMS, (-1.0, 1.0), strict=True):
        rotmats[arm[1]] = rotmat_about("z", sign * (0.5 * np.pi - ARM_OUT))
        rotmats[arm[2]] = rotmat_about("y", sign * ELBOW_BEND)
    return rotmats


@dataclass(frozen=True, kw_only=True, eq=False)
class _Hanging:
    """Hands (2, 3) of arms that hang, from the chest in its own axes: their middles as they are
    measured, then as `Reach` has them."""

    middles: Array
    palms: Array
    fingers: Array
    faces: Array


@kept_by_joints(1024)
def _hanging_hands(rest: Array) -> _Hanging:
    palms, fingers, faces = palms_seen(hanging(), rest)
    return _Hanging(middles=_middles(hanging(), rest), palms=palms, fingers=fingers, faces=faces)


def _middles(rotmats: Array, rest_joints: Array) -> Array:
    """(..., 2, 3) of left and right palm, from the chest joint in the chest's own axes."""
    wrists, fingers, _ = hands_seen(rotmats, rest_joints)
    return np.asarray(wrists + PALM_AHEAD * fingers)


def hands_down(
    rotmats: Array, chest: tuple[Array, Array], rest_joints: Array, gain: Array | float
) -> tuple[Reach, ...]:
    """What brings hands that are up down before the body, in a straight line.

    chest  as `chest_of` has it, of these frames or of the same body elsewhere
    gain   (frame,) 0..1
    """
    away = off_hanging(rotmats, rest_joints)
    if away.max() <= HANGING:
        return ()
    part = 1 - soft_limit(away, HANGING, HELD_UP) / np.maximum(away, 1e-9)
    hangs, (at, turn) = _hanging_hands(rest_joints), chest
    return tuple(
        Reach(
            side=side,
            weight=np.asarray(gain * part[:, side]),
            swivel=np.asarray(gain * smoothstep(np.minimum(part[:, side] / ELBOWS_FROM, 1.0))),
            palm=at + rotated(turn, hangs.palms[side]),
            fingers=rotated(turn, hangs.fingers[side]),
            faces=rotated(turn, hangs.faces[side]),
        )
        for side in range(len(ARMS))
    )


# --------------------------------------------------------------------------------------------- head
def attentive(
    rotmats: Array, chest: tuple[Array, Array], rest_joints: Array, attends_to: Array
) -> Array:
    """One person's rotations (frame, 22, 3, 3) with the face turned towards world points, such as
    another's face (frame, 3), as far as head and neck go.

    chest  as `chest_of` has it
    """
    at, turned = chest
    rotmats = _with_free_neck(rotmats)
    (_, eyes), (neck, head) = along_chain(rest_joints, rotmats, [NECK, HEAD], (CHEST, at, turned))
    away = rotated(np.swapaxes(turned, -1, -2), attends_to - eyes - EYES)
    level = np.hypot(away[:, 0], away[:, 2])
    yaw = np.clip(np.arctan2(away[:, 0], away[:, 2]), -MOST_YAW, MOST_YAW)
    up = np.clip(np.arctan2(away[:, 1], level), -MOST_UP, MOST_UP)
    local = np.stack([np.sin(yaw) * np.cos(up), np.sin(up), np.cos(yaw) * np.cos(up)], axis=-1)
    turn = arc_vector(head[..., 2], rotated(turned, local))
    angle = lengths(turn)
    over = np.maximum(angle - LOOKS_PAST, 0.0) / np.maximum(angle, 1e-9)
    share = np.array([NECK_SHARE, 1.0])[:, None, None]
    neck, head = rotmat_from_axis_angle(share * (over[:, None] * turn)) @ np.stack([neck, head])
    rotmats[:, NECK] = np.swapaxes(turned, -1, -2) @ neck
    rotmats[:, HEAD] = np.swapaxes(neck, -1, -2) @ head
    return rotmats


def _with_free_neck(rotmats: Array) -> Array:
    """A copy whose neck and head are within what people do, each for itself: gaze alone would let
    one bend as far as the other bends back."""
    result = rotmats.copy()
    bend = axis_angle_from_rotmat(rotmats[:, [NECK, HEAD]])
    kept = soft_limit(bend, NECK_BENT, NECK_BENT + NECK_ROOM)
    result[:, [NECK, HEAD]] = rotmat_from_axis_angle(kept)
    return result
