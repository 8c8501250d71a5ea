"""The player as clients send him: every kind of input gives his pose, and wrong ones are named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from contrapose.v1 import interaction_pb2 as pb
from contrapose.v1 import types_pb2
from contrapose_client.devices import Device, calibrate, humanoid_pose, tracker_set
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.rotations import geodesic_angle, quat_from_rotmat, rotmat_about, rotmat_from_quat
from engine.body.shape import load_body
from engine.body.skeleton import JOINT, PARENTS
from engine.devices.calibration import ROLE_JOINTS, Role
from engine.devices.foreign import HUMAN_BONES, rotmats_from_unity
from engine.devices.trackers import Tracking
from engine.errors import ContraposeError, InputError
from engine.motion.standing import standing_pose
from engine.serving.tracked_player import TrackedPlayer, calibration_from_wire

BODY = load_body()
REST = BODY.rest_joints(np.zeros(10)).astype(np.float64)
ROLES = [role.name.lower() for role in Role]


def player(calibration: types_pb2.Calibration | None = None) -> TrackedPlayer:
    return TrackedPlayer(calibration_from_wire(pb.SessionHeader(calibration=calibration), BODY))


def some_pose(seed: int = 0) -> Pose:
    """Near to standing, well within limits, feet over the floor."""
    rng = np.random.default_rng(seed)
    small = rotmat_from_quat(rng.normal([0, 0, 0, 1], 0.05, (22, 4)))
    return Pose(standing_pose() @ small, np.array([0.5, 1.6, 1.0]))


def devices(pose: Pose, count: int = 6) -> dict[str, Device]:
    joints, world = pose.in_world(REST)
    quats = quat_from_rotmat(world)
    return {
        name: Device(joints[joint], quats[joint])
        for name, joint in list(zip(ROLES, ROLE_JOINTS, strict=True))[:count]
    }


def t_pose() -> dict[str, Device]:
    sole = float(BODY.rest_vertices(np.zeros(10))[:, 1].min())
    return devices(Pose(np.repeat(np.eye(3)[None], 22, axis=0), np.array([0.0, -sole, 0.0])))


def made(who: TrackedPlayer, pose: pb.PlayerPose, time_s: float = 0.0) -> Pose:
    return who.pose_at(time_s, who.read(pose))


def test_trackers_give_a_pose_whose_joints_are_where_the_devices_are() -> None:
    who = player(calibrate(axes="joints"))
    true = Pose(standing_pose(), np.array([0.5, 1.3026, 1.0]))
    pose = made(who, pb.PlayerPose(trackers=tracker_set(devices(true))))
    joints, _ = pose.in_world(REST)
    truth, _ = true.in_world(REST)
    assert np.linalg.norm(joints - truth, axis=-1)[ROLE_JOINTS].max() < 0.02
    assert set(who.flags.values()) == {Tracking.TRACKED}


def test_a_device_that_is_not_sent_any_more_is_flagged() -> None:
    who = player(calibrate(axes="joints"))
    worn = devices(Pose(standing_pose(), np.array([0.0, 1.3026, 0.0])))
    made(who, pb.PlayerPose(trackers=tracker_set(worn)), 0.0)
    del worn["left_hand"]
    made(who, pb.PlayerPose(trackers=tracker_set(worn)), 0.1)
    assert who.flags[Role.LEFT_HAND] is Tracking.BRIDGED
    assert who.flags[Role.RIGHT_HAND] is Tracking.TRACKED


@pytest.mark.parametrize("is_local", [False, True])
@given(st.integers(0, 99))
@settings(max_examples=5)
def test_a_humanoid_comes_out_as_it_was_posed_in_unity(is_local: bool, seed: int) -> None:
    """Bones with rest rotations of their own, in Unity's axes, against the T pose they had."""
    rng = np.random.default_rng(seed)
    pose = some_pose(seed)
    joints, world = pose.in_world(REST)
    rest = rotmat_from_quat(rng.standard_normal((22, 4)))

    def bones(turns: Array) -> dict[int, Array]:
        if is_local:
            up = turns[list(PARENTS[1:])]
            turns = np.concatenate([turns[:1], np.swapaxes(up, -1, -2) @ turns[1:]])
        quats = quat_from_rotmat(rotmats_from_unity(turns))
        return {HUMAN_BONES[name]: quats[joint] for name, joint in JOINT.items()}

    mirrored = np.array([-1.0, 1.0, 1.0])
    sole = float(BODY.rest_vertices(np.zeros(10))[:, 1].min())
    calibration = calibrate(
        humanoid_pose(bones(rest), (REST[0] - [0, sole, 0]) * mirrored, is_local=is_local)
    )
    message = humanoid_pose(bones(world @ rest), joints[0] * mirrored, is_local=is_local)
    found = made(player(calibration), pb.PlayerPose(humanoid=message))
    assert geodesic_angle(found.rotmats, pose.rotmats).max() < 1e-3
    np.testing.assert_allclose(found.transl, pose.transl, atol=1e-4)


