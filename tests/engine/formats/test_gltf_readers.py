"""Khronos's validator and three-vrm read what we write; `make test-gltf` installs them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.body.shape import load_body
from engine.formats import write_motion
from engine.formats.glb import body_glb
from engine.formats.vrma import VRM_BONES
from tests.engine.formats.random_motion import random_motion, standing_pair

NODE = Path(__file__).with_name("node")
BODY = load_body()
SHAPES = ((1, 1), (1, 2), (2, 1), (2, 9), (3, 4))
"""People and frames."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (NODE / "node_modules").is_dir(), reason="gltf-validator is absent: make test-gltf"
    ),
]


def read_by_others(paths: list[Path]) -> list[dict[str, Any]]:
    command = ["node", str(NODE / "read.mjs"), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_random_people_are_without_fault_or_warning(tmp_path: Path) -> None:
    paths = [tmp_path / "body.glb", tmp_path / "touching.glb"]
    paths[0].write_bytes(body_glb(BODY, random_motion(0).betas[0]))
    write_motion(paths[1], standing_pair(), BODY)
    for seed, (people, frames) in enumerate(SHAPES):
        motion = random_motion(seed, people=people, frames=frames, has_curls=seed % 2 == 1)
        paths += write_motion(tmp_path / f"{seed}.glb", motion, BODY)
        paths += write_motion(tmp_path / f"{seed}.vrma", motion, BODY)
    for path, told in zip(paths, read_by_others(paths), strict=True):
        assert (told["errors"], told["warnings"]) == (0, 0), (path.name, told["messages"])
        if path.suffix == ".glb":
            assert told["messages"] == [], path.name  # not even a hint


def test_three_vrm_takes_all_bones_and_has_no_complaint(tmp_path: Path) -> None:
    motion = random_motion(5, people=1, frames=11)
    (path,) = write_motion(tmp_path / "a.vrma", motion, BODY)
    (told,) = read_by_others([path])
    vrm = told["vrm"]
    assert told["complaints"] == []
    assert vrm["animations"] == 1
    assert vrm["duration"] == pytest.approx(1.0)
    assert set(vrm["rotations"]) == set(VRM_BONES.values())
    assert vrm["translations"] == ["hips"]
    hips = BODY.rest_joints(motion.betas[0])[0] - [
        0,
        BODY.rest_vertices(motion.betas[0])[:, 1].min(),
        0,
    ]
    np.testing.assert_allclose(vrm["restHips"], hips, atol=1e-5)
