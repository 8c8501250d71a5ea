"""Touching: an arm bent so that its hand lies on a part of the other body.

The hand's palm comes to the skin (the capsules' surface) at one spot of that part, and follows it.
Knows poses, rest joints and capsules; knows no plan, window or network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.capsules import Capsules, Segments, near_pairs
from engine.body.ik import arc_vector, limited, two_bone
from engine.body.pose import Pose
from engine.body.rotations import rotmat_from_axis_angle, slerp_rotmat
from engine.body.skeleton import JOINT
from engine.body.vectors import unit

SIDES = {JOINT["left_wrist"]: "left", JOINT["right_wrist"]: "right"}
MOST_WRIST_TURN = np.radians(65.0)
PRESS = 0.003
"""Metres by which the skins overlap."""
ROUNDS = 5
"""Rounds of moving the hand until the skins meet."""
ARM_REACH = 0.97
"""Part of an arm's length that it stretches to without leaning."""
NEAR_REACH, FAR_REACH = 1.5, 2.2
"""Arm lengths to a point: up to the first the arm stretches for it, from the second not at all."""
ELBOW_DOWN = 0.3
"""Weight of straight down, against where the elbow points now."""


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A place on the skin that follows a joint: point and normal (3,) in the joint's frame."""

    joint: int
    point: Array
    normal: Array


def nearest_spot(
    capsules: Capsules, joint: int, joints: Array, world: Array, seen_from: Array
) -> Spot:
    """Where a part's skin is nearest to a point: joints (22, 3), world (22, 3, 3) of its body."""
    rows = np.flatnonzero(capsules.joints == joint)
    posed = capsules.posed(joints, world)
    starts, axes = posed.starts[rows], posed.axes[rows]
    squared = np.maximum(np.sum(axes * axes, axis=-1), 1e-12)
    part = np.clip(np.sum((seen_from - starts) * axes, axis=-1) / squared, 0.2, 0.8)
    centres = starts + part[:, None] * axes
    normals = unit(seen_from - centres)
    points = centres + capsules.radii[rows, None] * normals
    nearest = int(np.argmin(np.linalg.norm(points - seen_from, axis=-1)))
    return Spot(
        joint=joint,
        point=world[joint].T @ (points[nearest] - joints[joint]),
        normal=world[joint].T @ normals[nearest],
    )


def on_body(spot: Spot, joints: Array, world: Array) -> tuple[Array, Array]:
    """Points and normals (frame, 3) of a spot in the world; (frame, 22, 3), (frame, 22, 3, 3)."""
    turn = world[:, spot.joint]
    return (
        joints[:, spot.joint] + np.einsum("fij,j->fi", turn, spot.point),
        np.einsum("fij,j->fi", turn, spot.normal),
    )


def arm_length(rest_joints: Array, wrist: int) -> float:
    """From the shoulder to the wrist, stretched as far as without leaning; rest_joints (22, 3)."""
    shoulder, elbow = (JOINT[f"{SIDES[wrist]}_{part}"] for part in ("shoulder", "elbow"))
    upper = np.linalg.norm(rest_joints[elbow] - rest_joints[shoulder])
    lower = np.linalg.norm(rest_joints[wrist] - rest_joints[elbow])
    return ARM_REACH * float(upper + lower)


def touching(
    pose: Pose,
    rest_joints: Array,
    wrist: int,
    points: Array,
    normals: Array,
    capsules: Capsules,
    skin: tuple[Segments, Array],
    weight: Array,
) -> Array:
    """The poses with the hand of `wrist` on the points, as far as the arm reaches.

    pose     (frame,); rest_joints (22, 3), capsules of the body
    points, normals  (frame, 3) on the other's skin, outwards
    skin     of the part: axes (frame, C, 3), radii (C,)
    weight   (frame,) 1: it touches; 0: it stays as it is
    returns  rotmats (frame, 22, 3, 3): shoulder, elbow and wrist of one arm are others; nobody
             stretches out for what is far away
    """
    palm = _Palm.of(capsules, rest_joints, wrist)
    away = np.full(len(points), palm.depth)
    turned = pose.rotmats
    for _ in range(ROUNDS):
        turned = _reaching(pose, rest_joints, wrist, points, normals, palm, away)
        posed = Pose(turned, pose.transl).in_world(rest_joints)
        gap = skin_gap(part_of(capsules, wrist, *posed), skin)
        away = np.clip(away - gap - PRESS, -0.1, 0.3)
    joints = _arm(wrist)
    weight = weight * _nearness(pose, rest_joints, wrist, points)
    result = pose.rotmats.copy()
    result[:, joints] = slerp_rotmat(
        pose.rotmats[:, joints], turned[:, joints], np.repeat(weight[:, None], 3, axis=1)
    )
    return result


