"""A performer: one body that follows a score: where it goes, how it leans and looks.

Solved in the order a body is built: feet, pelvis, spine, legs; then the gaze; then the arms
(`arms.py`), whose targets may depend on the other performer's trunk. Knows the skeleton and a
score; knows no interaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.ik import soft_limit, two_bone
from engine.body.pose import Pose
from engine.body.rotations import rotmat_about
from engine.body.skeleton import JOINT, JOINT_COUNT, PARENTS
from trainer.choreography.score import RATE, Figure, Score
from trainer.choreography.stepping import (
    SIDE,
    FootTrack,
    ground_forward,
    ground_left,
    plan_steps,
    support,
    track_feet,
    wished_places,
)
from trainer.choreography.timing import lower_envelope, smoothed

SIDES = ("left", "right")
WRISTS = ("left_wrist", "right_wrist")
UP = np.array([0.0, 1.0, 0.0])
KNEE_HINGE = np.array([1.0, 0.0, 0.0])


@dataclass(kw_only=True)
class Performer:
    """One body being solved: world orientations and positions of the joints so far."""

    score: Score
    feet: FootTrack
    world: Array
    joints: Array

    @property
    def figure(self) -> Figure:
        return self.score.figure

    def at(self, joint: str) -> Array:
        return np.asarray(self.joints[:, JOINT[joint]])

    def shoulder(self, side: int) -> Array:
        return self.at(f"{SIDES[side]}_shoulder")

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

    def on_head(self, local: Array) -> Array:
        """The same from the head joint, in the head's own axes."""
        return np.asarray(self.at("head") + self.world[:, JOINT["head"]] @ local)

    def turn(self, joint: str, world: Array) -> None:
        """Give a joint its world orientation; its parent must be placed already."""
        index = JOINT[joint]
        parent = PARENTS[index]
        self.world[:, index] = world
        if parent >= 0:
            offset = self.figure.offset(joint)
            self.joints[:, index] = self.joints[:, parent] + self.world[:, parent] @ offset

    def pose(self) -> Pose:
        """(frame, ...)"""
        local = np.swapaxes(self.world[:, list(PARENTS[1:])], -1, -2) @ self.world[:, 1:]
        rotmats = np.concatenate([self.world[:, :1], local], axis=1)
        return Pose(rotmats, self.joints[:, 0] - self.figure.rest[0])


Couple = tuple[Performer, Performer]
"""Player and partner."""


# ------------------------------------------------------------------------------- trunk and legs
def stand(score: Score) -> Performer:
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
    body = Performer(
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


def _place_pelvis(body: Performer, ground: Array) -> None:
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


def _raise_spine(body: Performer, twist: Array, roll: Array) -> None:
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


def _solve_legs(body: Performer, yaw: Array) -> None:
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
def look(body: Performer, target: Array) -> None:
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
