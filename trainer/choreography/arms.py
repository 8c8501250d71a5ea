"""Arms: hands on their way to targets, and what shoulders, elbows and wrists do about it.

Knows one performer whose trunk is solved. Knows no interaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.arrays import Array
from engine.body.ik import aligning, limited, soft_limit, swing_and_twist, two_bone
from engine.body.rotations import rotmat_about, rotmat_from_axis_angle, slerp_rotmat
from engine.body.skeleton import JOINT
from engine.body.vectors import unit
from trainer.choreography.performer import SIDES, Performer
from trainer.choreography.stepping import LEFT, RIGHT, SIDE, ground_forward
from trainer.choreography.timing import smoothed


@dataclass(frozen=True)
class ArmMove:
    """A hand on its way to a target; moves of one arm are layered in the order given.

    weight (frame,) 0 rests, 1 arrived; wrist (frame, 3) world; fingers, palm (frame, 3) directions
    of the fingers and out of the palm, or None to keep the hand relaxed in line with the forearm;
    elbow (frame, 3) direction the elbow points; arc 0 moves straight, 1 swings about the shoulder.
    """

    side: int
    weight: Array
    wrist: Array
    fingers: Array | None = None
    palm: Array | None = None
    elbow: Array | None = field(default=None, kw_only=True)
    arc: float = field(default=0.4, kw_only=True)


def move_arms(body: Performer, moves: Sequence[ArmMove]) -> None:
    for side in (LEFT, RIGHT):
        _move_arm(body, side, [m for m in moves if m.side == side])


def _hanging_wrist(body: Performer, side: int, shoulder: Array) -> Array:
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


def _blended(shoulder: Array, start: Array, move: ArmMove) -> Array:
    """The wrist between `start` and the target: partly straight, partly about the shoulder."""
    w = move.weight[:, None]
    straight = start + w * (move.wrist - start)
    a, b = start - shoulder, move.wrist - shoulder
    length = (1 - w) * np.linalg.norm(a, axis=-1, keepdims=True) + w * np.linalg.norm(
        b, axis=-1, keepdims=True
    )
    ua, ub = unit(a), unit(b)
    angle = np.arccos(np.clip(np.sum(ua * ub, axis=-1, keepdims=True), -0.98, 1))
    sine = np.maximum(np.sin(angle), 1e-3)
    around = (np.sin((1 - w) * angle) * ua + np.sin(w * angle) * ub) / sine
    arced = shoulder + length * unit(np.where(angle < 0.02, ua + w * (ub - ua), around))
    return np.asarray((1 - move.arc) * straight + move.arc * arced)


def _move_arm(body: Performer, side: int, moves: Sequence[ArmMove]) -> None:
    name, sign, figure = SIDES[side], SIDE[side], body.figure
    hint = body.direction([0.35 * sign, -0.55, -0.75])
    base = body.at(f"{name}_shoulder").copy()

    def goal(shoulder: Array) -> tuple[Array, Array]:
        wrist, pole = _hanging_wrist(body, side, shoulder), hint
        for move in moves:
            wrist = _blended(shoulder, wrist, move)
            if move.elbow is not None:
                pole = pole + move.weight[:, None] * (unit(move.elbow) - pole)
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
    for move in moves:
        if move.fingers is not None and move.palm is not None:
            target = aligning(along, np.array([0.0, -1.0, 0.0]), move.fingers, move.palm)
            hand = slerp_rotmat(hand, target, move.weight)
    swing, twist = swing_and_twist(np.swapaxes(lower, -1, -2) @ hand, along)
    twist = soft_limit(np.unwrap(twist), 1.1, 1.6)
    hand = lower @ limited(swing, 1.2) @ _about(along, twist)
    forearm = lower @ _about(along, 0.6 * twist)
    body.turn(f"{name}_shoulder", upper)
    body.turn(f"{name}_elbow", forearm)
    body.turn(f"{name}_wrist", hand)


def _about(axis: Array, angle: Array) -> Array:
    return rotmat_from_axis_angle(axis * angle[:, None])


def _lift_collar(body: Performer, side: int, reach: Array) -> None:
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