@dataclass(frozen=True, kw_only=True)
class _Palm:
    """A hand at rest, from its wrist: the middle (3,), the way it looks (3,), the way the
    fingers point (3,); depth of the flesh at the middle, metres."""

    middle: Array
    looks: Array
    fingers: Array
    depth: float

    @classmethod
    def of(cls, capsules: Capsules, rest_joints: Array, wrist: int) -> _Palm:
        """At rest arms are stretched to the sides, palms down."""
        rows = capsules.joints == wrist
        ends = capsules.starts[rows], capsules.starts[rows] + capsules.axes[rows]
        middle = np.concatenate(ends).mean(axis=0)
        elbow = JOINT[f"{SIDES[wrist]}_elbow"]
        return cls(
            middle=middle,
            looks=np.array([0.0, -1.0, 0.0]),
            fingers=unit(rest_joints[wrist] - rest_joints[elbow]),
            depth=float(capsules.radii[rows].mean()),
        )


def _arm(wrist: int) -> list[int]:
    return [JOINT[f"{SIDES[wrist]}_{part}"] for part in ("shoulder", "elbow", "wrist")]


def _nearness(pose: Pose, rest_joints: Array, wrist: int, points: Array) -> Array:
    """1 (frame,) for points that the arm nearly reaches, 0 for those far beyond it."""
    shoulders, _ = pose.in_world(rest_joints)
    apart = np.linalg.norm(points - shoulders[:, _arm(wrist)[0]], axis=-1)
    beyond = apart / arm_length(rest_joints, wrist)
    return np.asarray(np.clip((FAR_REACH - beyond) / (FAR_REACH - NEAR_REACH), 0.0, 1.0))


def _reaching(
    pose: Pose,
    rest_joints: Array,
    wrist: int,
    points: Array,
    normals: Array,
    palm: _Palm,
    away: Array,
) -> Array:
    """The arm with the palm's middle `away` (frame,) metres before the points."""
    shoulder, elbow, _ = _arm(wrist)
    collar = JOINT[f"{SIDES[wrist]}_collar"]
    joints, world = pose.in_world(rest_joints)
    root = joints[:, shoulder]
    goal = points + away[:, None] * normals
    upper, lower = (
        rest_joints[elbow] - rest_joints[shoulder],
        rest_joints[wrist] - rest_joints[elbow],
    )
    hinge = np.cross(unit(upper), [0.0, 0.0, 1.0])
    pole = unit(joints[:, elbow] - root) + np.array([0.0, -ELBOW_DOWN, 0.0])
    result = pose.rotmats.copy()
    at_wrist = goal
    for _ in range(3):
        world_upper, world_lower, _, _ = two_bone(root, at_wrist, pole, upper, lower, hinge)
        hand = _flat(world_lower, normals, palm)
        at_wrist = goal - (hand @ palm.middle)
    world_upper, world_lower, _, _ = two_bone(root, at_wrist, pole, upper, lower, hinge)
    result[:, shoulder] = np.swapaxes(world[:, collar], -1, -2) @ world_upper
    result[:, elbow] = np.swapaxes(world_upper, -1, -2) @ world_lower
    result[:, wrist] = np.swapaxes(world_lower, -1, -2) @ hand
    return result


def _flat(world_lower: Array, normals: Array, palm: _Palm) -> Array:
    """World rotations (frame, 3, 3) of a hand whose palm looks against the normals, as far as the
    wrist turns; the fingers as near to the forearm's direction as they can."""
    looks = world_lower @ palm.looks
    onto = limited(rotmat_from_axis_angle(arc_vector(looks, -normals)), MOST_WRIST_TURN)
    return np.asarray(onto @ world_lower)


def skin_gap(first: tuple[Segments, Array], second: tuple[Segments, Array]) -> Array:
    """Metres (frame,) between two skins, each axes (frame, C, 3) and radii (C,); negative where
    they overlap."""
    pairs = near_pairs(*first, *second, np.inf)
    gaps = np.full(len(first[0].starts), np.inf)
    np.minimum.at(gaps, pairs.frames, pairs.gaps)
    return gaps


def part_of(capsules: Capsules, joint: int, joints: Array, world: Array) -> tuple[Segments, Array]:
    """The axes (frame, C, 3) and radii (C,) of a part's capsules: a skin."""
    rows = np.flatnonzero(capsules.joints == joint)
    posed = capsules.posed(joints, world)
    return Segments(starts=posed.starts[:, rows], axes=posed.axes[:, rows]), capsules.radii[rows]
