"""Laws of drawing two people out of each other."""

from __future__ import annotations

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.capsules import fitted_capsules, near_pairs
from engine.body.pose import Pose
from engine.body.rotations import rotmat_about
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.body.skins import Skins
from engine.motion.parting import GIVE, MOST, STEP, parted

FRAMES = 30


SKINS = Skins(body=load_body(), betas=np.zeros((1, 2, 10)))


@pytest.fixture(scope="module")
def rest_joints() -> Array:
    return load_body().rest_joints(SKINS.betas[0])


def two_facing(metres: float) -> Pose:
    """Two people with hanging arms who face each other, feet beside feet."""
    rotmats = np.broadcast_to(np.eye(3), (2, FRAMES, 22, 3, 3)).copy()
    rotmats[:, :, JOINT["left_shoulder"]] = rotmat_about("z", np.float64(-1.2))
    rotmats[:, :, JOINT["right_shoulder"]] = rotmat_about("z", np.float64(1.2))
    rotmats[1, :, 0] = rotmat_about("y", np.float64(np.pi))
    transl = np.zeros((2, FRAMES, 3))
    transl[1, :] = 0.09, 0, metres
    return Pose(rotmats, transl)


def deepest(pose: Pose, rest_joints: Array) -> Array:
    """(frame,) metres."""
    both = [fitted_capsules(SKINS.body, betas) for betas in SKINS.betas[0]]
    posed = [both[person].posed(*pose[person].in_world(rest_joints[person])) for person in (0, 1)]
    pairs = near_pairs(posed[0], both[0].radii, posed[1], both[1].radii, 0)
    result = np.zeros(FRAMES)
    np.maximum.at(result, pairs.frames, -pairs.gaps)
    return result


def test_people_who_are_apart_stay_where_they_are(rest_joints: Array) -> None:
    pose = two_facing(1.5)
    given = np.zeros((2, FRAMES), np.bool_)
    np.testing.assert_array_equal(
        parted(pose.transl, pose.in_world(rest_joints[:, None]), given, SKINS), pose.transl
    )


def test_who_is_in_the_other_comes_out(rest_joints: Array) -> None:
    pose = two_facing(0.19)
    before = deepest(pose, rest_joints)
    assert before.min() > 0.02
    given = np.zeros((2, FRAMES), np.bool_)
    result = parted(pose.transl, pose.in_world(rest_joints[:, None]), given, SKINS)
    assert deepest(Pose(pose.rotmats, result), rest_joints).max() < GIVE + 0.005
    np.testing.assert_allclose(result.sum(axis=0), pose.transl.sum(axis=0), atol=1e-12)
    np.testing.assert_array_equal(result[..., 1], pose.transl[..., 1])


def test_given_poses_stay_and_the_way_is_gradual(rest_joints: Array) -> None:
    pose = two_facing(0.19)
    transl = pose.transl
    given = np.zeros((2, FRAMES), np.bool_)
    given[0] = True
    given[1, 10] = True
    result = parted(pose.transl, pose.in_world(rest_joints[:, None]), given, SKINS)
    np.testing.assert_array_equal(result[0], transl[0])
    np.testing.assert_array_equal(result[1, 10], transl[1, 10])
    moved = np.linalg.norm(result[1] - transl[1], axis=-1)
    assert 0 < moved.max() <= MOST
    assert np.abs(np.diff(moved)).max() <= STEP + 1e-9
