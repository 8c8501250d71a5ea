"""Body shapes: the mesh and the joints of a person, from ten shape coordinates.

Reads the packaged open body (made by `python -m trainer.export.body`) or a user's licensed SMPL-X
file; both have SMPL-X's array names. Knows no motion format and no network.
Source: SMPL (Loper et al. 2015) eq. 8 and 10, without pose-dependent corrections.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile

from engine.arrays import Array, IntArray
from engine.body.fingers import FingerJoints, finger_joints, finger_rotmats, first_finger
from engine.body.kinematics import forward_kinematics, skin
from engine.body.pose import Pose
from engine.body.skeleton import JOINT_COUNT, PARENTS
from engine.errors import InputError

PACKAGED_BODY = Path(__file__).parent.parent / "data" / "body.npz"
SHAPE_COUNT = 10
KEYS = ("v_template", "shapedirs", "J_regressor", "weights", "f", "kintree_table")


@dataclass(frozen=True, eq=False)
class Body:
    """A body in its T pose: Y up, facing +Z, its left is +X, metres.

    template          (V, 3) vertices at betas = 0
    shape_directions  (V, 3, 10) one unit is one standard deviation
    joint_regressor   (J, V) rows sum to 1: joints = regressor @ vertices
    weights           (V, J) of linear blend skinning, rows sum to 1
    faces             (F, 3) counter-clockwise from outside
    parents           J indices, -1 at the root; the first 22 joints are the skeleton of every pose
    """

    name: str
    template: Array
    shape_directions: Array
    joint_regressor: Array
    weights: Array
    faces: IntArray
    parents: tuple[int, ...]
    joint_template: Array
    """(J, 3) joints at betas = 0."""
    joint_directions: Array
    """(J, 3, 10) joints are linear in betas."""

    def rest_joints(self, betas: Array) -> Array:
        """(..., 10) -> (..., 22, 3)"""
        return self.all_rest_joints(betas)[..., :JOINT_COUNT, :]

    def all_rest_joints(self, betas: Array) -> Array:
        """(..., 10) -> (..., J, 3), fingers and what else the body has included."""
        moved: Array = np.einsum("jck,...k->...jc", self.joint_directions, betas)
        return self.joint_template + moved

    def body_weights(self) -> Array:
        """(V, 22) of the joints of every pose."""
        return self.weights_of(range(JOINT_COUNT))

    def weights_of(self, joints: Sequence[int]) -> Array:
        """(V, joint) of some joints, the root among them: what follows another joint follows its
        nearest ancestor among these."""
        weights = np.zeros((len(self.template), len(joints)))
        for joint in range(len(self.parents)):
            ancestor = joint
            while ancestor not in joints:
                ancestor = self.parents[ancestor]
            weights[:, joints.index(ancestor)] += self.weights[:, joint]
        return weights

    def rest_vertices(self, betas: Array) -> Array:
        """(10,) -> (V, 3)"""
        moved = self.shape_directions.reshape(-1, SHAPE_COUNT) @ betas
        return np.asarray(self.template + moved.reshape(-1, 3))

    @cached_property
    def fingers(self) -> FingerJoints | None:
        """None: the body has no finger joints, and its hands are of one piece."""
        first = first_finger(self.parents)
        return None if first is None else finger_joints(self.joint_template[first:])

    def vertices(self, pose: Pose, betas: Array, curls: Array | None = None) -> Array:
        """The skinned mesh (..., V, 3) of one person; joints beyond the 22 stay as in the template,
        but for the fingers where curls are given.

        betas  (10,)
        curls  (..., 10) of the hands, in 0..1
        """
        rotmats, extra = pose.rotmats, len(self.parents) - JOINT_COUNT
        still = np.broadcast_to(np.eye(3, dtype=rotmats.dtype), (*rotmats.shape[:-3], extra, 3, 3))
        if curls is not None and self.fingers is not None:
            turned = finger_rotmats(self.fingers, curls).astype(rotmats.dtype)
            still = np.concatenate([still[..., : -turned.shape[-3], :, :], turned], axis=-3)
        rest_joints = self.all_rest_joints(betas)
        joints_world, world_from_joint = forward_kinematics(
            rest_joints, np.concatenate([rotmats, still], axis=-3), pose.transl, self.parents
        )
        return skin(
            self.rest_vertices(betas), rest_joints, joints_world, world_from_joint, self.weights
        )


def load_body(path: Path | None = None) -> Body:
    """The packaged open body, or the body in a SMPL-X npz file (SMPLX_NEUTRAL.npz and its like).

    Each file is read once per process. Raises InputError if the file is missing or is no such body.
    """
    return _load_body(Path(path).resolve() if path is not None else PACKAGED_BODY)


@lru_cache(maxsize=4)
def _load_body(path: Path) -> Body:
    try:
        # SMPL-X's files hold pickled extras beside the arrays; only the six plain arrays are read.
        # np.load would leave a broken file open, and take an array file for an archive.
        with path.open("rb") as file, NpzFile(file, allow_pickle=False) as archive:
            missing = [key for key in KEYS if key not in archive.files]
            if missing:
                raise InputError(
                    f"{path}: holds no body: {', '.join(missing)} missing; expected an npz file "
                    f"with the keys of SMPL-X ({', '.join(KEYS)}), such as SMPLX_NEUTRAL.npz",
                    field="body",
                )
            arrays = {key: archive[key] for key in KEYS}
    except FileNotFoundError as exc:
        raise InputError(f"{path}: no such body file", field="body") from exc
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as exc:
        raise InputError(
            f"{path}: cannot be read as a body ({exc}); expected an npz file with SMPL-X's keys",
            field="body",
        ) from exc
    name = "contrapose" if path == PACKAGED_BODY else path.stem.lower()
    return body_from_arrays(arrays, name, str(path))


def body_from_arrays(arrays: Mapping[str, Any], name: str, source: str) -> Body:
    """A Body from arrays under SMPL-X's keys; raises InputError that names `source`."""
    template = np.asarray(arrays["v_template"], np.float32)
    regressor = np.asarray(arrays["J_regressor"], np.float32)
    directions = np.asarray(arrays["shapedirs"])[..., :SHAPE_COUNT].astype(np.float32)
    weights = np.asarray(arrays["weights"], np.float32)
    faces = np.asarray(arrays["f"]).astype(np.int64)
    # The root's parent is -1, stored in SMPL-X's files as the largest unsigned number.
    parents = np.asarray(arrays["kintree_table"])[0].astype(np.int64)
    vertex_count, joint_count = len(template), len(parents)
    expected: dict[str, tuple[Array | IntArray, tuple[int, ...]]] = {
        "v_template": (template, (vertex_count, 3)),
        "shapedirs": (directions, (vertex_count, 3, SHAPE_COUNT)),
        "J_regressor": (regressor, (joint_count, vertex_count)),
        "weights": (weights, (vertex_count, joint_count)),
        "f": (faces, (len(faces), 3)),
    }
    for key, (array, shape) in expected.items():
        if array.shape != shape:
            raise InputError(
                f"{source}: {key} has shape {array.shape}, expected {shape}; "
                "give a SMPL-X body with at least ten shape directions",
                field=f"body.{key}",
            )
        if not np.all(np.isfinite(array)):
            raise InputError(
                f"{source}: {key} holds numbers that are not finite", field=f"body.{key}"
            )
    if tuple(parents[1:JOINT_COUNT]) != PARENTS[1:] or np.any(
        parents[1:] >= np.arange(1, joint_count)
    ):
        raise InputError(
            f"{source}: kintree_table is not SMPL-X's: expected {JOINT_COUNT} body joints first",
            field="body.kintree_table",
        )
    return Body(
        name=name,
        template=template,
        shape_directions=directions,
        joint_regressor=regressor,
        weights=weights,
        faces=faces,
        parents=(-1, *(int(parent) for parent in parents[1:])),
        joint_template=regressor @ template,
        joint_directions=np.einsum("jv,vck->jck", regressor, directions),
    )


