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
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import pairwise

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from engine.body.easing import smoothstep
from engine.body.ik import bent_to
from engine.body.kept import kept_by_joints
from engine.body.pose import Pose
from engine.body.rotations import rotmat_about, rotmat_from_axis_angle, wrapped
from engine.body.skeleton import JOINT
from engine.body.vectors import dots, lengths, rotated
from engine.motion.motion import FRAME_RATE

HIPS, KNEES, ANKLES, BALLS = (
    slice(JOINT[f"left_{part}"], JOINT[f"right_{part}"] + 1)
    for part in ("hip", "knee", "ankle", "foot")
)
"""Left and right, which follow each other."""
LEGS = slice(0, BALLS.stop)
"""Joints that legs hang from; the skeleton's first."""

SOLE_DEPTH, HEEL_BEHIND, TOES_AHEAD = 0.185, 0.30, 0.30
"""Parts of the ground distance ankle to ball: the sole under the ball, the heel's contact behind
the ankle, the toes' before the ball. Within 2 mm of the packaged mesh for betas in -1.5..1."""

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
    ball, foot, toes = joints[..., BALLS, 1], world[..., ANKLES, :, :], world[..., BALLS, :, :]
    return np.asarray(_soles(ball, foot, toes, _shape(rest_joints))[..., :2].min(axis=-1))


def locked(
    pose: Pose,
    given: BoolArray,
    rest_joints: Array,
    floor: float | Array,
    shown: Pose | None = None,
) -> Pose:
    """The motion with its planted feet held at one spot, flat, and no sole under the floor.

    pose    (person, frame), as all others; rest_joints (person, 22, 3)
    floor   metres, of all or of each person (person, 1, 1)
    given   frames that come back as they were shown
    shown   where given, these frames after an earlier call; None: as they are. Locks and steps that
            began there go on.
    """
    rotmats, transl = pose.rotmats, pose.transl
    kept = given[..., None, None, None]
    if shown is None:
        new_rotmats, new_transl = rotmats.copy(), transl.copy()
        legs = before = _posed_legs(rotmats[:, :, LEGS], transl, rest_joints)
    else:
        new_rotmats = np.where(kept, shown.rotmats, rotmats)
        new_transl = np.where(given[..., None], shown.transl, transl)
        legs, before = _posed_legs(
            np.stack([rotmats[:, :, LEGS], new_rotmats[:, :, LEGS]]),
            np.stack([transl, new_transl]),
            rest_joints,
        ).each()
    pairs = _planted_pairs(legs, before, given, floor)
    frames = _Given.of(given)
    target = _foot_targets(legs, before, pairs, frames, floor)
    drop = _pelvis_drop(legs, before, target, frames)
    moved = _bent(legs, target, drop)
    for joints, turned in zip((HIPS, KNEES, ANKLES, BALLS), moved, strict=True):
        new_rotmats[:, :, joints] = np.where(kept, new_rotmats[:, :, joints], turned)
    new_transl[..., 1] -= np.where(given, 0.0, drop)
    return Pose(new_rotmats, new_transl)


@lru_cache
def frames_around(frames: int, radius: int) -> IntArray:
    """(frames, 2 radius + 1) indices of the frames around each; beyond the ends, of the last."""
    around = np.arange(frames)[:, None] + np.arange(-radius, radius + 1)
    return np.asarray(np.clip(around, 0, frames - 1))


# ------------------------------------------------------------------------------------------- bodies
@dataclass(frozen=True, kw_only=True)
class _Shape:
    """What of a leg does not move: (..., 2, 3) or (..., 2), left and right."""

    hip: Array
    """From the pelvis to the hip, at rest; and so on down the leg."""
    knee: Array
    ankle: Array
    ball: Array
    heel: Array
    """From the ankle to the sole under the heel, at rest."""
    depth: Array
    """Depth of the sole under the ball, metres."""
    toes: Array
    """Length of the toes that bear, metres."""
    thigh: Array
    shin: Array


def _shape(rest_joints: Array) -> _Shape:
    """Legs of bodies (..., 22, 3)."""
    return _shape_of(np.asarray(rest_joints, np.float64))


