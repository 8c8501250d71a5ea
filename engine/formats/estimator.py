"""Poses that estimators recover from photographs: BUDDI, SMPLest-X and Motion-X result pickles.

Knows their keys and camera axes.
Layouts: facts/ponimator.md 15, facts/datasets.md 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import turned_about_origin
from engine.body.pose import Pose
from engine.body.rotations import quat_from_rotmat, rotmat_from_axis_angle
from engine.body.shape import Body
from engine.body.skeleton import JOINT_COUNT
from engine.errors import InputError
from engine.formats.fields import LARGEST
from engine.formats.npz import betas_for
from engine.formats.pickles import load_numeric_dict
from engine.motion.motion import Motion

BUDDI_TURN = np.diag([-1.0, -1.0, 1.0])
"""World from BUDDI's frame (x right, y down, z forward), as Ponimator does: 180 degrees about z."""
CAMERA_TURN = np.diag([1.0, -1.0, -1.0])
"""World from an OpenCV camera (x right, y down, z forward): 180 degrees about x."""


def read_estimate(path: Path, body: Body) -> Motion:
    """One frame of one person or two, upright on y = 0, the first person's transl at x = z = 0.

    The whole scene is turned and moved as one, so people stay placed to each other as estimated.
    A SMPL-X body keeps the shapes; the open body, to which they mean nothing, takes its mean shape.
    Raises InputError that names the file and the key.
    """
    result = load_numeric_dict(path)
    if "humans" in result:
        humans = result["humans"]
        if not isinstance(humans, dict):
            raise InputError(f"{path}: humans is no dict", field="humans")
        rotmats, transl, betas = _people(
            path, humans, "global_orient", "body_pose", "transl", "betas", people=2
        )
        turn = BUDDI_TURN
    elif "smplx_root_pose" in result:
        rotmats, transl, betas = _people(
            path, result, "smplx_root_pose", "smplx_body_pose", "cam_trans", "smplx_shape", people=1
        )
        turn = CAMERA_TURN
    elif "root_pose" in result:
        rotmats, transl, betas = _people(
            path, result, "root_pose", "body_pose", "trans", "betas", people=1
        )
        # Motion-X has results in both axes; an upside-down body tells them apart.
        turn = CAMERA_TURN if rotmats[0, 0, 1, 1] < 0 else np.eye(3)
    else:
        raise InputError(
            f"{path}: holds {', '.join(map(str, result)) or 'nothing'}; expected humans (BUDDI), "
            "smplx_root_pose (SMPLest-X) or root_pose (Motion-X)",
            field="path",
        )
    betas = betas_for(body, betas)
    pelvis = body.rest_joints(betas)[:, 0].astype(np.float64)
    rotmats[:, 0], transl = turned_about_origin(turn, rotmats[:, 0], transl, pelvis)
    poses = Pose(rotmats, transl)
    floor = min(
        float(body.vertices(poses[person], shape)[..., 1].min())
        for person, shape in enumerate(betas)
    )
    transl = transl - np.array([transl[0, 0], floor, transl[0, 2]])
    return Motion(
        quats_xyzw=quat_from_rotmat(rotmats).astype(np.float32)[:, None],
        transl=transl.astype(np.float32)[:, None],
        betas=betas,
    )


def _people(
    path: Path,
    table: Mapping[Any, Any],
    root: str,
    body_pose: str,
    transl: str,
    betas: str,
    *,
    people: int,
) -> tuple[Array, Array, Array]:
    """Rotations (person, 22, 3, 3), translations (person, 3), betas (person, 10) by their keys."""

    def numbers(key: str, width: int) -> Array:
        value = table.get(key)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
            found = "is missing" if key not in table else f"is a {type(value).__name__}"
            raise InputError(f"{path}: {key} {found}, expected an array of numbers", field=key)
        if value.size != people * width or value.shape[-1] != width:
            raise InputError(
                f"{path}: {key} has shape {value.shape}, expected ({people}, {width})", field=key
            )
        if not np.all(np.abs(value) <= LARGEST):
            raise InputError(
                f"{path}: {key} holds numbers that are not finite, or over {LARGEST:g}", field=key
            )
        return value.reshape(people, width).astype(np.float64)

    joints = 3 * (JOINT_COUNT - 1)
    axis_angle = np.concatenate([numbers(root, 3), numbers(body_pose, joints)], axis=-1)
    rotmats = rotmat_from_axis_angle(axis_angle.reshape(people, JOINT_COUNT, 3))
    return rotmats, numbers(transl, 3), numbers(betas, 10)
