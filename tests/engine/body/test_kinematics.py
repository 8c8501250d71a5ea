"""Kinematics and skinning against the functions of the `smplx` package, and their laws."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics, skin, turned_about_origin
from engine.body.pose import Pose
from engine.body.rotations import rotmat_from_quat
from engine.body.shape import Body, load_body
from engine.body.skeleton import JOINT_COUNT


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def random_poses(count: int, joints: int, seed: int = 0) -> tuple[Array, Array]:
    """Rotations (count, joints, 3, 3) and transl (count, 3)."""
    rng = np.random.default_rng(seed)
    return rotmat_from_quat(rng.normal(size=(count, joints, 4))), rng.normal(size=(count, 3))


def test_joints_and_vertices_are_those_of_the_smplx_package(body: Body) -> None:
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from smplx.lbs import lbs

    joint_count, vertex_count = body.weights.shape[1], len(body.template)
    rotmats, transl = random_poses(3, joint_count)
    betas = np.random.default_rng(1).normal(size=(3, 10))
    vertices_smplx, joints_smplx = lbs(
        betas=torch.tensor(betas),
        pose=torch.tensor(rotmats),
        v_template=torch.tensor(body.template, dtype=torch.float64)[None],
        shapedirs=torch.tensor(body.shape_directions, dtype=torch.float64),
        posedirs=torch.zeros((joint_count - 1) * 9, vertex_count * 3, dtype=torch.float64),
        J_regressor=torch.tensor(body.joint_regressor, dtype=torch.float64),
        parents=torch.tensor(body.parents),
        lbs_weights=torch.tensor(body.weights, dtype=torch.float64),
        pose2rot=False,
    )
    for i in range(3):
        rest_joints = body.all_rest_joints(betas[i])
        joints, world = forward_kinematics(rest_joints, rotmats[i], transl[i], body.parents)
        vertices = skin(body.rest_vertices(betas[i]), rest_joints, joints, world, body.weights)
        np.testing.assert_allclose(joints, joints_smplx[i].numpy() + transl[i], atol=1e-5)
        np.testing.assert_allclose(vertices, vertices_smplx[i].numpy() + transl[i], atol=1e-5)


def test_the_rest_pose_leaves_every_vertex_where_it_is(body: Body) -> None:
    still = np.broadcast_to(np.eye(3, dtype=np.float32), (JOINT_COUNT, 3, 3))
    betas = np.linspace(-1, 1, 10)
    vertices = body.vertices(Pose(still, np.zeros(3, np.float32)), betas)
    np.testing.assert_allclose(vertices, body.rest_vertices(betas), atol=1e-5)


def test_bones_keep_their_length_in_every_pose(body: Body) -> None:
    rotmats, transl = random_poses(4, JOINT_COUNT)
    rest = body.rest_joints(np.zeros(10))
    joints, _ = forward_kinematics(rest, rotmats, transl)
    parents = list(body.parents[1:JOINT_COUNT])
    lengths = np.linalg.norm(joints[:, 1:] - joints[:, parents], axis=-1)
    rest_lengths = np.linalg.norm(rest[1:] - rest[parents], axis=-1)
    np.testing.assert_allclose(lengths, np.tile(rest_lengths, (4, 1)), atol=1e-6)


def test_turning_a_body_about_the_origin_turns_each_of_its_joints(body: Body) -> None:
    rotmats, transl = random_poses(5, JOINT_COUNT)
    turn = rotmat_from_quat(np.array([0.1, 0.7, -0.2, 0.5]))
    rest = body.rest_joints(np.ones(10))
    joints, _ = forward_kinematics(rest, rotmats, transl)
    root, moved = turned_about_origin(turn, rotmats[:, 0], transl, rest[0])
    turned = np.concatenate([root[:, None], rotmats[:, 1:]], axis=1)
    joints_turned, _ = forward_kinematics(rest, turned, moved)
    np.testing.assert_allclose(joints_turned, joints @ turn.T, atol=1e-9)


def test_a_batch_of_people_and_frames_equals_its_rows(body: Body) -> None:
    rotmats, transl = random_poses(6, JOINT_COUNT)
    betas = np.random.default_rng(2).normal(size=(2, 10))
    rest = body.rest_joints(betas)
    joints, world = forward_kinematics(
        rest[:, None], rotmats.reshape(2, 3, JOINT_COUNT, 3, 3), transl.reshape(2, 3, 3)
    )
    for person, frame in np.ndindex(2, 3):
        row = 3 * person + frame
        alone, turned = forward_kinematics(rest[person], rotmats[row], transl[row])
        np.testing.assert_allclose(joints[person, frame], alone, atol=1e-12)
        np.testing.assert_allclose(world[person, frame], turned, atol=1e-12)
