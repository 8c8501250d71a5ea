"""Feet: planted ones stay where they are, and no sole goes through the floor.

The last stage after a network, whose feet drift by centimetres while they carry the body. Knows
poses, which frames are given, and the floor; knows no window, session or network. Legs alone
change, and the pelvis by at most `PELVIS_DROP`, so hands that touch a partner still do.
The same frames give the same correction, and given frames carry their lock on: a revision that is
told the committed frames holds a foot where they hold it, without any state in between.
Source: constraint-based clean-up with smooth offsets (Kovar, Schreiner, Gleicher: "Footskate
Cleanup for Motion Capture Editing", 2002), here as one small least-squares problem a foot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import axis_angle_from_rotmat, rotmat_about, rotmat_from_axis_angle
from engine.body.skeleton import JOINT, PARENTS
from engine.motion import FRAME_RATE

HIPS, KNEES, ANKLES, BALLS = (
    [JOINT[f"left_{part}"], JOINT[f"right_{part}"]] for part in ("hip", "knee", "ankle", "foot")
)
LEGS = JOINT["right_foot"] + 1
"""Joints 0..11 hold both legs and all their parents."""

SOLE_DEPTH, HEEL_BEHIND, TOES_AHEAD = 0.185, 0.30, 0.30
"""Of the ground distance ankle to ball: the sole under the ball, the heel's contact behind the
ankle, the toes' before the ball; within 2 mm of the packaged body's mesh for betas in -1.5..1."""

NEAR, FAR = 0.03, 0.05
"""Metres over its resting height below which a foot may become planted, and up to which it stays
so."""
STILL, MOVING = 0.15, 0.35
"""The same for its speed over the floor, metres a second."""
CLIMBING = 0.05
"""Metres a second, up or down, from which a foot is on its way."""
LONGEST_DRIFT, GIVEN_DRIFT = 0.10, 0.06
"""Metres that a planted foot may drift; one that drifts further makes a step instead. It stands in
the middle of its drift, unless a given frame holds it at one end: hence the second."""
STEP_FRAMES = 4
STEP_LIFT, STEP_LENGTH = 0.03, 0.04
"""Least height in the middle of a step at least this long, metres."""
EASE_FRAMES = 4
"""Frames after a given one in which soles come to the floor, and flat."""
PELVIS_DROP = 0.01
"""Metres that the pelvis may sink for a leg that is too short."""
REACH = 0.998
"""Part of the leg's length beyond which a target counts as out of reach."""

HOLD, KEEP, PRIOR = 1e4, 1e8, 0.02
"""Weights, relative to the smoothness of the offsets: of standing still, of given frames, and of
the feet as they came."""


def sole_heights(joints: Array, world: Array, rest_joints: Array) -> Array:
    """Height of the lower of heel and ball of each sole, (..., 2): left, right.

    Toes are left out: many a recording keeps them stiff, and pushes them through the floor at each
    step.

    joints (..., 22, 3), world (..., 22, 3, 3) of forward kinematics; rest_joints (..., 22, 3)
    """
    legs = _legs(joints, world, rest_joints)
    return np.asarray(_soles(legs.ball, legs.foot, legs.toes, legs.shape)[..., :2].min(axis=-1))


def locked(
    rotmats: Array,
    transl: Array,
    given: BoolArray,
    rest_joints: Array,
    floor: float,
    shown: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]:
    """The motion with its planted feet held at one spot, flat, and no sole under the floor.

    rotmats (person, frame, 22, 3, 3), transl (person, frame, 3), rest_joints (person, 22, 3)
    given   (person, frame) frames that come back as they were shown
    shown   rotmats and transl of the same shapes, where given: these frames after an earlier call;
            None: as they are. Locks and steps that began there go on.
    returns rotmats and transl of the same shapes
    """
    before = (rotmats, transl) if shown is None else shown
    kept_rotmats, kept_transl = given[..., None, None, None], given[..., None]
    legs = _posed_legs(rotmats, transl, rest_joints[:, None])
    legs_before = legs
    if shown is not None:
        legs_before = _posed_legs(
            np.where(kept_rotmats, before[0], rotmats),
            np.where(kept_transl, before[1], transl),
            rest_joints[:, None],
        )
    pairs = _planted_pairs(legs, legs_before, given, floor)
    target = _foot_targets(legs, legs_before, pairs, given, floor)
    drop = _pelvis_drop(legs, legs_before, target, given)
    moved = _bent(legs, target, drop)
    new_rotmats, new_transl = rotmats.copy(), transl.copy()
    for joints, turned in zip((HIPS, KNEES, ANKLES, BALLS), moved, strict=True):
        new_rotmats[:, :, joints] = turned
    new_transl[..., 1] -= drop
    return (
        np.where(kept_rotmats, before[0], new_rotmats),
        np.where(kept_transl, before[1], new_transl),
    )


