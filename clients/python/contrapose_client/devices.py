"""What a player wears: tracked devices and humanoids as messages, and their calibration.

Knows the wire's messages; no stream. Positions are metres, rotations unit quaternions x, y, z, w.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from contrapose.v1 import types_pb2

from contrapose_client.playout import Array

Axes = Literal["openxr", "unity", "joints"]
ROLES = {
    "head": types_pb2.TRACKER_ROLE_HEAD,
    "left_hand": types_pb2.TRACKER_ROLE_LEFT_HAND,
    "right_hand": types_pb2.TRACKER_ROLE_RIGHT_HAND,
    "hips": types_pb2.TRACKER_ROLE_HIPS,
    "left_foot": types_pb2.TRACKER_ROLE_LEFT_FOOT,
    "right_foot": types_pb2.TRACKER_ROLE_RIGHT_FOOT,
}
DEVICE_AXES = {
    "openxr": types_pb2.DEVICE_AXES_OPENXR,
    "unity": types_pb2.DEVICE_AXES_UNITY,
    "joints": types_pb2.DEVICE_AXES_JOINTS,
}


@dataclass(frozen=True)
class Device:
    """A device in a right-handed space, Y up: position (3,), rotation (4,); confidence 0: lost."""

    position: Array
    rotation: Array
    confidence: float = 1.0


def tracker_set(trackers: Mapping[str, Device]) -> types_pb2.TrackerSet:
    """Devices by role. Raises ValueError for an unknown role."""
    unknown = sorted(set(trackers) - set(ROLES))
    if unknown:
        raise ValueError(
            f"no such roles: {', '.join(unknown)}; expected some of {', '.join(ROLES)}"
        )
    return types_pb2.TrackerSet(
        trackers=[
            types_pb2.Tracker(
                role=ROLES[role],
                position=np.asarray(device.position).tolist(),
                rotation=np.asarray(device.rotation).tolist(),
                confidence=device.confidence,
            )
            for role, device in trackers.items()
        ]
    )


def humanoid_pose(
    bones: Mapping[int, Array], hips_position: Array, *, is_local: bool
) -> types_pb2.HumanoidPose:
    """HumanBodyBones number -> quaternion (4,), and the hips (3,); Unity's axes."""
    space = types_pb2.HUMANOID_SPACE_LOCAL if is_local else types_pb2.HUMANOID_SPACE_WORLD
    return types_pb2.HumanoidPose(
        hips_position=np.asarray(hips_position).tolist(),
        bones=list(bones),
        rotations=np.array(list(bones.values())).ravel().tolist(),
        space=space,
    )


def calibrate(
    t_pose: Mapping[str, Device] | types_pb2.HumanoidPose | types_pb2.OpenXrBody | None = None,
    *,
    height: float | None = None,
    arm_span: float | None = None,
    axes: Axes = "openxr",
    floor_height: float = 0.0,
) -> types_pb2.Calibration:
    """The calibration to open a session with: from the devices of a player who stands in a T, or
    from the player's height and arm span (metres), or from neither.

    axes  how devices are fixed where no T pose tells: OpenXR's view space and grip poses, the same
          from Unity (brought to the wire's axes), or on the joints
    """
    calibration = types_pb2.Calibration(axes=DEVICE_AXES[axes], floor_height=floor_height)
    if t_pose is not None:
        if isinstance(t_pose, types_pb2.HumanoidPose):
            calibration.t_pose.humanoid.CopyFrom(t_pose)
        elif isinstance(t_pose, types_pb2.OpenXrBody):
            calibration.t_pose.openxr.CopyFrom(t_pose)
        else:
            calibration.t_pose.trackers.CopyFrom(tracker_set(t_pose))
        if height is not None:
            calibration.t_pose.height = height
    elif height is not None:
        calibration.size.height = height
        if arm_span is not None:
            calibration.size.arm_span = arm_span
    elif arm_span is not None:
        raise ValueError("arm_span without height: give both")
    return calibration
