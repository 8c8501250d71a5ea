"""Every reader finds one and the same meeting in its own layout, with what is said about it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.body.kinematics import forward_kinematics
from engine.body.rotations import geodesic_angle
from engine.body.shape import bone_lengths, load_body
from engine.body.skeleton import JOINT
from engine.formats.asf import read_amc
from engine.formats.retarget import UNITS
from tests.trainer.data.readers import layouts
from tests.trainer.data.readers.layouts import (
    BETAS,
    CAPTIONS,
    GENDERS,
    assert_is_the_meeting,
    meeting,
)
from tests.trainer.synthetic import REST_JOINTS
from trainer.commands import DATA_SETS
from trainer.data.readers import READERS, Recording
from trainer.data.readers.dd100 import split_of

OTHERS_REST = np.stack([REST_JOINTS, 1.1 * REST_JOINTS]).astype(np.float64)
"""Skeletons unlike the open body's, the second taller."""


def read(reader: str, root: Path, index: int = 0) -> Recording:
    return READERS[reader].read(READERS[reader].sources(root)[index])


def listed(reader: str, root: Path) -> list[tuple[str, str]]:
    return [(source.name, source.split) for source in READERS[reader].sources(root)]


# --------------------------------------------------------------------------------- SMPL-X at 120 Hz
def test_interx(tmp_path: Path) -> None:
    layouts.write_interx(tmp_path)
    assert listed("interx", tmp_path) == [(layouts.INTERX_NAME, "test")]
    found = read("interx", tmp_path)
    assert (found.kind, found.captions) == ("handshake", CAPTIONS)
    assert (found.body_kind, found.genders) == ("smplx", GENDERS)
    np.testing.assert_allclose(found.betas, BETAS, atol=1e-6)
    assert_is_the_meeting(found)


def test_the_actor_of_interx_is_person_0(tmp_path: Path) -> None:
    layouts.write_interx(tmp_path, actor=1)
    found = read("interx", tmp_path)
    assert found.genders == GENDERS[::-1]
    assert_is_the_meeting(found, is_swapped=True)


# --------------------------------------------------------------------------------------- InterHuman
def test_interhuman_raw(tmp_path: Path) -> None:
    layouts.write_interhuman_lists(tmp_path)
    layouts.write_interhuman_raw(tmp_path)
    assert listed("interhuman", tmp_path) == [("7", "train")]
    found = read("interhuman", tmp_path)
    assert (found.body_kind, found.genders, found.captions) == ("smplh", GENDERS, CAPTIONS)
    np.testing.assert_allclose(found.betas, BETAS, atol=1e-6)
    assert_is_the_meeting(found)


def test_raw_interhuman_may_tell_its_rate(tmp_path: Path) -> None:
    layouts.write_interhuman_lists(tmp_path)
    layouts.write_interhuman_raw(tmp_path, rate=59.94, mocap_framerate=59.94)
    assert_is_the_meeting(read("interhuman", tmp_path))


def test_processed_interhuman_gets_its_root_and_its_bones_from_the_joints(tmp_path: Path) -> None:
    layouts.write_interhuman_lists(tmp_path, folder=".")
    layouts.write_interhuman_processed(tmp_path, OTHERS_REST)
    assert listed("interhuman", tmp_path) == [("7", "train")]
    found = read("interhuman", tmp_path)
    assert_is_the_meeting(found, rest=OTHERS_REST, degrees=1.3)
    lengths = bone_lengths(found.rest_joints), bone_lengths(OTHERS_REST)
    np.testing.assert_allclose(*lengths, atol=1e-3)
    assert (found.body_kind, found.captions) == ("open", CAPTIONS)
    taller = bone_lengths(load_body().rest_joints(found.betas)).sum(axis=-1)
    assert taller[1] == pytest.approx(1.1 * taller[0], rel=0.02)