def test_a_humanoid_without_its_optional_bones_turns_them_with_their_parents() -> None:
    pose = Pose(standing_pose(), np.zeros(3))
    _, world = pose.in_world(REST)
    quats = quat_from_rotmat(rotmats_from_unity(world))
    bones = {HUMAN_BONES[n]: quats[j] for n, j in JOINT.items() if "foot" not in n and n != "neck"}
    message = humanoid_pose(bones, np.array([0.0, 1.0, 0.0]), is_local=False)
    found = made(player(), pb.PlayerPose(humanoid=message))
    assert geodesic_angle(found.rotmats, pose.rotmats).max() < 1e-3


def openxr_bd(pose: Pose) -> types_pb2.OpenXrBody:
    joints, world = pose.in_world(REST)
    hands = [JOINT["left_wrist"], JOINT["right_wrist"]]
    quats = quat_from_rotmat(world @ rotmat_about("y", np.pi))
    return types_pb2.OpenXrBody(
        joint_set=types_pb2.OPEN_XR_JOINT_SET_BD,
        positions=np.concatenate([joints, joints[hands]]).ravel().tolist(),
        rotations=np.concatenate([quats, quats[hands]]).ravel().tolist(),
    )


def test_openxr_bd_joints_come_out_as_they_are() -> None:
    pose = some_pose(3)
    found = made(player(), pb.PlayerPose(openxr=openxr_bd(pose)))
    assert geodesic_angle(found.rotmats, pose.rotmats).max() < 1e-3
    np.testing.assert_allclose(found.transl, pose.transl, atol=1e-4)


def test_openxr_bd_joints_that_are_lost_are_bridged_by_the_others() -> None:
    true = Pose(standing_pose(), np.array([0.0, 1.3026, 0.0]))
    message = openxr_bd(true)
    message.is_valid[:] = [joint != JOINT["left_elbow"] for joint in range(24)]
    who = player()
    joints, _ = made(who, pb.PlayerPose(openxr=message)).in_world(REST)
    truth, _ = true.in_world(REST)
    assert np.linalg.norm(joints - truth, axis=-1).mean() < 0.03
    assert set(who.flags.values()) == {Tracking.TRACKED}


def openxr_meta(worn: dict[str, Device]) -> types_pb2.OpenXrBody:
    places, turns = np.zeros((84, 3)), np.tile([0.0, 0.0, 0.0, 1.0], (84, 1))
    for name, joint in zip(ROLES, (7, 19, 45, 1, 73, 80), strict=True):
        places[joint], turns[joint] = worn[name].position, worn[name].rotation
    return types_pb2.OpenXrBody(
        joint_set=types_pb2.OPEN_XR_JOINT_SET_META,
        positions=places.ravel().tolist(),
        rotations=turns.ravel().tolist(),
    )


