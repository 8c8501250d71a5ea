"""Seams: motion that runs into known frames without a jump in position, velocity or acceleration.

Knows tracks; knows no window, no floor and no network. Everything is pure.
Inertialisation (Bollo, "Inertialization", GDC 2018; Holden, "Spring-It-On", 2020).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import zip_longest

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.easing import smoothstep
from engine.body.pose import Pose, stacked
from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from engine.body.skeleton import JOINT_COUNT
from engine.body.vectors import lengths
from engine.motion.motion import (
    FRAME_RATE,
    WINDOW_FRAMES,
)
from engine.motion.track import Track, known_track

BRIDGE_FRAMES = 4
"""Frames after known ones that are drawn again; 4 cut the jerk at seams to about a third."""

BRIDGE_ENDS = np.r_[0:3, 3 + BRIDGE_FRAMES : 6 + BRIDGE_FRAMES]
"""Frames that hold a bridge, counted from the first of them."""

MARGIN = 2
"""Frames on either side of a window that still shape its seam: position, velocity, acceleration."""

SEAM_DECAY = 2 * np.log(2) / 0.4 / FRAME_RATE
"""Decay per frame of a critically damped spring whose half-life is 0.4 s (Holden 2020)."""

REST_DECAY = 2 * np.log(2) / 0.2 / FRAME_RATE
"""The same for who stops at once: 0.2 s."""


def joined_to(sampled: Track, known: Track, decay: float = SEAM_DECAY) -> Track:
    """The 30 frames of a window that was read, joined to the known frames; both with margins."""
    return bridged(pinned(sampled, known, decay), known.is_known).cut(MARGIN, WINDOW_FRAMES)


def bridged(track: Track, is_known: BoolArray) -> Track:
    """A pinned track whose first BRIDGE_FRAMES unknown frames are drawn again with the least jerk.

    is_known (2, T). A network recites known frames and invents the others. Where it goes over from
    one to the other, its motion has a kink that pinning cannot see, because it looks at the known
    frames alone. Three known frames and the three after the bridge hold its ends.
    """
    rotmats, transl = track.rotmats.copy(), track.transl.copy()
    blend = _least_jerk(BRIDGE_FRAMES)
    # Both people at once, one place of each after the other: places may overlap.
    for places in zip_longest(*map(_bridge_places, is_known)):
        people = np.array([person for person, place in enumerate(places) if place is not None])
        first = np.array([place for place in places if place is not None])[:, None]
        ends = people[:, None], first + BRIDGE_ENDS
        between = people[:, None], first + np.arange(3, 3 + BRIDGE_FRAMES)
        reference = rotmats[people[:, None], first + 2]
        turn = axis_angle_from_rotmat(reference.swapaxes(-1, -2) @ rotmats[ends])
        turn = (blend @ turn.reshape(len(people), 6, -1)).reshape(*between[1].shape, JOINT_COUNT, 3)
        rotmats[between] = reference @ rotmat_from_axis_angle(turn)
        transl[between] = blend @ transl[ends]
    return Track(Pose(rotmats, transl), track.is_known)


def _bridge_places(is_known: BoolArray) -> list[int]:
    """First frames of every stretch of (T,) of three known frames, bridge, and three more unknown,
    or the same backwards."""
    places = []
    for start, stop in _gaps(is_known):
        if stop - start < BRIDGE_FRAMES + 3:
            continue
        if start >= 3 and is_known[start - 3 : start].all():
            places.append(start - 3)
        if stop + 3 <= len(is_known) and is_known[stop : stop + 3].all():
            places.append(stop - BRIDGE_FRAMES - 3)
    return places


def _gaps(is_known: BoolArray) -> list[tuple[int, int]]:
    """First frame, and the one after the last, of every run of (T,) that is not known."""
    padded = np.ones(len(is_known) + 2, np.bool_)
    padded[1:-1] = is_known
    borders = np.flatnonzero(padded[1:] != padded[:-1]).tolist()
    return list(zip(borders[::2], borders[1::2], strict=True))


@lru_cache
def _least_jerk(frames: int) -> Array:
    """(frames, 6): `frames` values between three and three given ones with the least squared jerk.

    Third differences D x = D_u u + D_g g, so u = -pinv(D_u) D_g g (minimum jerk, Flash and Hogan
    1985, in differences).
    """
    differences = np.diff(np.eye(frames + 6), n=3, axis=0)
    unknown = differences[:, 3 : 3 + frames]
    given = np.delete(differences, np.s_[3 : 3 + frames], axis=1)
    return np.asarray(-np.linalg.pinv(unknown) @ given)


def pinned(sampled: Track, known: Track, decay: float = SEAM_DECAY) -> Track:
    """`sampled`, made equal to `known` where that is known, and smooth where it begins and ends.

    The error known - sampled (rotation vectors, translations) is continued into the unknown frames
    from each border and decays there, so that position, velocity and acceleration run through.
    """
    is_known = known.is_known
    people, frames = is_known.shape
    border, free = _border(is_known), ~is_known
    error = np.zeros((people, frames, JOINT_COUNT + 1, 3))
    error[border, :-1] = axis_angle_from_rotmat(
        sampled.rotmats[border].swapaxes(-1, -2) @ known.rotmats[border]
    )
    error[..., :-1, :] = _unwound(error[..., :-1, :], border)
    error[border, -1] = known.transl[border] - sampled.transl[border]
    offset = np.stack(
        [
            spread(error[person].reshape(frames, -1), is_known[person], decay)
            for person in range(people)
        ]
    )
    offset = offset.reshape(error.shape)[free]
    rotmats = known.rotmats.astype(np.result_type(known.rotmats, sampled.rotmats))
    rotmats[free] = sampled.rotmats[free] @ rotmat_from_axis_angle(offset[:, :-1])
    transl = known.transl.astype(np.result_type(known.transl, sampled.transl))
    transl[free] = sampled.transl[free] + offset[:, -1]
    return known_track(Pose(rotmats, transl))


def _border(is_known: BoolArray) -> BoolArray:
    """Which known frames (2, T) are among the three next to an unknown one."""
    result = np.zeros_like(is_known)
    for distance in (1, 2, 3):
        result[:, distance:] |= ~is_known[:, :-distance]
        result[:, :-distance] |= ~is_known[:, distance:]
    return result & is_known


def spread(error: Array, is_known: BoolArray, decay: float = SEAM_DECAY) -> Array:
    """Continue an error (T, D), given where `is_known` (T,), into the frames where it is not.

    Between two known stretches each side's error also fades to zero before the other begins.
    """
    result = np.where(is_known[:, None], error, 0.0)
    for start, stop in _gaps(is_known):
        has_both = start > 0 and stop < len(error)
        if start > 0:
            newest_first = error[_run_before(is_known, start)]
            weights = _spreading(len(newest_first), stop - start, decay, has_both)
            result[start:stop] += weights @ newest_first
        if stop < len(error):
            nearest_first = error[::-1][_run_before(is_known[::-1], len(error) - stop)]
            weights = _spreading(len(nearest_first), stop - start, decay, has_both)
            result[start:stop] += weights[::-1] @ nearest_first
    return result


@lru_cache(maxsize=256)
def _spreading(seen: int, frames: int, decay: float, is_fading: bool) -> Array:
    """(frames, seen) what arrives at each unknown frame of each error seen before it, the newest
    first."""
    steps = np.arange(1.0, frames + 1)
    weights = decayed(np.eye(seen), steps, decay)
    return weights * (1 - smoothstep(steps / (frames + 1)))[:, None] if is_fading else weights


def decayed(newest_first: Array, steps: Array, decay: float = SEAM_DECAY) -> Array:
    """An error seen at times 0, -1, -2 (at most three rows (n, D)), continued at `steps` > 0.

    returns (steps, D):  e(t) = (a + b t + c t^2) exp(-decay t) through the given values: a
    critically damped spring with one order more, so the acceleration runs through as well. With
    fewer than three values the missing terms are left out; one value alone starts at rest.
    """
    t = np.asarray(steps, float)[:, None]
    g = newest_first[:3] * np.exp(-decay * np.arange(len(newest_first[:3])))[:, None]
    if len(g) == 1:
        polynomial = g[0] * (1 + decay * t)
    elif len(g) == 2:
        polynomial = g[0] + t * (g[0] - g[1])
    else:
        polynomial = g[0] * (t + 1) * (t + 2) / 2 - g[1] * t * (t + 2) + g[2] * t * (t + 1) / 2
    return np.asarray(polynomial * np.exp(-decay * t))


def coasted(track: Track, frames: int) -> Track:
    """`frames` more of a known track, its motion dying away within half a second: plan B."""
    return brought_to(track, track.pose[:, track.frames - 1], frames)


def brought_to(track: Track, pair: Pose, frames: int, decay: float = SEAM_DECAY) -> Track:
    """`frames` more of a known track, in which it comes to rest at a pair."""
    still = track.cut(track.frames - 3, 3)
    resting = known_track(stacked([pair] * (frames + 3), axis=1))
    return pinned(resting, still.cut(0, frames + 3), decay).cut(3, frames)


def _unwound(turn: Array, is_known: BoolArray) -> Array:
    """Rotation vectors (2, T, 22, 3) without the leap from +pi to -pi between known neighbours."""
    angles = lengths(turn)[..., None]
    if angles.max() < np.pi / 2:
        return turn
    result = turn.copy()
    for frame in range(1, turn.shape[1]):
        angle = angles[:, frame]
        other = turn[:, frame] * (1 - 2 * np.pi / np.maximum(angle, 1e-9))
        previous = result[:, frame - 1]
        is_nearer = lengths(other - previous) < lengths(turn[:, frame] - previous)
        is_nearer &= is_known[:, frame - 1, None] & (angle[..., 0] > 1e-9)
        result[:, frame] = np.where(is_nearer[..., None], other, turn[:, frame])
    return result


def _run_before(is_known: BoolArray, stop: int) -> slice:
    """The last (at most three) known frames of the run that ends before `stop`, newest first."""
    count = 1
    while count < 3 and stop - count - 1 >= 0 and is_known[stop - count - 1]:
        count += 1
    return slice(stop - 1, stop - 1 - count if stop > count else None, -1)
