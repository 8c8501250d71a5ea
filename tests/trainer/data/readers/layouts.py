"""A known meeting of two people, and its files in the layout of each data set.

Every writer takes the folder to write to. What it writes differs from our own conventions in all
that the data set's files do: rate, up axis, form of rotations, names, containers.
"""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics, turned_about_origin
from engine.body.rotations import (
    axis_angle_from_rotmat,
    geodesic_angle,
    quat_from_rotmat,
    rot6d_from_rotmat,
    rotmat_about,
    rotmat_from_axis_angle,
    rotmat_from_euler,
)
from engine.body.shape import load_body
from engine.body.skeleton import JOINT_COUNT, JOINT_NAMES, PARENTS
from engine.formats.asf import CMU_RIG
from engine.motion.motion import Motion
from tests.data.make_motion_files import foreign_bvh, mixamo_name, t_pose
from trainer.data.readers import Recording

SECONDS = 1.0
ABOVE_ZERO = 0.37
"""Metres by which the files' floor is above their zero."""
Z_UP = rotmat_about("x", np.pi / 2)
"""A file's world from ours, if its Z is up: (x, y, z) -> (x, -z, y)."""
OPEN_REST = load_body().rest_joints(np.zeros((2, 10))).astype(np.float64)
CAPTIONS = ("two people meet", "they shake hands", "a handshake")
BETAS = np.linspace(-1, 1, 10) + np.array([[0.0], [0.3]])
GENDERS = ("female", "male")
INTERX_NAME = "G001T002A001R003"


# -------------------------------------------------------------------------------------- the meeting
@dataclass(frozen=True, eq=False)
class Meeting:
    """rotmats (2, frame, 22, 3, 3), transl (2, frame, 3), rest (2, 22, 3); Y up, or turned."""

    rotmats: Array
    transl: Array
    rest: Array
    rate: float

    @property
    def joints(self) -> Array:
        """(2, frame, 22, 3)"""
        return forward_kinematics(self.rest[:, None], self.rotmats, self.transl)[0]

    @property
    def axis_angle(self) -> Array:
        """(2, frame, 22, 3)"""
        return axis_angle_from_rotmat(self.rotmats)

    def turned(self, world: Array) -> Meeting:
        root, transl = turned_about_origin(
            world, self.rotmats[:, :, 0], self.transl, self.rest[:, None, 0]
        )
        rotmats = np.concatenate([root[:, :, None], self.rotmats[:, :, 1:]], axis=2)
        return Meeting(rotmats, transl, self.rest, self.rate)


def meeting(rate: float, rest: Array = OPEN_REST) -> Meeting:
    """Two people who step towards each other, bow and wave with all joints; smooth at any rate."""
    times = np.arange(int(np.ceil(SECONDS * rate)) + 1)[:, None, None] / rate
    rng = np.random.default_rng(5)
    size, phase = rng.normal(0, 0.25, (2, 1, JOINT_COUNT, 3)), rng.uniform(0, 6, (2, 1, 1, 3))
    rotmats = rotmat_from_axis_angle(size * np.sin(2 * times + phase))
    facing = rotmat_about("y", np.array([0.4, 0.4 + np.pi]))[:, None]
    rotmats[:, :, 0] = facing @ rotmats[:, :, 0]
    places = np.array([[[0.3, 0.9, -0.6]], [[-0.2, 0.9, 0.5]]])
    pelvis = np.repeat(places, len(times), axis=1)
    pelvis[..., 2] += np.array([[0.15], [-0.1]]) * np.sin(times[:, 0].T)
    return Meeting(rotmats, pelvis - rest[:, None, 0], rest, rate)


def in_file(rate: float, rest: Array = OPEN_REST, world: Array | None = None) -> Meeting:
    """As a file has it: the floor above zero, its own rate and axes."""
    found = meeting(rate, rest)
    lifted = Meeting(found.rotmats, found.transl + np.array([0, ABOVE_ZERO, 0]), rest, rate)
    return lifted if world is None else lifted.turned(world)


def assert_is_the_meeting(
    found: Recording,
    *,
    rest: Array = OPEN_REST,
    degrees: float = 0.1,
    metres: float = 0.002,
    is_swapped: bool = False,
) -> None:
    """Same rotations, and joints in the same places, ten times a second, on the floor."""
    expected = meeting(10.0, rest)
    order = [1, 0] if is_swapped else [0, 1]
    joints = expected.joints[order]
    joints[..., 1] -= joints[..., 1].min()
    ours, _ = forward_kinematics(
        found.rest_joints[:, None], found.rotmats.astype(float), found.transl
    )
    assert found.rotmats.shape == (2, 11, JOINT_COUNT, 3, 3)
    assert (found.rotmats.dtype, found.transl.dtype) == (np.float32, np.float32)
    assert abs(ours[..., 1].min()) < 1e-4
    np.testing.assert_allclose(ours, joints, atol=metres)
    if np.isfinite(degrees):
        angle = geodesic_angle(found.rotmats.astype(float), expected.rotmats[order])
        assert np.degrees(angle.max()) < degrees


