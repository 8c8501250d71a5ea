"""The wire: what goes out comes back, and what is wrong is refused with the path of its field."""

from __future__ import annotations

import math

import numpy as np
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2
from hypothesis import given
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.rotations import geodesic_angle, rotmat_from_quat
from engine.body.skeleton import JOINT, JOINT_NAMES, PARENTS
from engine.errors import ConfigError, ContraposeError, InputError, SessionError
from engine.serving import wire
from engine.session.config import SessionConfig


def still_body() -> types_pb2.BodyPose:
    return types_pb2.BodyPose(root_translation=[0, 1, 0], rotations=[0, 0, 0, 1] * 22)


def player_pose(sequence: int = 1, time_code: float = 0.0) -> pb.PlayerPose:
    return pb.PlayerPose(sequence=sequence, time_code=time_code, body=still_body())


def refused_field(pose: pb.PlayerPose, previous: pb.PlayerPose | None = None) -> str | None:
    """The field that a pose is refused for."""

    def read() -> None:
        wire.check_follows(previous, pose)
        wire.player_pose_from_wire(pose)

    with pytest.raises(ContraposeError) as refusal:
        read()
    assert refusal.value.field is not None
    assert refusal.value.field.split("[")[0] in str(refusal.value)
    return refusal.value.field


@given(st.integers(0, 2**32 - 1))
def test_a_pose_survives_the_wire(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rotmats = rotmat_from_quat(rng.standard_normal((22, 4)))
    transl = rng.uniform(-10, 10, 3).astype(np.float32)
    back = wire.pose_from_wire(wire.pose_to_wire(Pose(rotmats, transl)), "pose")
    assert geodesic_angle(rotmats, back.rotmats.astype(np.float64)).max() < 1e-3
    np.testing.assert_array_equal(back.transl, transl)


@pytest.mark.parametrize("curls", [[], [0.0] * 10, [1.0] * 10])
def test_a_pose_may_say_how_its_fingers_are_bent(curls: list[float]) -> None:
    pose = player_pose()
    pose.body.curls.extend(curls)
    wire.player_pose_from_wire(pose)


@pytest.mark.parametrize(
    "curls",
    [[0.5] * 9, [0.5] * 11, [*[0.5] * 9, 1.01], [*[0.5] * 9, -0.01], [*[0.5] * 9, math.nan]],
)
def test_curls_that_are_not_five_a_hand_in_their_range_are_refused(curls: list[float]) -> None:
    pose = player_pose()
    pose.body.curls.extend(curls)
    assert refused_field(pose) == "pose.body.curls"


def test_the_curls_of_each_pose_stand_beside_it() -> None:
    poses = Pose(np.tile(np.eye(3), (2, 3, 22, 1, 1)), np.zeros((2, 3, 3)))
    curls = np.linspace(0, 1, 60).reshape(2, 3, 10)
    told = np.array([body.curls for body in wire.poses_to_wire(poses, curls)])
    np.testing.assert_allclose(told, curls.reshape(6, 10), atol=1e-7)
    assert not any(body.curls for body in wire.poses_to_wire(poses))


@given(st.floats(0.9, 1.1))
def test_a_quaternion_of_nearly_unit_length_is_made_unit(length: float) -> None:
    pose = player_pose()
    pose.body.rotations[3] = float(np.float32(np.clip(length, 0.901, 1.099)))
    root = wire.player_pose_from_wire(pose).rotmats[0]
    np.testing.assert_allclose(root, np.eye(3), atol=1e-6)


@pytest.mark.parametrize("length", [0.0, 0.2, 0.89, 1.11, 5.0])
def test_any_other_quaternion_is_refused_by_the_name_of_its_joint(length: float) -> None:
    pose = player_pose()
    pose.body.rotations[4 * JOINT["left_knee"] + 3] = length
    assert refused_field(pose) == "pose.body.rotations[left_knee]"


@given(st.sampled_from(JOINT_NAMES), st.sampled_from([math.nan, math.inf, -math.inf]))
def test_a_rotation_that_is_not_finite_is_refused_by_the_name_of_its_joint(
    joint: str, value: float
) -> None:
    pose = player_pose()
    pose.body.rotations[4 * JOINT[joint]] = value
    assert refused_field(pose) == f"pose.body.rotations[{joint}]"


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e6])
def test_a_translation_that_is_not_finite_or_far_away_is_refused(value: float) -> None:
    pose = player_pose()
    pose.body.root_translation[1] = value
    assert refused_field(pose) == "pose.body.root_translation"


def test_a_wrong_number_of_joints_is_refused() -> None:
    pose = player_pose()
    del pose.body.rotations[-4:]
    assert refused_field(pose) == "pose.body.rotations"


def test_a_pose_without_a_body_is_refused() -> None:
    assert refused_field(pb.PlayerPose(sequence=1)) == "pose.body"


