"""Poses that estimators recover from photographs: BUDDI, SMPLest-X and Motion-X result pickles.

Knows their keys and camera axes. A pickle is a program; this one is read by an interpreter that
admits numbers, text, containers and plain numeric arrays, and refuses everything else by name.
Layouts: facts/ponimator.md 15, facts/datasets.md 9.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import turned_about_origin
from engine.body.rotations import quat_from_rotmat, rotmat_from_axis_angle
from engine.body.shape import Body
from engine.body.skeleton import JOINT_COUNT
from engine.errors import InputError
from engine.formats.npz import betas_for
from engine.motion import Motion

MAX_BYTES = 64 * 2**20
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
    result = load_numeric_pickle(path)
    if not isinstance(result, dict):
        raise InputError(f"{path}: holds a {type(result).__name__}, expected a dict", field="path")
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
    floor = min(
        float(body.vertices(r, t, b)[..., 1].min())
        for r, t, b in zip(rotmats, transl, betas, strict=True)
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
        if not np.all(np.isfinite(value)):
            raise InputError(f"{path}: {key} holds numbers that are not finite", field=key)
        return value.reshape(people, width).astype(np.float64)

    joints = 3 * (JOINT_COUNT - 1)
    axis_angle = np.concatenate([numbers(root, 3), numbers(body_pose, joints)], axis=-1)
    rotmats = rotmat_from_axis_angle(axis_angle.reshape(people, JOINT_COUNT, 3))
    return rotmats, numbers(transl, 3), numbers(betas, 10)


# ------------------------------------------------------------------------------- restricted pickles
def load_numeric_pickle(path: Path) -> Any:
    """Numbers, text, containers and numeric arrays from a pickle (any protocol, numpy 1 or 2).

    Nothing that the file names is imported or called. Raises InputError naming what was refused.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise InputError(f"{path}: is larger than {MAX_BYTES >> 20} MiB", field="path")
            file.seek(0)
            return _resolved(_NumericUnpickler(file).load())
    except OSError as exc:
        raise InputError(f"{path}: cannot be read ({exc.strerror})", field="path") from exc
    except _RefusedError as exc:
        raise InputError(
            f"{path}: the pickle wants to use {exc}; only numeric arrays are admitted, so it was "
            "not run; save the pose again as plain arrays",
            field="path",
            reason="UNSAFE_PICKLE",
        ) from exc
    except InputError:
        raise
    except Exception as exc:
        # A damaged pickle raises whatever its opcodes hit; the unpickler promises nothing.
        raise InputError(
            f"{path}: is no pickle, or a damaged one ({type(exc).__name__}: {exc})", field="path"
        ) from exc


class _RefusedError(Exception):
    pass


class _StandIn:
    """What a pickle gets in place of a NumPy function: a note of its arguments, run by us alone."""

    def __init__(self, *args: Any) -> None:
        self.args: tuple[Any, ...] = args
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def resolved(self) -> Any:
        raise NotImplementedError


class _Bytes(_StandIn):
    """bytes() and _codecs.encode(text, "latin1"): how protocols 0 to 2 write bytes."""

    def resolved(self) -> bytes:
        text, encoding = self.args or ("", "latin1")
        if encoding not in ("latin1", "latin-1"):
            raise _RefusedError(f"the encoding {encoding!r}")
        return bytes(str(text).encode("latin1"))


class _Dtype(_StandIn):
    def resolved(self) -> np.dtype[Any]:
        dtype = np.dtype(str(self.args[0]))
        if dtype.kind not in "fiubUS":
            raise _RefusedError(f"an array of {dtype}")
        is_big_endian = bool(self.state) and self.state[1] == ">"
        return dtype.newbyteorder(">" if is_big_endian else "<")


class _Array(_StandIn):
    """ndarray and _reconstruct: an empty array that gets its shape and bytes as a state."""

    def resolved(self) -> Any:
        _, shape, dtype, is_fortran, data = self.state
        return _shaped(data, dtype, shape, bool(is_fortran))


class _FromBuffer(_StandIn):
    def resolved(self) -> Any:
        data, dtype, shape, order = self.args
        return _shaped(data, dtype, shape, order == "F")


class _Scalar(_StandIn):
    def resolved(self) -> Any:
        dtype, data = self.args
        return np.frombuffer(_resolved(data), _resolved(dtype))[0]


_ADMITTED: dict[str, type[_StandIn]] = {
    "numpy.ndarray": _Array,
    "numpy.dtype": _Dtype,
    "_codecs.encode": _Bytes,
    "builtins.bytes": _Bytes,
    "__builtin__.bytes": _Bytes,
} | {
    f"numpy.{core}.{name}": stand_in
    for core in ("core", "_core")
    for name, stand_in in {
        "multiarray._reconstruct": _Array,
        "multiarray.scalar": _Scalar,
        "numeric._frombuffer": _FromBuffer,
    }.items()
}


class _NumericUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        name = f"{module_name}.{global_name}"
        if name not in _ADMITTED:
            raise _RefusedError(name)
        return _ADMITTED[name]

    def persistent_load(self, pid: Any, /) -> Any:
        raise _RefusedError(f"a persistent object {pid!r}")


def _shaped(data: Any, dtype: Any, shape: Any, is_fortran: bool) -> Any:
    flat = np.frombuffer(_resolved(data), _resolved(dtype))
    return flat.reshape(tuple(shape), order="F" if is_fortran else "C").copy()


def _resolved(value: Any, depth: int = 0) -> Any:
    """The value with every stand-in replaced by what it stands for."""
    if depth > 16:
        raise ValueError("nested too deeply")
    if isinstance(value, _StandIn):
        return value.resolved()
    if isinstance(value, dict):
        return {key: _resolved(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_resolved(item, depth + 1) for item in value)
    return value
