"""Laws of a walk to a place."""

from __future__ import annotations

import numpy as np

from engine.body.canonical import yaw_of
from engine.body.pose import Pose
from engine.body.rotations import rotmat_about
from engine.body.shape import load_body
from engine.motion.floor import floor_height
from engine.motion.standing import standing_partner, standing_pose
from engine.motion.walk import Place, walk, walk_frames

REST = load_body().rest_joints(np.zeros((2, 10))).astype(np.float64)


def test_a_walker_has_a_foot_on_the_floor_and_ends_where_he_shall_whatever_the_way() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        start = standing_partner(Pose(standing_pose(), np.zeros(3)), REST, 1.4, 0.0)
        start.rotmats[0] = rotmat_about("y", rng.uniform(-3, 3))
        place = Place(ground=rng.uniform(-3, 3, 2), yaw=rng.uniform(-3, 3))
        frames = walk_frames(start, place, REST[1])
        poses = walk(start, place, REST[1], floor=0.0, frames=frames)
        joints, _ = poses.in_world(REST[1])
        np.testing.assert_allclose(joints[-1, 0, [0, 2]], place.ground, atol=1e-6)
        assert np.cos(yaw_of(joints[-1]) - place.yaw) > np.cos(np.radians(3))
        soles = floor_height(poses, REST[1])
        assert soles.min() > -1e-3
        assert soles.max() < 0.03
        assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() < 0.6
