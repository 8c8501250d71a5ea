"""Fingers: how a hand is curled, and what that turns in the 30 finger joints of a body.

A curl says how far a finger is bent: 0 straight, 1 closed. Five make a hand, thumb first: thumb,
index, middle, ring, little; ten make two, the left first. The joints of a finger bend together, so
five numbers are a whole hand. Knows curls and joints; not why a hand is curled (`motion/hands.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.arrays import Array
from engine.body.rotations import (
    NO_ANGLE,
    axis_angle_from_rotmat,
    quat_from_rotmat,
    rotmat_from_axis_angle,
)
from engine.body.skeleton import HAND_JOINT_NAMES, JOINT
from engine.body.vectors import cross, dots, lengths, unit

CURLS = 10
"""Of both hands."""
FINGERS = ("thumb", "index", "middle", "ring", "pinky")
"""In the order of curls."""
CLOSING = np.array(
    [
        [[16.5, 9.3, -10.8], [23.3, 33.1, -11.6], [22.9, 49.0, -6.6]],
        [[5.6, 3.6, -84.8], [11.0, 0.0, -104.4], [6.3, 0.0, -59.7]],
        [[0.9, 0.6, -85.0], [1.8, 0.0, -105.0], [1.0, 0.0, -60.0]],
        [[-3.7, -2.4, -84.9], [-7.3, 0.0, -104.7], [-4.2, 0.0, -59.9]],
        [[-8.3, -5.5, -84.6], [-16.4, 0.0, -103.7], [-9.4, 0.0, -59.3]],
    ]
)
"""Degrees (finger, joint, 3): the turns of a left hand's joints from straight to closed, as
rotation vectors in the axes of the T pose (fingers along +X, palm down). Those of the right hand
are mirrored (x, -y, -z). A finger bends by 85, 105 and 60 degrees from its knuckle on, and comes
beside its neighbours as it does; the thumb goes from beside the palm to lie over the middle
phalanges. Half of it is within what hands use in daily life (Bain 2015, Hume 1990), the whole
within what joints do."""
STRAIGHT = np.array(
    [
        [[0.636, -0.309, 0.707], [0.714, -0.276, 0.643], [0.757, -0.276, 0.592]],
        [[0.995, 0.0, 0.105]] * 3,
        [[1.0, 0.0, 0.017]] * 3,
        [[0.998, 0.0, -0.07]] * 3,
        [[0.988, 0.0, -0.156]] * 3,
    ]
)
"""(finger, bone, 3): where the bones of a straight left hand point, in the same axes."""

# Hand shapes: curls (5,), thumb first.
RELAXED = np.array([0.30, 0.23, 0.28, 0.31, 0.33])
"""As a hand hangs."""
OPENED = np.array([0.05, 0.14, 0.15, 0.16, 0.17])
"""On its way to another."""
GRIP = np.array([0.45, 0.47, 0.50, 0.50, 0.52])
"""Round another hand."""
FLAT = np.array([0.05, 0.03, 0.02, 0.03, 0.04])
LAID = np.array([0.10, 0.10, 0.11, 0.13, 0.15])
"""On somebody's back or shoulder."""
POINT = np.array([0.75, 0.02, 0.86, 0.88, 0.90])
FIST = np.ones(5)


@dataclass(frozen=True, kw_only=True, eq=False)
class FingerJoints:
    """How the finger joints of one body turn, in the order of HAND_JOINT_NAMES; radians.

    straight  (30, 3, 3) what makes its fingers straight, which bend a little at rest
    closing   (30, 3) rotation vectors of what a curl of 1 adds, in the joint's own axes
    """

    straight: Array
    closing: Array

    @cached_property
    def turning(self) -> tuple[Array, Array, Array]:
        """The angles (30,) of `closing`; quaternions (30, 4) of its axes after `straight`, by half
        a turn; and of `straight`."""
        angles = lengths(self.closing)
        axes = self.closing / np.maximum(angles, NO_ANGLE)[:, None]
        straight = quat_from_rotmat(self.straight)
        turned = np.empty_like(straight)
        turned[:, :3] = straight[:, 3:] * axes + cross(axes, straight[:, :3])
        turned[:, 3] = -dots(axes, straight[:, :3])
        return angles, turned, straight


def _index(side: str, finger: int, number: int) -> int:
    return HAND_JOINT_NAMES.index(f"{side}_{FINGERS[finger]}{number + 1}")


ORDER = np.array(
    [[[_index(s, f, n) for n in range(3)] for f in range(5)] for s in ("left", "right")]
)
"""(side, finger, joint) index into HAND_JOINT_NAMES."""
MIRROR = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0]])
"""(side, 3) of rotation vectors."""


