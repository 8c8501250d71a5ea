"""VRMA files follow the rules of VRMC_vrm_animation and hold the motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.body.shape import load_body
from engine.body.skeleton import JOINT_NAMES
from engine.formats import WriteOptions, write_motion
from engine.formats.vrma import VRM_BONES
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


def test_the_rest_pose_stands_on_the_floor(tmp_path: Path) -> None:
    (path, _) = write_motion(tmp_path / "a.vrma", random_motion(10), BODY)
    betas = random_motion(10).betas[0]
    hips = GltfFile(path).gltf.nodes[0].translation
    soles = BODY.rest_vertices(betas)[:, 1].min()
    np.testing.assert_allclose(hips[1], BODY.rest_joints(betas)[0, 1] - soles, atol=1e-6)