@kept_by_joints(256)
def _shape_of(rest_joints: Array) -> _Shape:
    pelvis, hips = rest_joints[..., :1, :], rest_joints[..., HIPS, :]
    knees, ankles = rest_joints[..., KNEES, :], rest_joints[..., ANKLES, :]
    ball = rest_joints[..., BALLS, :] - ankles
    length = np.hypot(ball[..., 0], ball[..., 2])
    depth = SOLE_DEPTH * length
    return _Shape(
        hip=hips - pelvis,
        knee=knees - hips,
        ankle=ankles - knees,
        ball=ball,
        heel=np.stack([0 * length, ball[..., 1] - depth, -HEEL_BEHIND * length], axis=-1),
        depth=depth,
        toes=TOES_AHEAD * length,
        thigh=lengths(knees - hips),
        shin=lengths(ankles - knees),
    )


@dataclass(frozen=True, kw_only=True)
class _Legs:
    """Both legs of a motion, in the world: (..., 2, 3) or (..., 2, 3, 3), left and right."""

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

    def each(self) -> list[_Legs]:
        """The legs of each motion on the first axis."""
        names = [field.name for field in fields(self) if field.name != "shape"]
        return [
            _Legs(**dict(zip(names, arrays, strict=True)), shape=self.shape)
            for arrays in zip(*(getattr(self, name) for name in names), strict=True)
        ]


def _posed_legs(rotmats: Array, transl: Array, rest_joints: Array) -> _Legs:
    """Forward kinematics of the legs of (..., person, frame, J, 3, 3), their joints first."""
    shape = _shape(rest_joints[:, None])
    root = rotmats[..., 0, :, :]
    pelvis = (rest_joints[:, None, 0] + transl)[..., None, :]
    hip = pelvis + rotated(root[..., None, :, :], shape.hip)
    thigh = root[..., None, :, :] @ rotmats[..., HIPS, :, :]
    knee = hip + rotated(thigh, shape.knee)
    shin = thigh @ rotmats[..., KNEES, :, :]
    ankle = knee + rotated(shin, shape.ankle)
    foot = shin @ rotmats[..., ANKLES, :, :]
    return _Legs(
        root=root,
        hip=hip,
        knee=knee,
        ankle=ankle,
        ball=ankle + rotated(foot, shape.ball),
        thigh=thigh,
        shin=shin,
        foot=foot,
        toes=foot @ rotmats[..., BALLS, :, :],
        shape=shape,
    )


def _soles(ball: Array, foot: Array, toes: Array, shape: _Shape) -> Array:
    """Heights (..., 2, 3) of the soles under heel, ball and toes; ball (..., 2) is a height too."""
    heights = np.empty((*ball.shape, 3))
    heights[..., 0] = ball + dots(foot[..., 1, :], shape.heel - shape.ball)
    heights[..., 1] = ball - foot[..., 1, 1] * shape.depth
    heights[..., 2] = ball - toes[..., 1, 1] * shape.depth + toes[..., 1, 2] * shape.toes
    return heights


# ----------------------------------------------------------------------------------------- contacts
def _planted_pairs(
    legs: _Legs, before: _Legs, given: BoolArray, floor: float | Array
) -> tuple[BoolArray, BoolArray]:
    """Between which neighbouring frames (person, frame - 1, 2) ball, and ball and heel, stand.

    before  the legs as they were shown, where given
    """
    over = np.stack([-legs.shape.depth, legs.shape.heel[..., 1]])[:, None] - floor
    points = np.stack([legs.ball, before.ball, legs.ankle, before.ankle])
    points = points.reshape(2, 2, *legs.ball.shape)
    (stands, stood), (heel_stands, _) = _standing(points[..., ::2], points[..., 1] + over)
    ball = stands
    if before is not legs:
        ball = ball & ~_steps_under_way(stands, stood, given)
    ball = ball & ~_steps(legs.ball, before.ball, ball, given)
    return ball, ball & heel_stands


