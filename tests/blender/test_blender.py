"""Blender opens what we write: two armatures, joints where they belong, feet on the floor.

`make test-blender` installs Blender as a Python module, in a virtual environment of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.kinematics import turned_about_origin
from engine.body.pose import Pose
from engine.body.rotations import quat_from_rotmat, rotmat_about
from engine.body.shape import load_body
from engine.body.skeleton import JOINT_NAMES
from engine.commands.recorded_player import DEMO_PLAYER
from engine.formats import WriteOptions, read_motion, write_motion
from engine.formats.blender import BLENDER_VARIABLE
from engine.formats.options import selected
from engine.motion.motion import Motion

BODY = load_body()
FRAMES = (0, 7, 15, 22, 29)
RATE = 30.0
PROBE = Path(__file__).with_name("probe.py")
PYTHON = os.environ.get(BLENDER_VARIABLE, "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path(PYTHON).name.startswith("python"),
        reason=f"{BLENDER_VARIABLE} names no Python with bpy: make test-blender",
    ),
]


@lru_cache
def pair() -> Motion:
    """The demo's player and, across from them and of another shape, the same person turned."""
    player = selected(read_motion(DEMO_PLAYER), WriteOptions(trim=(2.0, 3.0)), RATE)
    betas = np.stack([player.betas[0], np.linspace(1.0, -1.0, 10, dtype=np.float32)])
    rest = BODY.rest_joints(betas)
    pelvis = player.transl[0] + rest[0, 0]
    roots, transl = turned_about_origin(
        rotmat_about("y", np.pi), player.rotmats[0, :, 0], pelvis - rest[1, 0], rest[1, 0]
    )
    quats = np.stack([player.quats_xyzw[0], player.quats_xyzw[0]])
    quats[1, :, 0] = quat_from_rotmat(roots)
    transl[:, 2] += 2.5
    posed = BODY.vertices(Pose(replace_root(player, roots), transl), betas[1])
    transl[:, 1] -= posed[..., 1].min()
    return replace(
        player,
        quats_xyzw=quats.astype(np.float32),
        transl=np.stack([player.transl[0], transl]).astype(np.float32),
        betas=betas,
    )


def replace_root(motion: Motion, roots: Array) -> Array:
    rotmats = motion.rotmats[0].copy()
    rotmats[:, 0] = roots
    return rotmats


def expected_joints() -> Array:
    """(person, frame, 22, 3)"""
    motion = pair()
    rest = BODY.rest_joints(motion.betas)[:, None]
    joints, _ = Pose(motion.rotmats, motion.transl).in_world(rest)
    return joints[:, list(FRAMES)]


def probed(paths: list[Path]) -> dict[str, Any]:
    words = [",".join(map(str, paths)), f"{RATE:g}", ",".join(map(str, FRAMES))]
    done = subprocess.run([PYTHON, str(PROBE), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("PROBE")]
    found: dict[str, Any] = json.loads(line.removeprefix("PROBE"))
    return found


def joints_in(heads: list[dict[str, list[float]]]) -> Array:
    """(frame, 22, 3) of an armature whose bones have our names, after the person's or not."""
    return np.array(
        [
            [next(at for bone, at in frame.items() if bone.endswith(name)) for name in JOINT_NAMES]
            for frame in heads
        ]
    )


@pytest.mark.parametrize("suffix", [".bvh", ".glb", ".usdc", ".fbx"])
def test_blender_shows_two_people_where_they_belong(tmp_path: Path, suffix: str) -> None:
    if suffix == ".usdc":
        pytest.importorskip("pxr", reason="usd-core is absent: the extra `usd`")
    paths = write_motion(tmp_path / f"pair{suffix}", pair(), BODY)
    told = probed(paths)
    found = sorted(
        (joints_in(heads) for heads in told["armatures"].values()), key=lambda j: j[0, 0, 2]
    )
    people = sorted(expected_joints(), key=lambda j: j[0, 0, 2])
    assert len(found) == 2
    assert told["frame_rate"] == pytest.approx(RATE, rel=1e-6)
    for joints, person in zip(found, people, strict=True):
        assert np.linalg.norm(joints - person, axis=-1).max() < 0.002
    if suffix != ".bvh":  # which has no skin
        lowest = np.array(told["lowest"])
        assert np.abs(lowest).max() < 0.03
        assert lowest.min() > -0.01