# ------------------------------------------------------------------------------------------- bodies
@dataclass(frozen=True, kw_only=True)
class _Shape:
    """What of a foot does not move, (..., 2, 3) or (..., 2): two feet."""

    ball: Array
    """From the ankle to the ball, at rest."""
    heel: Array
    """From the ankle to the sole under the heel, at rest."""
    depth: Array
    """Of the sole under the ball, metres."""
    toes: Array
    """Length of the toes that bear, metres."""
    thigh: Array
    shin: Array


@dataclass(frozen=True, kw_only=True)
class _Legs:
    """Both legs of a motion, in the world; axis 2 is left, right."""

    root: Array
    hip: Array
    knee: Array
    ankle: Array
    ball: Array
    thigh: Array
    shin: Array
    foot: Array
    toes: Array
    shape: _Shape


def _posed_legs(rotmats: Array, transl: Array, rest_joints: Array) -> _Legs:
    rest = rest_joints[..., :LEGS, :]
    posed = forward_kinematics(rest, rotmats[..., :LEGS, :, :], transl, PARENTS[:LEGS])
    return _legs(*posed, rest)


def _legs(joints: Array, world: Array, rest: Array) -> _Legs:
    ball = rest[..., BALLS, :] - rest[..., ANKLES, :]
    length = np.hypot(ball[..., 0], ball[..., 2])
    depth = SOLE_DEPTH * length
    heel = np.stack([0 * length, ball[..., 1] - depth, -HEEL_BEHIND * length], axis=-1)
    return _Legs(
        root=world[..., 0, :, :],
        hip=joints[..., HIPS, :],
        knee=joints[..., KNEES, :],
        ankle=joints[..., ANKLES, :],
        ball=joints[..., BALLS, :],
        thigh=world[..., HIPS, :, :],
        shin=world[..., KNEES, :, :],
        foot=world[..., ANKLES, :, :],
        toes=world[..., BALLS, :, :],
        shape=_Shape(
            ball=ball,
            heel=heel,
            depth=depth,
            toes=TOES_AHEAD * length,
            thigh=np.linalg.norm(rest[..., KNEES, :] - rest[..., HIPS, :], axis=-1),
            shin=np.linalg.norm(rest[..., ANKLES, :] - rest[..., KNEES, :], axis=-1),
        ),
    )


def _soles(ball: Array, foot: Array, toes: Array, shape: _Shape) -> Array:
    """Heights (..., 2, 3) of the soles under heel, ball and toes."""
    heel = shape.heel - shape.ball
    at_heel = ball[..., 1] + np.sum(foot[..., 1, :] * heel, axis=-1)
    at_ball = ball[..., 1] - foot[..., 1, 1] * shape.depth
    at_toes = ball[..., 1] - toes[..., 1, 1] * shape.depth + toes[..., 1, 2] * shape.toes
    return np.stack([at_heel, at_ball, at_toes], axis=-1)


# ----------------------------------------------------------------------------------------- contacts
def _planted_pairs(
    legs: _Legs, before: _Legs, given: BoolArray, floor: float
) -> tuple[BoolArray, BoolArray]:
    """Between which neighbouring frames (person, frame - 1, 2) ball, and ball and heel, stand.

    before  the legs as they were shown, where given
    """
    over = np.stack([-legs.shape.depth, legs.shape.heel[..., 1]]) - floor
    points = np.stack([[legs.ball, legs.ankle], [before.ball, before.ankle]])
    stands, stood = _standing(points[..., [0, 2]], points[..., 1] + over)
    ball = stands[0]
    if before is not legs:
        ball = ball & ~_steps_under_way(stands[0], stood[0], given)
    ball = ball & ~_steps(legs.ball, before.ball, ball, given)
    return ball, ball & stands[1]


