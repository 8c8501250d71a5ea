"""Footsteps: where and when feet are planted under a body that moves along a path.

Knows ground positions (x, z) and headings (yaw; 0 looks along +Z, left is +X). Knows no joints but
the ankle and the ball of the foot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.easing import smoothstep
from engine.body.rotations import rotmat_about
from trainer.choreography.timing import ramp, smoothed

LEFT, RIGHT = 0, 1
SIDE = (1.0, -1.0)
"""Sign of +X for a left and a right limb."""


@dataclass(frozen=True, kw_only=True)
class Gait:
    """How a person steps; lengths in metres, times in seconds."""

    half_width: float = 0.09
    toe_out: float = 0.12
    behind: float = 0.05
    """How far ankles stand behind the pelvis: weight rests on the middle of the foot."""
    swing: float = 0.38
    double_support: float = 0.10
    lift: float = 0.05
    threshold: float = 0.09
    """How far a foot may be from its place before it steps."""


@dataclass(frozen=True, kw_only=True)
class Step:
    foot: int
    lift_frame: int
    land_frame: int
    start: tuple[float, float, float]
    """x, z, yaw of the ankle's place on the ground."""
    end: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class FootTrack:
    """Both feet over time: axis 1 is left, right.

    ankle (frame, 2, 3); yaw, pitch (frame, 2), pitch > 0 raises the heel; planted (frame, 2)
    ground (frame, 2, 2) the place of the ankle on the ground
    """

    ankle: Array
    yaw: Array
    pitch: Array
    planted: BoolArray
    ground: Array


def ground_forward(heading: Array) -> Array:
    return np.stack([np.sin(heading), np.cos(heading)], axis=-1)


def ground_left(heading: Array) -> Array:
    return np.stack([np.cos(heading), -np.sin(heading)], axis=-1)


def wished_places(path: Array, heading: Array, gait: Gait) -> Array:
    """(frame, 2, 3): x, z, yaw of each foot if the body stood still at that frame of its path."""
    left = ground_left(heading) * gait.half_width
    middle = path - ground_forward(heading) * gait.behind
    return np.stack(
        [np.column_stack([middle + sign * left, heading + sign * gait.toe_out]) for sign in SIDE],
        axis=1,
    )


