"""USD's own library finds the people of a motion in what we write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.body.pose import Pose
from engine.body.shape import load_body
from engine.body.skeleton import HAND_JOINT_NAMES, JOINT_COUNT
from engine.formats import WriteOptions, write_motion
from tests.engine.formats.random_motion import random_motion

pxr: Any = pytest.importorskip("pxr", reason="usd-core is absent: the extra `usd`")
BODY = load_body()


@pytest.mark.parametrize("has_curls", [False, True])
def test_joints_stand_where_the_motion_has_them(tmp_path: Path, has_curls: bool) -> None:
    from pxr import Usd, UsdGeom, UsdSkel

    motion = random_motion(8, frames=5, has_curls=has_curls)
    write_motion(tmp_path / "a.usd", motion, BODY, options=WriteOptions(frame_rate=10.0))
    stage = Usd.Stage.Open(str(tmp_path / "a.usd"))
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    assert (stage.GetTimeCodesPerSecond(), stage.GetEndTimeCode()) == (10.0, 4.0)
    cache = UsdSkel.Cache()
    for person, name in enumerate(("player", "partner")):
        root = UsdSkel.Root(stage.GetPrimAtPath(f"/motion/{name}"))
        cache.Populate(root, Usd.PrimDefaultPredicate)
        prim = stage.GetPrimAtPath(f"/motion/{name}/skeleton")
        query = cache.GetSkelQuery(UsdSkel.Skeleton(prim))
        pose = Pose(motion.rotmats[person], motion.transl[person])
        expected, _ = pose.in_world(BODY.rest_joints(motion.betas[person]))
        for frame in range(motion.frames):
            matrices = np.array(query.ComputeJointSkelTransforms(frame))
            assert len(matrices) == JOINT_COUNT + len(HAND_JOINT_NAMES)
            there = matrices[:JOINT_COUNT, 3, :3]
            np.testing.assert_allclose(there, expected[frame], atol=1e-4)