def _steps_under_way(stands: BoolArray, stood: BoolArray, given: BoolArray) -> BoolArray:
    """Pairs (person, frame - 1, 2) of steps that given frames show, to their end after these."""
    pairs = (given[:, 1:] & given[:, :-1])[..., None]
    result = stands & ~stood & pairs
    for person, foot in np.ndindex(len(given), 2):
        last = int(np.flatnonzero(given[person])[-1]) if given[person].any() else 0
        done = 0
        while done < last and result[person, last - 1 - done, foot]:
            done += 1
        if done:
            result[person, last : last + max(STEP_FRAMES - done, 1), foot] = True
    return result


def _standing(ground: Array, height: Array) -> BoolArray:
    """Pairs of frames in which points rest, with hysteresis.

    ground (..., frame, 2, 2), height (..., frame, 2) -> (..., frame - 1, 2)
    """
    step = np.diff(ground, axis=-3)
    speed = np.hypot(step[..., 0], step[..., 1]) * FRAME_RATE
    climb = np.diff(height, axis=-2) * FRAME_RATE
    highest = np.maximum(height[..., 1:, :], height[..., :-1, :])
    is_level = abs(climb) < CLIMBING
    sure = is_level & (speed < STILL) & (highest < NEAR)
    maybe = np.moveaxis(is_level & (speed < MOVING) & (highest < FAR), -2, -1)
    # Every frame that cannot stand begins a run; a run with one sure frame stands.
    run = np.cumsum(np.concatenate([np.ones_like(maybe[..., :1]), ~maybe], axis=-1).ravel())
    run = run.reshape(*maybe.shape[:-1], -1)[..., 1:]
    has_sure = np.bincount(run.ravel(), np.moveaxis(sure, -2, -1).ravel()) > 0
    return np.asarray(np.moveaxis(maybe & has_sure[run], -1, -2))


def _steps(ball: Array, before: Array, stands: BoolArray, given: BoolArray) -> BoolArray:
    """Pairs in which a foot that drifts too far steps, (person, frame - 1, 2).

    Both ways from the last given frame, because that one holds its spot (`before`).
    """
    result = np.zeros_like(stands)
    for person, is_given in enumerate(given):
        origin = int(np.flatnonzero(is_given)[-1]) if is_given.any() else 0
        ground = ball[person][..., [0, 2]]
        ground[origin] = before[person, origin][..., [0, 2]]
        after, earlier = slice(origin, None), slice(None, origin)
        limit = GIVEN_DRIFT if is_given.any() else LONGEST_DRIFT
        result[person, after] = _steps_after(ground[after], stands[person, after], limit)
        onward = ground[origin::-1], stands[person, earlier][::-1]
        result[person, earlier] = _steps_after(*onward, limit)[::-1]
    return result


def _steps_after(ground: Array, stands: BoolArray, limit: float) -> BoolArray:
    """The steps (frame - 1, 2) of one person's feet (frame, 2, 2), one foot at a time.

    limit  metres that a foot may drift before its first step
    """
    result = np.zeros_like(stands)
    limits = [limit, limit]
    places = ground.tolist()
    boxes = [(x, x, z, z) for x, z in places[0]]
    for pair, stays in enumerate(stands.tolist()):
        for foot, (x, z) in enumerate(places[pair + 1]):
            left, right, near, far = boxes[foot] if stays[foot] else (x, x, z, z)
            boxes[foot] = min(left, x), max(right, x), min(near, z), max(far, z)
            limits[foot] = limits[foot] if stays[foot] else LONGEST_DRIFT
            drift = math.dist(boxes[foot][::2], boxes[foot][1::2])
            can_step = stays[1 - foot] and not result[pair, 1 - foot]
            last = pair + 1 + STEP_FRAMES // 2
            if drift > limits[foot] * (1 if can_step else 2) and last <= len(stands):
                result[max(last - STEP_FRAMES, 0) : last, foot] = True
                boxes[foot], limits[foot] = (x, x, z, z), LONGEST_DRIFT
    return result