def _steps_under_way(stands: BoolArray, stood: BoolArray, given: BoolArray) -> BoolArray:
    """Pairs (person, frame - 1, 2) of steps that given frames show, to their end after these."""
    pairs = (given[:, 1:] & given[:, :-1])[..., None]
    result = stands & ~stood & pairs
    if not result.any():
        return result
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
    step = ground[..., 1:, :, :] - ground[..., :-1, :, :]
    speed = np.hypot(step[..., 0], step[..., 1]) * FRAME_RATE
    low, high = height[..., :-1, :], height[..., 1:, :]
    is_level = abs(high - low) < CLIMBING / FRAME_RATE
    highest = np.maximum(high, low)
    may = is_level & (speed < MOVING)
    bears = highest <= highest.min(axis=-1, keepdims=True)
    sure = may & (bears | (speed < STILL)) & (highest < NEAR)
    # Every frame that cannot stand begins a run; a run with one sure frame stands.
    ends = np.ones((*may.shape[:-2], 2, may.shape[-2] + 1), np.bool_)
    maybe = (may & (highest < FAR)).swapaxes(-1, -2)
    ends[..., 1:] = ~maybe
    run = ends.ravel().cumsum().reshape(ends.shape)[..., 1:]
    has_sure = np.bincount(run.ravel(), sure.swapaxes(-1, -2).ravel()) > 0
    return np.asarray((maybe & has_sure[run]).swapaxes(-1, -2))


def _steps(ball: Array, before: Array, stands: BoolArray, given: BoolArray) -> BoolArray:
    """Pairs in which a foot that drifts too far steps, (person, frame - 1, 2).

    Both ways from the last given frame, because that one holds its spot (`before`).
    """
    result = np.zeros_like(stands)
    for person, is_given in enumerate(given):
        origin = int(np.flatnonzero(is_given)[-1]) if is_given.any() else 0
        ground = ball[person, ..., ::2].copy()
        ground[origin] = before[person, origin, :, ::2]
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
    steps = [[False, False] for _ in stands]
    limits = [limit, limit]
    places = ground.tolist()
    boxes = [(x, x, z, z) for x, z in places[0]]
    for pair, stays in enumerate(stands.tolist()):
        for foot, (x, z) in enumerate(places[pair + 1]):
            if not stays[foot]:
                boxes[foot], limits[foot] = (x, x, z, z), LONGEST_DRIFT
                continue
            left, right, near, far = boxes[foot]
            boxes[foot] = min(left, x), max(right, x), min(near, z), max(far, z)
            drift = math.dist(boxes[foot][::2], boxes[foot][1::2])
            if drift <= limits[foot]:
                continue
            first = max(pair + 1 - STEP_FRAMES // 2, wait)
            step = steps[first : first + STEP_FRAMES]
            is_free = stays[1 - foot] and not any(frame[1 - foot] for frame in step)
            if drift > limits[foot] * (1 if is_free else MOST_DRIFT) and len(step) == STEP_FRAMES:
                for frame in step:
                    frame[foot] = True
                boxes[foot], limits[foot] = (x, x, z, z), LONGEST_DRIFT
    return np.array(steps, np.bool_).reshape(stands.shape)


def _frames_of(pairs: BoolArray) -> BoolArray:
    """Frames (person, frame, 2) that belong to a pair."""
    people, count, feet = pairs.shape
    frames = np.zeros((people, count + 1, feet), np.bool_)
    frames[:, :-1] = pairs
    frames[:, 1:] |= pairs
    return frames


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
        frames = is_given.shape[1]
        distance = np.where(is_given[:, None], _distances(frames), frames + EASE_FRAMES)
        part = np.minimum(distance.min(axis=-1) / EASE_FRAMES, 1.0)
        hold = 1 - smoothstep(part)
        return cls(is_given=is_given, nearest=distance.argmin(axis=-1), hold=hold)

    @property
    def kept(self) -> BoolArray:
        """(person, frame, 1), to be used for both feet."""
        return self.is_given[..., None]

    def held(self, values: Array) -> Array:
        """Values (person, frame, ...) of the nearest given frame, gone `EASE_FRAMES` further."""
        hold = self.hold.reshape(*self.hold.shape, *[1] * (values.ndim - 2))
        return np.asarray(hold * values[np.arange(len(values))[:, None], self.nearest])


@dataclass(frozen=True, kw_only=True)
class _Target:
    """Where the feet should be: ball (person, frame, 2, 3), world rotations of foot and toes."""

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
    floor: float | Array,
) -> _Target:
    ball_pairs, whole_pairs = pairs
    shown_turn: Array = np.zeros(legs.hip.shape[:-1])
    shown_tilt: Array = np.zeros_like(legs.hip)
    if before is not legs:
        turned = before.foot @ legs.foot.swapaxes(-1, -2)
        shown_turn, shown_tilt = _turn(turned), _tilt(turned.swapaxes(-1, -2))
    flatten: Array = _tilt(legs.foot)
    flatten = flatten - given.held(flatten - shown_tilt)
    flatten = _smoothest(flatten, _frames_of(whole_pairs), given.kept, shown_tilt)
    foot = rotmat_from_axis_angle(flatten) @ legs.foot
    yaw = np.arctan2(foot[..., 0, 2], foot[..., 2, 2])
    turn = wrapped(yaw[:, 1:] - yaw[:, :-1])
    turn = _stillest(turn[..., None], whole_pairs, given.kept, shown_turn[..., None])[..., 0]
    foot = rotmat_about("y", turn) @ foot

    toes = foot @ (legs.foot.swapaxes(-1, -2) @ legs.toes)
    moved = before.ball - legs.ball
    to_floor = np.empty((*moved.shape[:-1], 4))
    to_floor[..., :3] = _tilt(toes)
    to_floor[..., 3] = floor + legs.shape.depth - legs.ball[..., 1]
    done = np.zeros_like(to_floor)
    if before is not legs:
        done[..., :3] = _tilt(toes @ before.toes.swapaxes(-1, -2))
        done[..., 3] = moved[..., 1]
    to_floor = to_floor - given.held(to_floor - done)
    to_floor = _smoothest(to_floor, _frames_of(ball_pairs), given.kept, done)
    toes = rotmat_from_axis_angle(to_floor[..., :3]) @ toes

    glide = legs.ball[:, 1:, :, ::2] - legs.ball[:, :-1, :, ::2]
    ball = legs.ball.copy()
    ball[..., ::2] += _stillest(glide, ball_pairs, given.kept, moved[..., ::2])
    ball[..., 1] += to_floor[..., 3]
    height = _soles(ball[..., 1], foot, toes, legs.shape).min(axis=-1) - floor
    lift = _step_lift(ball, ball_pairs)
    lift = lift - given.held(np.maximum(lift - height, 0.0))
    under = np.maximum(lift, 0.0) - height
    ball[..., 1] += np.where(given.kept, 0.0, np.maximum(under, 0.0))
    return _Target(ball=ball, foot=foot, toes=toes, shape=legs.shape)