def plan_steps(
    path: Array, heading: Array, gait: Gait, rate: float, start_error: Array
) -> list[Step]:
    """Step whenever a foot is too far from where it should be; one foot at a time.

    path (frame, 2), heading (frame,), rate in frames a second, start_error (2, 3) offsets of the
    feet from their wished places at the first frame.
    A foot lands where the path will be at the middle of its coming stance, so that a steady walk
    has steps of even length and the last step closes up.
    """
    wished = wished_places(path, heading, gait)
    last = len(path) - 1
    places = wished[0] + start_error
    speed = np.linalg.norm(np.gradient(path, axis=0), axis=-1) * rate if last else np.zeros(1)
    steps: list[Step] = []
    free = int(0.1 * rate)
    stepped = np.full(2, -(10**6))
    frame = 0
    while frame < last:
        swing = round(rate * gait.swing * (1 - 0.10 * min(float(speed[frame]), 1.8)))
        ahead = wished[min(frame + swing // 2, last)]
        off = ahead - places
        error = np.hypot(off[:, 0], off[:, 1]) + 0.25 * np.abs(off[:, 2])
        error -= 0.05 * (frame - stepped < 0.6 * rate)
        foot = int(np.argmax(error))
        is_settled = speed[min(frame + swing, last)] < 0.03 and frame - stepped[foot] > 0.5 * rate
        if frame < free or error[foot] < gait.threshold * (0.75 if is_settled else 1.0):
            frame += 1
            continue
        land = frame + swing
        half_stance = round(0.5 * swing + gait.double_support * rate)
        target = wished[min(land + half_stance, last)].copy()[foot]
        target[:2] = _not_crossing(target, places[1 - foot], foot, float(heading[min(land, last)]))
        steps.append(
            Step(
                foot=foot,
                lift_frame=frame,
                land_frame=land,
                start=tuple(places[foot]),
                end=tuple(target),
            )
        )
        places[foot] = target
        stepped[foot] = land
        frame = land + max(
            1, round(gait.double_support * rate * (1 - 0.4 * min(speed[min(land, last)], 1.5)))
        )
    return steps


def _not_crossing(target: Array, other: Array, foot: int, heading: float) -> Array:
    """Keep the landing foot on its own side of the standing one."""
    left = ground_left(np.asarray(heading))
    gap = SIDE[foot] * float((target[:2] - other[:2]) @ left)
    return np.asarray(target[:2] + SIDE[foot] * max(0.11 - gap, 0.0) * left)


def track_feet(
    steps: list[Step],
    start: Array,
    frames: int,
    rate: float,
    gait: Gait,
    ankle_height: float,
    ball_offset: Array,
) -> FootTrack:
    """Ankle positions and foot angles between and during steps.

    start (2, 3) x, z, yaw at the first frame; ball_offset (3,) from ankle to ball at rest.
    In stance nothing moves but the heel, which rises about the planted ball before the foot leaves.
    """
    place = np.repeat(start[None], frames, axis=0)
    pitch = np.zeros((frames, 2))
    planted = np.ones((frames, 2), np.bool_)
    raised = np.zeros((frames, 2))
    index = np.arange(frames)
    for step in steps:
        foot, lift, land = step.foot, step.lift_frame, step.land_frame
        delta = np.subtract(step.end, step.start)
        length = float(np.hypot(*delta[:2]))
        forward = float(delta[:2] @ ground_forward(np.asarray(step.start[2])))
        place[index >= land, foot] = step.end
        swing = (index >= lift) & (index < land)
        fraction = (index[swing] - lift) / (land - lift)
        # Feet that hurry peak lower than minimum jerk has it.
        travelled = smoothstep(fraction)
        place[swing, foot] = step.start + travelled[:, None] * delta
        planted[(index > lift) & (index < land), foot] = False
        roll = np.clip(0.06 + 0.65 * forward, 0.06, 0.50)
        strike = np.clip(0.35 * forward, 0.0, 0.2)
        early = max(2, round(0.16 * rate))
        rise = ramp(index.astype(float), lift - early, lift + 0.15 * (land - lift))
        fall = ramp(index.astype(float), lift + 0.1 * (land - lift), lift + 0.9 * (land - lift))
        settle = ramp(index.astype(float), land - 1, land + max(2, round(0.1 * rate)))
        wave = roll * (rise - fall) - strike * (fall - settle)
        pitch[:, foot] += wave
        height = gait.lift + 0.05 * min(length, 0.6)
        raised[swing, foot] += height * (4 * fraction * (1 - fraction)) ** 1.5
    return _assembled(place, pitch, planted, raised, ankle_height, ball_offset)


def _assembled(
    place: Array,
    pitch: Array,
    planted: BoolArray,
    raised: Array,
    ankle_height: float,
    ball_offset: Array,
) -> FootTrack:
    """Roll each foot: about the ball when the heel is up, about the ankle when the toes are up."""
    yaw = place[..., 2]
    turn = rotmat_about("y", yaw)
    flat = np.stack([place[..., 0], np.full_like(yaw, ankle_height), place[..., 1]], axis=-1)
    rolled = turn @ rotmat_about("x", np.maximum(pitch, 0.0)) @ ball_offset
    ankle = flat + turn @ ball_offset - rolled
    ankle[..., 1] += raised + 0.05 * np.maximum(-pitch, 0.0)
    return FootTrack(ankle=ankle, yaw=yaw, pitch=pitch, planted=planted, ground=place[..., :2])


def support(track: FootTrack, radius: int, weight: Array) -> Array:
    """(frame, 2) ground point that carries the body, smoothed over `radius` frames.

    weight (frame,) in -1..1: which leg is preferred while both are planted (1 is left).
    """
    share = np.stack([1 + weight, 1 - weight], axis=-1) * np.maximum(track.planted, 1e-3)
    share = share / share.sum(axis=-1, keepdims=True)
    return smoothed(np.sum(track.ground * share[..., None], axis=1), radius)
