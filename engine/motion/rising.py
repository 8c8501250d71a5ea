"""Rising: one who sits stays seated, and gets up over the feet when there is a reason to.

Hips swing about the ankles, forward over the feet first and up from then on, while the trunk bends
forward and comes upright again, as people get up (Schenkman et al. 1990: flexion, momentum
transfer, extension). Feet stay where they are; arms and spine come to those of one who stands.
Knows poses and a course (`company.py`); knows no window, no session, and not why one gets up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array
from engine.body.arms import SPINE
from engine.body.easing import min_jerk
from engine.body.pose import Pose
from engine.body.reach import ANKLES, BALLS, HIPS, KNEES
from engine.body.rotations import rotmat_about, slerp_rotmat
from engine.motion.company import Companion, Course
from engine.motion.gait import ankles_of, facing, hips_height
from engine.motion.motion import FRAME_RATE

LOW = 0.38
"""Metres by which hips are lower than standing of one who sits, on a chair or on the floor."""
RISE_FRAMES = 15
"""In which one gets up."""
OVER, UP = (0.0, 0.8), (0.15, 1.0)
"""Parts of them in which hips come over the feet, and in which they come up."""
LIKE_STANDING, ON_LEGS = (0.0, 0.75), (0.0, 0.15)
"""Parts of them in which arms and trunk come to those of one who stands, and in which legs that lay
as they liked come to stand on their feet."""
BENT_MOST, UPRIGHT = 0.35, 1.0
"""Parts of them at which the trunk is bent forward most, and no more."""
HIPS_BENT, SPINE_BENT = 0.55, 0.25
"""Radians by which hips and spine then are."""
LEGS = [*HIPS, *KNEES, *ANKLES, *BALLS]


def sits(pose: Pose, rest_joints: Array, floor: float) -> bool:
    """Whether somebody in a pose () has the hips far lower than standing."""
    height = float(pose.transl[1] + rest_joints[0, 1]) - floor
    return hips_height(rest_joints) - height > LOW


def seated(state: Companion, rest_joints: Array) -> Companion:
    """One who sits and is to stand over the same feet."""
    yaw = state.hips[2]
    out_x, out_z = rest_joints[ANKLES][:, [0, 2]].mean(axis=0) - rest_joints[0, [0, 2]]
    x, z, _ = np.mean([foot.start for foot in state.feet], axis=0)
    x -= math.cos(yaw) * out_x + math.sin(yaw) * out_z
    z -= math.cos(yaw) * out_z - math.sin(yaw) * out_x
    still = replace(state, velocity=(0.0, 0.0), spin=0.0, is_going=False, is_turning=False)
    return replace(still, hips=(float(x), float(z), yaw), risen=0.0)


def getting_up(state: Companion, frames: int, after: int | None) -> Course:
    """The frames after `state`, of one who sits, or is on the way up.

    after  frames that one sits on for; None: for all of them
    """
    begun = np.maximum(np.arange(1, frames + 1) - (frames if after is None else after), 0)
    risen = np.minimum(state.risen + begun / RISE_FRAMES, 1.0)
    times = state.time_s + np.arange(1, frames + 1) / FRAME_RATE
    places = [[foot.start for foot in state.feet]] * frames
    states = (
        replace(state, risen=float(part), time_s=float(time_s))
        for part, time_s in zip(risen, times, strict=True)
    )
    return Course(
        hips=np.array([state.hips] * frames),
        pace=np.zeros(frames),
        places=np.array(places),
        lift=np.zeros((frames, 2)),
        states=tuple(states),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Rise:
    """The frames after one in which somebody sits, or is on the way up.

    pose    () of that frame; risen: part of the way up in it, 0 sits, 1 stands
    course  of the frames after it
    """

    pose: Pose
    risen: float
    course: Course
    rest_joints: Array
    floor: float

    def hips_off(self) -> Array:
        """(frame, 3) metres left, up and ahead that hips are off those of one who stands."""
        rest, (x, z, yaw) = self.rest_joints, self.course.hips[0]
        left = np.array([math.cos(yaw), 0.0, -math.sin(yaw)])
        axes = np.stack([left, [0.0, 1.0, 0.0], [math.sin(yaw), 0.0, math.cos(yaw)]])
        ankles = ankles_of(self.course, rest, self.floor)[0].mean(axis=0)
        stands = axes @ ([x, self.floor + hips_height(rest), z] - ankles)
        now = axes @ (self.pose.transl + rest[0] - ankles)
        (tilt, radius), (upright, straight) = (
            (math.atan2(-ahead, up), math.hypot(ahead, up)) for _, up, ahead in (now, stands)
        )
        tilts = upright + self._left(*OVER) * (tilt - upright)
        radii = straight + self._left(*UP) * (radius - straight)
        aside = stands[0] + self._left(*UP) * (now[0] - stands[0])
        places = np.stack([aside, radii * np.cos(tilts), -radii * np.sin(tilts)], axis=-1)
        return np.asarray(places - stands)

    def carried_up(self, standing: Array) -> Array:
        """Frames (frame, 22, 3, 3): from the pose to those of one who stands."""
        bend = _bend(self._parts)
        more, seat = bend - _bend(np.array(self.risen)), self.pose.rotmats[None]
        first = _bent(facing(np.repeat(seat, len(bend), axis=0), self.course), more)
        last = _bent(facing(standing, self.course), bend)
        return slerp_rotmat(last, first, self._left(*LIKE_STANDING)[:, None])

    def on_feet(self, rotmats: Array) -> Array:
        """Frames whose legs stand on their feet, with those of the pose as far as these still
        lie."""
        result = rotmats.copy()
        lie = np.broadcast_to(self.pose.rotmats[LEGS], rotmats[:, LEGS].shape)
        result[:, LEGS] = slerp_rotmat(rotmats[:, LEGS], lie, self._left(*ON_LEGS)[:, None])
        return result

    @property
    def _parts(self) -> Array:
        return np.array([state.risen for state in self.course.states])

    def _left(self, first: float, last: float) -> Array:
        """(frame,) what is left of a change that lasts from one part of the way up to another; 1 in
        the pose."""
        before, now = (
            1 - min_jerk((parts - first) / (last - first)) for parts in (self.risen, self._parts)
        )
        return np.asarray(now / np.maximum(before, 1e-6))


def _bend(parts: Array) -> Array:
    """0 to 1 of the trunk of one who is so far up."""
    back = min_jerk((parts - BENT_MOST) / (UPRIGHT - BENT_MOST))
    return np.asarray(min_jerk(parts / BENT_MOST) * (1 - back))


def _bent(rotmats: Array, bend: Array) -> Array:
    """Frames (frame, 22, 3, 3) with the trunk bent forward by so much more."""
    result, ahead = rotmats.copy(), rotmats[:, 0, :, 2]
    yaw = rotmat_about("y", np.arctan2(ahead[:, 0], ahead[:, 2]))
    turn = yaw @ rotmat_about("x", HIPS_BENT * bend) @ np.swapaxes(yaw, -1, -2)
    result[:, 0] = turn @ rotmats[:, 0]
    share = rotmat_about("x", SPINE_BENT / len(SPINE) * bend)
    result[:, SPINE] = rotmats[:, SPINE] @ share[:, None]
    return result