def first_finger(parents: Sequence[int]) -> int | None:
    """The number of a body's first finger joint, by the parent of each of its joints; None: it has
    no fingers. They are the last thirty, as in SMPL-X."""
    first = len(parents) - len(HAND_JOINT_NAMES)
    has_fingers = first >= len(JOINT) and all(
        parents[first + int(ORDER[side, finger, 0])] == JOINT[f"{name}_wrist"]
        for side, name in enumerate(("left", "right"))
        for finger in range(len(FINGERS))
    )
    return first if has_fingers else None


def finger_joints(rest: Array) -> FingerJoints:
    """The fingers of a body whose finger joints (30, 3) are there at rest, in the T pose.

    A bone is turned into its place in the straight hand the short way. Where the last bone ends no
    joint tells: it takes half of what straightened the one before.
    """
    straight = np.tile(np.eye(3), (len(HAND_JOINT_NAMES), 1, 1))
    closing = np.zeros((len(HAND_JOINT_NAMES), 3))
    for side, mirror in enumerate(MIRROR):
        for finger, (turns, bones) in enumerate(zip(np.radians(CLOSING), STRAIGHT, strict=True)):
            joints = ORDER[side, finger]
            above = np.eye(3)
            for number, joint in enumerate(joints):
                closing[joint] = above.T @ (mirror * turns[number])
                if number < 2:
                    bone = unit(rest[joints[number + 1]] - rest[joint])
                    wanted = unit(bones[number]) * [-1.0 if side else 1.0, 1.0, 1.0]
                    turned = _short_turn(above @ bone, wanted) @ above
                    straight[joint] = above.T @ turned
                elif finger > 0:
                    half = 0.5 * axis_angle_from_rotmat(straight[joints[1]])
                    straight[joint] = rotmat_from_axis_angle(half)
                above = above @ straight[joint]
    return FingerJoints(straight=straight, closing=closing)


def _short_turn(start: Array, end: Array) -> Array:
    axis = np.cross(start, end)
    sine = float(np.linalg.norm(axis))
    return rotmat_from_axis_angle(axis / max(sine, 1e-9) * np.arctan2(sine, start @ end))


def finger_rotmats(joints: FingerJoints, curls: Array) -> Array:
    """Curls (..., 10) -> rotations (..., 30, 3, 3) of the finger joints against their parents.

    R_j = exp(curl closing_j) straight_j; an avatar whose fingers are straight in its T pose needs
    no `straight_j`, and its `closing_j` is CLOSING.
    """
    bent = rotmat_from_axis_angle(_by_joint(curls)[..., None] * joints.closing)
    return np.asarray(bent @ joints.straight)


def _by_joint(curls: Array) -> Array:
    """Curls (..., 10) of fingers as those of their joints (..., 30)."""
    result = np.empty((*curls.shape[:-1], len(HAND_JOINT_NAMES)))
    result[..., ORDER.ravel()] = np.repeat(curls, 3, axis=-1)
    return result


def quats_of_curls(joints: FingerJoints, curls: Array) -> Array:
    """`finger_rotmats` as unit quaternions x, y, z, w (..., 30, 4), with w >= 0.

    A joint turns about one axis: exp(...) is (axis sin h, cos h), h half the angle, and its product
    with the quaternion of `straight_j` a sum of two that do not change.
    """
    angles, turned, straight = joints.turning
    half = _by_joint(curls) * (angles / 2)
    return np.asarray(np.sin(half)[..., None] * turned + np.cos(half)[..., None] * straight)


def curls_from_rotmats(joints: FingerJoints, rotmats: Array) -> Array:
    """The curls (..., 10) in 0..1 that come nearest to rotations (..., 30, 3, 3) of finger joints.

    Of each finger, curl = sum_j closing_j . v_j / sum_j |closing_j|^2, v_j the rotation vector of
    R_j straight_j^T: the least squares of the turns.
    """
    turns = axis_angle_from_rotmat(rotmats @ np.swapaxes(joints.straight, -1, -2))
    along = dots(turns, joints.closing)[..., ORDER].sum(axis=-1)
    whole = dots(joints.closing, joints.closing)[ORDER].sum(axis=-1)
    curls = np.clip(along / whole, 0.0, 1.0)
    return np.asarray(curls.reshape(*curls.shape[:-2], CURLS))


def straight_hands() -> FingerJoints:
    """Of a body whose fingers are straight in its T pose, such as SMPL-X or an avatar in VRM."""
    closing = np.zeros((len(HAND_JOINT_NAMES), 3))
    closing[ORDER] = np.radians(CLOSING) * MIRROR[:, None, None]
    still = np.tile(np.eye(3), (len(HAND_JOINT_NAMES), 1, 1))
    return FingerJoints(straight=still, closing=closing)
