"""Motion in the npz layouts of AMASS and Inter-X, for tools that read those. One file one person.

Knows both layouts as their readers want them (facts/clients.md 5); reading them is `npz.py`'s.
Shapes are SMPL-X's only where the body in use is SMPL-X; ours are left out as zeros, and the
pelvis stays where it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.body.fingers import finger_rotmats, straight_hands
from engine.body.kinematics import turned_about_origin
from engine.body.rotations import axis_angle_from_rotmat, rotmat_about
from engine.body.shape import Body
from engine.body.skeleton import HAND_JOINT_NAMES, JOINT_COUNT
from engine.formats.npz import SMPLX_VERTICES, betas_for
from engine.formats.skinned import pelvis_places
from engine.motion.motion import Motion

FACE_VALUES = 9
"""Axis-angle numbers of jaw and eyes, which are still."""


def write_amass(path: Path, motion: Motion, body: Body, *, person: int = 0) -> None:
    """`poses` (T, 165) axis-angle, `trans` (T, 3), Z up, `mocap_frame_rate`: AMASS for SMPL-X."""
    rotmats, transl, betas = _smplx_person(motion, body, person)
    pelvis = body.rest_joints(betas)[0].astype(np.float64)
    rotmats[:, 0], transl = turned_about_origin(
        rotmat_about("x", np.pi / 2), rotmats[:, 0], transl, pelvis
    )
    axis_angle = axis_angle_from_rotmat(rotmats).reshape(motion.frames, 3 * JOINT_COUNT)
    still = np.zeros((motion.frames, FACE_VALUES))
    hands = _hands(motion, body, person).reshape(motion.frames, -1)
    poses = np.concatenate([axis_angle, still, hands], axis=1)
    _write(
        path,
        poses=poses,
        root_orient=poses[:, :3],
        pose_body=poses[:, 3:66],
        pose_jaw=poses[:, 66:69],
        pose_eye=poses[:, 69:75],
        pose_hand=poses[:, 75:],
        trans=transl,
        betas=np.pad(betas, (0, 6)),
        num_betas=np.array(16),
        gender=np.array("neutral"),
        surface_model_type=np.array("smplx"),
        mocap_frame_rate=np.array(motion.frame_rate),
        mocap_time_length=np.array(motion.frames / motion.frame_rate),
    )


def write_interx(path: Path, motion: Motion, body: Body, *, person: int = 0) -> None:
    """`root_orient` (T, 3), `pose_body` (T, 21, 3), hands, `trans`, Y up: a person of Inter-X.

    Inter-X itself leaves out the frame rate, which is 120; ours is written beside it.
    """
    rotmats, transl, betas = _smplx_person(motion, body, person)
    axis_angle = axis_angle_from_rotmat(rotmats)
    left, right = np.split(_hands(motion, body, person), 2, axis=1)
    _write(
        path,
        root_orient=axis_angle[:, 0],
        pose_body=axis_angle[:, 1:],
        pose_lhand=left,
        pose_rhand=right,
        trans=transl,
        betas=betas[None],
        gender=np.array("neutral"),
        mocap_frame_rate=np.array(motion.frame_rate),
    )


def _smplx_person(motion: Motion, body: Body, person: int) -> tuple[Array, Array, Array]:
    """rotmats (T, 22, 3, 3), transl (T, 3) and betas (10,) that an SMPL-X tool takes alike."""
    betas = betas_for(body, motion.betas[person])
    transl = pelvis_places(motion, body, person) - body.rest_joints(betas)[0]
    return motion.rotmats[person].astype(np.float64), transl.astype(np.float64), betas


def _hands(motion: Motion, body: Body, person: int) -> Array:
    """(T, 30, 3) axis-angle of the finger joints; zeros where nothing is known of the hands.

    SMPL-X's hands rest straight, or nearly so; the body in use may be SMPL-X itself.
    """
    if motion.curls is None:
        return np.zeros((motion.frames, len(HAND_JOINT_NAMES), 3))
    own = body.fingers if len(body.template) == SMPLX_VERTICES else None
    joints = own or straight_hands()
    return axis_angle_from_rotmat(finger_rotmats(joints, motion.curls[person].astype(np.float64)))


def _write(path: Path, **arrays: Any) -> None:
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            **{
                key: value.astype(np.float32) if value.dtype.kind == "f" and value.ndim else value
                for key, value in arrays.items()
            },
        )
