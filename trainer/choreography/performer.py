"""A performer: one body that follows a score: where it goes, how it leans, looks and reaches.

Solved in the order a body is built: feet, pelvis, spine, legs; then the gaze; then the arms, whose
targets may depend on the other performer's trunk. All arrays run over frames of one fine clock.
Knows the skeleton; knows no interaction (`greetings.py`, `closeness.py`, `company.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.arrays import Array
from engine.body.ik import aligning, limited, soft_limit, swing_and_twist, two_bone
from engine.body.rotations import rotmat_about, rotmat_from_axis_angle, slerp_rotmat
from engine.body.skeleton import JOINT, JOINT_COUNT, PARENTS
from engine.body.vectors import unit
from trainer.choreography.stepping import (
    LEFT,
    RIGHT,
    SIDE,
    FootTrack,
    Gait,
    ground_forward,
    ground_left,
    plan_steps,
    support,
    track_feet,
    wished_places,
)
from trainer.choreography.timing import lower_envelope, smoothed

RATE = 30.0
"""Frames a second at which motion is made; clips keep every third."""
SIDES = ("left", "right")
UP = np.array([0.0, 1.0, 0.0])
KNEE_HINGE = np.array([1.0, 0.0, 0.0])
PALM = 0.085
"""From wrist to the middle of the palm, metres, along the fingers."""
PALM_DEPTH = 0.022
"""From the wrist's axis to the surface of the palm."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The measures of one body.

    rest (22, 3) joints in the rest pose; floor: height of the soles in the same frame.
    """

    betas: Array
    rest: Array
    floor: float
    chest: float
    """From spine3 forward to the surface of the chest."""
    back: float
    """From spine3 backward to the surface of the back."""
    side: float
    """From the middle to the surface of the ribs."""

    def offset(self, joint: str) -> Array:
        index = JOINT[joint]
        return np.asarray(self.rest[index] - self.rest[PARENTS[index]])

    def height_of(self, joint: str) -> float:
        return float(self.rest[JOINT[joint], 1] - self.floor)

    @property
    def arm(self) -> float:
        """Shoulder to wrist."""
        return float(sum(np.linalg.norm(self.offset(f"left_{j}")) for j in ("elbow", "wrist")))

    @property
    def leg(self) -> float:
        return float(sum(np.linalg.norm(self.offset(f"left_{j}")) for j in ("knee", "ankle")))


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a person carries the body; differs from clip to clip."""

    gait: Gait = field(default_factory=Gait)
    hang_out: float = 0.16
    hang_forward: float = 0.04
    hang_bend: float = 0.05
    arm_swing: float = 0.5
    slump: float = 0.03
    knee_bend: float = 0.010
    """Part of the leg's length that a standing person gives away."""
    sway: float = 1.0
    gaze_drop: float = 0.0


@dataclass(kw_only=True)
class Score:
    """What one performer is to do; kinds fill it in, then it is solved once.

    path (frame, 2) metres on the ground; heading (frame,); all else adds to a neutral stance:
    lean (frame, 3) spine pitch, roll, twist; hip_pitch (frame,); drop (frame,) metres lower;
    shift (frame, 2) pelvis to the left and forward without moving the feet; weight (frame,) -1..1;
    shrug (frame, 2); nod (frame, 3) head pitch, roll, yaw; hand_noise (frame, 2, 3)
    """

    figure: Figure
    manner: Manner
    time: Array
    path: Array
    heading: Array
    start_error: Array
    lean: Array = field(init=False)
    hip_pitch: Array = field(init=False)
    drop: Array = field(init=False)
    shift: Array = field(init=False)
    weight: Array = field(init=False)
    shrug: Array = field(init=False)
    nod: Array = field(init=False)
    hand_noise: Array = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.time)
        self.lean, self.nod = np.zeros((n, 3)), np.zeros((n, 3))
        self.hip_pitch, self.drop, self.weight = np.zeros(n), np.zeros(n), np.zeros(n)
        self.shift, self.shrug = np.zeros((n, 2)), np.zeros((n, 2))
        self.hand_noise = np.zeros((n, 2, 3))


