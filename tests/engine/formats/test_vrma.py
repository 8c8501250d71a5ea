"""VRMA files follow the rules of VRMC_vrm_animation and hold the motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.body.shape import load_body
from engine.body.skeleton import JOINT_NAMES
from engine.formats import WriteOptions, read_motion, write_motion
from engine.formats.vrma import VRM_BONES, VRM_FINGERS
from tests.engine.formats.gltf_file import GltfFile
from tests.engine.formats.random_motion import random_motion

BODY = load_body()


def test_a_file_a_person_in_which_only_the_hips_travel(tmp_path: Path) -> None:
    motion = random_motion(9)
    paths = write_motion(tmp_path / "a.vrma", motion, BODY, options=WriteOptions(frame_rate=10.0))
    assert [path.name for path in paths] == ["a_person0.vrma", "a_person1.vrma"]
    for person, path in enumerate(paths):
        file = GltfFile(path)
        tracks = file.tracks()
        moving = [bone for bone, kind in tracks if kind == "translation"]
        assert moving == ["hips"]
        assert tuple(VRM_BONES) == JOINT_NAMES
        for joint, bone in enumerate(VRM_BONES.values()):
            quats = tracks[bone, "rotation"]
            dots = np.abs(np.sum(quats * motion.quats_xyzw[person, :, joint], axis=-1))
            np.testing.assert_allclose(dots, 1, atol=1e-6)
        bones = file.gltf.extensions["VRMC_vrm_animation"]["humanoid"]["humanBones"]
        assert {name: file.gltf.nodes[bone["node"]].name for name, bone in bones.items()} == {
            name: name for name in VRM_BONES.values()
        }


def test_fingers_bend_as_curls_say_and_come_back(tmp_path: Path) -> None:
    motion = random_motion(11, people=1, has_curls=True)
    (path,) = write_motion(tmp_path / "a.vrma", motion, BODY, options=WriteOptions(frame_rate=10.0))
    bones = GltfFile(path).gltf.extensions["VRMC_vrm_animation"]["humanoid"]["humanBones"]
    assert set(bones) == set(VRM_BONES.values()) | set(VRM_FINGERS.values())
    assert {"leftThumbMetacarpal", "rightLittleDistal", "leftIndexIntermediate"} <= set(bones)
    back = read_motion(path)
    assert back.curls is not None
    assert motion.curls is not None
    np.testing.assert_allclose(back.curls, motion.curls, atol=1e-4)


def test_the_fingers_of_the_rest_pose_are_straight(tmp_path: Path) -> None:
    (path,) = write_motion(tmp_path / "a.vrma", random_motion(12, people=1, has_curls=True), BODY)
    file = GltfFile(path)
    one, two = (
        np.array(file.gltf.nodes[file.node(f"leftMiddle{part}")].translation)
        for part in ("Intermediate", "Distal")
    )
    cosine = one @ two / (np.linalg.norm(one) * np.linalg.norm(two))
    assert np.degrees(np.arccos(min(cosine, 1.0))) < 2
    assert abs(one[1]) < 0.02 * np.linalg.norm(one)


def test_the_rest_pose_stands_on_the_floor(tmp_path: Path) -> None:
    (path, _) = write_motion(tmp_path / "a.vrma", random_motion(10), BODY)
    betas = random_motion(10).betas[0]
    hips = GltfFile(path).gltf.nodes[0].translation
    soles = BODY.rest_vertices(betas)[:, 1].min()
    np.testing.assert_allclose(hips[1], BODY.rest_joints(betas)[0, 1] - soles, atol=1e-6)
