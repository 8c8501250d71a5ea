"""Joint limits: how often, and how far, a pose bends beyond what people can.

Knows rotations and a table of normal ranges of motion. Knows no motion format.
Source of the ranges: American Academy of Orthopaedic Surgeons, "The Clinical Measurement of Joint
Motion" (Greene and Heckman 1994); the collar: Ludewig et al., J Bone Joint Surg Am 91 (2009) 378.
They are means over healthy adults, and a body model's joints are not quite the anatomical ones:
hence TOLERANCE.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.rotations import axis_angle_from_rotmat, quat_from_rotmat, rotmat_from_quat
from engine.body.skeleton import JOINT

TOLERANCE = np.radians(15.0)
"""A joint within this of its range is not counted."""
MIRROR = np.array([1.0, -1.0, -1.0])
"""A rotation vector seen in the mirror that exchanges left and right."""


@dataclass(frozen=True)
class Limit:
    """The range of a joint, or of the product of some in a row, as rotation from the T pose.

    joints    names without side, from the root outwards
    along     axis of the bone, about which it twists: "x", "y" or "z"
    x, y, z   degrees about each axis, of the left joint

    The rotation is twist first, then swing (rotation vector s, no part along the bone). The swing
    is inside while the sum over the two other axes of (s_i / limit_i)^2 <= 1, where limit_i is the
    one on the side of s_i: four quarters of ellipses (Baerlocher and Boulic 2001).
    """

    joints: tuple[str, ...]
    along: str
    x: tuple[float, float]
    y: tuple[float, float]
    z: tuple[float, float]


LIMITS = (
    # Thoracolumbar spine: flexion 80, extension 25, side bending 35, rotation 45.
    Limit(("spine1", "spine2", "spine3"), "y", (-25, 80), (-45, 45), (-35, 35)),
    # Cervical spine: flexion 45, extension 45, side bending 45, rotation 60.
    Limit(("neck", "head"), "y", (-45, 45), (-60, 60), (-45, 45)),
    # Hip: flexion 120, extension 30, abduction 45, adduction 30, rotation 45 both ways.
    Limit(("hip",), "y", (-120, 30), (-45, 45), (-30, 45)),
    # Knee: flexion 135, hyperextension 10; a bent knee turns some 30 about the shin.
    Limit(("knee",), "y", (-10, 135), (-30, 30), (-10, 10)),
    # Ankle: plantar flexion 50, dorsiflexion 20, inversion 35, eversion 15.
    Limit(("ankle",), "z", (-20, 50), (-30, 30), (-35, 35)),
    # Toes (first metatarsophalangeal joint): extension 70, flexion 45.
    Limit(("foot",), "z", (-70, 45), (-15, 15), (-15, 15)),
    # Sternoclavicular joint: elevation 45, depression 10, protraction and retraction 30, roll 45.
    Limit(("collar",), "x", (-45, 45), (-30, 30), (-15, 45)),
    # Shoulder from the T: horizontal flexion 135, back 45 and, arm hanging, extension 60 (which is
    # 80 about y); up 90 more, down to adduction 120; inner rotation 70, outer 90.
    Limit(("shoulder",), "x", (-90, 90), (-135, 80), (-120, 90)),
    # Elbow: flexion 150; pronation and supination 80, which the model shares with the wrist.
    Limit(("elbow",), "x", (-80, 80), (-150, 10), (-10, 10)),
    # Wrist: flexion 80, extension 70, towards the thumb 20, towards the little finger 30.
    Limit(("wrist",), "x", (-80, 80), (-20, 30), (-80, 70)),
)
AXES = "xyz"


def excess(rotmats: Array) -> Array:
    """Radians beyond the range, tolerance included, zero inside it.

    rotmats (..., 22, 3, 3) parent-relative -> (..., L) for spine, neck, and each sided joint twice
    """
    columns = []
    for limit in LIMITS:
        for side in ("left_", "right_") if f"left_{limit.joints[0]}" in JOINT else ("",):
            rotmat = rotmats[..., JOINT[side + limit.joints[0]], :, :]
            for name in limit.joints[1:]:
                rotmat = rotmat @ rotmats[..., JOINT[side + name], :, :]
            columns.append(_excess_of(rotmat, limit, side == "right_"))
    return np.stack(columns, axis=-1)


def violations(rotmats: Array) -> float:
    """Per cent of joints and frames outside their range; rotmats (..., 22, 3, 3)."""
    return float(100 * (excess(rotmats) > 0).mean())


def _excess_of(rotmat: Array, limit: Limit, is_right: bool) -> Array:
    """(..., 3, 3) -> (...,) radians: the larger of the twist's excess and the swing's."""
    along = AXES.index(limit.along)
    swing, twist = swing_twist(rotmat, along)
    if is_right:
        swing, twist = swing * MIRROR, twist * MIRROR[along]
    ranges = np.radians([limit.x, limit.y, limit.z])
    low, high = ranges[along]
    beyond = np.maximum(np.maximum(low - twist, twist - high), 0)
    others = [axis for axis in range(3) if axis != along]
    swing = swing[..., others]
    bounds = np.where(swing < 0, -ranges[others, 0], ranges[others, 1])
    radius = np.sqrt(((swing / bounds) ** 2).sum(axis=-1))
    angle = np.linalg.norm(swing, axis=-1)
    outside = np.where(radius > 1, angle * (1 - 1 / np.maximum(radius, 1)), 0)
    return np.asarray(np.maximum(np.maximum(beyond, outside) - TOLERANCE, 0))


def swing_twist(rotmat: Array, along: int) -> tuple[Array, Array]:
    """rotmat = swing twist: swing's rotation vector (..., 3), the twist's angle (...,).

    The twist is the rotation's quaternion with the vector's other parts left out (Dobrowolski
    2015, "Swing-twist decomposition in Clifford algebra").
    """
    quat = quat_from_rotmat(rotmat)
    twist_xyzw = np.zeros_like(quat)
    twist_xyzw[..., along], twist_xyzw[..., 3] = quat[..., along], quat[..., 3]
    is_half_turn = np.linalg.norm(twist_xyzw, axis=-1) < 1e-9  # any twist will do
    twist_xyzw[..., 3] = np.where(is_half_turn, 1.0, twist_xyzw[..., 3])
    inverse = np.swapaxes(rotmat_from_quat(twist_xyzw), -1, -2)
    twist = 2 * np.arctan2(twist_xyzw[..., along], twist_xyzw[..., 3])
    return axis_angle_from_rotmat(rotmat @ inverse), np.asarray(twist)