def test_processed_interhuman_has_shapes_and_genders_from_the_raw_file(tmp_path: Path) -> None:
    layouts.write_interhuman_lists(tmp_path)
    layouts.write_interhuman_processed(tmp_path, OTHERS_REST)
    layouts.write_interhuman_raw(tmp_path)
    found = read("interhuman", tmp_path)
    assert (found.body_kind, found.genders) == ("smplh", GENDERS)
    np.testing.assert_allclose(found.betas, BETAS, atol=1e-6)
    assert_is_the_meeting(found, rest=OTHERS_REST, degrees=1.3)


# --------------------------------------------------------------------------- Hi4D, CHI3D, DD100
def test_hi4d(tmp_path: Path) -> None:
    layouts.write_hi4d(tmp_path, OTHERS_REST)
    assert listed("hi4d", tmp_path) == [("pair32/hug32", "test")]
    found = read("hi4d", tmp_path)
    assert (found.kind, found.body_kind, found.genders) == ("hug", "smpl", GENDERS)
    assert_is_the_meeting(found, rest=OTHERS_REST)
    np.testing.assert_allclose(found.rest_joints, OTHERS_REST, atol=1e-4)


def test_chi3d(tmp_path: Path) -> None:
    layouts.write_chi3d(tmp_path)
    assert listed("chi3d", tmp_path) == [("s01/Hug 1", "test"), ("s03/Grab 12", "train")]
    found = read("chi3d", tmp_path, index=1)
    assert (found.kind, found.body_kind) == ("grab", "smplx")
    np.testing.assert_allclose(found.betas, BETAS, atol=1e-6)
    assert_is_the_meeting(found)


def test_dd100_has_the_leader_as_person_0(tmp_path: Path) -> None:
    layouts.write_dd100(tmp_path)
    assert listed("dd100", tmp_path) == [("Rumba_05_01", "test")]
    found = read("dd100", tmp_path)
    assert (found.kind, found.body_kind, found.genders) == ("rumba", "smplx", GENDERS)
    assert_is_the_meeting(found)
    assert listed("dd100", tmp_path / "motion/smplx/all") == [("Rumba_05_01", "test")]


@pytest.mark.parametrize(
    ("genre", "number", "split"),
    [
        ("Tango", 4, "train"), ("Tango", 5, "test"), ("Tango", 10, "test"),
        ("Ballet", 5, "train"), ("Ballet", 9, "test"), ("Ballet", 10, "test"),
    ],
)  # fmt: skip
def test_dd100_splits_as_duolando_does(genre: str, number: int, split: str) -> None:
    assert split_of(genre, number) == split


# -------------------------------------------------------------------------------------------- pairs
@pytest.mark.parametrize(("width", "rate"), [(156, 59.94), (156, 100.0), (165, 25.0), (165, 120.0)])
def test_amass_pairs_of_both_bodies_at_any_rate(tmp_path: Path, width: int, rate: float) -> None:
    layouts.write_amass(tmp_path, width, rate)
    assert listed("amass-pair", tmp_path) == [("val/meet", "val")]
    found = read("amass-pair", tmp_path)
    assert found.body_kind == {156: "smplh", 165: "smplx"}[width]
    assert (found.captions, found.genders) == (CAPTIONS, GENDERS)
    # Between frames the truth is not an arc: at 25 Hz half a frame is 20 ms.
    assert_is_the_meeting(found, degrees=0.1 if rate > 30 else 0.5)


def test_bvh_pairs_stand_where_they_stood(tmp_path: Path) -> None:
    layouts.write_bvh(tmp_path)
    found = read("bvh-pair", tmp_path)
    assert (found.name, found.captions, found.body_kind) == ("meet", CAPTIONS, "open")
    assert_is_the_meeting(found, degrees=1.0, metres=0.005)


def test_cmu_pairs_stand_where_they_stood(tmp_path: Path) -> None:
    layouts.write_cmu(tmp_path)
    found = read("asf-amc-pair", tmp_path)
    assert found.name == "18_07+19_07"
    assert_is_the_meeting(found, degrees=1.0, metres=0.005)


