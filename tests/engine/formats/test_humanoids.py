"""Humanoids in glTF files: ours come back as they were, others' are found and retargeted."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.body.pose import Pose
from engine.body.rotations import geodesic_angle, quat_from_rotmat, rotmat_about
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.errors import InputError
from engine.formats import WriteOptions, read_motion, resampled, write_motion
from engine.formats.gltf_reading import Channel
from tests.builders import joints_of_motion
from tests.data.make_motion_files import mixamo_name, wave
from tests.engine.formats.random_motion import random_motion, standing_pair

BODY = load_body()
AS_IS = WriteOptions(frame_rate=10.0)


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The file with its document changed; its arrays stay."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[20 : 20 + length])
    change(document)
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    head = struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(rest))
    path.write_bytes(head + struct.pack("<I4s", len(text), b"JSON") + text + rest)
    return path


@settings(max_examples=9)
@given(st.integers(0, 2**32 - 1), st.sampled_from([".glb", ".vrma", ".bvh"]))
@example(2161, ".glb")  # legs so short that they are nobody's, in metres or in
@example(2161, ".bvh")  # centimetres
def test_what_we_write_we_read(
    tmp_path_factory: pytest.TempPathFactory, seed: int, suffix: str
) -> None:
    motion = random_motion(seed, frames=4)
    folder = tmp_path_factory.mktemp("trip")
    paths = write_motion(folder / f"pair{suffix}", motion, BODY)
    people = [resampled(read_motion(path), 10.0) for path in paths]
    rotmats = np.concatenate([person.rotmats for person in people])
    joints = np.concatenate([joints_of_motion(person) for person in people])
    assert geodesic_angle(rotmats, motion.rotmats).max() < 1e-3
    assert np.abs(joints - joints_of_motion(motion)).max() < 1e-3


def test_shapes_come_back_to_the_digit(tmp_path: Path) -> None:
    motion = random_motion(4)
    write_motion(tmp_path / "pair.glb", motion, BODY, options=AS_IS)
    found = read_motion(tmp_path / "pair.glb")
    np.testing.assert_allclose(found.betas, motion.betas, atol=1e-6)
    np.testing.assert_allclose(found.transl, motion.transl, atol=1e-5)
    assert found.frame_rate == 10.0


def test_a_file_that_another_tool_saved_again_keeps_both_people(tmp_path: Path) -> None:
    pair = standing_pair(apart=0.8)
    write_motion(tmp_path / "pair.glb", pair, BODY, options=AS_IS)

    def resave(document: dict[str, Any]) -> None:
        document["asset"]["generator"] = "Another"
        for node in document["nodes"]:
            node.pop("extras", None)
        del document["animations"][0]["extras"]

    found = read_motion(changed(tmp_path / "pair.glb", resave))
    assert found.people == 2
    assert found.frame_rate == 10.0
    assert np.abs(joints_of_motion(found) - joints_of_motion(pair)).max() < 2e-3


def test_mixamo_names_in_centimetres_under_a_turned_armature(tmp_path: Path) -> None:
    motion = wave()
    write_motion(tmp_path / "wave.glb", motion, BODY, options=AS_IS)

    def as_mixamo(document: dict[str, Any]) -> None:
        document["asset"]["generator"] = "Another"
        turn = quat_from_rotmat(rotmat_about("y", np.pi / 2))
        for node in document["nodes"]:
            if node["name"] in JOINT:
                node["name"] = mixamo_name(node["name"])
            elif "children" in node:  # the armature, in a scene that is a hundred times as large
                node |= {"scale": [100.0] * 3, "rotation": turn.tolist()}
                node.pop("extras", None)

    found = read_motion(changed(tmp_path / "wave.glb", as_mixamo))
    turned = joints_of_motion(motion) @ rotmat_about("y", np.pi / 2).T
    apart = joints_of_motion(found) - turned
    assert np.abs(apart - apart.mean(axis=(0, 1, 2))).max() < 0.05
    soles = BODY.vertices(Pose(found.rotmats[0], found.transl[0]), found.betas[0])[..., 1].min()
    assert abs(soles) < 0.02


def test_vrm_bones_are_found_by_the_table_whatever_their_names(tmp_path: Path) -> None:
    write_motion(tmp_path / "wave.vrma", wave(), BODY, options=AS_IS)

    def rename(document: dict[str, Any]) -> None:
        document["asset"]["generator"] = "Another"
        for number, node in enumerate(document["nodes"]):
            node["name"] = f"J_{number}"

    found = read_motion(changed(tmp_path / "wave.vrma", rename))
    assert geodesic_angle(found.rotmats, wave().rotmats).max() < 0.1


@pytest.mark.parametrize("interpolation", ["STEP", "LINEAR", "CUBICSPLINE"])
def test_keys_are_interpolated_as_gltf_says(interpolation: str) -> None:
    values = np.array([[0.0, 0, 0], [1, 2, 3]])
    if interpolation == "CUBICSPLINE":
        flat = np.zeros((1, 3))
        values = np.concatenate([flat, values[:1], flat, flat, values[1:], flat])
    channel = Channel(
        node=0,
        path="translation",
        times=np.array([0.0, 2.0]),
        values=values,
        interpolation=interpolation,
    )
    quarter = {"STEP": 0.0, "LINEAR": 0.25, "CUBICSPLINE": 5 / 32}[interpolation]
    found = channel.at(np.array([-1.0, 0.0, 0.5, 2.0, 3.0]))
    np.testing.assert_allclose(found[:, 0], [0, 0, quarter, 1, 1], atol=1e-12)


def test_files_without_motion_or_joints_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    path.write_bytes(b"glTF" + bytes(40))
    with pytest.raises(InputError, match=r"a\.glb: is no binary glTF 2\.0"):
        read_motion(path)
    write_motion(path, wave(), BODY)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"a\.glb: is no glTF 2\.0 file, or a damaged one"):
        read_motion(path)
    write_motion(path, wave(), BODY)
    with pytest.raises(InputError, match=r"a\.glb: holds no animation"):
        read_motion(changed(path, lambda document: document.pop("animations")))
    write_motion(path, wave(), BODY)
    squeezed = {"extensionsRequired": ["EXT_meshopt_compression"]}
    with pytest.raises(InputError, match="export it without compression"):
        read_motion(changed(path, lambda document: document.update(squeezed)))