def _frames_of(pairs: BoolArray) -> BoolArray:
    """Frames (person, frame, 2) that belong to a pair."""
    ends = np.zeros_like(pairs[:, :1])
    starts, stops = np.concatenate([pairs, ends], axis=1), np.concatenate([ends, pairs], axis=1)
    return np.asarray(starts | stops)


# ------------------------------------------------------------------------------------- foot targets
@dataclass(frozen=True, kw_only=True)
class _Target:
    """Where the feet shall be: ball (person, frame, 2, 3), world rotations of foot and toes."""

    ball: Array
    foot: Array
    toes: Array
    shape: _Shape

    @property
    def ankle(self) -> Array:
        return np.asarray(self.ball - _rotated(self.foot, self.shape.ball))


def _foot_targets(
    legs: _Legs,
    before: _Legs,
    pairs: tuple[BoolArray, BoolArray],
    given: BoolArray,
    floor: float,
) -> _Target:
    ball_pairs, whole_pairs = pairs
    ball_frames, whole_frames = (_frames_of(each) for each in pairs)
    kept = np.broadcast_to(given[..., None], ball_frames.shape)

    def eased(values: Array, done: Array) -> Array:
        """What is missing at the nearest given frame is made up for in EASE_FRAMES."""
        return values - (1 - _ease(given))[..., None, None] * _at_given(values - done, given)

    shown_turn, shown_tilt = _turn_and_tilt(before.foot @ np.swapaxes(legs.foot, -1, -2))
    flatten = eased(_tilt(legs.foot), shown_tilt)
    flatten = _smoothest(flatten, whole_frames, kept, shown_tilt)
    foot = rotmat_from_axis_angle(flatten) @ legs.foot
    yaw = np.unwrap(np.arctan2(foot[..., 0, 2], foot[..., 2, 2]), axis=1)
    turn = _stillest(yaw[..., None], whole_pairs, kept, shown_turn[..., None])[..., 0]
    foot = rotmat_about("y", turn) @ foot

    toes = foot @ (np.swapaxes(legs.foot, -1, -2) @ legs.toes)
    bent = axis_angle_from_rotmat(before.toes @ np.swapaxes(toes, -1, -2))
    rest = floor + legs.shape.depth - legs.ball[..., 1]
    moved = before.ball - legs.ball
    done = np.concatenate([bent, moved[..., 1:2]], axis=-1)
    to_floor = eased(np.concatenate([_tilt(toes), rest[..., None]], axis=-1), done)
    to_floor = _smoothest(to_floor, ball_frames, kept, done)
    toes = rotmat_from_axis_angle(to_floor[..., :3]) @ toes

    slide = _stillest(legs.ball[..., [0, 2]], ball_pairs, kept, moved[..., [0, 2]])
    ball = legs.ball + np.stack([slide[..., 0], to_floor[..., 3], slide[..., 1]], axis=-1)
    lowest = floor + _step_lift(ball, ball_pairs)
    under = lowest - _soles(ball, foot, toes, legs.shape).min(axis=-1)
    eased_under = eased(np.maximum(under, 0.0)[..., None], np.zeros((1, 1, 1, 1)))[..., 0]
    ball[..., 1] += np.where(kept, 0.0, np.clip(eased_under, 0.0, None))
    return _Target(ball=ball, foot=foot, toes=toes, shape=legs.shape)


def _turn_and_tilt(rotmat: Array) -> tuple[Array, Array]:
    """rotmat (..., 3, 3) = Ry(turn) exp(tilt): turn (...,), tilt (..., 3)."""
    turn = np.arctan2(rotmat[..., 0, 2] - rotmat[..., 2, 0], rotmat[..., 0, 0] + rotmat[..., 2, 2])
    return np.asarray(turn), axis_angle_from_rotmat(rotmat_about("y", -turn) @ rotmat)