def bone_lengths(rest_joints: Array) -> Array:
    """(..., 22, 3) -> (..., 21): bone i runs from joint i + 1 to its parent."""
    bones = rest_joints[..., 1:, :] - rest_joints[..., list(PARENTS[1:]), :]
    lengths: Array = np.linalg.norm(bones, axis=-1)
    return lengths


def fit_betas(body: Body, lengths: Array, *, prior: float = 0.01, iterations: int = 5) -> Array:
    """The shape whose bones have these lengths.

    lengths  (..., 21) metres, in the order of `bone_lengths`
    prior    metres; larger keeps betas nearer to zero
    returns  (..., 10)

    Gauss-Newton on  sum_i (|b_i(beta)| - l_i)^2 + prior^2 |beta|^2 / 10,  where bones b_i are
    linear in beta: each step linearises the lengths and solves 10 normal equations.
    """
    parents = list(PARENTS[1:])
    joints = body.joint_template[:JOINT_COUNT].astype(np.float64)
    moves = body.joint_directions[:JOINT_COUNT].astype(np.float64)
    bones, changes = joints[1:] - joints[parents], moves[1:] - moves[parents]
    betas = np.zeros((*lengths.shape[:-1], SHAPE_COUNT))
    for _ in range(iterations):
        current = bones + np.einsum("bck,...k->...bc", changes, betas)
        norms = np.linalg.norm(current, axis=-1)
        slopes = np.einsum("...bc,bck->...bk", current / norms[..., None], changes)
        normal = np.swapaxes(slopes, -1, -2) @ slopes + prior**2 / SHAPE_COUNT * np.eye(SHAPE_COUNT)
        residual = lengths - norms + np.einsum("...bk,...k->...b", slopes, betas)
        betas = np.linalg.solve(normal, np.einsum("...bk,...b->...k", slopes, residual)[..., None])[
            ..., 0
        ]
    return betas.astype(np.float32)