def _turn(rotmat: Array) -> Array:
    """The angle (...,) about y of rotmat (..., 3, 3) = Ry(turn) exp(tilt), the tilt about a level
    axis: `_tilt` of the transpose."""
    return np.asarray(
        np.arctan2(rotmat[..., 0, 2] - rotmat[..., 2, 0], rotmat[..., 0, 0] + rotmat[..., 2, 2])
    )


def _tilt(world: Array) -> Array:
    """Rotation vectors (..., 3) that bring the up axes of (..., 3, 3) upright by the short way."""
    x, y, z = world[..., 0, 1], world[..., 1, 1], world[..., 2, 1]
    sine = np.maximum(np.hypot(x, z), 1e-9)
    part = np.arctan2(sine, y) / sine
    tilt = np.zeros((*x.shape, 3))
    tilt[..., 0], tilt[..., 2] = -z * part, x * part
    return tilt


def _step_lift(ball: Array, stands: BoolArray) -> Array:
    """Least height over the floor (person, frame, 2) of feet on their way between two stands."""
    lift = np.zeros(ball.shape[:3])
    if stands.all():
        return lift
    changes = stands[:, 1:] != stands[:, :-1]
    for person, foot in np.ndindex(ball.shape[0], 2):
        for start, stop in pairwise(np.flatnonzero(changes[person, :, foot]).tolist()):
            if stands[person, start + 1, foot]:
                continue
            (x, _, z), (end_x, _, end_z) = ball[person, [start + 1, stop + 1], foot].tolist()
            highest = np.interp(math.hypot(end_x - x, end_z - z), STEP_LENGTHS, STEP_LIFTS)
            lift[person, start + 1 : stop + 2, foot] = highest * _arch(stop + 1 - start)
    return lift