def _tilt(world: Array) -> Array:
    """Rotation vectors (..., 3) that bring the up axes of (..., 3, 3) upright by the short way."""
    up = world[..., 1]
    axis = np.stack([-up[..., 2], np.zeros_like(up[..., 0]), up[..., 0]], axis=-1)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, up[..., 1:2])
    return np.asarray(axis * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 1.0))


def _step_lift(ball: Array, stands: BoolArray) -> Array:
    """Least height over the floor (person, frame, 2) of feet on their way between two stands."""
    lift = np.zeros(ball.shape[:3])
    for person, foot in np.ndindex(ball.shape[0], 2):
        edges = np.flatnonzero(np.diff(stands[person, :, foot].astype(int)))
        for start, stop in pairwise(edges):
            if stands[person, start + 1, foot]:
                continue
            frames = slice(start + 1, stop + 2)
            ends = ball[person, [start + 1, stop + 1], foot][:, [0, 2]]
            length = float(np.linalg.norm(ends[1] - ends[0]))
            phase = np.linspace(0, np.pi, stop + 1 - start)
            lift[person, frames, foot] = (
                STEP_LIFT * min(length / STEP_LENGTH, 1) * np.sin(phase) ** 2
            )
    return lift


def _ease(given: BoolArray) -> Array:
    """0 at given frames, rising to 1 `EASE_FRAMES` away from them; (person, frame)."""
    frames = np.arange(given.shape[1])
    distance = np.abs(frames[:, None] - frames)
    nearest = np.where(given[:, None], distance, len(frames) + EASE_FRAMES).min(axis=-1)
    part = np.minimum(nearest / EASE_FRAMES, 1.0)
    return np.asarray(part * part * (3 - 2 * part))


def _at_given(values: Array, given: BoolArray) -> Array:
    """Values (person, frame, 2, n) of the nearest given frame, 0 without one."""
    frames = np.arange(given.shape[1])
    distance = np.where(given[:, None], np.abs(frames[:, None] - frames), 2 * len(frames))
    nearest = values[np.arange(len(given))[:, None], distance.argmin(axis=-1)]
    has_given = np.any(given, axis=1, keepdims=True)[..., None, None]
    return np.where(has_given, nearest, 0.0)


def _smoothest(values: Array, wanted: BoolArray, kept: BoolArray, done: Array) -> Array:
    """Offsets (person, frame, 2, n) that are `values` where wanted, `done` where kept, else
    smooth."""
    weight = HOLD * wanted
    return _solved(weight, np.zeros_like(weight[:, 1:]), kept, done, weight[..., None] * values)


def _stillest(values: Array, still: BoolArray, kept: BoolArray, done: Array) -> Array:
    """Offsets (person, frame, 2, n) that make `values` stand still in pairs of frames, are `done`
    where kept, else smooth."""
    weight = HOLD * still
    pull = weight[..., None] * np.diff(values, axis=1)
    right = np.zeros_like(values)
    right[:, :-1] += pull
    right[:, 1:] -= pull
    return _solved(np.zeros(values.shape[:3]), weight, kept, done, right)


def _solved(at: Array, between: Array, kept: BoolArray, done: Array, right: Array) -> Array:
    """The offsets o (person, frame, 2, n) with the least

        sum at (o - v)^2 + sum between (D o + D x)^2 + sum (D^2 o)^2 + PRIOR sum o^2

    whose right side of the normal equations is `right`; exactly `done` where kept.
    """
    frames = np.arange(at.shape[1])
    matrix = np.broadcast_to(
        _smoothness(len(frames)), (len(at), 2, len(frames), len(frames))
    ).copy()
    links = np.swapaxes(between, 1, 2)
    diagonal = np.swapaxes(at + KEEP * kept, 1, 2).copy()
    diagonal[..., :-1] += links
    diagonal[..., 1:] += links
    matrix[..., frames, frames] += diagonal
    matrix[..., frames[1:], frames[:-1]] -= links
    matrix[..., frames[:-1], frames[1:]] -= links
    right = right + KEEP * kept[..., None] * done
    offsets = np.linalg.solve(matrix, np.swapaxes(right, 1, 2))
    return np.where(kept[..., None], done, np.swapaxes(offsets, 1, 2))