# -------------------------------------------------------------------------------------- the layouts
def lines(path: Path, *texts: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(texts) + "\n")


def save_npz(path: Path, arrays: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def write_interx(root: Path, *, actor: int = 0) -> None:
    motion = in_file(120.0)
    for i in range(2):
        arrays = {
            "root_orient": motion.axis_angle[i, :, 0],
            "pose_body": motion.axis_angle[i, :, 1:],
            "pose_lhand": np.zeros((len(motion.transl[i]), 15, 3)),
            "trans": motion.transl[i],
            "betas": BETAS[None, i],
            "gender": np.array(GENDERS[i]),
        }
        save_npz(root / "motions" / INTERX_NAME / f"P{i + 1}.npz", arrays)
    lines(root / "splits/train.txt", "G001T000A000R000")
    lines(root / "splits/val.txt")
    lines(root / "splits/test.txt", INTERX_NAME)
    lines(root / f"texts/{INTERX_NAME}.txt", *CAPTIONS)
    (root / "annots").mkdir()
    order = {"G001T000A000R000": 1 - actor, INTERX_NAME: actor}
    (root / "annots/interaction_order.pkl").write_bytes(pickle.dumps(order))


def write_interhuman_lists(root: Path, folder: str = "split") -> None:
    lines(root / folder / "train.txt", "7", "8", "9")
    lines(root / folder / "val.txt", "10")
    lines(root / folder / "test.txt", "11")
    lines(root / folder / "ignore_list.txt", "8")
    lines(root / "annots/7.txt", *CAPTIONS)


def write_interhuman_raw(root: Path, rate: float = 60.0, **extra: Any) -> None:
    motion = in_file(rate, world=Z_UP)
    content: dict[str, Any] = extra
    for i in range(2):
        content[f"person{i + 1}"] = {
            "trans": motion.transl[i],
            "root_orient": motion.axis_angle[i, :, 0],
            "pose_body": motion.axis_angle[i, :, 1:].reshape(-1, 63),
            "betas": BETAS[i],
            "gender": GENDERS[i],
        }
    (root / "motions").mkdir(parents=True, exist_ok=True)
    (root / "motions/7.pkl").write_bytes(pickle.dumps(content))


def write_interhuman_processed(root: Path, rest: Array = OPEN_REST) -> None:
    motion = in_file(30.0, rest, Z_UP)
    for i in range(2):
        rows = np.zeros((motion.transl.shape[1], 492), np.float32)
        rows[:, :66] = motion.joints[i].reshape(-1, 66)
        rows[:, 186:312] = rot6d_from_rotmat(motion.rotmats[i, :, 1:]).reshape(-1, 126)
        path = root / f"motions_processed/person{i + 1}/7.npy"
        path.parent.mkdir(parents=True)
        np.save(path, rows)


def write_hi4d(root: Path, rest: Array = OPEN_REST) -> None:
    motion = in_file(30.0, rest)
    folder = root / "pair32" / "hug32"
    meta = {"start": 11, "num_persons": 2, "genders": np.array(GENDERS), "contact_ids": [12]}
    save_npz(folder / "meta.npz", meta)
    hands = np.zeros((2, 6))
    for frame in range(motion.transl.shape[1]):
        joints = np.zeros((2, 24, 3))
        joints[:, :22] = motion.joints[:, frame]
        arrays = {
            "global_orient": motion.axis_angle[:, frame, 0],
            "body_pose": np.hstack([motion.axis_angle[:, frame, 1:].reshape(2, 63), hands]),
            "transl": motion.transl[:, frame],
            "joints_3d": joints,
            "betas": BETAS,
        }
        save_npz(folder / f"smpl/{frame + 11:06d}.npz", arrays)


def chi3d_table(rest: Array = OPEN_REST) -> dict[str, Any]:
    motion = in_file(50.0, rest, Z_UP)
    frames = motion.transl.shape[1]
    return {
        "global_orient": motion.rotmats[:, :, :1].tolist(),
        "body_pose": motion.rotmats[:, :, 1:].tolist(),
        "transl": motion.transl.tolist(),
        "betas": np.repeat(BETAS[:, None], frames, axis=1).tolist(),
    }


def write_chi3d(root: Path, rest: Array = OPEN_REST) -> None:
    lines(root / "train/s03/smplx/Grab 12.json", json.dumps(chi3d_table(rest)))
    lines(root / "test/s01/smplx/Hug 1.json", "{}")


def write_dd100(root: Path) -> None:
    motion = in_file(30.0)
    folder = root / "motion/smplx/all"
    folder.mkdir(parents=True)
    for i, role in enumerate(("01", "00")):
        poses = np.zeros((motion.transl.shape[1], 165))
        poses[:, :66] = motion.axis_angle[i].reshape(-1, 66)
        content = {
            "poses": poses,
            "global_orient": poses[:, :3],
            "transl": motion.transl[i],
            "betas": np.concatenate([BETAS[i], np.zeros(6)]),
            "meta": {"gender": GENDERS[i]},
        }
        np.save(folder / f"Rumba_05_01_{role}.npy", content)


def write_amass(
    root: Path, width: int = 156, rate: float = 59.94, world: Array = Z_UP, **changes: Any
) -> None:
    motion = in_file(rate, world=world)
    rate_key = "mocap_framerate" if width == 156 else "mocap_frame_rate"
    for i in range(2):
        poses = np.zeros((motion.transl.shape[1], width))
        poses[:, :66] = motion.axis_angle[i].reshape(-1, 66)
        arrays = {
            "poses": poses,
            "trans": motion.transl[i],
            "betas": np.concatenate([BETAS[i], np.zeros(6)]),
            "gender": np.array(GENDERS[i].encode()),
            rate_key: np.array(rate),
        } | changes
        save_npz(
            root / f"val/meet_P{i + 1}.npz", {k: v for k, v in arrays.items() if v is not None}
        )
    lines(root / "val/meet.txt", *CAPTIONS)


def write_bvh(root: Path) -> None:
    motion = in_file(25.0)
    names = {name: mixamo_name(name) for name in JOINT_NAMES}
    for i in range(2):
        one = Motion(
            quats_xyzw=quat_from_rotmat(motion.rotmats[i : i + 1]).astype(np.float32),
            transl=motion.transl[i : i + 1].astype(np.float32),
            betas=np.zeros((1, 10), np.float32),
            frame_rate=25.0,
        )
        lines(root / f"P{i + 1}" / "meet.bvh", foreign_bvh(one, names, t_pose(), up=Z_UP))
    lines(root / "meet.txt", *CAPTIONS)


def write_cmu(root: Path) -> None:
    motion = in_file(120.0)
    for i, subject in enumerate(("18", "19")):
        lines(root / f"{subject}.asf", *_asf(motion.rest[i]))
        lines(root / f"{subject}_07.amc", *_amc(motion, i))


# ------------------------------------------------------------------------------------------ acclaim
CMU_UNIT = 0.0254 / 0.45
BONE_AXES = np.radians([20.0, -35.0, 50.0])


def _asf(rest: Array) -> list[str]:
    """Each of our joints is a bone of no length; still bones lead from it to its children."""
    text = [":version 1.10", ":units", "  length 0.45", ":root", "  order TX TY TZ RX RY RZ"]
    text += [":bonedata"]
    tree: dict[str, list[str]] = {}
    for joint, parent in enumerate(PARENTS[1:], start=1):
        name, above = (CMU_RIG.joints[JOINT_NAMES[j]] for j in (joint, parent))
        offset = (rest[joint] - rest[parent]) / CMU_UNIT
        text += _bone(f"to_{name}", offset, np.zeros(3), "")
        text += _bone(name, np.zeros(3), BONE_AXES, "dof rx ry rz")
        tree.setdefault(above, []).append(f"to_{name}")
        tree[f"to_{name}"] = [name]
    text += [":hierarchy", "  begin"]
    return text + [f"    {a} {' '.join(b)}" for a, b in tree.items()] + ["  end"]


def _bone(name: str, offset: Array, axes: Array, dof: str) -> list[str]:
    length = float(np.linalg.norm(offset))
    direction = offset / length if length else np.array([0.0, 1.0, 0.0])
    return [
        "  begin",
        f"    name {name}",
        "    direction {:.8f} {:.8f} {:.8f}".format(*direction),
        f"    length {length:.8f}",
        "    axis {:.6f} {:.6f} {:.6f} XYZ".format(*np.degrees(axes)),
        *([f"    {dof}"] if dof else []),
        "  end",
    ]


def _amc(motion: Meeting, person: int) -> list[str]:
    axes = rotmat_from_euler(BONE_AXES[::-1], "zyx")
    pelvis = motion.joints[person, :, 0] / CMU_UNIT
    text = ["#!OML:ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for frame, rotmats in enumerate(motion.rotmats[person]):
        root = [*pelvis[frame], *_angles(rotmats[0])]
        text += [str(frame + 1), "root " + " ".join(f"{value:.6f}" for value in root)]
        for joint in range(1, JOINT_COUNT):
            angles = _angles(axes.T @ rotmats[joint] @ axes)
            name = CMU_RIG.joints[JOINT_NAMES[joint]]
            text.append(f"{name} " + " ".join(f"{value:.6f}" for value in angles))
    return text


def _angles(rotmat: Array) -> list[float]:
    """Degrees about x, y and z, for which the matrix is Rz Ry Rx."""
    x = np.arctan2(rotmat[2, 1], rotmat[2, 2])
    y = np.arcsin(-rotmat[2, 0])
    z = np.arctan2(rotmat[1, 0], rotmat[0, 0])
    return np.degrees([x, y, z]).tolist()
