"""What the partner is to do: a touch, a place, a pose, as messages.

Knows the wire's messages; no stream. Metres, radians, unit quaternions x, y, z, w, frames of the
session's clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2

from contrapose_client.playout import Array

MODES = {
    "react": pb.SESSION_MODE_REACT,
    "follow_plan": pb.SESSION_MODE_FOLLOW_PLAN,
    "inbetween": pb.SESSION_MODE_INBETWEEN,
    "paused": pb.SESSION_MODE_PAUSED,
}


@dataclass(frozen=True)
class Touch:
    """The partner's hand ("left_wrist" or "right_wrist") on a part of the player ("head",
    "left_shoulder", ...) by a frame, held for some."""

    hand: str
    part: str
    frame: int
    hold_frames: int = 5


@dataclass(frozen=True)
class Place:
    """The partner's pelvis over position (3,), facing `heading` radians about +Y (0 is +Z; None:
    any way), by `frame`; 0: as soon as possible."""

    position: Array
    heading: float | None = None
    frame: int = 0


@dataclass(frozen=True)
class PoseAt:
    """The partner's pose at a frame: (22, 4) and (3,); the player's may be left open."""

    frame: int
    quats_xyzw: Array
    transl: Array
    player_quats_xyzw: Array | None = None
    player_transl: Array | None = None


def mode_number(mode: str | None) -> pb.SessionMode:
    """The wire's number of a mode; None is "as before". Raises ValueError for an unknown mode."""
    if mode is None:
        return pb.SESSION_MODE_UNSPECIFIED
    if mode not in MODES:
        raise ValueError(f"no such mode: {mode}; expected one of {', '.join(MODES)}")
    return MODES[mode]


def contact_target(touch: Touch, joint_names: list[str]) -> pb.ContactTarget:
    """The wire's message of a touch. Raises ValueError for a hand or a part that is no joint."""
    for name in (touch.hand, touch.part):
        if name not in joint_names:
            raise ValueError(f"no such joint: {name}; expected one of {', '.join(joint_names)}")
    return pb.ContactTarget(
        partner_joint=joint_names.index(touch.hand),
        player_joint=joint_names.index(touch.part),
        frame_index=touch.frame,
        hold_frames=touch.hold_frames,
    )


def place_target(place: Place) -> pb.PlaceTarget:
    position = np.asarray(place.position, np.float32).tolist()
    return pb.PlaceTarget(position=position, heading=place.heading, frame_index=place.frame)


def pose_target(pose: PoseAt) -> pb.PoseTarget:
    player = None
    if pose.player_quats_xyzw is not None and pose.player_transl is not None:
        player = body_pose(pose.player_quats_xyzw, pose.player_transl)
    partner = body_pose(pose.quats_xyzw, pose.transl)
    return pb.PoseTarget(frame_index=pose.frame, partner=partner, player=player)


def body_pose(quats_xyzw: Array, transl: Array, curls: Array | None = None) -> types_pb2.BodyPose:
    return types_pb2.BodyPose(
        root_translation=np.asarray(transl, np.float32).tolist(),
        rotations=np.asarray(quats_xyzw, np.float32).ravel().tolist(),
        curls=() if curls is None else np.asarray(curls, np.float32).tolist(),
    )
