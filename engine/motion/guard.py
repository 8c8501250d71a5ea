"""Posture guard and attention: what drifts is drawn back, before anyone sees it.

A network that goes on from its own motion has nothing that pulls it back: errors of a degree a
window add up to a body that leans, bends backwards, looks away and holds up its hands. Here each
frame is brought within what people do at ease; within that nothing is changed. Joined to the frames
that were shown before, the way back takes about a second, and windows go on from there.
Knows poses, and how much reason there is for a gesture; knows no window, session or network.
Ranges: how people stand and look (soft guards well inside the joints' limits).
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.arms import ARMS, CHEST, Reach, palms_of, reaching
from engine.body.easing import smoothstep
from engine.body.ik import arc_vector, soft_limit
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from engine.body.skeleton import JOINT
from engine.body.vectors import lengths, rotated, unit
from engine.motion.motion import FRAME_RATE
from engine.motion.standing import standing_pose

TILT, MOST_TILT = np.radians(4.0), np.radians(7.0)
"""Lean of the pelvis from upright: free up to the first, never beyond the second."""
SPINE_BACK, SPINE_BENT = np.radians(2.0), np.radians(6.0)
"""Limits of each spine joint: extension, and any other bend or twist."""
BACK_ROOM, BENT_ROOM = np.radians(1.0), np.radians(4.0)
OVER_FEET = np.array([[-0.07, -0.03], [0.07, 0.09]])
"""Least and most metres that the pelvis is left and ahead of the middle of the ankles."""
HANGING, HELD_UP = 0.07, 0.13
"""Metres of a palm from where it hangs: free up to the first, never beyond the second."""
LOOKS_PAST = np.radians(10.0)
"""By which the face may point past what it attends to."""
MOST_YAW, MOST_UP = np.radians(75.0), np.radians(40.0)
"""As far as head and neck turn from the chest."""
NECK_SHARE = 0.4
WALKING = 0.7
"""Metres a second of the pelvis at which nothing is known of a standing body's balance any more."""
PALM = 0.085
"""Metres from wrist to palm, along the hand."""
ELBOW_BEND = 0.12
"""Radians of a hanging arm."""
SPINE = [JOINT[name] for name in ("spine1", "spine2", "spine3")]
ANKLES = [JOINT["left_ankle"], JOINT["right_ankle"]]
HEAD, NECK = JOINT["head"], JOINT["neck"]
EYES = np.array([0.0, 0.08, 0.0])
"""From the head joint, metres."""


def guarded(
    rotmats: Array, transl: Array, rest_joints: Array, reason: float, *, balance: bool
) -> tuple[Array, Array]:
    """One person's frames with trunk and arms within what people do at ease.

    rotmats, transl  (frame, 22, 3, 3), (frame, 3)
    rest_joints      (22, 3)
    reason           0..1: for a gesture; 1 changes nothing
    balance          whether the pelvis, too, goes back over the feet
    returns          rotmats, transl
    """
    ease = 1 - reason
    if ease == 0:
        return rotmats, transl
    rotmats = _upright(rotmats, ease)
    if balance:
        stands = 1 - smoothstep(np.clip(_speed(transl) / WALKING, 0, 1))
        transl = transl + _over_the_feet(rotmats, transl, rest_joints, ease * stands)
    return _hands_down(rotmats, transl, rest_joints, ease), transl


def off_hanging(rotmats: Array, rest_joints: Array) -> Array:
    """(..., 2) metres of the left and the right palm from where they hang, seen from the chest."""
    return np.asarray(lengths(_palms(rotmats, rest_joints) - _palms(hanging(), rest_joints)))


def raised(rotmats: Array, rest_joints: Array) -> Array:
    """(..., 2) metres by which the left and the right palm are higher than where they hang."""
    up = _palms(rotmats, rest_joints) - _palms(hanging(), rest_joints)
    return np.asarray(up[..., 1])


# -------------------------------------------------------------------------------------------- trunk
def _speed(transl: Array) -> Array:
    """(frame,) metres a second over the ground, the mean of half a second."""
    speed = lengths(np.gradient(transl[:, [0, 2]], axis=0)) * FRAME_RATE
    return np.asarray(np.convolve(np.pad(speed, 2, mode="edge"), np.full(5, 0.2), mode="valid"))


def _upright(rotmats: Array, gain: float) -> Array:
    """Pelvis and spine back within what people do at ease."""
    result = rotmats.copy()
    up = np.broadcast_to([0.0, 1.0, 0.0], (len(rotmats), 3))
    tilt = arc_vector(up, rotmats[:, 0, :, 1])
    over = tilt - _shortened(tilt, TILT, MOST_TILT)
    result[:, 0] = rotmat_from_axis_angle(-gain * over) @ rotmats[:, 0]
    bend = axis_angle_from_rotmat(rotmats[:, SPINE])
    kept = soft_limit(bend, SPINE_BENT, SPINE_BENT + BENT_ROOM)
    back = -soft_limit(-bend[..., 0], SPINE_BACK, SPINE_BACK + BACK_ROOM)
    kept[..., 0] = np.where(bend[..., 0] < 0, back, kept[..., 0])
    result[:, SPINE] = rotmat_from_axis_angle(bend + gain * (kept - bend))
    return result


