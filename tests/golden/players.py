"""Players for the golden set: a recorded motion, varied, as each device would send it.

Knows messages, quaternions (x, y, z, w) and the recording; nothing of the engine's mathematics, so
that what goes in stays the same whatever changes there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from contrapose.v1 import types_pb2 as types

from tests.golden.adapter import RECORDED_PLAYER

Array = npt.NDArray[np.floating]

_FILE = dict(np.load(RECORDED_PLAYER))
PARENTS = _FILE["parents"]
REST = _FILE["rest_joints"][0].astype(np.float64)
TRACKED = {
    "head": 15,
    "left_hand": 20,
    "right_hand": 21,
    "hips": 0,
    "left_foot": 7,
    "right_foot": 8,
}
"""Role -> joint, in the order of TrackerRole."""
HUMAN_BONES = (0, 1, 2, 7, 3, 4, 8, 5, 6, 54, 19, 20, 9, 11, 12, 10, 13, 14, 15, 16, 17, 18)
"""Joint -> UnityEngine.HumanBodyBones."""
META_JOINTS = (7, 19, 45, 1, 73, 80)
"""XR_META_body_tracking_full_body's joint of each of TRACKED."""


@dataclass(frozen=True)
class Motion:
    """A person: quats (frames, 22, 4) relative to the parent, transl (frames, 3)."""

    quats: Array
    transl: Array

    def world(self) -> tuple[Array, Array]:
        """Rotations (frames, 22, 4) and places (frames, 22, 3) of all joints."""
        quats, places = self.quats.copy(), np.empty((*self.quats.shape[:2], 3))
        places[:, 0] = REST[0] + self.transl
        for joint, parent in enumerate(PARENTS[1:], start=1):
            quats[:, joint] = times(quats[:, parent], self.quats[:, joint])
            bone = turned(quats[:, parent], REST[joint] - REST[parent])
            places[:, joint] = places[:, parent] + bone
        return quats, places

    def moved(
        self, turn: float = 0.0, shift: Array | tuple[float, float, float] = (0, 0, 0)
    ) -> Motion:
        """Turned about +Y through the origin, radians, then shifted: (3,), or (frames, 3)."""
        about = about_y(turn)
        quats = self.quats.copy()
        quats[:, 0] = times(about, quats[:, 0])
        transl = turned(about, REST[0] + self.transl) - REST[0] + np.asarray(shift)
        return Motion(quats, transl)


def recorded(frames: int, first: int = 0) -> Motion:
    """The recording from a frame on, played back and forth."""
    there = np.arange(len(_FILE["transl"][0]))
    index = np.take(
        np.concatenate([there, there[-2:0:-1]]), np.arange(first, first + frames), mode="wrap"
    )
    quats, transl = (_FILE[name][0, index].astype(np.float64) for name in ("quats_xyzw", "transl"))
    return Motion(quats, transl)


def t_pose() -> Motion:
    """One frame, standing on the floor."""
    lowest = recorded(1).world()[1][0, :, 1].min()
    return Motion(
        np.tile([0.0, 0, 0, 1], (1, 22, 1)), np.array([[0, lowest - REST[:, 1].min(), 0]])
    )


# -------------------------------------------------------------------------------------- quaternions
def about_y(angle: float) -> Array:
    return np.array([0, np.sin(angle / 2), 0, np.cos(angle / 2)])


def times(a: Array, b: Array) -> Array:
    """(..., 4): first b, then a."""
    (a_xyz, a_w), (b_xyz, b_w) = ((q[..., :3], q[..., 3:]) for q in np.broadcast_arrays(a, b))
    xyz = a_w * b_xyz + b_w * a_xyz + np.cross(a_xyz, b_xyz)
    return np.concatenate([xyz, a_w * b_w - (a_xyz * b_xyz).sum(-1, keepdims=True)], axis=-1)


def turned(quats: Array, vectors: Array) -> Array:
    """Vectors (..., 3), turned by quats (..., 4)."""
    xyz, w = quats[..., :3], quats[..., 3:]
    across = 2 * np.cross(xyz, vectors)
    return vectors + w * across + np.cross(xyz, across)


# ----------------------------------------------------------------------------------------- messages
def bodies(motion: Motion) -> list[types.BodyPose]:
    return [
        types.BodyPose(root_translation=transl, rotations=quats.ravel())
        for quats, transl in zip(motion.quats, motion.transl, strict=True)
    ]


def trackers(motion: Motion, count: int) -> list[types.TrackerSet]:
    """The first 3, 4 or 6 devices, each on its joint."""
    joints = list(TRACKED.values())[:count]
    return [
        types.TrackerSet(
            trackers=[
                types.Tracker(
                    role=types.TrackerRole.Name(role), position=places[joint], rotation=quats[joint]
                )
                for role, joint in enumerate(joints, start=1)
            ]
        )
        for quats, places in zip(*motion.world(), strict=True)
    ]


def humanoids(motion: Motion) -> list[types.HumanoidPose]:
    """World rotations in Unity's axes, x mirrored."""
    return [
        types.HumanoidPose(
            hips_position=places[0] * [-1, 1, 1],
            bones=HUMAN_BONES,
            rotations=(quats * [1, -1, -1, 1]).ravel(),
            space=types.HUMANOID_SPACE_WORLD,
        )
        for quats, places in zip(*motion.world(), strict=True)
    ]


def openxr_bd(motion: Motion) -> list[types.OpenXrBody]:
    """24 joints: ours, and two hands; they look backwards."""
    hands = [*range(22), 20, 21]
    return [
        types.OpenXrBody(
            joint_set=types.OPEN_XR_JOINT_SET_BD,
            positions=places[hands].ravel(),
            rotations=times(quats[hands], about_y(-np.pi)).ravel(),
        )
        for quats, places in zip(*motion.world(), strict=True)
    ]


def openxr_meta(motion: Motion) -> list[types.OpenXrBody]:
    """84 joints, of which those count that are as trackers."""
    messages = []
    for quats, places in zip(*motion.world(), strict=True):
        positions, rotations = np.zeros((84, 3)), np.tile([0.0, 0, 0, 1], (84, 1))
        positions[list(META_JOINTS)] = places[list(TRACKED.values())]
        rotations[list(META_JOINTS)] = quats[list(TRACKED.values())]
        messages.append(
            types.OpenXrBody(
                joint_set=types.OPEN_XR_JOINT_SET_META,
                positions=positions.ravel(),
                rotations=rotations.ravel(),
            )
        )
    return messages
