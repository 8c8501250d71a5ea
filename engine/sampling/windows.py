"""Windows: what the animator is asked for, and its answer turned back into world motion.

Knows the canonical frame, which frames are known, and how a sampled window is joined to them
without a seam. Knows no session, no clock and not who runs the denoiser. Everything is pure.
Seams: inertialisation (Bollo, "Inertialization", GDC 2018; Holden, "Spring-It-On", 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.canonical import CanonicalFrame, canonical_frame_of, from_canonical, to_canonical
from engine.body.capsules import Capsules
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle, slerp_rotmat
from engine.body.skeleton import JOINT_COUNT
from engine.body.vectors import lengths
from engine.errors import BackendError
from engine.motion.feet import frames_around, locked, sole_heights
from engine.motion.motion import (
    FRAME_RATE,
    WINDOW_FRAMES,
    features_from_rotmats,
    rotmats_from_features,
)
from engine.motion.parting import parted
from engine.sampling.sampler import WINDOW_SHAPE, WindowRequest

BRIDGE_FRAMES = 4
"""Frames after known ones that are drawn anew; 4 cut the jerk at seams to about a third."""
BRIDGE_ENDS = np.r_[0:3, 3 + BRIDGE_FRAMES : 6 + BRIDGE_FRAMES]
"""Frames that hold a bridge, counted from the first of them."""
MARGIN = 2
"""Frames on either side of a window that still shape its seam: position, velocity, acceleration."""
SEAM_DECAY = 2 * np.log(2) / 0.4 / FRAME_RATE
"""Decay per frame of a critically damped spring whose half-life is 0.4 s (Holden 2020)."""
REST_DECAY = 2 * np.log(2) / 0.2 / FRAME_RATE
"""The same for who stops at once: 0.2 s."""


# ----------------------------------------------------------------------------- frames of a pair
@dataclass(frozen=True, kw_only=True)
class Track:
    """Frames of a pair in the world, as far as they are known.

    rotmats   (2, T, 22, 3, 3) parent-relative rotations, root first
    transl    (2, T, 3) metres, SMPL-X `transl`
    is_known  (2, T) where a person's frame is given; elsewhere the values mean nothing
    """

    rotmats: Array
    transl: Array
    is_known: BoolArray

    @property
    def frames(self) -> int:
        return int(self.transl.shape[1])

    def cut(self, first: int, count: int) -> Track:
        """Frames first .. first + count - 1; those that do not exist are unknown."""
        if first >= 0 and first + count <= self.frames:
            there = slice(first, first + count)
            return Track(
                rotmats=self.rotmats[:, there],
                transl=self.transl[:, there],
                is_known=self.is_known[:, there],
            )
        index = np.arange(first, first + count)
        inside = (index >= 0) & (index < self.frames)
        held = np.clip(index, 0, self.frames - 1)
        return Track(
            rotmats=self.rotmats[:, held],
            transl=self.transl[:, held],
            is_known=self.is_known[:, held] & inside,
        )


def known_track(rotmats: Array, transl: Array) -> Track:
    """A track of (2, T, 22, 3, 3) and (2, T, 3) that is known throughout."""
    return Track(rotmats=rotmats, transl=transl, is_known=np.ones(transl.shape[:2], np.bool_))


def joined(tracks: Sequence[Track]) -> Track:
    """Tracks one after the other."""
    return Track(
        rotmats=np.concatenate([track.rotmats for track in tracks], axis=1),
        transl=np.concatenate([track.transl for track in tracks], axis=1),
        is_known=np.concatenate([track.is_known for track in tracks], axis=1),
    )


def moved(track: Track, *, player: Array) -> Track:
    """The track with the player (3,) metres elsewhere."""
    transl = track.transl.copy()
    transl[0] += player
    return replace(track, transl=transl)


def joints_of(track: Track, rest_joints: Array) -> Array:
    """World joints (2, T, 22, 3) of a track; rest_joints (2, 22, 3)."""
    return forward_kinematics(rest_joints[:, None], track.rotmats, track.transl)[0]


# ------------------------------------------------------------------------------ asking for a window
@dataclass(frozen=True, kw_only=True)
class Window:
    """A question to the animator, and what is needed to read its answer.

    known   track of WINDOW_FRAMES + 2 MARGIN frames, from MARGIN frames before the window on: the
            seams' other side
    """

    request: WindowRequest
    frame: CanonicalFrame
    rest_joints: Array
    known: Track


def open_window(
    track: Track,
    *,
    first: int,
    anchor: int,
    rest_joints: Array,
    seed: int,
    steps: int,
    told: BoolArray | None = None,
    clock: int = 0,
    skip: int = 0,
) -> Window:
    """Ask for frames first .. first + 29 of a track, built around the pair at `anchor`.

    first, anchor  indices into the track; both people are known at the anchor
    rest_joints    (2, 22, 3)
    told           (2, 30) known frames the network sees; None: all. The anchor always is. Known
                   frames that it is not told of still hold in the result.
    clock          index of the track's first frame on the caller's clock
    skip           steps that are left out, because unknown frames too are as a plan of before had
                   them: the window starts from there
    Raises ValueError when the anchor is unknown or outside the window.

    The features of known frames are absolute, in the canonical frame of the anchor pair, as in
    training (design.md 4).
    """
    index = anchor - first
    if not (0 <= index < WINDOW_FRAMES and 0 <= anchor < track.frames):
        raise ValueError(f"anchor {anchor} lies outside the window of frames {first}..{first + 29}")
    if not track.is_known[:, anchor].all():
        raise ValueError(f"frame {anchor} cannot be the anchor: one person is not known there")
    known = track.cut(first - MARGIN, WINDOW_FRAMES + 2 * MARGIN)
    window = known.cut(MARGIN, WINDOW_FRAMES)
    anchor_transl = window.transl[:, index]
    joints, _ = forward_kinematics(rest_joints, window.rotmats[:, index], anchor_transl)
    frame = canonical_frame_of(joints, anchor_transl, rest_joints)
    rotmats, transl = to_canonical(frame, window.rotmats, window.transl, rest_joints)
    features = features_from_rotmats(rotmats, transl)
    shown = window.is_known if told is None else window.is_known & told
    shown = shown | (np.arange(WINDOW_FRAMES) == index)
    joints = joints @ frame.rotation.T + frame.shift
    request = WindowRequest(
        known=features * shown[..., None],
        known_mask=shown[..., None].astype(np.float32),
        anchor=features[:, index],
        anchor_joints=joints.astype(np.float32),
        seed=seed,
        steps=steps,
        first_frame=clock + first,
        start=features - features[:, index, None] if skip else None,
        skip=skip,
    )
    return Window(request=request, frame=frame, rest_joints=rest_joints, known=known)


def anchor_window(
    track: Track, *, first: int, anchor: int, rest_joints: Array, seed: int, steps: int
) -> Window:
    """The window of the paper: the network is told the anchor and nothing else."""
    return open_window(
        track,
        first=first,
        anchor=anchor,
        rest_joints=rest_joints,
        seed=seed,
        steps=steps,
        told=np.zeros((2, WINDOW_FRAMES), np.bool_),
    )


def reaction_window(
    track: Track, *, history_frames: int, rest_joints: Array, seed: int, steps: int, clock: int = 0
) -> Window:
    """What comes next: up to `history_frames` known frames, the last of both people the anchor.

    Where one person is known further (the partner's committed frames), the network is told so.
    A chained window is the same, both people ending at once; `history_frames` = 1 is the paper's.
    """
    anchor = int(np.flatnonzero(track.is_known.all(axis=0))[-1])
    first = anchor - history_frames + 1
    return open_window(
        track,
        first=first,
        anchor=anchor,
        rest_joints=rest_joints,
        seed=seed,
        steps=steps,
        clock=clock,
    )


# ------------------------------------------------------------------------------ reading the answer
def close_window(window: Window, x0: Array, known: Track | None = None) -> Track:
    """The sampled residual window (2, 30, 135) as 30 world frames that run into the known ones.

    known  as `window.known`, where more has become known since; None: what was known when asked
    Known frames come back exactly as they were given. Raises BackendError as `read_window` does.
    """
    return joined_to(read_window(window, x0), window.known if known is None else known)


def read_window(window: Window, x0: Array) -> Track:
    """What the network predicts for all 30 frames and the margins, in the world.

    x0 (2, 30, 135). Raises BackendError when it has another shape, or gives no finite pose.
    """
    if x0.shape != WINDOW_SHAPE:
        raise BackendError(f"the denoiser gave a window of shape {x0.shape}, expected (2, 30, 135)")
    features = (x0 + window.request.anchor[:, None]).astype(np.float64)
    with np.errstate(all="ignore"):
        rotmats, transl = rotmats_from_features(features)
    if not (np.isfinite(rotmats).all() and np.isfinite(transl).all()):
        raise BackendError("the denoiser gave a window that is not finite", reason="BAD_WINDOW")
    rotmats, transl = from_canonical(window.frame, rotmats, transl, window.rest_joints)
    return _with_margins(known_track(rotmats, transl))


def joined_to(sampled: Track, known: Track) -> Track:
    """The 30 frames of a window that was read, joined to the known frames; both with margins."""
    return bridged(pinned(sampled, known), known.is_known).cut(MARGIN, WINDOW_FRAMES)


def bridged(track: Track, is_known: BoolArray) -> Track:
    """A pinned track whose first BRIDGE_FRAMES unknown frames are drawn anew with the least jerk.

    is_known (2, T). A network recites known frames and invents the others, and where it goes over
    from the one to the other its motion has a kink that pinning, which looks at the known frames
    alone, cannot see. Three known frames and the three after the bridge hold its ends.
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
    return replace(track, rotmats=rotmats, transl=transl)


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
    return Track(rotmats=rotmats, transl=transl, is_known=np.ones_like(is_known))


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
    return weights * (1 - _smoothstep(steps / (frames + 1)))[:, None] if is_fading else weights


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
    last = track.frames - 1
    return brought_to(track, (track.rotmats[:, last], track.transl[:, last]), frames)


def brought_to(
    track: Track, pair: tuple[Array, Array], frames: int, decay: float = SEAM_DECAY
) -> Track:
    """`frames` more of a known track, in which it comes to rest at a pair.

    pair  rotmats (2, 22, 3, 3), transl (2, 3)
    """
    still = track.cut(track.frames - 3, 3)
    resting = known_track(*(np.repeat(values[:, None], frames + 3, axis=1) for values in pair))
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


def _with_margins(track: Track) -> Track:
    """Continue at steady velocity MARGIN frames beyond both ends, to compare with what is there."""

    def ahead(rotmats: Array, transl: Array) -> tuple[Array, Array]:
        turn = np.swapaxes(rotmats[:, -2], -1, -2) @ rotmats[:, -1]
        new_rotmats, new_transl = [rotmats[:, -1] @ turn], [2 * transl[:, -1] - transl[:, -2]]
        for _ in range(MARGIN - 1):
            new_rotmats.append(new_rotmats[-1] @ turn)
            new_transl.append(new_transl[-1] + transl[:, -1] - transl[:, -2])
        return np.stack(new_rotmats, axis=1), np.stack(new_transl, axis=1)

    after = ahead(track.rotmats, track.transl)
    before = ahead(track.rotmats[:, ::-1], track.transl[:, ::-1])
    return known_track(
        np.concatenate([before[0][:, ::-1], track.rotmats, after[0]], axis=1),
        np.concatenate([before[1][:, ::-1], track.transl, after[1]], axis=1),
    )


def _run_before(is_known: BoolArray, stop: int) -> slice:
    """The last (at most three) known frames of the run that ends before `stop`, newest first."""
    count = 1
    while count < 3 and stop - count - 1 >= 0 and is_known[stop - count - 1]:
        count += 1
    return slice(stop - 1, stop - 1 - count if stop > count else None, -1)


def _smoothstep(x: Array) -> Array:
    return x * x * (3 - 2 * x)


# ---------------------------------------------------------------------------------- last clean-up
@dataclass(frozen=True, kw_only=True)
class CleanupConfig:
    """The last stage, after the network: what no viewer forgives. Known frames are left alone."""

    floor: float | None = 0.0
    """Height in metres that no joint and no sole goes below; None switches the correction off."""
    float_tolerance: float = 0.005
    """A body that hovers higher than this for over a second is lowered."""
    top_speed: float | None = 9.0
    """No joint moves faster, metres a second; None switches the limit off."""
    foot_lock: bool = True
    """Whether planted feet are held at one spot on the floor, if there is one (`body/feet.py`)."""
    capsules: tuple[Capsules, Capsules] | None = None
    """Of both bodies, to draw them out of each other (`body/parting.py`); None: they stay."""


def cleaned(track: Track, given: BoolArray, rest_joints: Array, config: CleanupConfig) -> Track:
    """A fully known track with its generated frames (where `given` (2, T) is false) corrected."""
    return feet_locked(corrected(track, given, rest_joints, config), given, rest_joints, config)


def corrected(track: Track, given: BoolArray, rest_joints: Array, config: CleanupConfig) -> Track:
    """The clean-up without its last stage, the feet."""
    result = track
    posed = forward_kinematics(rest_joints[:, None], track.rotmats, track.transl)
    if config.top_speed is not None:
        reach = config.top_speed / FRAME_RATE
        result = _speed_limited(result, posed[0], given, rest_joints, reach)
    if config.capsules is not None:
        apart = parted(result.rotmats, result.transl, given, rest_joints, config.capsules)
        result = replace(result, transl=apart)
    if config.floor is None:
        return result
    if result is not track:
        posed = forward_kinematics(rest_joints[:, None], result.rotmats, result.transl)
    lowest = lowest_heights(*posed, rest_joints[:, None]) - config.floor
    return _floored(result, lowest, given, config)


def feet_locked(
    track: Track,
    given: BoolArray,
    rest_joints: Array,
    config: CleanupConfig,
    shown: Track | None = None,
) -> Track:
    """The last stage of the clean-up, if it is switched on.

    shown  given frames as they have been shown, if they were locked before; None: as they are
    """
    if config.floor is None or not config.foot_lock:
        return track
    before = None if shown is None else (shown.rotmats, shown.transl)
    rotmats, transl = locked(track.rotmats, track.transl, given, rest_joints, config.floor, before)
    return replace(track, rotmats=rotmats, transl=transl)


def floor_height(rotmats: Array, transl: Array, rest_joints: Array) -> Array:
    """Height of the lowest joint or sole, (...,) for poses (..., 22, 3, 3): a person's floor."""
    joints, world = forward_kinematics(rest_joints, rotmats, transl)
    return np.asarray(lowest_heights(joints, world, rest_joints).min(axis=-1))


def lowest_heights(joints: Array, world: Array, rest_joints: Array) -> Array:
    """Heights (..., 3) of the left sole, the right sole, and the lowest joint."""
    result = np.empty((*joints.shape[:-2], 3))
    result[..., :2] = sole_heights(joints, world, rest_joints)
    result[..., 2] = joints[..., 1].min(axis=-1)
    return result


def _floored(track: Track, lowest: Array, given: BoolArray, config: CleanupConfig) -> Track:
    """Raise bodies out of the floor and lower those that hover, by a smooth vertical shift.

    lowest  (2, T, 3) heights over the floor, as of `lowest_heights`
    Where feet are locked afterwards, a leg can draw one foot in: only one who sinks with both is
    raised.
    """
    height = lowest.min(axis=-1)
    sunk = height
    if config.foot_lock:
        sunk = np.minimum(lowest[..., :2].max(axis=-1), lowest[..., 2])
    # A mean of maxima over the same reach is nowhere below the values, one of minima nowhere above.
    raised = _around(_around(np.maximum(-sunk, 0), 2).max(axis=-1), 2).mean(axis=-1)
    hovers = np.maximum(height - config.float_tolerance, 0)
    lowered = _around(_around(hovers, 5).min(axis=-1), 3).mean(axis=-1)
    shift = raised - lowered
    if not shift.any():
        return track
    transl = track.transl.copy()
    for person in range(len(given)):
        transl[person, :, 1] += shift[person] * _away_from(given[person], 4)
    return replace(track, transl=transl)


def _around(values: Array, radius: int) -> Array:
    """(2, T, 2 radius + 1) the values (2, T) at the frames around each; beyond the ends, held."""
    return np.asarray(values[:, frames_around(values.shape[1], radius)])


def _away_from(given: BoolArray, frames: int) -> Array:
    """0 at given frames, rising smoothly to 1 `frames` away from them; (T,)."""
    index = np.flatnonzero(given)
    if len(index) == 0:
        return np.ones(len(given))
    distance = np.abs(np.arange(len(given))[:, None] - index).min(axis=1)
    return _smoothstep(np.minimum(distance / frames, 1.0))


def _speed_limited(
    track: Track, joints: Array, given: BoolArray, rest_joints: Array, reach: float
) -> Track:
    """No joint travels over `reach` metres in a frame, going outwards from what is given.

    joints  (2, T, 22, 3) of the track
    """
    if lengths(joints[:, 1:] - joints[:, :-1]).max(initial=0.0) <= reach:
        return track
    rotmats, transl = track.rotmats.copy(), track.transl.copy()
    for person in range(len(given)):
        index = np.flatnonzero(given[person])
        first, last = (int(index[0]), int(index[-1])) if len(index) else (0, 0)
        forward = [(t - 1, t) for t in range(first + 1, track.frames) if not given[person, t]]
        backward = [
            (t + 1, t) for t in range(last - 1, -1, -1) if not given[person, t] and t < first
        ]
        for source, target in forward + backward:
            rotmats[person, target], transl[person, target] = _reachable(
                (rotmats[person, source], transl[person, source]),
                (rotmats[person, target], transl[person, target]),
                rest_joints[person],
                reach,
            )
    return replace(track, rotmats=rotmats, transl=transl)


def _reachable(
    start: tuple[Array, Array], goal: tuple[Array, Array], rest_joints: Array, reach: float
) -> tuple[Array, Array]:
    """The pose on the way from start to goal at which the fastest joint has travelled `reach`."""
    origin, _ = forward_kinematics(rest_joints, *start)
    pose, fraction = goal, 1.0
    for _ in range(8):
        joints, _ = forward_kinematics(rest_joints, *pose)
        travelled = float(lengths(joints - origin).max())
        if travelled <= reach:
            break
        fraction *= 0.98 * reach / travelled
        turned = slerp_rotmat(start[0], goal[0], np.full(JOINT_COUNT, fraction))
        pose = (turned, start[1] + fraction * (goal[1] - start[1]))
    return pose
