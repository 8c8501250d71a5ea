"""Foreign bodies, frame by frame: Unity humanoids and OpenXR body joints as poses of ours.

Knows their joints, axes and order, and a calibrated wearer; no message. Rotations alone are carried
over; bone lengths are the wearer's.
Sources: facts/clients.md 4.2-4.4; UnityEngine.HumanBodyBones; OpenXR 1.1, XR_BD_body_tracking,
XR_FB_body_tracking, XR_META_body_tracking_full_body.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.pose import Pose
from engine.body.rotations import rotmat_about
from engine.body.skeleton import JOINT_COUNT, JOINT_NAMES, PARENTS
from engine.devices.calibration import ROLE_COUNT, ROLE_JOINTS, Calibration, Role, TrackerSample
from engine.devices.trackers import on_floor
from engine.errors import InputError

HUMAN_BONES = {
    "pelvis": 0,
    "left_hip": 1,
    "right_hip": 2,
    "left_knee": 3,
    "right_knee": 4,
    "left_ankle": 5,
    "right_ankle": 6,
    "spine1": 7,
    "spine2": 8,
    "neck": 9,
    "head": 10,
    "left_collar": 11,
    "right_collar": 12,
    "left_shoulder": 13,
    "right_shoulder": 14,
    "left_elbow": 15,
    "right_elbow": 16,
    "left_wrist": 17,
    "right_wrist": 18,
    "left_foot": 19,
    "right_foot": 20,
    "spine3": 54,
}
"""Our joint -> UnityEngine.HumanBodyBones."""
HUMAN_BONE_COUNT = 55
OPTIONAL = frozenset(
    ("spine2", "spine3", "neck", "left_collar", "right_collar", "left_foot", "right_foot")
)
"""What a Unity humanoid may lack; it turns with its parent."""


class JointSet(Enum):
    """An OpenXR extension's joints: how many, and which of them has which role."""

    BD = (24, {role: joint for role, joint in zip(Role, ROLE_JOINTS, strict=True)})
    FB = (70, {Role.HEAD: 7, Role.LEFT_HAND: 19, Role.RIGHT_HAND: 45, Role.HIPS: 1})
    META = (
        84,
        {
            Role.HEAD: 7,
            Role.LEFT_HAND: 19,
            Role.RIGHT_HAND: 45,
            Role.HIPS: 1,
            Role.LEFT_FOOT: 73,
            Role.RIGHT_FOOT: 80,
        },
    )

    @property
    def count(self) -> int:
        return self.value[0]

    @property
    def roles(self) -> dict[Role, int]:
        return self.value[1]


def from_unity(positions: Array) -> Array:
    """(..., 3) of Unity's left-handed axes in ours: x is mirrored."""
    return np.asarray(positions * [-1.0, 1.0, 1.0])


def rotmats_from_unity(rotmats: Array) -> Array:
    """(..., 3, 3), the same: F R F with F = diag(-1, 1, 1)."""
    flip = np.array([-1.0, 1.0, 1.0])
    return np.asarray(rotmats * flip[:, None] * flip)


def humanoid_world(bones: dict[int, Array], *, is_local: bool) -> Array:
    """World rotations (22, 3, 3), in our axes, of a humanoid's bones.

    bones  HumanBodyBones number -> (3, 3) in Unity's axes, of the world or of the next bone above
           that there is; those that we have no joint for are ignored
    Raises InputError that names a bone that every humanoid has.
    """
    world = np.empty((JOINT_COUNT, 3, 3))
    for joint, name in enumerate(JOINT_NAMES):
        parent = world[PARENTS[joint]] if joint else np.eye(3)
        found = bones.get(HUMAN_BONES[name])
        if found is None and name not in OPTIONAL:
            raise InputError(
                f"{name}: bone {HUMAN_BONES[name]} of HumanBodyBones is missing; every Unity "
                "humanoid has it",
                field=name,
            )
        turn = np.eye(3) if found is None else rotmats_from_unity(found)
        has_world = found is not None and not is_local
        world[joint] = turn if has_world else parent @ turn
    return world


def from_bd(rotmats: Array) -> Array:
    """World rotations (n, 3, 3) of XR_BD_body_tracking in our axes: its joints look backwards."""
    return np.asarray(rotmats @ rotmat_about("y", np.pi))


def posed(calibration: Calibration, world: Array, pelvis: Array) -> Pose:
    """The pose with these world rotations (22, 3, 3) and the pelvis here (3,), over the floor."""
    parents = world[list(PARENTS[1:])]
    rotmats = np.concatenate([world[:1], np.swapaxes(parents, -1, -2) @ world[1:]])
    return on_floor(calibration, Pose(rotmats, pelvis - calibration.rest_joints[0]))


def openxr_sample(
    joint_set: JointSet, positions: Array, rotmats: Array, is_valid: BoolArray, time_s: float
) -> TrackerSample:
    """The joints (n, 3), (n, 3, 3) that have a role, as trackers."""
    sample = TrackerSample(
        time_s=time_s,
        positions=np.zeros((ROLE_COUNT, 3)),
        rotmats=np.repeat(np.eye(3)[None], ROLE_COUNT, axis=0),
        confidence=np.zeros(ROLE_COUNT),
    )
    for role, joint in joint_set.roles.items():
        sample.positions[role] = positions[joint]
        sample.rotmats[role] = rotmats[joint]
        sample.confidence[role] = float(is_valid[joint])
    return sample