@lru_cache
def _arch(frames: int) -> Array:
    """(frames,) from 0 to 1 and back."""
    return np.asarray(np.sin(np.linspace(0, np.pi, frames)) ** 2)


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
    # Of leading frames that are all kept, two hold the others.
    skipped = max(int(kept.all(axis=(0, 2)).argmin()) - 2, 0)
    at, between, kept = at[:, skipped:], between[:, skipped:], kept[:, skipped:]
    people, count, feet = at.shape
    matrix = np.empty((people, feet, count, count))
    matrix[:] = _smoothness(count)
    bands = matrix.reshape(people, feet, count * count)
    links = between.swapaxes(1, 2)
    diagonal = bands[..., :: count + 1]
    diagonal += (at + KEEP * kept).swapaxes(1, 2)
    diagonal[..., :-1] += links
    diagonal[..., 1:] += links
    bands[..., 1 :: count + 1] -= links
    bands[..., count :: count + 1] -= links
    right = right[:, skipped:] + KEEP * kept[..., None] * done[:, skipped:]
    offsets = np.linalg.solve(matrix, right.swapaxes(1, 2)).swapaxes(1, 2)
    result = done.copy()
    result[:, skipped:] = np.where(kept[..., None], done[:, skipped:], offsets)
    return result


@lru_cache
def _smoothness(frames: int) -> Array:
    """(frames, frames) of the quadratic form sum (D^2 o)^2 + PRIOR sum o^2."""
    second = np.diff(np.eye(frames), n=2, axis=0)
    return np.asarray(second.T @ second + PRIOR * np.eye(frames))


# --------------------------------------------------------------------------------------------- legs
def _pelvis_drop(legs: _Legs, before: _Legs, target: _Target, given: _Given) -> Array:
    """How far (person, frame) the pelvis sinks so that straight legs reach their targets."""
    to_foot = target.ankle - legs.hip
    across = np.hypot(to_foot[..., 0], to_foot[..., 2])
    down = np.sqrt(np.maximum(_reach(legs) ** 2 - across**2, 0.0))
    need = (-to_foot[..., 1] - down).max(axis=-1)
    done = legs.hip[..., 0, 1] - before.hip[..., 0, 1]
    if need.max() <= 0 and not done.any():
        return np.zeros_like(need)
    around = frames_around(need.shape[1], 2)
    mean = np.clip(need, 0.0, PELVIS_DROP)[:, around].max(axis=-1)[:, around].mean(axis=-1)
    return np.asarray((1 - given.hold) * mean + given.held(done))


@lru_cache
def _distances(frames: int) -> IntArray:
    """(frames, frames) from each frame to each."""
    return np.asarray(abs(np.arange(frames)[:, None] - np.arange(frames)))


def _reach(legs: _Legs) -> Array:
    """The farthest an ankle may be from its hip: never nearer than it came."""
    distance = lengths(legs.ankle - legs.hip)
    return np.asarray(np.maximum(REACH * (legs.shape.thigh + legs.shape.shin), distance))


def _bent(legs: _Legs, target: _Target, drop: Array) -> tuple[Array, Array, Array, Array]:
    """Parent-relative rotations (person, frame, 2, 3, 3) of hip, knee, ankle and ball."""
    to_target = target.ankle - legs.hip
    to_target[..., 1] += drop[..., None]
    swing, fold = bent_to(
        legs.knee - legs.hip,
        legs.ankle - legs.knee,
        (legs.shape.thigh, legs.shape.shin),
        legs.thigh[..., 0],
        to_target,
        _reach(legs),
    )
    thigh, shin = swing @ legs.thigh, swing @ fold @ legs.shin
    return (
        legs.root.swapaxes(-1, -2)[:, :, None] @ thigh,
        thigh.swapaxes(-1, -2) @ shin,
        shin.swapaxes(-1, -2) @ target.foot,
        target.foot.swapaxes(-1, -2) @ target.toes,
    )