def test_meta_joints_are_taken_as_trackers_once_a_t_pose_told_their_axes() -> None:
    true = Pose(standing_pose(), np.array([0.0, 1.3026, 0.0]))
    message = pb.PlayerPose(openxr=openxr_meta(devices(true)))
    with pytest.raises(InputError, match=r"needs header\.calibration\.t_pose"):
        player().read(message)
    joints, _ = made(player(calibrate(openxr_meta(t_pose()))), message).in_world(REST)
    truth, _ = true.in_world(REST)
    assert np.linalg.norm(joints - truth, axis=-1).mean() < 0.03


def test_the_shape_comes_from_height_and_span_or_from_a_t_pose() -> None:
    tall = calibration_from_wire(
        pb.SessionHeader(calibration=calibrate(height=1.95, arm_span=1.98)), BODY
    ).worn.betas
    assert tall[0] > 1
    seen = calibration_from_wire(
        pb.SessionHeader(calibration=calibrate(t_pose(), axes="joints")), BODY
    ).worn.betas
    np.testing.assert_allclose(seen, 0, atol=0.05)


Change = Callable[[pb.PlayerPose], None]


def with_nan(pose: pb.PlayerPose) -> None:
    pose.trackers.trackers[0].position[1] = float("nan")


def with_two_heads(pose: pb.PlayerPose) -> None:
    pose.trackers.trackers[1].role = types_pb2.TRACKER_ROLE_HEAD


def with_short_rotation(pose: pb.PlayerPose) -> None:
    pose.trackers.trackers[1].rotation[:] = [0, 0, 1]


def with_great_confidence(pose: pb.PlayerPose) -> None:
    pose.trackers.trackers[2].confidence = 1.5


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (with_nan, "pose.trackers.trackers[head].position"),
        (with_two_heads, "pose.trackers.trackers[1].role"),
        (with_short_rotation, "pose.trackers.trackers[left_hand].rotation"),
        (with_great_confidence, "pose.trackers.trackers[right_hand].confidence"),
    ],
)
def test_wrong_trackers_are_refused_by_their_field(change: Change, field: str) -> None:
    pose = pb.PlayerPose(trackers=tracker_set(t_pose()))
    change(pose)
    with pytest.raises(InputError) as refusal:
        player().read(pose)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("pose", "field"),
    [
        (pb.PlayerPose(), "pose.body"),
        (pb.PlayerPose(humanoid={"bones": [0]}), "pose.humanoid.space"),
        (pb.PlayerPose(humanoid={"bones": [0], "space": 1}), "pose.humanoid.rotations"),
        (
            pb.PlayerPose(humanoid={"bones": [0], "rotations": [0, 0, 0, 1], "space": 1}),
            "pose.humanoid.bones",
        ),
        (pb.PlayerPose(openxr={}), "pose.openxr.joint_set"),
        (pb.PlayerPose(openxr={"joint_set": 1}), "pose.openxr.positions"),
    ],
)
def test_incomplete_input_is_refused_by_its_field(pose: pb.PlayerPose, field: str) -> None:
    with pytest.raises(InputError) as refusal:
        player().read(pose)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("header", "field"),
    [
        (
            pb.SessionHeader(calibration=calibrate(height=3.0)),
            "header.calibration.size.height",
        ),
        (
            pb.SessionHeader(calibration=calibrate(height=1.8), player_betas=[0.0] * 10),
            "header.player_betas",
        ),
        (
            pb.SessionHeader(calibration=calibrate(devices(some_pose()))),
            "header.calibration.t_pose.left_hand",
        ),
        (pb.SessionHeader(calibration={"axes": 9}), "header.calibration.axes"),
        (
            pb.SessionHeader(calibration={"floor_height": float("nan")}),
            "header.calibration.floor_height",
        ),
        (pb.SessionHeader(calibration={"t_pose": {}}), "header.calibration.t_pose.trackers"),
    ],
)
def test_a_wrong_calibration_is_refused_by_its_field(header: pb.SessionHeader, field: str) -> None:
    with pytest.raises(ContraposeError) as refusal:
        calibration_from_wire(header, BODY)
    assert refusal.value.field == field
