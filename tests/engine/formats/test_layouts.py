"""AMASS's and Inter-X's layouts and tables of joints say the same as our own files."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.rotations import geodesic_angle
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.formats import WriteOptions, read_motion, write_motion
from engine.formats.options import Layout
from engine.motion.motion import Motion
from tests.engine.formats.random_motion import random_motion, standing_pair

BODY = load_body()


def pelvis(motion: Motion) -> Array:
    """(person, frame, 3)"""
    return np.asarray(motion.transl + BODY.rest_joints(motion.betas)[:, None, 0])


@pytest.mark.parametrize(
    ("layout", "names"),
    [
        ("amass", ["pair_person0.npz", "pair_person1.npz"]),
        ("interx", ["pair/P1.npz", "pair/P2.npz"]),
    ],
)
def test_a_layout_holds_rotations_and_places(
    tmp_path: Path, layout: Layout, names: list[str]
) -> None:
    pair = standing_pair()
    tilted = random_motion(2, frames=25)
    motion = replace(
        tilted, quats_xyzw=np.concatenate([pair.quats_xyzw[:1], tilted.quats_xyzw[1:]])
    )
    options = WriteOptions(layout=layout, frame_rate=10.0)
    paths = write_motion(tmp_path / "pair.npz", motion, BODY, options=options)
    assert [str(path.relative_to(tmp_path)) for path in paths] == names
    for person, path in enumerate(paths):
        found = read_motion(path, up="z" if layout == "amass" else "y")
        assert found.frame_rate == 10.0
        assert geodesic_angle(found.rotmats[0], motion.rotmats[person]).max() < 1e-3
        np.testing.assert_allclose(pelvis(found)[0], pelvis(motion)[person], atol=1e-4)


def test_amass_stands_along_z(tmp_path: Path) -> None:
    (path, _) = write_motion(
        tmp_path / "a.npz", standing_pair(), BODY, options=WriteOptions(layout="amass")
    )
    arrays = np.load(path)
    assert arrays["poses"].shape == (25, 165)
    assert str(arrays["surface_model_type"]) == "smplx"
    found = read_motion(path)  # the axis is found from the body
    np.testing.assert_allclose(pelvis(found)[0], pelvis(standing_pair())[0], atol=1e-4)


def test_inter_x_is_at_its_120_frames_a_second(tmp_path: Path) -> None:
    (path, _) = write_motion(
        tmp_path / "a.npz", standing_pair(), BODY, options=WriteOptions(layout="interx")
    )
    assert read_motion(path).frame_rate == 120.0
    assert np.load(path)["pose_body"].shape == (289, 21, 3)


def test_a_table_has_each_joint_where_it_is(tmp_path: Path) -> None:
    motion = random_motion(6)
    write_motion(tmp_path / "pair.csv", motion, BODY)
    rows = list(csv.DictReader((tmp_path / "pair.csv").read_text().splitlines()))
    joints, _ = Pose(motion.rotmats[1], motion.transl[1]).in_world(
        BODY.rest_joints(motion.betas[1])
    )
    wrist = [[float(row[f"partner_left_wrist_{axis}"]) for axis in "xyz"] for row in rows]
    np.testing.assert_allclose(wrist, joints[:, JOINT["left_wrist"]], atol=1e-5)
    assert [row["seconds"] for row in rows[:2]] == ["0.0000", "0.1000"]
