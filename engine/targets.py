"""Targets: how far a pose is from one that is wanted, and whether anybody gets there in time.

Knows poses and rest joints; knows no plan and no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import axis_angle_from_rotmat
from engine.motion import FRAME_RATE

Pose = tuple[Array, Array]
"""rotmats (22, 3, 3), transl (3,)."""

NEAR_ENOUGH, TURNED_ENOUGH = 0.02, np.radians(3.0)
"""Metres, and radians, in any joint within which a pose counts as reached."""
MEAN_SPEED = 4.5
"""Metres a second of the fastest joint, from pose to pose: half of what the clean-up lets pass,
for who starts and ends at rest is twice as fast on the way."""


@dataclass(frozen=True, kw_only=True)
class PoseError:
    """The joint that is farthest from where it should be, metres; the most turned one, radians."""

    distance: float
    angle: float

    @property
    def is_small(self) -> bool:
        return bool(self.distance <= NEAR_ENOUGH and self.angle <= TURNED_ENOUGH)

    def __str__(self) -> str:
        return f"off by {100 * self.distance:.1f} cm and {np.degrees(self.angle):.1f} degrees"


def pose_error(pose: Pose, wanted: Pose, rest_joints: Array) -> PoseError:
    turned = np.swapaxes(pose[0], -1, -2) @ wanted[0]
    return PoseError(
        distance=float(_distances(pose, wanted, rest_joints).max()),
        angle=float(np.linalg.norm(axis_angle_from_rotmat(turned), axis=-1).max()),
    )


def is_within_reach(start: Pose, goal: Pose, rest_joints: Array, frames: int) -> bool:
    """Whether a body gets from start to goal in so many frames."""
    most = MEAN_SPEED * frames / FRAME_RATE
    return bool(_distances(start, goal, rest_joints).max() <= most)


def _distances(pose: Pose, other: Pose, rest_joints: Array) -> Array:
    """(22,) metres between the joints of two poses."""
    rotmats, transl = (np.stack(values) for values in zip(pose, other, strict=True))
    joints, _ = forward_kinematics(rest_joints, rotmats, transl)
    return np.asarray(np.linalg.norm(joints[0] - joints[1], axis=-1))
