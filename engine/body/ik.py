"""Inverse kinematics of two-bone limbs, and the rotations that go with it.

Knows vectors and rotation matrices over frames. Knows no skeleton.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from engine.body.vectors import cross, dots, lengths, rotated, unit

MOST_FOLDED = np.radians(35.0)
"""Angle between two bones that are folded as far as they go."""


def frame_of(along: Array, across: Array) -> Array:
    """Rotation whose columns are `along`, `across` made perpendicular to it, and their product."""
    x = unit(along)
    y = unit(across - dots(across, x)[..., None] * x)
    return np.stack([x, y, cross(x, y)], axis=-1)


def aligning(rest_along: Array, rest_across: Array, along: Array, across: Array) -> Array:
    """The rotation that carries the rest pair of directions to the posed pair, along exactly."""
    return frame_of(along, across) @ np.swapaxes(frame_of(rest_along, rest_across), -1, -2)


def soft_limit(values: Array, soft: Array | float, hard: Array | float) -> Array:
    """Identity up to `soft`, then bends over towards `hard` and never reaches it; odd in values."""
    size = np.abs(values)
    room = hard - soft
    bent = soft + room * (1 - np.exp(-np.maximum(size - soft, 0) / room))
    return np.where(size < soft, values, np.sign(values) * bent)


def two_bone(
    root: Array,
    target: Array,
    pole: Array,
    rest_upper: Array,
    rest_lower: Array,
    rest_hinge: Array,
    reach: tuple[float, float] = (0.999, 0.9995),
) -> tuple[Array, Array, Array, Array]:
    """Bend a limb so that its end meets the target.

    root, target  (frame, 3) hip or shoulder; where ankle or wrist should be
    pole          (frame, 3) direction in which knee or elbow points
    rest_upper, rest_lower  (3,) or (frame, 3) bones in the rest pose
    rest_hinge    (3,) or (frame, 3) axis about which the limb flexes in the rest pose (upper x
                  lower when bent)
    reach         parts of the limb's length where the soft limit begins and where it ends
    returns       world_from_upper, world_from_lower (frame, 3, 3), middle joint, end (frame, 3)

    Law of cosines: cos(angle at root) = (a^2 + d^2 - b^2) / (2 a d); hinge = pole x axis.
    """
    a, b = lengths(rest_upper)[..., None], lengths(rest_lower)[..., None]
    axis = unit(target - root)
    distance = lengths(target - root)[..., None]
    distance = soft_limit(distance, reach[0] * (a + b), reach[1] * (a + b))
    distance = np.maximum(distance, np.sqrt(a * a + b * b - 2 * a * b * np.cos(MOST_FOLDED)))
    side = unit(pole - dots(pole, axis)[..., None] * axis)
    cosine = np.clip((a * a + distance**2 - b * b) / (2 * a * distance), -1, 1)
    middle = root + a * (cosine * axis + np.sqrt(1 - cosine**2) * side)
    end = root + distance * axis
    # Both bones side by side: upper, lower.
    rest, posed = np.empty((2, *root.shape)), np.empty((2, *root.shape))
    rest[0], rest[1], posed[0], posed[1] = rest_upper, rest_lower, middle - root, end - middle
    upper, lower = aligning(rest, rest_hinge, posed, cross(side, axis))
    return upper, lower, middle, end


def folded(axis: Array, side: Array, distance: Array, upper: Array, lower: Array) -> Array:
    """Frames (2, ..., 3, 3) of the upper and the lower bone of a limb that is folded so that its
    end is so far from its root: along the bone, along the hinge, and their product.

    axis, side  (..., 3) unit, from root to end, and square to it, where the middle joint points
    distance, upper, lower  (...,) of root and end, and lengths of the bones

    In the plane of axis and side a bone at an angle has the frame (c, s), hinge, (-s, c); law of
    cosines: upper's c = (a^2 + d^2 - b^2) / (2 a d); the lower bone goes on to the end.
    """
    least = np.sqrt(upper**2 + lower**2 - 2 * upper * lower * np.cos(MOST_FOLDED))
    distance = np.maximum(distance, least)
    cosine = (upper**2 + distance**2 - lower**2) / (2 * upper * distance)
    cosine = np.minimum(cosine, 1.0)
    sine = np.sqrt(1 - cosine**2)
    plane = np.stack([axis, side, cross(side, axis)], axis=-1)
    turns = np.zeros((2, *distance.shape, 3, 3))
    turns[0, ..., 0, 0], turns[0, ..., 1, 0] = cosine, sine
    turns[1, ..., 0, 0] = (distance - upper * cosine) / lower
    turns[1, ..., 1, 0] = -upper * sine / lower
    turns[..., 2, 1] = 1.0
    turns[..., 0, 2], turns[..., 1, 2] = -turns[..., 1, 0], turns[..., 0, 0]
    return np.asarray(plane @ turns)


def bent_to(
    upper: Array,
    lower: Array,
    rest_lengths: tuple[Array, Array],
    hinge: Array,
    to_target: Array,
    reach: Array,
) -> tuple[Array, Array]:
    """Bend and turn a posed limb so that its end meets the target; it keeps its own hinge.

    The limb opens or closes until it is as long as it must be (law of cosines, d^2 = a^2 + b^2 +
    2 a b cos(bend)), then turns by the short way. So one that is there already does not move, and
    its middle joint keeps its direction; `two_bone` needs no limb, and a pole.

    upper, lower  (..., 3) the bones as they are; to_target from the root
    hinge         (..., 3) unit, the axis of a limb that is straight
    reach         (...,) that the limb is not longer than
    returns       rotations of the whole limb, and of the lower bone before that (..., 3, 3)
    """
    a, b = rest_lengths
    length = np.minimum(lengths(to_target), reach)
    across = cross(upper, lower)
    bend = np.arctan2(lengths(across), dots(upper, lower))
    across = across + 1e-3 * hinge * (a * b)[..., None]
    wanted = np.arccos(np.clip((length**2 - a**2 - b**2) / (2 * a * b), -1.0, 1.0))
    fold = rotmat_from_axis_angle(((wanted - bend) / lengths(across))[..., None] * across)
    end = upper + rotated(fold, lower)
    axis = cross(end, to_target)
    # Unlike in `arc_vector`, an axis that is all but nothing still turns by what it says.
    sine = np.maximum(lengths(axis), 1e-12)
    angle = np.arctan2(sine, dots(end, to_target))
    return rotmat_from_axis_angle(axis * (angle / sine)[..., None]), fold


def swing_and_twist(rotmat: Array, axis: Array) -> tuple[Array, Array]:
    """rotmat (frame, 3, 3) = swing @ Rot(axis, twist): swing, and twist (frame,) in radians.

    axis  (3,) or (frame, 3), unit
    """
    turned = rotated(rotmat, axis)
    swing = shortest_arc(np.broadcast_to(axis, turned.shape), turned)
    rest = axis_angle_from_rotmat(np.swapaxes(swing, -1, -2) @ rotmat)
    return swing, dots(rest, axis)


def shortest_arc(start: Array, end: Array) -> Array:
    """Smallest rotation (frame, 3, 3) of unit vectors start (frame, 3) onto end."""
    return rotmat_from_axis_angle(arc_vector(start, end))


def arc_vector(start: Array, end: Array) -> Array:
    """The rotation vector (frame, 3) of `shortest_arc`."""
    axis = cross(start, end)
    sine = lengths(axis)
    angle = np.arctan2(sine, dots(start, end))
    return np.asarray(axis * (angle / np.maximum(sine, 1e-9))[..., None])


def limited(rotmat: Array, most: Array | float) -> Array:
    """The rotations, their angles bent over below `most` radians ((frame, 1), or one for all)."""
    cosines = (rotmat[..., 0, 0] + rotmat[..., 1, 1] + rotmat[..., 2, 2] - 1) / 2
    if np.all(cosines[..., None] > np.cos(0.8 * np.asarray(most))):
        return rotmat
    vector = axis_angle_from_rotmat(rotmat)
    angle = lengths(vector)[..., None]
    return rotmat_from_axis_angle(
        vector * (soft_limit(angle, 0.8 * most, most) / np.maximum(angle, 1e-9))
    )
