"""People as the SMPL family tells them: angles, translations and betas, checked and put together.

Knows SMPL's parameters and the fields that hold them. Knows no data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import quat_from_rotmat, rotmat_from_axis_angle
from engine.body.shape import SHAPE_COUNT, Body, load_body
from engine.body.skeleton import JOINT_COUNT, PARENTS
from engine.errors import InputError
from engine.formats.fields import Fields
from engine.formats.npz import standing_axis
from engine.motion.motion import FRAME_RATE, Motion
from trainer.data.readers.listing import gender_of
from trainer.data.readers.recording import (
    BodyKind,
    Recording,
    Source,
    recorded,
    rest_joints_on,
)

BODY_WIDTH = 3 * (JOINT_COUNT - 1)
ROTATION_TOLERANCE = 0.02
"""How far R^T R may be from the identity before R is taken for something else."""
FIT_TOLERANCE = 0.03
"""Metres that joint positions may in mean be off those that go with the rotations."""


@dataclass(frozen=True, eq=False)
class RawPerson:
    """rotmats (frame, 22, 3, 3), transl (frame, 3), betas (10,), in the axes of the file."""

    rotmats: Array
    transl: Array
    betas: Array
    gender: str


def body_recording(
    source: Source,
    people: Sequence[RawPerson],
    frame_rate: float,
    *,
    body: Body | None,
    body_kind: BodyKind,
    up: Literal["y", "z"] | None = None,
    kind: str = "",
    captions: tuple[str, ...] = (),
) -> Recording:
    """Two people whose joints a body tells; up=None: the axis along which they stand in mean."""
    motion = motion_of(source, people, frame_rate)
    return recorded(
        source,
        motion,
        rest_joints_on(body or load_body(), motion.betas, body_kind),
        body_kind=body_kind,
        genders=(people[0].gender, people[1].gender),
        kind=kind,
        captions=captions,
        up=up or standing_axis(motion.rotmats),
    )


def motion_of(source: Source, people: Sequence[RawPerson], frame_rate: float) -> Motion:
    """Both people in one motion. Raises InputError unless they last equally long, within 0.1 s."""
    lengths = [len(person.transl) for person in people]
    if max(lengths) - min(lengths) > frame_rate / FRAME_RATE:
        raise InputError(
            f"{source.paths[0]}, {source.paths[1]}: last {lengths[0]} and {lengths[1]} frames; "
            "expected one take of two people: pair files that were recorded together",
            field="frames",
        )
    frames = min(lengths)
    return Motion(
        quats_xyzw=np.stack([quat_from_rotmat(p.rotmats[:frames]) for p in people]),
        transl=np.stack([p.transl[:frames] for p in people]),
        betas=np.stack([p.betas for p in people]),
        frame_rate=frame_rate,
    )


# ------------------------------------------------------------------------------------------- fields
def axis_angle_pose(fields: Fields, root: str, body: str) -> Array:
    """(frame, 22, 3, 3) from root (frame, 3) and body (frame, 63) or (frame, 21, 3)."""
    orient = fields.numbers(root, (None, 3))
    size = (JOINT_COUNT - 1, 3) if len(fields.shape(body)) == 3 else (BODY_WIDTH,)
    pose = fields.numbers(body, (len(orient), *size)).reshape(len(orient), BODY_WIDTH)
    return rotmats_of(np.concatenate([orient, pose], axis=1))


def person_of(fields: Fields) -> RawPerson:
    """From the fields of SMPL-H and SMPL-X recordings: root_orient, pose_body, trans ..."""
    rotmats = axis_angle_pose(fields, "root_orient", "pose_body")
    return RawPerson(
        rotmats=rotmats,
        transl=fields.numbers("trans", (len(rotmats), 3)),
        betas=betas_of(fields),
        gender=gender_of(fields.values.get("gender")),
    )


def rotmats_of(axis_angle: Array) -> Array:
    """(..., 66) -> (..., 22, 3, 3)"""
    return rotmat_from_axis_angle(axis_angle.reshape(*axis_angle.shape[:-1], JOINT_COUNT, 3))


def betas_of(fields: Fields, key: str = "betas") -> Array:
    """(10,) from (n,), (1, n) or (frame, n) with n at least 10; their mean where there are many."""
    shape = fields.shape(key)
    betas = fields.numbers(key, (None,), extra_axes=max(len(shape) - 1, 0))
    if len(shape) > 2 or betas.shape[-1] < SHAPE_COUNT:
        raise fields.fail(key, f"has shape {shape}, expected (at least {SHAPE_COUNT},) a person")
    return np.asarray(betas.reshape(-1, betas.shape[-1]).mean(axis=0)[:SHAPE_COUNT])


def matrices(fields: Fields, key: str, shape: Sequence[int | None]) -> Array:
    """Rotation matrices; raises InputError where they are none."""
    rotmats = fields.numbers(key, shape)
    product = np.swapaxes(rotmats, -1, -2) @ rotmats
    error = np.abs(product - np.eye(3)).max(axis=(-1, -2))
    error = np.where(np.linalg.det(rotmats) > 0, error, np.inf)
    if error.max() > ROTATION_TOLERANCE:
        where = tuple(int(i) for i in np.unravel_index(int(error.argmax()), error.shape))
        raise fields.fail(key, f"is no rotation matrix at index {where}; download the file again")
    return rotmats


# ------------------------------------------------------------------------------- measured skeletons
def measured_rest(rotmats: Array, joints: Array, rest_pelvis: Array) -> tuple[Array, float]:
    """The rest joints of one person from joints in motion, and the mean error (metres) they leave.

    rotmats (frame, 22, 3, 3), joints (frame, 22, 3), rest_pelvis (3,)
    With p_j = p_parent + G_parent (J_j - J_parent), a bone is the mean of G_parent^T (p_j -
    p_parent) over the frames.
    """
    still = np.zeros((JOINT_COUNT, 3))
    _, world = forward_kinematics(still, rotmats, np.zeros((len(rotmats), 3)))
    parents = list(PARENTS[1:])
    moved = joints[:, 1:] - joints[:, parents]
    bones = np.einsum("tjba,tjb->ja", world[:, parents], moved) / len(joints)
    rest = np.zeros((JOINT_COUNT, 3))
    rest[0] = rest_pelvis
    for joint, parent in enumerate(parents, start=1):
        rest[joint] = rest[parent] + bones[joint - 1]
    found, _ = forward_kinematics(rest, rotmats, joints[:, 0] - rest_pelvis)
    return rest, float(np.linalg.norm(found - joints, axis=-1).mean())
