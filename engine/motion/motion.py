"""Motion: what files hold, what clients see; and the 135 features that the networks see.

A pose's feature vector (facts/ponimator.md 2.4): 22 rotations in 6D, root first (132), transl (3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.fingers import CURLS
from engine.body.pose import Pose
from engine.body.rotations import (
    rot6d_from_rotmat,
    rotmat_from_quat,
    rotmat_from_rot6d,
)
from engine.body.skeleton import JOINT_COUNT

FRAME_RATE = 10.0
"""Frames a second of every window, plan and session."""
WINDOW_FRAMES = 30
RATES = (0.01, 10_000.0)
"""Frames a second that a file may have, least and most."""
RATES_TEXT = f"frames a second, {RATES[0]:g} to {RATES[1]:g}"
MOST_FRAMES = 1_000_000
"""Of a motion, all people's counted: some nine hours at 30 a second, 400 MB as arrays."""
POSE_FEATURES = 6 * JOINT_COUNT + 3


@dataclass(frozen=True, kw_only=True)
class Motion:
    """The motion of one or more people at a steady frame rate.

    quats_xyzw  (person, frame, 22, 4) unit, parent-relative, root first
    transl      (person, frame, 3) metres, SMPL-X `transl`
    betas       (person, 10) shape coordinates of the body in use
    frame_rate  frames a second
    curls       (person, frame, 10) of the fingers in 0..1 (`body/fingers.py`); None: not known
    Files hold quaternions because people and other tools read them; all arrays are float32.
    """

    quats_xyzw: Array
    transl: Array
    betas: Array
    frame_rate: float = FRAME_RATE
    curls: Array | None = None

    def __post_init__(self) -> None:
        people, frames = self.transl.shape[:2]
        expected = {
            "quats_xyzw": (people, frames, JOINT_COUNT, 4),
            "transl": (people, frames, 3),
            "betas": (people, 10),
        }
        if self.curls is not None:
            expected["curls"] = (people, frames, CURLS)
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected {shape}")

    @property
    def people(self) -> int:
        return int(self.transl.shape[0])

    @property
    def frames(self) -> int:
        return int(self.transl.shape[1])

    def cut(self, people: slice = slice(None), frames: slice | IntArray = slice(None)) -> Motion:
        """Some of the people, in some of the frames."""
        return replace(
            self,
            quats_xyzw=self.quats_xyzw[people, frames],
            transl=self.transl[people, frames],
            betas=self.betas[people],
            curls=None if self.curls is None else self.curls[people, frames],
        )

    @property
    def rotmats(self) -> Array:
        """(person, frame, 22, 3, 3)"""
        return rotmat_from_quat(self.quats_xyzw)


def features_from_pose(pose: Pose) -> Array:
    """(..., 135) float32."""
    rot6d = rot6d_from_rotmat(pose.rotmats).reshape(*pose.transl.shape[:-1], 6 * JOINT_COUNT)
    return np.concatenate([rot6d, pose.transl], axis=-1).astype(np.float32)


def pose_from_features(features: Array) -> Pose:
    """The pose in features (..., 135), whose 6D need not be proper rotations."""
    rot6d = features[..., :-3].reshape(*features.shape[:-1], JOINT_COUNT, 6)
    return Pose(rotmat_from_rot6d(rot6d), features[..., -3:])


def frame_named(name: str, frames: int) -> int | None:
    """The index that first, middle, last or a number stands for among so many frames; None if that
    is none of them."""
    named = {"first": 0, "middle": frames // 2, "last": frames - 1}
    index = named.get(name, int(name) if name.isdecimal() else frames)
    return index if index < frames else None
