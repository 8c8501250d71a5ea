"""npz files: ours come back as they were, AMASS's stand upright, wrong keys are named."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics
from engine.body.pose import Pose
from engine.body.rotations import axis_angle_from_rotmat, rotmat_about, rotmat_from_quat
from engine.body.shape import load_body
from engine.body.skeleton import HAND_JOINT_NAMES, JOINT, JOINT_COUNT, JOINT_NAMES
from engine.errors import InputError
from engine.formats.npz import read_npz, write_npz
from engine.formats.smplx_npz import write_amass, write_interx
from tests.data.make_motion_files import DATA, wave
from tests.engine.formats.random_motion import random_motion

Z_UP = rotmat_about("x", np.pi / 2)


def own_arrays(**changes: Any) -> dict[str, Any]:
    motion = wave()
    arrays = {
        "format": np.array("contrapose-motion"),
        "version": np.array(1),
        "quats_xyzw": motion.quats_xyzw,
        "transl": motion.transl,
        "betas": motion.betas,
        "frame_rate": np.array(10.0),
    } | changes
    return {key: value for key, value in arrays.items() if value is not None}


def amass_arrays(
    width: int = 156, people: int = 1, world: Array = Z_UP, **changes: Any
) -> dict[str, Any]:
    """The wave as AMASS has it: axis-angle, in a world that is turned against ours."""
    motion = wave()
    rotmats = motion.rotmats[0].astype(np.float64)
    pelvis = load_body().rest_joints(np.zeros(10))[0]
    rotmats[:, 0] = world @ rotmats[:, 0]
    poses = np.zeros((motion.frames, width))
    poses[:, : 3 * JOINT_COUNT] = axis_angle_from_rotmat(rotmats).reshape(motion.frames, -1)
    trans = (motion.transl[0] + pelvis) @ world.T - pelvis
    arrays = {
        "poses": poses,
        "trans": trans,
        "betas": np.ones(16),
        "gender": np.array(b"neutral"),
        "mocap_framerate" if width == 156 else "mocap_frame_rate": np.array(10.0),
    } | changes
    if people == 2:
        for key in ("poses", "trans", "betas"):
            arrays[key] = np.stack([arrays[key], arrays[key]])
        arrays["trans"][1] += [1, 0, 0]
    return {key: value for key, value in arrays.items() if value is not None}


def saved(folder: Path, arrays: dict[str, Any]) -> Path:
    path = folder / "motion.npz"
    np.savez(path, **arrays)
    return path


# --------------------------------------------------------------------------------------------- ours
def test_ours_come_back_bit_for_bit(tmp_path: Path) -> None:
    write_npz(tmp_path / "wave.npz", wave(), load_body())
    found = read_npz(tmp_path / "wave.npz", load_body())
    np.testing.assert_allclose(found.quats_xyzw, wave().quats_xyzw, atol=1e-7)
    np.testing.assert_array_equal(found.transl, wave().transl)
    assert found.frame_rate == 10.0


def test_hands_come_back_and_other_tools_find_their_joints(tmp_path: Path) -> None:
    motion, body = random_motion(1, has_curls=True), load_body()
    write_npz(tmp_path / "hands.npz", motion, body)
    found = read_npz(tmp_path / "hands.npz", body)
    assert found.curls is not None
    np.testing.assert_array_equal(found.curls, motion.curls)
    with np.load(tmp_path / "hands.npz", allow_pickle=False) as file:
        rest = np.concatenate([file["rest_joints"], file["hand_rest_joints"]], axis=1)
        quats = np.concatenate([file["quats_xyzw"], file["hand_quats_xyzw"]], axis=2)
        parents = tuple(np.concatenate([file["parents"], file["hand_parents"]]).tolist())
        tips = forward_kinematics(rest[:, None], rotmat_from_quat(quats), file["transl"], parents)[
            0
        ]
        assert tuple(file["hand_joint_names"]) == HAND_JOINT_NAMES
    bent = Pose(motion.rotmats[0, 0], motion.transl[0, 0])
    skin = body.vertices(bent, motion.betas[0], found.curls[0, 0])
    gaps = np.linalg.norm(skin[:, None] - tips[0, 0, 22:], axis=-1).min(axis=0)
    assert gaps.max() < 0.015, "every finger joint lies in its finger"


@pytest.mark.parametrize("curls", [np.full((1, 11, 9), 0.5), np.full((1, 11, 10), 1.5)])
def test_curls_that_are_none_are_refused(tmp_path: Path, curls: Array) -> None:
    path = saved(tmp_path, own_arrays(curls=curls))
    with pytest.raises(InputError, match="curls"):
        read_npz(path, load_body())


@pytest.mark.parametrize("write", [write_amass, write_interx])
def test_hands_survive_the_layouts_of_smplx(tmp_path: Path, write: Callable[..., None]) -> None:
    motion = random_motion(2, people=1, has_curls=True)
    write(tmp_path / "a.npz", motion, load_body())
    found = read_npz(tmp_path / "a.npz", load_body())
    assert motion.curls is not None
    assert found.curls is not None
    np.testing.assert_allclose(found.curls, motion.curls, atol=1e-5)


def test_hands_that_are_still_or_broken_say_nothing(tmp_path: Path) -> None:
    arrays = amass_arrays(165)
    assert read_npz(saved(tmp_path, arrays), load_body()).curls is None
    poses = arrays.pop("poses")
    arrays |= {"root_orient": poses[:, :3], "pose_body": poses[:, 3:66]}
    for hands in (np.full((11, 90), np.nan), np.full((11, 90), 1e30), np.ones((11, 7)), np.ones(3)):
        path = saved(tmp_path, {**arrays, "pose_hand": hands})
        assert read_npz(path, load_body()).curls is None


def test_other_tools_find_all_they_need_in_ours() -> None:
    with np.load(DATA / "wave.npz", allow_pickle=False) as file:
        assert tuple(file["joint_names"]) == JOINT_NAMES
        assert (str(file["format"]), int(file["version"])) == ("contrapose-motion", 1)
        pelvis = file["rest_joints"][:, None, 0] + file["transl"]
    assert pelvis[0, 0, 1] == pytest.approx(0.95, abs=0.1)


def test_the_golden_file_still_reads() -> None:
    found = read_npz(DATA / "wave.npz", load_body())
    np.testing.assert_allclose(found.rotmats, wave().rotmats, atol=1e-4)
    np.testing.assert_allclose(found.transl, wave().transl, atol=1e-5)


def test_a_motion_of_another_body_keeps_its_bones_and_its_place(tmp_path: Path) -> None:
    tall = load_body().rest_joints(1.5 * np.eye(10)[0]) + np.array([0, 0.1, 0])
    path = saved(tmp_path, own_arrays(rest_joints=tall[None].astype(np.float32)))
    found = read_npz(path, load_body())
    rest = load_body().rest_joints(found.betas[0])
    there = forward_kinematics(tall, wave().rotmats[0], wave().transl[0])[0]
    np.testing.assert_allclose(
        forward_kinematics(rest, found.rotmats[0], found.transl[0])[0], there, atol=0.02
    )
    assert found.betas[0, 0] > 0.5


# ------------------------------------------------------------------------------------------ AMASS's
@pytest.mark.parametrize("width", [156, 165])
@pytest.mark.parametrize("people", [1, 2])
def test_amass_with_z_up_stands_as_it_was(tmp_path: Path, width: int, people: int) -> None:
    found = read_npz(saved(tmp_path, amass_arrays(width, people)), load_body())
    assert (found.people, found.frames, found.frame_rate) == (people, 11, 10.0)
    np.testing.assert_allclose(found.rotmats[0], wave().rotmats[0], atol=1e-5)
    np.testing.assert_allclose(found.transl[0], wave().transl[0], atol=1e-5)
    if people == 2:
        np.testing.assert_allclose(found.transl[1] - found.transl[0], [[1, 0, 0]] * 11, atol=1e-5)


def test_amass_with_y_up_is_left_as_it_is_and_up_overrides(tmp_path: Path) -> None:
    path = saved(tmp_path, amass_arrays(world=np.eye(3)))
    np.testing.assert_allclose(read_npz(path, load_body()).transl, wave().transl, atol=1e-5)
    lying = read_npz(path, load_body(), up="z")
    joints, _ = forward_kinematics(
        load_body().rest_joints(lying.betas[0]), lying.rotmats[0], lying.transl[0]
    )
    height = joints[0, JOINT["head"], 1] - joints[0, JOINT["left_ankle"], 1]
    assert abs(height) < 0.3


@pytest.mark.parametrize("shape", [(11, 63), (11, 21, 3)])
def test_root_orient_and_pose_body_do_as_well(tmp_path: Path, shape: tuple[int, ...]) -> None:
    arrays = amass_arrays(165)
    poses = arrays.pop("poses")
    arrays |= {"root_orient": poses[:, :3], "pose_body": poses[:, 3:66].reshape(shape)}
    found = read_npz(saved(tmp_path, arrays), load_body())
    np.testing.assert_allclose(found.rotmats, wave().rotmats, atol=1e-5)


def test_shapes_of_smplx_mean_nothing_to_the_open_body(tmp_path: Path) -> None:
    found = read_npz(saved(tmp_path, amass_arrays(165)), load_body())
    np.testing.assert_array_equal(found.betas, 0)


def test_pickled_extras_are_skipped_and_never_loaded(tmp_path: Path) -> None:
    arrays = amass_arrays(labels=np.array([{"a": 1}], object))
    assert read_npz(saved(tmp_path, arrays), load_body()).frames == 11


# ------------------------------------------------------------------------------------------- wrong
NAN = np.full((1, 11, 3), np.nan)


@pytest.mark.parametrize(
    ("arrays", "key", "message"),
    [
        (own_arrays(transl=NAN), "transl", "not finite at index (0, 0, 0)"),
        (own_arrays(transl=np.zeros((1, 10, 3))), "transl", "expected (1, 11, 3)"),
        (own_arrays(transl=None), "transl", "is missing"),
        (own_arrays(transl=np.array([None])), "transl", "pickled"),
        (own_arrays(betas=np.zeros((1, 10), "U3")), "betas", "expected numbers"),
        (own_arrays(quats_xyzw=0.2 * wave().quats_xyzw), "quats_xyzw", "has length 0.2"),
        (own_arrays(quats_xyzw=np.zeros((1, 0, 22, 4))), "quats_xyzw", "(1, 0, 22, 4)"),
        (own_arrays(frame_rate=np.array(0.0)), "frame_rate", "0.01 to"),
        (own_arrays(frame_rate=np.array([10.0])), "frame_rate", "frames a second"),
        (own_arrays(version=np.array(2)), "version", "update it"),
        (own_arrays(format=np.array("other")), "format", "'other'"),
        (own_arrays(joint_names=np.array(["hip"] * 22)), "joint_names", "expected pelvis"),
        (amass_arrays(poses=np.zeros((11, 72))), "poses", "(frames, 156)"),
        (amass_arrays(poses=np.zeros((0, 156))), "poses", "has shape (0, 156)"),
        (amass_arrays(poses=np.zeros(156)), "poses", "has shape (156,)"),
        (amass_arrays(trans=np.zeros((4, 3))), "trans", "expected (11, 3)"),
        (amass_arrays(trans=None), "trans", "is missing"),
        (amass_arrays(mocap_framerate=None), "mocap_frame_rate", "expected one of"),
        (amass_arrays(betas=np.zeros(4)), "betas", "at least 10"),
        (amass_arrays(trans=np.zeros((2, 11, 3))), "trans", "of 2 people"),
    ],
)
def test_a_wrong_array_is_named_with_file_and_key(
    tmp_path: Path, arrays: dict[str, Any], key: str, message: str
) -> None:
    path = saved(tmp_path, arrays)
    with pytest.raises(InputError) as caught:
        read_npz(path, load_body())
    assert str(caught.value).startswith(f"{path}: {key} ")
    assert message in str(caught.value)
    assert caught.value.field == key


def test_files_that_are_no_motion_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, {"a": np.zeros(3)})
    with pytest.raises(InputError, match="holds a; expected quats_xyzw"):
        read_npz(path, load_body())
    whole = (DATA / "wave.npz").read_bytes()
    for content in (b"", b"PK", b"hello", whole[:1000], whole[:-30]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"motion\.npz: "):
            read_npz(path, load_body())


@settings(max_examples=30)
@given(st.data())
def test_no_damaged_byte_makes_anything_but_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = bytearray((DATA / "wave.npz").read_bytes())
    for _ in range(3):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("npz") / "motion.npz"
    path.write_bytes(whole)
    with contextlib.suppress(InputError):
        read_npz(path, load_body())
