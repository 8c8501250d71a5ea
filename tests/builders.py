"""Players, poses and joints that tests of several rooms build."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.arrays import Array
from engine.body.capsules import Capsules, fitted_capsules
from engine.body.pose import Pose
from engine.body.rotations import rotmat_about
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.motion.floor import floor_height
from engine.motion.motion import Motion, pose_from_features
from engine.motion.standing import standing_pose

if TYPE_CHECKING:
    from trainer.data.shards import Clip

STILL, HERE = np.tile(np.float32([0, 0, 0, 1]), (22, 1)), np.float32([0, 1.2, 0])
"""A T pose on the floor or thereabouts: rotations x, y, z, w and translation."""
BETAS = np.stack([np.zeros(10), 0.5 * np.ones(10)])
REST = load_body().rest_joints(BETAS)
"""Of two people who are built differently."""


@cache
def capsules() -> tuple[Capsules, Capsules]:
    """Of those two."""
    return fitted_capsules(load_body(), BETAS[0]), fitted_capsules(load_body(), BETAS[1])


def player_at(time_s: float, turn: float = 0.5, dtype: npt.DTypeLike = np.float64) -> Pose:
    """A player who walks in a circle of 1 m, by `turn` radians a second, and waves."""
    rotmats = standing_pose()
    rotmats[0] = rotmat_about("y", turn * time_s)
    rotmats[JOINT["left_shoulder"]] = rotmat_about("z", 0.8 * np.sin(3 * time_s))
    transl = np.array([np.cos(turn * time_s), 0.0, -np.sin(turn * time_s)])
    transl[1] = -floor_height(Pose(rotmats, np.zeros(3)), REST[0])
    return Pose(rotmats.astype(dtype), transl.astype(dtype))


def standing_player(time_s: float) -> Pose:
    return player_at(0.0)


# ------------------------------------------------------------------------------------------- joints
def joints_of(pose: Pose, rest_joints: Array) -> Array:
    """(person, frame, 22, 3) in the world; poses (person, frame), rest_joints (person, 22, 3)"""
    return pose.in_world(rest_joints[:, None])[0]


def joints_of_features(features: Array, rest_joints: Array) -> Array:
    """(batch, 2, frame, 135) and (batch, 2, 22, 3) -> (batch, 2, frame, 22, 3)"""
    return pose_from_features(features).in_world(rest_joints[:, :, None])[0]


def joints_of_motion(motion: Motion) -> Array:
    """(person, frame, 22, 3), of the open body"""
    pose = Pose(motion.rotmats, motion.transl)
    return joints_of(pose, load_body().rest_joints(motion.betas))


def joints_of_clip(clip: Clip) -> Array:
    return joints_of(clip.pose, clip.rest_joints)


# ---------------------------------------------------------------------------------------- processes
def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Not when it has ended and nobody has asked how."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "XZ"
