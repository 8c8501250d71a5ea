"""A body that dances along with another: the image of what that one does, over feet of its own."""

from __future__ import annotations

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.kinematics import ACROSS, forward_kinematics, mirrored
from engine.body.pose import Pose
from engine.body.rotations import rotmat_about, rotmat_from_axis_angle
from engine.body.shape import load_body
from engine.body.skeleton import JOINT, MIRROR
from engine.motion.company import accompany, companion_of
from engine.motion.dance import (
    FARTHEST,
    MOST_DROP,
    STEADY,
    danced,
    led_hips,
    led_palm,
    path_beside,
    sunk,
)
from engine.motion.standing import standing_pose

REST = load_body().rest_joints(np.zeros(10))
EVEN = 0.5 * (REST + REST[list(MIRROR)] * ACROSS)
"""Of a body that is the same on both sides."""
FRAMES = 40


def moving(seed: int) -> Array:
    """(FRAMES, 22, 3, 3) of a body whose joints all move."""
    axes = np.random.default_rng(seed).normal(0, 0.3, (22, 3))
    swing = np.sin(np.arange(FRAMES) / 3)[:, None, None]
    return np.asarray(standing_pose() @ rotmat_from_axis_angle(swing * axes))


def test_the_left_of_an_image_is_the_right() -> None:
    rotmats = moving(1)
    joints, _ = forward_kinematics(EVEN, rotmats, np.zeros((FRAMES, 3)))
    image, _ = forward_kinematics(EVEN, mirrored(rotmats), np.zeros((FRAMES, 3)))
    np.testing.assert_allclose(image, joints[:, list(MIRROR)] * ACROSS, atol=1e-9)
    np.testing.assert_allclose(mirrored(mirrored(rotmats)), rotmats, atol=1e-12)


def test_who_dances_along_has_the_image_of_the_arms_and_faces_as_before() -> None:
    leader, own = moving(2), np.broadcast_to(standing_pose(), (FRAMES, 22, 3, 3)).copy()
    own[:, 0] = rotmat_about("y", np.full(FRAMES, 2.0)) @ own[:, 0]
    along = danced(own, leader, np.ones(FRAMES))
    arms = [JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("shoulder", "elbow")]
    np.testing.assert_allclose(along[:, arms], mirrored(leader)[:, arms], atol=1e-9)
    faces = np.arctan2(along[:, 0, 0, 2], along[:, 0, 2, 2])
    np.testing.assert_allclose(faces, 2.0, atol=1e-9)
    np.testing.assert_allclose(danced(own, leader, np.zeros(FRAMES)), own, atol=1e-12)


def test_who_dances_along_sinks_as_the_leader_does_and_no_further_than_is_well() -> None:
    standing = np.broadcast_to(standing_pose(), (3, 22, 3, 3)).copy()
    knees = np.array([0.0, 0.6, 2.4])
    for side in ("left", "right"):
        standing[:, JOINT[f"{side}_hip"]] = rotmat_about("x", -knees)
        standing[:, JOINT[f"{side}_knee"]] = rotmat_about("x", 2 * knees)
    leader = Pose(standing, np.zeros((3, 3)))
    upright, bent, squat = sunk(leader, REST, REST)
    assert upright < 0.01
    assert 0.1 < bent < 0.2
    assert squat == MOST_DROP


@pytest.mark.parametrize("bearing", [0.0, 1.0, -2.5])
def test_hips_go_to_the_side_with_the_leader_and_keep_their_distance(bearing: float) -> None:
    away = np.array([np.sin(bearing), np.cos(bearing)])
    side = np.array([away[1], -away[0]])
    count = FRAMES + STEADY
    sway, nod = 0.1 * np.sin(np.arange(count) / 3), 0.05 * np.cos(np.arange(count) * 2.4)
    leader = sway[:, None] * side + nod[:, None] * away
    path = path_beside(leader, bearing, 5.0)
    np.testing.assert_allclose(path @ side, sway[STEADY:], atol=1e-9)
    assert np.abs(path @ away - FARTHEST).max() < 0.02


def swaying(size: float) -> tuple[Array, Array]:
    """x, z that hips are led to, and where their feet have been, frame by frame."""
    pose = Pose(standing_pose(), np.zeros(3))
    path = np.column_stack([size * np.sin(np.arange(FRAMES) * 0.3), np.zeros(FRAMES)])
    other = np.tile([0.0, 1.4, np.pi], (FRAMES, 1))
    course = accompany(companion_of(pose, pose, REST, 0.0), other, REST, led=path + REST[0, [0, 2]])
    return course.hips[:, :2] - REST[0, [0, 2]] - path, course.places


def test_hips_are_where_they_are_led_over_feet_that_stay_for_a_sway() -> None:
    off, feet = swaying(0.06)
    assert np.abs(off[15:]).max() < 0.02
    assert np.abs(feet[..., :2] - feet[0, :, :2]).max() < 1e-6


def test_feet_step_under_hips_that_are_led_farther() -> None:
    off, feet = swaying(0.35)
    assert np.abs(off[15:]).max() < 0.06
    assert np.ptp(feet[..., 0], axis=0).min() > 0.2


def test_who_dances_first_keeps_a_beat_with_hands_by_turns() -> None:
    since = np.arange(200)
    hips = led_hips(since)
    assert hips[:, 0].max() > 0.04
    assert hips[:, 0].min() < -0.04
    assert hips[:, 1].max() <= 0
    low = since % 90 > 50  # where both are not raised
    left, right = (led_palm(side, since)[low, 1] for side in (0, 1))
    assert np.corrcoef(left, right)[0, 1] < 0.5
    assert max(led_palm(0, since)[:, 1]) > 0.0
