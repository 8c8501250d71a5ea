"""A standing player stands on the floor, whatever the shape, and one who does not is told."""

from __future__ import annotations

import asyncio
import warnings

import numpy as np
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2
from contrapose_client import Interaction, standing
from contrapose_client.standing import lowest_joint
from hypothesis import given
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.rotations import rotmat_from_quat
from engine.body.shape import load_body
from engine.motion.floor import floor_height
from engine.motion.standing import facing
from engine.serving.wire import skeleton_to_wire
from tests.clients.test_interaction import ScriptedStream
from tests.data.make_contract import current_contract
from tests.proto.limits import comments

BODY = load_body()
AVERAGE = np.zeros(10, np.float32)
shapes = st.lists(st.floats(-3, 3), min_size=10, max_size=10)


def skeleton(betas: Array = AVERAGE) -> types_pb2.Skeleton:
    return skeleton_to_wire(BODY.rest_joints(betas), betas)


def test_the_average_player_stands_on_the_floor() -> None:
    quats, transl = standing()
    pose = Pose(rotmat_from_quat(quats), transl)
    assert floor_height(pose, BODY.rest_joints(AVERAGE)) == pytest.approx(0, abs=1e-3)


@given(betas=shapes, heading=st.floats(-3, 3), x=st.floats(-9, 9), z=st.floats(-9, 9))
def test_any_player_stands_on_the_floor_there_and_looks_there(
    betas: list[float], heading: float, x: float, z: float
) -> None:
    rest = BODY.rest_joints(np.array(betas, np.float32))
    quats, transl = standing(skeleton(np.array(betas)), at=(x, z), heading=heading)
    pose = Pose(rotmat_from_quat(quats), transl)
    joints, _ = pose.in_world(rest)
    assert floor_height(pose, rest) == pytest.approx(0, abs=1e-3)
    np.testing.assert_allclose(joints[0, [0, 2]], [x, z], atol=1e-3)
    np.testing.assert_allclose(facing(joints), [np.sin(heading), 0, np.cos(heading)], atol=0.02)


@given(seed=st.integers(0, 99))
def test_the_lowest_joint_is_that_of_the_engine(seed: int) -> None:
    quats = np.random.default_rng(seed).normal(size=(22, 4))
    quats /= np.linalg.norm(quats, axis=-1, keepdims=True)
    joints, _ = Pose(rotmat_from_quat(quats), np.ones(3)).in_world(BODY.rest_joints(AVERAGE))
    assert lowest_joint(skeleton(), quats, np.ones(3)) == pytest.approx(joints[:, 1].min())


def test_the_contract_says_how_high_a_standing_body_is() -> None:
    files = current_contract(with_comments=True).file
    comment = next(c for f in files for m, d, c in comments(f) if d.name == "root_translation")
    _, transl = standing()
    pelvis = BODY.rest_joints(AVERAGE)[0, 1]
    assert f"pelvis at y = {pelvis:.2f} and its soles at y = {-transl[1]:.2f}" in comment
    assert f"(x, {transl[1]:.2f}, z)" in comment


def warned(*poses: tuple[Array, Array]) -> list[str]:
    """What a session says to these poses."""

    async def run() -> None:
        accepted = pb.SessionAccepted(frame_rate=10, player_skeleton=skeleton())
        stream = ScriptedStream([pb.StreamInteractionResponse(accepted=accepted)])
        async with Interaction(stream, pb.SessionHeader(), "nowhere:1") as session:
            for pose in poses:
                await session.send_pose(*pose)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(run())
    return [str(warning.message) for warning in caught]


def test_a_first_pose_far_from_the_floor_is_told_once() -> None:
    quats, transl = standing()
    (text,) = warned((quats, 0 * transl), (quats, 0 * transl))
    assert "1.28 m under the floor" in text
    assert "standing()" in text


def test_a_player_who_stands_or_jumps_later_hears_nothing() -> None:
    quats, transl = standing()
    assert warned((quats, transl), (quats, transl + np.float32([0, 0.8, 0]))) == []