@lru_cache
def _smoothness(frames: int) -> Array:
    """(frames, frames) of the quadratic form sum (D^2 o)^2 + PRIOR sum o^2."""
    second = np.diff(np.eye(frames), n=2, axis=0)
    return np.asarray(second.T @ second + PRIOR * np.eye(frames))


# --------------------------------------------------------------------------------------------- legs
def _pelvis_drop(legs: _Legs, before: _Legs, target: _Target, given: BoolArray) -> Array:
    """How far (person, frame) the pelvis sinks so that straight legs reach their targets."""
    reach = _reach(legs)
    to_foot = target.ankle - legs.hip
    across = np.hypot(to_foot[..., 0], to_foot[..., 2])
    down = np.sqrt(np.maximum(reach**2 - across**2, 0.0))
    need = np.clip(-to_foot[..., 1] - down, 0.0, PELVIS_DROP).max(axis=-1)
    padded = np.pad(need, ((0, 0), (4, 4)), mode="edge")
    most = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=1).max(axis=-1)
    mean = np.lib.stride_tricks.sliding_window_view(most, 5, axis=1).mean(axis=-1)
    ease = _ease(given)
    done = _at_given((legs.hip - before.hip)[..., 1:2], given)[:, :, 0, 0]
    return np.asarray(ease * mean + (1 - ease) * done)


def _reach(legs: _Legs) -> Array:
    """The farthest an ankle may be from its hip: never nearer than it came."""
    distance = np.linalg.norm(legs.ankle - legs.hip, axis=-1)
    return np.asarray(np.maximum(REACH * (legs.shape.thigh + legs.shape.shin), distance))


def _bent(legs: _Legs, target: _Target, drop: Array) -> tuple[Array, Array, Array, Array]:
    """Parent-relative rotations (person, frame, 2, 3, 3) of hip, knee, ankle and ball.

    The knee opens or closes about its own hinge until the leg is as long as it must be (law of
    cosines, d^2 = a^2 + b^2 + 2 a b cos(bend)); then the leg turns by the short way to the target.
    So a foot that need not move changes nothing, and the knee keeps its direction.
    """
    hip = legs.hip - drop[..., None, None] * np.array([0.0, 1.0, 0.0])
    a, b = legs.shape.thigh, legs.shape.shin
    upper, lower = legs.knee - legs.hip, legs.ankle - legs.knee
    to_target = target.ankle - hip
    length = np.linalg.norm(to_target, axis=-1)
    length = np.minimum(length, _reach(legs))
    cross = np.cross(upper, lower) + 1e-3 * legs.thigh[..., 0] * (a * b)[..., None]
    bend = np.arctan2(
        np.linalg.norm(np.cross(upper, lower), axis=-1), np.sum(upper * lower, axis=-1)
    )
    wanted = np.arccos(np.clip((length**2 - a**2 - b**2) / (2 * a * b), -1.0, 1.0))
    hinge = cross / np.linalg.norm(cross, axis=-1, keepdims=True)
    fold = rotmat_from_axis_angle((wanted - bend)[..., None] * hinge)
    swing = _shortest_arc(upper + _rotated(fold, lower), to_target)
    thigh, shin = swing @ legs.thigh, swing @ fold @ legs.shin
    return (
        np.swapaxes(legs.root, -1, -2)[:, :, None] @ thigh,
        np.swapaxes(thigh, -1, -2) @ shin,
        np.swapaxes(shin, -1, -2) @ target.foot,
        np.swapaxes(target.foot, -1, -2) @ target.toes,
    )


def _shortest_arc(start: Array, end: Array) -> Array:
    """Smallest rotation (..., 3, 3) of the directions of start onto those of end."""
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, np.sum(start * end, axis=-1, keepdims=True))
    return rotmat_from_axis_angle(axis * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 0))


def _rotated(rotation: Array, vector: Array) -> Array:
    return np.asarray((rotation @ vector[..., None])[..., 0])
