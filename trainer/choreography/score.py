"""A score: what one performer is to do, on which body and in which manner.

All arrays run over frames of one fine clock. Knows the skeleton; knows no interaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engine.arrays import Array
from engine.body.skeleton import JOINT, PARENTS
from trainer.choreography.stepping import Gait

RATE = 30.0
"""Frames a second at which motion is made; clips keep every third."""


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
