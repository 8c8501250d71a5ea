"""What becomes of a history that has gone wrong: does the partner of a session come back?

Two sessions of the same player and the same noise, one of which begins with a partner who leans, is
bent or holds an arm up: how far apart the two partners are, then and four seconds later. Knows how
sessions revise (`sequences.py`); no layer of the engine helps here.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.body.skeleton import JOINT, JOINT_COUNT
from engine.sampling.generation import SampleWindows
from trainer.data.drift import Offsets, moved
from trainer.data.shards import PARTNER, Clips
from trainer.evaluation.measures import EvaluationSettings, Rows, estimates, label_of, points_of
from trainer.evaluation.sequences import HISTORY_FRAMES, SESSION_FRAMES, reacted

SESSIONS = 16
"""Sessions of each fault, at most."""
BEND = {"spine1": -0.12, "spine2": -0.12, "spine3": -0.12}
FAULTS = {"leans": {"pelvis": -0.25}, "is bent": BEND, "holds an arm up": {"right_shoulder": -1.0}}
"""Radians about x, in the frame of the joint's parent, by which a partner is off."""


def restoring_table(sample: SampleWindows, clips: Clips, settings: EvaluationSettings) -> Rows:
    """Rows by fault and number of steps; empty if no test clip is long enough."""
    test = [int(c) for c in clips.subset("test") if clips.frames(int(c)) >= SESSION_FRAMES]
    chosen = test[: min(settings.sessions, SESSIONS)]
    if not chosen:
        return {}
    motion = np.stack([clips.motion_of(clip)[:SESSION_FRAMES] for clip in chosen])
    motion, rest = motion.transpose(0, 2, 1, 3), clips.rest_joints[chosen]
    table: Rows = {}
    for steps in settings.steps:
        right = reacted(sample, motion, rest, steps=steps, seed=settings.seed)[0]
        for name, angles in FAULTS.items():
            wrong = faulty(motion, rest, angles)
            made = reacted(sample, wrong, rest, steps=steps, seed=settings.seed)[0]
            apart = np.linalg.norm(points_of(made, rest) - points_of(right, rest), axis=-1)
            begun, left = (
                100 * float(apart[:, PARTNER, frame, :JOINT_COUNT].mean())
                for frame in (HISTORY_FRAMES - 1, SESSION_FRAMES - 1)
            )
            measures = {"begun_cm": begun, "left_cm": left, "left_ratio": left / begun}
            table[f"{name}, {label_of(steps)}"] = estimates([measures])
    return table


def faulty(motion: Array, rest: Array, angles: dict[str, float]) -> Array:
    """Motion (batch, 2, frame, 135) whose partner is off in the frames that a session is given."""
    joints = np.zeros((len(motion), 2, JOINT_COUNT, 3))
    for name, angle in angles.items():
        joints[:, PARTNER, JOINT[name], 0] = angle
    weight = np.zeros(motion.shape[:-1])
    weight[:, :, :HISTORY_FRAMES] = 1
    return moved(motion, rest, Offsets(joints=joints, place=np.zeros((len(motion), 2, 3))), weight)
