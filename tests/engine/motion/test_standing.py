"""Laws of standing poses."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.pose import Pose
from engine.body.rotations import rotmat_about
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.motion.floor import floor_height
from engine.motion.standing import settled, standing_pose

REST = load_body().rest_joints(np.zeros((1, 10)))[0].astype(np.float64)
FLOOR = 0.3


def on_floor(rotmats: np.ndarray) -> Pose:
    lowest = floor_height(Pose(rotmats, np.zeros(3)), REST)
    return Pose(rotmats, np.array([0.5, FLOOR - lowest, -1.0]))


@pytest.mark.parametrize("hip", [-1.0, -0.5, 0.4])
@pytest.mark.parametrize("yaw", [0.0, 2.0])
def test_a_foot_in_the_air_is_put_down_flat_under_where_it_was(hip: float, yaw: float) -> None:
    rotmats = standing_pose()
    rotmats[0] = rotmat_about("y", yaw)
    rotmats[JOINT["left_hip"]] = rotmat_about("x", hip)
    rotmats[JOINT["left_knee"]] = rotmat_about("x", 0.6)
    start = on_floor(rotmats)
    before, _ = start.in_world(REST)
    pose = settled(start, REST, FLOOR)
    after, world = pose.in_world(REST)
    for side in ("left", "right"):
        assert world[JOINT[f"{side}_ankle"], 1, 1] > 0.9
        ball = after[JOINT[f"{side}_foot"], 1] - FLOOR
        assert ball == pytest.approx(after[JOINT["right_foot"], 1] - FLOOR, abs=0.02)
    assert floor_height(pose, REST) == pytest.approx(FLOOR, abs=0.01)
    moved = np.linalg.norm((after - before)[:, [0, 2]], axis=-1)
    assert moved[JOINT["right_ankle"]] < 0.01
    assert moved[JOINT["head"]] < 1e-9


def test_who_is_in_the_air_comes_down() -> None:
    standing = on_floor(standing_pose())
    in_the_air = Pose(standing.rotmats, standing.transl + np.array([0, 0.4, 0]))
    pose = settled(in_the_air, REST, FLOOR)
    assert floor_height(pose, REST) == pytest.approx(FLOOR, abs=0.01)


def test_who_stands_is_left_alone() -> None:
    pose = on_floor(standing_pose())
    assert settled(pose, REST, FLOOR) is pose