def test_numbers_and_times_of_poses_must_grow() -> None:
    before = player_pose(sequence=5, time_code=0.5)
    wire.check_follows(before, player_pose(sequence=7, time_code=0.7))
    assert refused_field(player_pose(sequence=5, time_code=0.6), before) == "pose.sequence"
    assert refused_field(player_pose(sequence=4, time_code=0.6), before) == "pose.sequence"
    assert refused_field(player_pose(sequence=6, time_code=0.5), before) == "pose.time_code"
    assert refused_field(player_pose(sequence=6, time_code=math.nan), before) == "pose.time_code"
    assert refused_field(player_pose(sequence=0)) == "pose.sequence"


def test_betas_are_none_or_ten_and_within_five_standard_deviations() -> None:
    np.testing.assert_array_equal(wire.betas_from_wire([], "betas"), np.zeros(10))
    np.testing.assert_array_equal(wire.betas_from_wire([1.0] * 10, "betas"), np.ones(10))
    for wrong in ([1.0] * 9, [9.0] * 10, [math.nan] * 10):
        with pytest.raises(InputError) as refusal:
            wire.betas_from_wire(wrong, "header.player_betas")
        assert refusal.value.field == "header.player_betas"


@pytest.mark.parametrize("steps", [0, 51, 2**31])
def test_step_counts_outside_one_to_fifty_are_refused(steps: int) -> None:
    with pytest.raises(ConfigError) as refusal:
        wire.steps_from_wire(steps, "header.steps")
    assert refusal.value.field == "header.steps"


def test_a_text_of_100_kb_is_refused_without_repeating_it() -> None:
    with pytest.raises(InputError) as refusal:
        wire.text_from_wire("x" * 100_000, "header.text")
    assert refusal.value.field == "header.text"
    assert len(str(refusal.value)) < 200


def test_the_header_comes_first_and_once() -> None:
    header = pb.StreamInteractionRequest(header=pb.SessionHeader(client_name="game"))
    assert wire.header_from_wire(header).client_name == "game"
    for first in (pb.StreamInteractionRequest(), pb.StreamInteractionRequest(pose=player_pose())):
        with pytest.raises(SessionError) as refusal:
            wire.header_from_wire(first)
        assert refusal.value.reason == "HEADER_REQUIRED"
    with pytest.raises(SessionError) as refusal:
        wire.part_from_wire(header)
    assert refusal.value.reason == "HEADER_REPEATED"


def test_an_empty_message_is_refused() -> None:
    with pytest.raises(InputError):
        wire.part_from_wire(pb.StreamInteractionRequest())


def test_a_pair_needs_both_people() -> None:
    person = types_pb2.Person(pose=still_body())
    both = wire.pair_from_wire(types_pb2.Pair(player=person, partner=person), "pair")
    assert (both.pose.rotmats.shape, both.pose.transl.shape) == ((2, 22, 3, 3), (2, 3))
    assert both.betas.shape == (2, 10)
    with pytest.raises(InputError) as refusal:
        wire.pair_from_wire(types_pb2.Pair(player=person), "pair")
    assert refusal.value.field == "pair.partner"


def test_a_skeleton_can_be_put_together_again_from_its_offsets() -> None:
    rest_joints: Array = np.random.default_rng(0).standard_normal((22, 3)).astype(np.float32)
    skeleton = wire.skeleton_to_wire(rest_joints, np.zeros(10))
    joints = np.array(skeleton.rest_offsets).reshape(22, 3)
    for joint, parent in enumerate(skeleton.parent_indices):
        if parent >= 0:
            joints[joint] += joints[parent]
    np.testing.assert_allclose(joints, rest_joints, atol=1e-5)
    assert tuple(skeleton.joint_names) == JOINT_NAMES
    assert tuple(skeleton.parent_indices) == PARENTS


def test_a_header_changes_only_what_it_names() -> None:
    default = SessionConfig(steps=10)
    assert wire.session_config(pb.SessionHeader(), default) == default
    changed = wire.session_config(pb.SessionHeader(steps=5, horizon_frames=12), default)
    assert (changed.steps, changed.horizon_frames) == (5, 12)
    assert changed.commit_frames == default.commit_frames


@pytest.mark.parametrize("name", ["steps", "horizon_frames", "commit_frames"])
def test_a_setting_of_zero_is_refused_by_its_field(name: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        wire.session_config(pb.SessionHeader(**{name: 0}), SessionConfig())
    assert refusal.value.field == f"header.{name}"


def test_a_control_that_names_no_setting_leaves_them_as_they_are() -> None:
    config = SessionConfig(steps=10)
    assert wire.changed_config(config, pb.SessionControl(text="hug", energy=1.2)) is config
    assert wire.changed_config(config, pb.SessionControl(zone_radius=0.5)).zone_radius == 0.5
    with pytest.raises(ConfigError) as refusal:
        wire.changed_config(config, pb.SessionControl(zone_radius=-1))
    assert refusal.value.field == "control.zone_radius"
