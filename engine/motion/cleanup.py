"""Clean-up: the last stage after a network, for what no viewer forgives.

No joint too fast, bodies drawn out of each other, nobody under the floor or over it, planted feet
in one spot. Knows tracks, and which of their frames are given; those are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.easing import away_from
from engine.body.pose import Pose
from engine.body.rotations import slerp_rotmat
from engine.body.skeleton import JOINT_COUNT
from engine.body.skins import Skins
from engine.body.vectors import lengths
from engine.motion.feet import frames_around, locked
from engine.motion.floor import lowest_heights
from engine.motion.motion import (
    FRAME_RATE,
)
from engine.motion.parting import parted
from engine.motion.track import Track


@dataclass(frozen=True, kw_only=True)
class CleanupConfig:
    """The last stage, after the network: what no viewer forgives. Known frames are left alone."""

    floor: float | Array | None = 0.0
    """Height in metres that no joint and no sole goes below, or that of each person (person, 1, 1);
    None switches the correction off."""
    float_tolerance: float = 0.005
    """A body that hovers higher than this for over a second is lowered."""
    top_speed: float | None = 9.0
    """No joint moves faster, metres a second; None switches the limit off."""
    foot_lock: bool = True
    """Whether planted feet are held at one spot on the floor, if there is one (`body/feet.py`)."""
    skins: Skins | None = None
    """Of one or several pairs, to draw them out of each other (`parting.py`); None: they stay."""


def cleaned(track: Track, given: BoolArray, rest_joints: Array, config: CleanupConfig) -> Track:
    """A fully known track with its generated frames (where `given` (2, T) is false) corrected.

    The people may be those of several pairs, all players before all partners.
    """
    return feet_locked(corrected(track, given, rest_joints, config), given, rest_joints, config)


def corrected(track: Track, given: BoolArray, rest_joints: Array, config: CleanupConfig) -> Track:
    """The clean-up without its last stage, the feet."""
    result = track
    posed = track.pose.in_world(rest_joints[:, None])
    if config.top_speed is not None:
        reach = config.top_speed / FRAME_RATE
        result = _speed_limited(result, posed[0], given, rest_joints, reach)
    if result is not track:
        posed = result.pose.in_world(rest_joints[:, None])
    if config.skins is not None:  # which moves nobody up or down: `posed` will do for heights
        apart = parted(result.transl, posed, given, config.skins)
        result = replace(result, pose=Pose(result.rotmats, apart))
    if config.floor is None:
        return result
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
    before = None if shown is None else shown.pose
    return replace(track, pose=locked(track.pose, given, rest_joints, config.floor, before))


def _floored(track: Track, lowest: Array, given: BoolArray, config: CleanupConfig) -> Track:
    """Raise bodies out of the floor and lower those that hover, by a smooth vertical shift.

    lowest  (2, T, 3) heights over the floor, as `lowest_heights` has them
    Where feet are locked afterwards, a leg can draw one foot in: only a body that sinks with both
    is raised.
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
        transl[person, :, 1] += shift[person] * away_from(given[person], 4)
    return replace(track, pose=Pose(track.rotmats, transl))


def _around(values: Array, radius: int) -> Array:
    """(2, T, 2 radius + 1) the values (2, T) at the frames around each; beyond the ends, held."""
    return np.asarray(values[:, frames_around(values.shape[1], radius)])


def _speed_limited(
    track: Track, joints: Array, given: BoolArray, rest_joints: Array, reach: float
) -> Track:
    """No joint travels over `reach` metres in a frame, going outwards from what is given.

    joints  (2, T, 22, 3) of the track
    """
    fastest = lengths(joints[:, 1:] - joints[:, :-1]).max(axis=(1, 2), initial=0.0)
    too_fast = np.flatnonzero(fastest > reach).tolist()
    if not too_fast:
        return track
    pose = Pose(track.rotmats.copy(), track.transl.copy())
    for person in too_fast:
        index = np.flatnonzero(given[person])
        first, last = (int(index[0]), int(index[-1])) if len(index) else (0, 0)
        forward = [(t - 1, t) for t in range(first + 1, track.frames) if not given[person, t]]
        backward = [
            (t + 1, t) for t in range(last - 1, -1, -1) if not given[person, t] and t < first
        ]
        for source, target in forward + backward:
            start, goal = pose[person, source], pose[person, target]
            reached = _reachable(start, goal, rest_joints[person], reach)
            goal.rotmats[:], goal.transl[:] = reached.rotmats, reached.transl
    return replace(track, pose=pose)


def _reachable(start: Pose, goal: Pose, rest_joints: Array, reach: float) -> Pose:
    """The pose on the way from start to goal at which the fastest joint has travelled `reach`."""
    origin, _ = start.in_world(rest_joints)
    pose, fraction = goal, 1.0
    for _ in range(8):
        joints, _ = pose.in_world(rest_joints)
        travelled = float(lengths(joints - origin).max())
        if travelled <= reach:
            break
        fraction *= 0.98 * reach / travelled
        turned = slerp_rotmat(start.rotmats, goal.rotmats, np.full(JOINT_COUNT, fraction))
        pose = Pose(turned, start.transl + fraction * (goal.transl - start.transl))
    return pose