@dataclass(kw_only=True)
class Body:
    """A performer being solved: world orientations and positions of the joints so far."""

    score: Score
    feet: FootTrack
    world: Array
    joints: Array

    @property
    def figure(self) -> Figure:
        return self.score.figure

    def at(self, joint: str) -> Array:
        return np.asarray(self.joints[:, JOINT[joint]])

    @property
    def chest_yaw(self) -> Array:
        """Rotation (frame, 3, 3) about the vertical with which the chest faces."""
        forward = self.world[:, JOINT["spine3"], :, 2]
        return rotmat_about("y", np.arctan2(forward[:, 0], forward[:, 2]))

    def direction(self, local: Sequence[float] | Array) -> Array:
        """Left, up, forward of the upright chest, (3,) or (frame, 3) -> world (frame, 3)."""
        return np.asarray((self.chest_yaw @ np.asarray(local, float)[..., None])[..., 0])

    def on_chest(self, local: Sequence[float]) -> Array:
        """A point given in the leaning chest's own axes from spine3 -> world (frame, 3)."""
        turned = self.world[:, JOINT["spine3"]] @ np.asarray(local, float)
        return np.asarray(self.at("spine3") + turned)

    def turn(self, joint: str, world: Array) -> None:
        """Give a joint its world orientation; its parent must be placed already."""
        index = JOINT[joint]
        parent = PARENTS[index]
        self.world[:, index] = world
        if parent >= 0:
            offset = self.figure.offset(joint)
            self.joints[:, index] = self.joints[:, parent] + self.world[:, parent] @ offset

    def rotmats(self) -> Array:
        """Parent-relative rotations (frame, 22, 3, 3)."""
        parents = list(PARENTS[1:])
        local = np.swapaxes(self.world[:, parents], -1, -2) @ self.world[:, 1:]
        return np.concatenate([self.world[:, :1], local], axis=1)

    def transl(self) -> Array:
        return np.asarray(self.joints[:, 0] - self.figure.rest[0])


# ------------------------------------------------------------------------------- trunk and legs
def stand(score: Score) -> Body:
    """Feet, pelvis, spine and legs."""
    figure, manner, frames = score.figure, score.manner, len(score.time)
    wished = wished_places(score.path, score.heading, manner.gait)
    steps = plan_steps(score.path, score.heading, manner.gait, RATE, score.start_error)
    feet = track_feet(
        steps,
        wished[0] + score.start_error,
        frames,
        RATE,
        manner.gait,
        figure.height_of("left_ankle"),
        figure.offset("left_foot"),
    )
    body = Body(
        score=score,
        feet=feet,
        world=np.broadcast_to(np.eye(3), (frames, JOINT_COUNT, 3, 3)).copy(),
        joints=np.zeros((frames, JOINT_COUNT, 3)),
    )
    ground = _pelvis_ground(score, feet)
    yaw = smoothed(0.5 * score.heading + 0.5 * feet.yaw.mean(axis=1), 8)
    roll = 0.05 * score.weight
    body.world[:, 0] = (
        rotmat_about("y", yaw) @ rotmat_about("x", score.hip_pitch) @ rotmat_about("z", roll)
    )
    _place_pelvis(body, ground)
    _raise_spine(body, score.heading - yaw, -roll)
    _solve_legs(body, yaw)
    return body


def _pelvis_ground(score: Score, feet: FootTrack) -> Array:
    """Where the pelvis is above the ground: on its path, drawn over the feet that carry it."""
    left, forward = ground_left(score.heading), ground_forward(score.heading)
    ankles = score.path - score.manner.gait.behind * forward
    quick = support(feet, 7, score.weight * 0.45) - ankles
    slow = support(feet, 20, np.zeros(len(ankles))) - ankles
    lateral = 0.40 * np.sum(quick * left, axis=-1) + score.shift[:, 0]
    ahead = 0.75 * np.sum(slow * forward, axis=-1) + score.shift[:, 1]
    return np.asarray(score.path + lateral[:, None] * left + ahead[:, None] * forward)


def _place_pelvis(body: Body, ground: Array) -> None:
    """As high as the shorter leg allows, smoothly."""
    figure, manner = body.figure, body.score.manner
    straight = figure.leg * (1 - manner.knee_bend)
    pelvis = np.column_stack([ground[:, 0], np.zeros(len(ground)), ground[:, 1]])
    heights = []
    for side, name in enumerate(SIDES):
        hip = pelvis + body.world[:, 0] @ figure.offset(f"{name}_hip")
        away = hip - body.feet.ankle[:, side]
        level = np.sqrt(np.maximum(straight**2 - away[:, 0] ** 2 - away[:, 2] ** 2, 0.01))
        heights.append(level - away[:, 1])
    pelvis[:, 1] = lower_envelope(np.minimum(*heights), 5) - body.score.drop
    body.joints[:, 0] = pelvis


