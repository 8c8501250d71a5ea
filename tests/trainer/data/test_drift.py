"""A drifted history is a body, off by the same in all frames, and comes back without a jump."""

from __future__ import annotations

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.rotations import geodesic_angle
from engine.body.skeleton import JOINT
from engine.motion.motion import features_from_pose, pose_from_features
from engine.motion.standing import standing_pose
from tests.builders import joints_of_features
from tests.trainer.synthetic import REST_JOINTS, write_clips
from trainer.data.drift import DriftConfig, draw_offsets, drifted, moved
from trainer.data.shards import load_clips

ROWS = 40
UNTIL = np.full((ROWS, 2), 9)
EVERY = np.ones(ROWS, np.bool_)
STEADY = DriftConfig(wander=0.0)


def rest() -> Array:
    return np.broadcast_to(REST_JOINTS, (ROWS, 2, 22, 3)).astype(np.float64)


@pytest.fixture(scope="module")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Array:
    """(ROWS, 2, 30, 135)"""
    clips = load_clips(write_clips(tmp_path_factory.mktemp("clips")))
    first = np.random.default_rng(0).integers(0, 100, ROWS)
    return clips.frames_at(first[:, None] + np.arange(30)).transpose(0, 2, 1, 3)


def test_offsets_hold_through_the_history_and_are_gone_a_second_and_a_half_later(
    motion: Array,
) -> None:
    found = drifted(motion, rest(), UNTIL, EVERY, STEADY, np.random.default_rng(1))
    before, after = (pose_from_features(m).rotmats[:, 1] for m in (motion, found))
    elbow = JOINT["left_elbow"]
    off = geodesic_angle(before[:, :, elbow], after[:, :, elbow])  # (row, frame)
    np.testing.assert_allclose(np.ptp(off[:, :10], axis=1), 0, atol=1e-3)
    assert np.median(off[:, 0]) > np.radians(3)
    assert (np.diff(off[:, 9:], axis=1) < 1e-3).all()
    np.testing.assert_allclose(found[:, :, 24:], motion[:, :, 24:], atol=1e-5)


def test_a_row_that_does_not_drift_is_untouched_and_the_player_hardly_moves(motion: Array) -> None:
    some = EVERY & (np.arange(ROWS) % 2 == 0)
    found = drifted(motion, rest(), UNTIL, some, DriftConfig(), np.random.default_rng(2))
    np.testing.assert_allclose(found[~some], motion[~some], atol=1e-5)
    moves = joints_of_features(found, rest()) - joints_of_features(motion, rest())
    off = np.linalg.norm(moves, axis=-1)[some].mean(axis=(0, 2, 3))
    assert off[0] < 0.2 * off[1]


def test_a_lean_is_about_the_ground_whichever_way_the_body_faces() -> None:
    pose = Pose(standing_pose(), np.array([0.0, 1.3, 0.0]))
    features = np.broadcast_to(features_from_pose(pose), (ROWS, 2, 30, 135)).astype(np.float32)
    offsets = draw_offsets(ROWS, DriftConfig(), np.random.default_rng(3))
    offsets.joints[:] = 0
    offsets.place[:] = 0
    offsets.joints[:, 1, 0, 0] = np.radians(20)
    bent = moved(features, rest(), offsets, np.ones((ROWS, 2, 30)))
    found = joints_of_features(bent, rest())[0, 1, 0]
    upright = joints_of_features(features, rest())[0, 1, 0]
    shift = (found - upright)[:, [0, 2]]
    forward = pose_from_features(features[0, 1, 0]).rotmats[0][:, 2][[0, 2]]
    forward = forward / np.linalg.norm(forward)
    height = upright[:, 1]
    np.testing.assert_allclose(shift @ forward, np.sin(np.radians(20)) * height, atol=0.08)
    assert abs(shift[JOINT["left_foot"]] @ forward) < 0.1 < shift[JOINT["head"]] @ forward
