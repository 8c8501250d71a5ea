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

from engine.arrays import Array, BoolArray, IntArray
from engine.body.rotations import rotmat_about, rotmat_from_axis_angle
from engine.body.skeleton import JOINT, JOINT_COUNT
from engine.body.vectors import rotated
from engine.motion import FRAME_RATE

HIPS, KNEES, ANKLES, BALLS = (
    [JOINT[f"left_{part}"], JOINT[f"right_{part}"]] for part in ("hip", "knee", "ankle", "foot")
)

SOLE_DEPTH, HEEL_BEHIND, TOES_AHEAD = 0.185, 0.30, 0.30
"""Of the ground distance ankle to ball: the sole under the ball, the heel's contact behind the
ankle, the toes' before the ball; within 2 mm of the packaged body's mesh for betas in -1.5..1."""

NEAR, FAR = 0.03, 0.05
"""Metres over its resting height below which a foot may become planted, and up to which it stays
so."""
STILL, MOVING = 0.15, 1.6
"""The same for its speed over the floor, metres a second."""
CLIMBING = 0.05
"""Metres a second, up or down, from which a foot is on its way."""
LONGEST_DRIFT, GIVEN_DRIFT = 0.10, 0.06
"""Metres that a planted foot may drift; one that drifts further makes a step instead. It stands in
the middle of its drift, unless a given frame holds it at one end: hence the second."""
MOST_DRIFT = 3
"""Times as far for a foot that would step while the other one is in the air."""
STEP_FRAMES = 4
STEP_WAIT = 2
"""Pairs after given frames in which no step begins."""
STEP_LIFTS, STEP_LENGTHS = (0.0, 0.03, 0.05), (0.0, 0.04, 0.5)
"""Least heights in the middle of steps of these lengths, metres; a little below those of true
steps."""
EASE_FRAMES = 4
"""Frames after a given one in which soles come to the floor, and flat."""
PELVIS_DROP = 0.02
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
    legs = _posed_legs(rotmats, transl, rest_joints)
    legs_before = legs
    if shown is not None:
        legs_before = _posed_legs(
            np.where(kept_rotmats, before[0], rotmats),
            np.where(kept_transl, before[1], transl),
            rest_joints,
        )
    pairs = _planted_pairs(legs, legs_before, given, floor)
    frames = _Given.of(given)
    target = _foot_targets(legs, legs_before, pairs, frames, floor)
    drop = _pelvis_drop(legs, legs_before, target, frames)
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
    """Forward kinematics of both legs at once; shapes as of `locked`."""
    rest = rest_joints[:, None]
    joints = np.empty((*rotmats.shape[:2], JOINT_COUNT, 3))
    world = np.empty((*rotmats.shape[:2], JOINT_COUNT, 3, 3))
    joints[:, :, 0], world[:, :, 0] = rest[:, :, 0] + transl, rotmats[:, :, 0]
    for parents, children in pairwise(([0, 0], HIPS, KNEES, ANKLES, BALLS)):
        bones = rest[:, :, children] - rest[:, :, parents]
        joints[:, :, children] = joints[:, :, parents] + rotated(world[:, :, parents], bones)
        world[:, :, children] = world[:, :, parents] @ rotmats[:, :, children]
    return _legs(joints, world, rest)


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

    The lower foot bears the body: if it is near the floor, it stands, however it glides.

    ground (..., frame, 2, 2), height (..., frame, 2) -> (..., frame - 1, 2)
    """
    step = np.diff(ground, axis=-3)
    speed = np.hypot(step[..., 0], step[..., 1]) * FRAME_RATE
    climb = np.diff(height, axis=-2) * FRAME_RATE
    highest = np.maximum(height[..., 1:, :], height[..., :-1, :])
    is_level = abs(climb) < CLIMBING
    may = is_level & (speed < MOVING)
    bears = highest <= highest.min(axis=-1, keepdims=True)
    sure = may & (bears | (speed < STILL)) & (highest < NEAR)
    maybe = np.moveaxis(may & (highest < FAR), -2, -1)
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
        limit, wait = (GIVEN_DRIFT, STEP_WAIT) if is_given.any() else (LONGEST_DRIFT, 0)
        result[person, after] = _steps_after(ground[after], stands[person, after], limit, wait)
        onward = ground[origin::-1], stands[person, earlier][::-1]
        result[person, earlier] = _steps_after(*onward, limit, wait)[::-1]
    return result


def _steps_after(ground: Array, stands: BoolArray, limit: float, wait: int) -> BoolArray:
    """The steps (frame - 1, 2) of one person's feet (frame, 2, 2), one foot at a time.

    limit  metres that a foot may drift before its first step
    wait   pairs in which no step begins: a seam is no place for it
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
            first = max(pair + 1 - STEP_FRAMES // 2, wait)
            step = slice(first, first + STEP_FRAMES)
            is_free = stays[1 - foot] and not result[step, 1 - foot].any()
            if drift > limits[foot] * (1 if is_free else MOST_DRIFT) and step.stop <= len(stands):
                result[step, foot] = True
                boxes[foot], limits[foot] = (x, x, z, z), LONGEST_DRIFT
    return result


def _frames_of(pairs: BoolArray) -> BoolArray:
    """Frames (person, frame, 2) that belong to a pair."""
    ends = np.zeros_like(pairs[:, :1])
    starts, stops = np.concatenate([pairs, ends], axis=1), np.concatenate([ends, pairs], axis=1)
    return np.asarray(starts | stops)


# ------------------------------------------------------------------------------------- foot targets
@dataclass(frozen=True, kw_only=True)
class _Given:
    """Which frames are given, and what these do to the others.

    is_given  (person, frame)
    nearest   (person, frame) index of the nearest given frame
    hold      (person, frame) 1 at given frames, falling to 0 `EASE_FRAMES` away from them
    """

    is_given: BoolArray
    nearest: IntArray
    hold: Array

    @classmethod
    def of(cls, is_given: BoolArray) -> _Given:
        frames = np.arange(is_given.shape[1])
        far = len(frames) + EASE_FRAMES
        distance = np.where(is_given[:, None], abs(frames[:, None] - frames), far)
        part = np.minimum(distance.min(axis=-1) / EASE_FRAMES, 1.0)
        hold = np.asarray(1 - part * part * (3 - 2 * part))
        return cls(is_given=is_given, nearest=distance.argmin(axis=-1), hold=hold)

    @property
    def kept(self) -> BoolArray:
        """(person, frame, 1): for both feet."""
        return self.is_given[..., None]

    def held(self, values: Array) -> Array:
        """Values (person, frame, ...) of the nearest given frame, gone `EASE_FRAMES` further."""
        hold = self.hold.reshape(*self.hold.shape, *[1] * (values.ndim - 2))
        return np.asarray(hold * values[np.arange(len(values))[:, None], self.nearest])


@dataclass(frozen=True, kw_only=True)
class _Target:
    """Where the feet shall be: ball (person, frame, 2, 3), world rotations of foot and toes."""

    ball: Array
    foot: Array
    toes: Array
    shape: _Shape

    @property
    def ankle(self) -> Array:
        return np.asarray(self.ball - rotated(self.foot, self.shape.ball))


def _foot_targets(
    legs: _Legs,
    before: _Legs,
    pairs: tuple[BoolArray, BoolArray],
    given: _Given,
    floor: float,
) -> _Target:
    ball_pairs, whole_pairs = pairs
    shown_turn: Array = np.zeros(legs.hip.shape[:-1])
    shown_tilt: Array = np.zeros_like(legs.hip)
    if before is not legs:
        turned = before.foot @ np.swapaxes(legs.foot, -1, -2)
        shown_turn, shown_tilt = _turn_and_tilt(turned)
    flatten: Array = _tilt(legs.foot)
    flatten = flatten - given.held(flatten - shown_tilt)
    flatten = _smoothest(flatten, _frames_of(whole_pairs), given.kept, shown_tilt)
    foot = rotmat_from_axis_angle(flatten) @ legs.foot
    yaw = np.diff(np.arctan2(foot[..., 0, 2], foot[..., 2, 2]), axis=1)[..., None]
    yaw = (yaw + np.pi) % (2 * np.pi) - np.pi
    turn = _stillest(yaw, whole_pairs, given.kept, shown_turn[..., None])[..., 0]
    foot = rotmat_about("y", turn) @ foot

    toes = foot @ (np.swapaxes(legs.foot, -1, -2) @ legs.toes)
    _, bent = _turn_and_tilt(before.toes @ np.swapaxes(toes, -1, -2))
    rest = floor + legs.shape.depth - legs.ball[..., 1]
    moved = before.ball - legs.ball
    done = np.concatenate([bent, moved[..., 1:2]], axis=-1)
    to_floor = np.concatenate([_tilt(toes), rest[..., None]], axis=-1)
    to_floor = to_floor - given.held(to_floor - done)
    to_floor = _smoothest(to_floor, _frames_of(ball_pairs), given.kept, done)
    toes = rotmat_from_axis_angle(to_floor[..., :3]) @ toes

    glide = np.diff(legs.ball[..., [0, 2]], axis=1)
    slide = _stillest(glide, ball_pairs, given.kept, moved[..., [0, 2]])
    ball = legs.ball + np.stack([slide[..., 0], to_floor[..., 3], slide[..., 1]], axis=-1)
    height = _soles(ball, foot, toes, legs.shape).min(axis=-1) - floor
    lift = _step_lift(ball, ball_pairs)
    lift = lift - given.held(np.maximum(lift - height, 0.0))
    under = np.maximum(lift, 0.0) - height
    ball[..., 1] += np.where(given.kept, 0.0, np.maximum(under, 0.0))
    return _Target(ball=ball, foot=foot, toes=toes, shape=legs.shape)


def _turn_and_tilt(rotmat: Array) -> tuple[Array, Array]:
    """rotmat (..., 3, 3) = Ry(turn) exp(tilt): turn (...,), tilt (..., 3) with no part about y."""
    tilt = _tilt(np.swapaxes(rotmat, -1, -2))
    turned = rotmat @ rotmat_from_axis_angle(-tilt)
    return np.arctan2(turned[..., 0, 2], turned[..., 0, 0]), tilt


def _tilt(world: Array) -> Array:
    """Rotation vectors (..., 3) that bring the up axes of (..., 3, 3) upright by the short way."""
    up = world[..., 1]
    axis = np.stack([-up[..., 2], np.zeros_like(up[..., 0]), up[..., 0]], axis=-1)
    sine = np.maximum(np.hypot(up[..., 0:1], up[..., 2:3]), 1e-9)
    return np.asarray(axis * (np.arctan2(sine, up[..., 1:2]) / sine))


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
            highest = np.interp(length, STEP_LENGTHS, STEP_LIFTS)
            lift[person, frames, foot] = highest * np.sin(phase) ** 2
    return lift


def _smoothest(values: Array, wanted: BoolArray, kept: BoolArray, done: Array) -> Array:
    """Offsets (person, frame, 2, n) that are `values` where wanted, `done` where kept, else
    smooth."""
    weight = HOLD * wanted
    return _solved(weight, np.zeros_like(weight[:, 1:]), kept, done, weight[..., None] * values)


def _stillest(steps: Array, still: BoolArray, kept: BoolArray, done: Array) -> Array:
    """Offsets (person, frame, 2, n) that undo `steps` (person, frame - 1, 2, n) in pairs of frames
    that are still, are `done` where kept, else smooth."""
    weight = HOLD * still
    pull = weight[..., None] * steps
    right = np.zeros_like(done)
    right[:, :-1] += pull
    right[:, 1:] -= pull
    return _solved(np.zeros(done.shape[:3]), weight, kept, done, right)


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
def _pelvis_drop(legs: _Legs, before: _Legs, target: _Target, given: _Given) -> Array:
    """How far (person, frame) the pelvis sinks so that straight legs reach their targets."""
    reach = _reach(legs)
    to_foot = target.ankle - legs.hip
    across = np.hypot(to_foot[..., 0], to_foot[..., 2])
    down = np.sqrt(np.maximum(reach**2 - across**2, 0.0))
    need = np.clip(-to_foot[..., 1] - down, 0.0, PELVIS_DROP).max(axis=-1)
    frames = need.shape[1]
    around = np.clip(np.arange(frames)[:, None] + np.arange(-2, 3), 0, frames - 1)
    mean = need[:, around].max(axis=-1)[:, around].mean(axis=-1)
    done = (legs.hip - before.hip)[:, :, 0, 1]
    return np.asarray((1 - given.hold) * mean + given.held(done))


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
    cross = _cross(upper, lower)
    bend = np.arctan2(np.linalg.norm(cross, axis=-1), np.sum(upper * lower, axis=-1))
    cross = cross + 1e-3 * legs.thigh[..., 0] * (a * b)[..., None]
    wanted = np.arccos(np.clip((length**2 - a**2 - b**2) / (2 * a * b), -1.0, 1.0))
    hinge = cross / np.linalg.norm(cross, axis=-1, keepdims=True)
    fold = rotmat_from_axis_angle((wanted - bend)[..., None] * hinge)
    swing = _shortest_arc(upper + rotated(fold, lower), to_target)
    thigh, shin = swing @ legs.thigh, swing @ fold @ legs.shin
    return (
        np.swapaxes(legs.root, -1, -2)[:, :, None] @ thigh,
        np.swapaxes(thigh, -1, -2) @ shin,
        np.swapaxes(shin, -1, -2) @ target.foot,
        np.swapaxes(target.foot, -1, -2) @ target.toes,
    )


def _shortest_arc(start: Array, end: Array) -> Array:
    """Smallest rotation (..., 3, 3) of the directions of start onto those of end."""
    axis = _cross(start, end)
    sine = np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-12)
    angle = np.arctan2(sine, np.sum(start * end, axis=-1, keepdims=True))
    return rotmat_from_axis_angle(axis * (angle / sine))


def _cross(a: Array, b: Array) -> Array:
    """np.cross takes three times as long."""
    return np.asarray(a[..., [1, 2, 0]] * b[..., [2, 0, 1]] - a[..., [2, 0, 1]] * b[..., [1, 2, 0]])
