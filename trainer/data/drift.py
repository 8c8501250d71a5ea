"""Histories that have drifted, and how they come back: what makes a live partner stand up again.

Live, the partner's history is the network's own. Whatever it is told of posture it keeps, unless it
has learnt that such a history is wrong and where it leads back to (`docs/training_at_scale.md`).
An offset is the same in all frames of a history, but for a slow wandering: noise of single frames
averages out and teaches nothing. Knows features and rest joints; knows no clip and no network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from engine.body.rotations import axis_angle_from_rotmat, rotmat_about, rotmat_from_axis_angle
from engine.body.skeleton import JOINT, JOINT_COUNT
from engine.motion.motion import pose_from_features

ARMS = (("left", 1.0), ("right", -1.0))
"""Sides, and which way along x each arm points in the rest pose."""


@dataclass(frozen=True, kw_only=True)
class DriftConfig:
    """How far a history is off at the most; each row draws how much of that it gets.

    Angles are radians. Spreads are standard deviations.
    """

    probability: float = 0.6
    """Of the histories, how many have drifted."""
    player: float = 0.1
    """What the player, who is no network's, gets of the partner's drift."""
    frames: int = 15
    """Frames after what is known in which the drift is lost: a second and a half."""
    joint: float = 0.12
    """Spread of each joint's offset."""
    spine: float = np.radians(20)
    """Spread of the back's bend, forwards or backwards; a third of it aside and in twist."""
    lean: float = np.radians(18)
    """Spread of the whole body's lean, about the ground below the pelvis."""
    head: float = np.radians(30)
    heading: float = np.radians(15)
    place: float = 0.2
    """Spread along the ground, metres; a tenth of it in height."""
    raised: float = 0.4
    """How many of the drifted hold an arm half up, at an angle of up to `raised_most`."""
    raised_most: float = np.radians(100)
    wander: float = 0.2
    """Spread of the slow change of an offset along a history, relative to it."""


def drifted(
    motion: Array,
    rest_joints: Array,
    known_until: IntArray,
    is_drifting: BoolArray,
    config: DriftConfig,
    rng: np.random.Generator,
) -> Array:
    """Motion (batch, 2, frame, 135) whose chosen rows are off until `known_until`, then come back.

    rest_joints (batch, 2, 22, 3); known_until (batch, 2) last known frame of each person;
    is_drifting (batch,)
    Value and velocity run through: known frames and what follows them share the offset.
    """
    batch, _, frames, _ = motion.shape
    offsets = draw_offsets(batch, config, rng)
    amount = rng.random((batch, 1)) * is_drifting[:, None] * np.array([config.player, 1.0])
    walk = rng.standard_normal((batch, 2, frames)).cumsum(axis=-1) / np.sqrt(frames)
    after = np.clip((np.arange(frames) - known_until[..., None]) / config.frames, 0, 1)
    weight = (0.5 + 0.5 * np.cos(np.pi * after)) * (1 + config.wander * walk) * amount[..., None]
    return moved(motion, rest_joints, offsets, weight)


@dataclass(frozen=True, kw_only=True)
class Offsets:
    """joints (batch, 2, 22, 3) axis and angle in the frame of each joint's parent, the root's in
    the body's heading; place (batch, 2, 3) metres."""

    joints: Array
    place: Array


def draw_offsets(batch: int, config: DriftConfig, rng: np.random.Generator) -> Offsets:
    """Offsets of full size, one for each row and person."""
    people = (batch, 2)
    joints = rng.normal(0, config.joint, (*people, JOINT_COUNT, 3))
    bend = rng.normal(0, config.spine / 3, (*people, 3)) * np.array([1.0, 1 / 3, 1 / 3])
    for name in ("spine1", "spine2", "spine3"):
        joints[:, :, JOINT[name]] += bend
    joints[:, :, JOINT["neck"]] += rng.normal(0, config.head, (*people, 3)) * [0.5, 1.0, 0.3]
    joints[:, :, 0] = rng.normal(0, 1, (*people, 3)) * [
        config.lean,
        config.heading,
        config.lean / 2,
    ]
    for side, way in ARMS:
        share = rng.uniform(0.2, 1.0, people) * (rng.random(people) < config.raised / 2)
        up, bent = share * config.raised_most, share * rng.uniform(0, np.pi / 2, people)
        aside = rng.uniform(-0.2, 0.6, people)
        joints[:, :, JOINT[f"{side}_shoulder"]] += np.stack(
            [-up * (1 - np.abs(aside)), np.zeros(people), way * up * aside], axis=-1
        )
        joints[:, :, JOINT[f"{side}_elbow"], 1] -= way * bent
    place = rng.normal(0, config.place, (*people, 3)) * [1.0, 0.1, 1.0]
    return Offsets(joints=joints, place=place)


def moved(motion: Array, rest_joints: Array, offsets: Offsets, weight: Array) -> Array:
    """Motion (batch, 2, frame, 135) with so much of the offsets as weight (batch, 2, frame) says.

    A joint's rotation in its parent's frame becomes exp(weight offset) times it; the root turns, in
    the heading of the body, about the ground below the pelvis.
    """
    lead = motion.shape[:-1]
    first_columns = motion[..., :-3].reshape(*lead, JOINT_COUNT, 3, 2)
    root = first_columns[..., 0, :, :]
    facing = np.cross(root[..., 0], root[..., 1])
    heading = rotmat_about("y", np.arctan2(facing[..., 0], facing[..., 2]))
    turns = rotmat_from_axis_angle(weight[..., None, None] * offsets.joints[:, :, None])
    turns[..., 0, :, :] = heading @ turns[..., 0, :, :] @ np.swapaxes(heading, -1, -2)
    pelvis = rest_joints[:, :, None, 0] + motion[..., -3:]
    above = pelvis * np.array([0.0, 1.0, 0.0])
    leant = (turns[..., 0, :, :] @ above[..., None])[..., 0] - above
    shifted = motion[..., -3:] + leant + weight[..., None] * offsets.place[:, :, None]
    rot6d = (turns @ first_columns).reshape(*lead, 6 * JOINT_COUNT)
    return np.concatenate([rot6d, shifted], axis=-1).astype(np.float32)


def rejoined(own: Array, truth: Array, until: int, frames: int) -> Array:
    """The truth, led into from where one's own history ends.

    own, truth (batch, frame, 135), of which own counts up to frame `until`
    returns (batch, frame, 135): own frames, then the truth, off by what they differ by at `until`,
    which is gone `frames` later
    """
    lead = (*truth.shape[:-1], JOINT_COUNT, 3, 2)
    last, true = (pose_from_features(m[:, until]).rotmats for m in (own, truth))
    apart = axis_angle_from_rotmat(last @ np.swapaxes(true, -1, -2))[:, None]
    after = np.clip((np.arange(truth.shape[1]) - until) / frames, 0, 1)[:, None]
    weight = 0.5 + 0.5 * np.cos(np.pi * after)
    turns = rotmat_from_axis_angle(weight[..., None] * apart)
    rot6d = (turns @ truth[..., :-3].reshape(lead)).reshape(*truth.shape[:-1], -1)
    transl = truth[..., -3:] + weight * (own[:, until, -3:] - truth[:, until, -3:])[:, None]
    result = np.concatenate([rot6d, transl], axis=-1).astype(np.float32)
    result[:, : until + 1] = own[:, : until + 1]
    return result