def _raise_spine(body: Body, twist: Array, roll: Array) -> None:
    lean = body.score.lean
    pitch = lean[:, 0] + body.score.manner.slump
    parts = {"spine1": 0.30, "spine2": 0.35, "spine3": 0.35}
    previous = body.world[:, 0]
    for joint, part in parts.items():
        local = (
            rotmat_about("y", part * (twist + lean[:, 2]))
            @ rotmat_about("x", part * pitch)
            @ rotmat_about("z", part * (lean[:, 1] + roll))
        )
        previous = previous @ local
        body.turn(joint, previous)
    for joint in ("neck", "left_collar", "right_collar"):
        body.turn(joint, previous)
    for joint in ("head", "left_shoulder", "right_shoulder"):
        body.turn(joint, previous)


def _solve_legs(body: Body, yaw: Array) -> None:
    figure, feet = body.figure, body.feet
    raised = np.clip(3 * body.score.drop, 0.0, 1.0)  # who sits low has the feet ahead, knees up
    for side, name in enumerate(SIDES):
        body.turn(f"{name}_hip", body.world[:, 0])
        facing = 0.5 * (yaw + feet.yaw[:, side]) + 0.06 * SIDE[side]
        pole = np.column_stack([np.sin(facing), raised, np.cos(facing)])
        upper, lower, _, _ = two_bone(
            body.at(f"{name}_hip"),
            feet.ankle[:, side],
            pole,
            figure.offset(f"{name}_knee"),
            figure.offset(f"{name}_ankle"),
            KNEE_HINGE,
        )
        body.turn(f"{name}_hip", upper)
        body.turn(f"{name}_knee", lower)
        pitch = feet.pitch[:, side]
        sole = rotmat_about("y", feet.yaw[:, side])
        body.turn(f"{name}_ankle", sole @ rotmat_about("x", pitch))
        toes = np.where(pitch > 0, 0.25 * pitch, pitch)
        body.turn(f"{name}_foot", sole @ rotmat_about("x", toes))


# ----------------------------------------------------------------------------------------- gaze
def look(body: Body, target: Array) -> None:
    """Turn neck and head towards world points (frame, 3), as far as necks go."""
    chest = body.world[:, JOINT["spine3"]]
    away = np.einsum("tji,tj->ti", chest, target - body.at("head"))
    yaw = soft_limit(np.arctan2(away[:, 0], away[:, 2]), 0.7, 1.15)
    pitch = -np.arctan2(away[:, 1], np.hypot(away[:, 0], away[:, 2])) + body.score.manner.gaze_drop
    yaw = smoothed(yaw, 4) + body.score.nod[:, 2]
    pitch = smoothed(soft_limit(pitch, 0.35, 0.7), 4) + body.score.nod[:, 0]
    roll = body.score.nod[:, 1]
    for joint, part in (("neck", 0.4), ("head", 0.6)):
        local = (
            rotmat_about("y", part * yaw)
            @ rotmat_about("x", part * pitch)
            @ rotmat_about("z", part * roll)
        )
        chest = chest @ local
        body.turn(joint, chest)


# ----------------------------------------------------------------------------------------- arms
@dataclass(frozen=True, kw_only=True)
class Reach:
    """A hand on its way to a target; reaches of one arm are layered in the order given.

    weight (frame,) 0 rests, 1 arrived; wrist (frame, 3) world; fingers, palm (frame, 3) directions
    of the fingers and out of the palm, or None to keep the hand relaxed in line with the forearm;
    elbow (frame, 3) direction the elbow points; arc 0 moves straight, 1 swings about the shoulder.
    """

    side: int
    weight: Array
    wrist: Array
    fingers: Array | None = None
    palm: Array | None = None
    elbow: Array | None = None
    arc: float = 0.4


def wrist_for_palm(
    palm_centre: Array, fingers: Array, palm: Array, depth: float = PALM_DEPTH
) -> Array:
    """The wrist of a hand the surface of whose palm is at `palm_centre`."""
    fingers = unit(fingers)
    normal = unit(palm - np.sum(palm * fingers, axis=-1, keepdims=True) * fingers)
    return np.asarray(palm_centre - PALM * fingers - depth * normal)


def lay_palm(
    side: int,
    weight: Array,
    spot: Array,
    fingers: Array,
    palm: Array,
    *,
    elbow: Array | None = None,
    arc: float = 0.4,
) -> Reach:
    """Reach with the surface of the palm for `spot` (frame, 3)."""
    wrist = wrist_for_palm(spot, fingers, palm)
    return Reach(
        side=side, weight=weight, wrist=wrist, fingers=fingers, palm=palm, elbow=elbow, arc=arc
    )


def move_arms(body: Body, reaches: Sequence[Reach]) -> None:
    for side in (LEFT, RIGHT):
        _move_arm(body, side, [r for r in reaches if r.side == side])