def _shortened(vectors: Array, soft: float, hard: float) -> Array:
    """Vectors (..., 3) whose lengths are bent over from `soft` towards `hard`."""
    size = lengths(vectors)
    factor = soft_limit(size, soft, hard) / np.maximum(size, 1e-9)
    return np.asarray(vectors * factor[..., None])


def _over_the_feet(rotmats: Array, transl: Array, rest_joints: Array, gain: Array) -> Array:
    """(frame, 3) metres by which the pelvis goes back over the feet."""
    joints, _ = forward_kinematics(rest_joints, rotmats, transl)
    away = joints[:, 0] - joints[:, ANKLES].mean(axis=1)
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
        rotmats[arm[2]] = rotmat_from_axis_angle(np.array([0.0, sign * ELBOW_BEND, 0.0]))
    return rotmats


def _palms(rotmats: Array, rest_joints: Array) -> Array:
    """(..., 2, 3) of left and right, from the chest joint in the chest's own axes."""
    palms = []
    for arm in ARMS:
        turn = np.broadcast_to(np.eye(3), (*rotmats.shape[:-3], 3, 3))
        place = np.zeros((*rotmats.shape[:-3], 3))
        parent = CHEST
        for joint in arm:
            place = place + rotated(turn, rest_joints[joint] - rest_joints[parent])
            turn = turn @ rotmats[..., joint, :, :]
            parent = joint
        hand = PALM * unit(rest_joints[arm[3]] - rest_joints[arm[2]])
        palms.append(place + rotated(turn, hand))
    return np.stack(palms, axis=-2)


def _hands_down(rotmats: Array, transl: Array, rest_joints: Array, gain: float) -> Array:
    """Hands that are up come down before the body, in a straight line."""
    away = off_hanging(rotmats, rest_joints)
    if away.max() <= HANGING:
        return rotmats
    part = gain * (1 - soft_limit(away, HANGING, HELD_UP) / np.maximum(away, 1e-9))
    joints, world = forward_kinematics(rest_joints, rotmats, transl)
    at_rest = hanging()
    palms, fingers, faces = (
        side_by_side - of * origin
        for side_by_side, of, origin in zip(
            palms_of(*forward_kinematics(rest_joints, at_rest, np.zeros(3)), rest_joints),
            (1.0, 0.0, 0.0),
            (rest_joints[CHEST],) * 3,
            strict=True,
        )
    )
    chest, at = world[:, CHEST], joints[:, CHEST]
    for side in range(len(ARMS)):
        reach = Reach(
            side=side,
            weight=part[:, side],
            palm=at + rotated(chest, palms[side]),
            fingers=rotated(chest, fingers[side]),
            faces=rotated(chest, faces[side]),
        )
        rotmats = reaching(rotmats, transl, rest_joints, reach)
    return rotmats


# --------------------------------------------------------------------------------------------- head
def attentive(rotmats: Array, transl: Array, rest_joints: Array, attends_to: Array) -> Array:
    """One person's rotations (frame, 22, 3, 3) with the face turned towards world points, such as
    another's face (frame, 3), as far as head and neck go."""
    joints, world = forward_kinematics(rest_joints, rotmats, transl)
    chest, face = world[:, CHEST], world[:, HEAD, :, 2]
    away = rotated(np.swapaxes(chest, -1, -2), attends_to - joints[:, HEAD] - EYES)
    yaw = np.clip(np.arctan2(away[:, 0], away[:, 2]), -MOST_YAW, MOST_YAW)
    up = np.arctan2(away[:, 1], np.hypot(away[:, 0], away[:, 2]))
    up = np.clip(up, -MOST_UP, MOST_UP)
    local = np.stack([np.sin(yaw) * np.cos(up), np.sin(up), np.cos(yaw) * np.cos(up)], axis=-1)
    turn = arc_vector(face, rotated(chest, local))
    angle = lengths(turn)
    over = np.maximum(angle - LOOKS_PAST, 0.0) / np.maximum(angle, 1e-9)
    turn = over[:, None] * turn
    result = rotmats.copy()
    neck = rotmat_from_axis_angle(NECK_SHARE * turn) @ world[:, NECK]
    head = rotmat_from_axis_angle(turn) @ world[:, HEAD]
    result[:, NECK] = np.swapaxes(chest, -1, -2) @ neck
    result[:, HEAD] = np.swapaxes(neck, -1, -2) @ head
    return result