# --------------------------------------------------------------------------------------------- laws
def test_the_data_sets_own_body_leaves_no_error(tmp_path: Path) -> None:
    smplx = replace(
        load_body(),
        template=np.zeros((10475, 3)),
        joint_template=load_body().joint_template + np.array([0.01, 0.1, -0.02]),
    )
    rest = smplx.rest_joints(BETAS).astype(np.float64)
    layouts.write_chi3d(tmp_path, rest)
    source = READERS["chi3d"].sources(tmp_path)[1]
    assert_is_the_meeting(READERS["chi3d"].read(source, smplx), rest=rest)


def test_another_body_moves_both_people_by_the_same_and_turns_nobody(tmp_path: Path) -> None:
    away = np.array([0.01, 0.1, -0.02])
    layouts.write_chi3d(tmp_path, layouts.OPEN_REST + away)
    found = read("chi3d", tmp_path, index=1)
    expected = meeting(10.0)
    assert geodesic_angle(found.rotmats, expected.rotmats).max() < 2e-3
    shifts = _joints(found) - expected.joints
    np.testing.assert_allclose(shifts, np.broadcast_to(shifts[0, 0, 0], shifts.shape), atol=2e-3)


def test_amass_files_with_y_up_stay_upright(tmp_path: Path) -> None:
    layouts.write_amass(tmp_path, world=np.eye(3))
    assert_is_the_meeting(read("amass-pair", tmp_path))


def test_the_command_line_offers_every_reader() -> None:
    assert tuple(READERS) == DATA_SETS


def _joints(found: Recording) -> np.ndarray:
    return forward_kinematics(found.rest_joints[:, None], found.rotmats, found.transl)[0]


def _shortened(source: Path, target: Path, frames: int) -> None:
    head, _, motion = source.read_text().partition("MOTION")
    _, time, *rows = motion.strip().splitlines()
    lines = [f"{head}MOTION", f"Frames: {frames}", time, *rows[:frames]]
    target.parent.mkdir()
    target.write_text("\n".join(lines))


@pytest.mark.parametrize(
    "name",
    ["idle/000_genuine.bvh", "100style_example.bvh"],
)
def test_real_bvh_files_pair(recordings_dir: Path, tmp_path: Path, name: str) -> None:
    for who in ("P1", "P2"):
        _shortened(recordings_dir / name, tmp_path / who / "take.bvh", frames=200)
    joints = _joints(read("bvh-pair", tmp_path))
    assert abs(joints[..., 1].min()) < 1e-4
    # Both on one floor: neither hovers nor wades by more than a sole.
    assert (joints[..., 1].min(axis=(1, 2)) < 0.06).all()
    assert ((joints[..., 0, 1] > 0.6) & (joints[..., 0, 1] < 1.2)).all()
    assert ((joints[..., JOINT["head"], 1] > 1.2) & (joints[..., JOINT["head"], 1] < 1.9)).all()


def test_a_real_cmu_walk_goes_as_far_as_in_the_file(recordings_dir: Path, tmp_path: Path) -> None:
    folder = recordings_dir / "cmu02"
    shutil.copy(folder / "02.asf", tmp_path / "02.asf")
    shutil.copy(folder / "02_01.amc", tmp_path / "02_01.amc")
    (tmp_path / "pairs.txt").write_text('02_01.amc 02_01.amc walk "two people walk" # both one\n')
    found = read("asf-amc-pair", tmp_path)
    assert (found.kind, found.captions) == ("walk", ("two people walk",))
    recording = read_amc(folder / "02_01.amc", folder / "02.asf")
    names = [recording.names.index(name) for name in ("lfemur", "rfemur")]
    hips = recording.world()[0][::12, names].mean(axis=1) * UNITS["CMU"]
    ours = _joints(found)[0][:, [JOINT["left_hip"], JOINT["right_hip"]]].mean(axis=1)
    np.testing.assert_allclose(ours[:, [0, 2]], hips[: len(ours), [0, 2]], atol=2e-3)
    assert found.rotmats.shape[1] == (len(recording.values) - 1) // 12 + 1