def _hanging_wrist(body: Body, side: int, shoulder: Array) -> Array:
    """Where the hand hangs: below the shoulder, swinging against the leg of its side."""
    manner, arm = body.score.manner, body.figure.arm
    heading = body.score.heading
    stride = np.sum(
        (body.feet.ground[:, 1 - side] - body.feet.ground[:, side]) * ground_forward(heading), -1
    )
    swing = manner.arm_swing * soft_limit(smoothed(stride, 5), 0.3, 0.6)
    chest = body.world[:, JOINT["spine3"]]
    carried = slerp_rotmat(body.chest_yaw, chest, np.full(len(chest), 0.35))
    local = np.column_stack(
        [
            np.full_like(swing, SIDE[side] * manner.hang_out),
            np.full_like(swing, -1.0),
            manner.hang_forward + swing,
        ]
    )
    hang = np.einsum("tij,tj->ti", carried, unit(local)) * arm * (0.985 - manner.hang_bend)
    return np.asarray(shoulder + hang + body.score.hand_noise[:, side])


def _blend_reach(shoulder: Array, start: Array, reach: Reach) -> Array:
    """The wrist between `start` and the target: partly straight, partly about the shoulder."""
    w = reach.weight[:, None]
    straight = start + w * (reach.wrist - start)
    a, b = start - shoulder, reach.wrist - shoulder
    length = (1 - w) * np.linalg.norm(a, axis=-1, keepdims=True) + w * np.linalg.norm(
        b, axis=-1, keepdims=True
    )
    ua, ub = unit(a), unit(b)
    angle = np.arccos(np.clip(np.sum(ua * ub, axis=-1, keepdims=True), -0.98, 1))
    sine = np.maximum(np.sin(angle), 1e-3)
    around = (np.sin((1 - w) * angle) * ua + np.sin(w * angle) * ub) / sine
    arced = shoulder + length * unit(np.where(angle < 0.02, ua + w * (ub - ua), around))
    return np.asarray((1 - reach.arc) * straight + reach.arc * arced)


def _move_arm(body: Body, side: int, reaches: Sequence[Reach]) -> None:
    name, sign, figure = SIDES[side], SIDE[side], body.figure
    hint = body.direction([0.35 * sign, -0.55, -0.75])
    base = body.at(f"{name}_shoulder").copy()

    def goal(shoulder: Array) -> tuple[Array, Array]:
        wrist, pole = _hanging_wrist(body, side, shoulder), hint
        for reach in reaches:
            wrist = _blend_reach(shoulder, wrist, reach)
            if reach.elbow is not None:
                pole = pole + reach.weight[:, None] * (unit(reach.elbow) - pole)
        return wrist, pole

    _lift_collar(body, side, goal(base)[0] - base)
    shoulder = body.at(f"{name}_shoulder").copy()
    wrist, pole = goal(shoulder)
    rest_lower = figure.offset(f"{name}_wrist")
    hinge = np.array([0.0, -sign, 0.0])
    upper, lower, _, _ = two_bone(
        shoulder, wrist, pole, figure.offset(f"{name}_elbow"), rest_lower, hinge, (0.95, 0.992)
    )
    along = unit(rest_lower)
    hand = lower
    for reach in reaches:
        if reach.fingers is not None and reach.palm is not None:
            target = aligning(along, np.array([0.0, -1.0, 0.0]), reach.fingers, reach.palm)
            hand = slerp_rotmat(hand, target, reach.weight)
    swing, twist = swing_and_twist(np.swapaxes(lower, -1, -2) @ hand, along)
    twist = soft_limit(np.unwrap(twist), 1.1, 1.6)
    hand = lower @ limited(swing, 1.2) @ _about(along, twist)
    forearm = lower @ _about(along, 0.6 * twist)
    body.turn(f"{name}_shoulder", upper)
    body.turn(f"{name}_elbow", forearm)
    body.turn(f"{name}_wrist", hand)


def _about(axis: Array, angle: Array) -> Array:
    return rotmat_from_axis_angle(axis * angle[:, None])


def _lift_collar(body: Body, side: int, reach: Array) -> None:
    """The shoulder girdle rises and turns forward with the hand that reaches."""
    name, sign = SIDES[side], SIDE[side]
    chest = body.world[:, JOINT["spine3"]]
    local = np.einsum("tji,tj->ti", chest, reach) / body.figure.arm
    rise = -0.10 + 0.30 * np.clip(local[:, 1] + 0.35, 0, 1.2) + body.score.shrug[:, side]
    forward = 0.28 * np.clip(local[:, 2], -0.2, 1.0)
    turn = rotmat_about("y", -sign * smoothed(forward, 3)) @ rotmat_about(
        "z", sign * smoothed(rise, 3)
    )
    body.turn(f"{name}_collar", chest @ turn)
    body.turn(f"{name}_shoulder", chest @ turn)
