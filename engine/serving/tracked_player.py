"""The player as clients send it: whole poses, trackers, humanoids or OpenXR joints, to poses.

Knows the wire's messages and the solvers of `body/`; no session and no clock. What is wrong raises
InputError whose `field` is the path of the offending field, as in `pose.trackers[head].position`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from contrapose.v1 import interaction_pb2, types_pb2

from engine.arrays import Array, BoolArray
from engine.body.pose import Pose
from engine.body.shape import Body
from engine.body.skeleton import JOINT_COUNT
from engine.devices.calibration import (
    ROLE_COUNT,
    Axes,
    Calibration,
    Role,
    TrackerSample,
    calibrated_by_size,
    calibrated_by_t_pose,
    uncalibrated,
)
from engine.devices.foreign import (
    HUMAN_BONE_COUNT,
    JointSet,
    from_bd,
    from_unity,
    humanoid_world,
    openxr_sample,
    posed,
)
from engine.devices.trackers import Flags, TrackerState, Tracking, begin, solve
from engine.errors import InputError
from engine.serving import wire

AXES = {
    types_pb2.DEVICE_AXES_UNSPECIFIED: Axes.OPENXR,
    types_pb2.DEVICE_AXES_OPENXR: Axes.OPENXR,
    types_pb2.DEVICE_AXES_UNITY: Axes.UNITY,
    types_pb2.DEVICE_AXES_JOINTS: Axes.JOINTS,
}
JOINT_SETS = {
    types_pb2.OPEN_XR_JOINT_SET_BD: JointSet.BD,
    types_pb2.OPEN_XR_JOINT_SET_FB: JointSet.FB,
    types_pb2.OPEN_XR_JOINT_SET_META: JointSet.META,
}
STATES = {
    Tracking.TRACKED: types_pb2.TRACKING_STATE_TRACKED,
    Tracking.RETURNING: types_pb2.TRACKING_STATE_RETURNING,
    Tracking.BRIDGED: types_pb2.TRACKING_STATE_BRIDGED,
    Tracking.ABSENT: types_pb2.TRACKING_STATE_ABSENT,
}
MOST_FLOOR = 100.0
Seen = Pose | TrackerSample
"""What a message says: a pose, or what one is to be made of."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlayerCalibration:
    """How a client's player is to be understood.

    worn         shape, devices and floor
    humanoid     (22, 3, 3) world rotations of the humanoid's bones in the T pose, our axes
    hips_scale   height of our pelvis over the humanoid's hips, in the T pose
    has_t_pose   whether devices were seen in a T pose
    """

    worn: Calibration
    humanoid: Array
    hips_scale: float = 1.0
    has_t_pose: bool = False


class TrackedPlayer:
    """Turns the messages of one player into poses, in order."""

    def __init__(self, calibration: PlayerCalibration) -> None:
        self._calibration = calibration
        self._state: TrackerState = begin(calibration.worn)
        self._readers: dict[str, Callable[[interaction_pb2.PlayerPose], Seen]] = {
            "body": wire.player_pose_from_wire,
            "trackers": lambda pose: sample_from_wire(pose.trackers, "pose.trackers"),
            "humanoid": self._humanoid,
            "openxr": self._openxr,
        }
        self.flags: Flags = {}
        """How the joints of the newest solved pose were found; empty without trackers."""

    def read(self, pose: interaction_pb2.PlayerPose) -> Seen:
        """A pose, or what one is to be made of; nothing is remembered. Raises InputError."""
        return self._readers[pose.WhichOneof("input") or "body"](pose)

    def pose_at(self, time_s: float, seen: Seen) -> Pose:
        """The pose at a time after all before it."""
        if isinstance(seen, Pose):
            return seen
        self._state, pose, self.flags = solve(self._state, replace(seen, time_s=time_s))
        return pose

    def _humanoid(self, pose: interaction_pb2.PlayerPose) -> Pose:
        field = "pose.humanoid"
        world = humanoid_from_wire(pose.humanoid, field)
        world = world @ np.swapaxes(self._calibration.humanoid, -1, -2)
        hips = wire.position_from_wire(pose.humanoid.hips_position, f"{field}.hips_position")
        pelvis, floor = from_unity(hips), self._calibration.worn.floor
        pelvis[1] = floor + self._calibration.hips_scale * (pelvis[1] - floor)
        return posed(self._calibration.worn, world, pelvis)

    def _openxr(self, pose: interaction_pb2.PlayerPose) -> Seen:
        joint_set, positions, rotmats, is_valid = joints_from_wire(pose.openxr, "pose.openxr")
        worn = self._calibration.worn
        if joint_set is JointSet.BD and is_valid[:JOINT_COUNT].all():
            return posed(worn, rotmats[:JOINT_COUNT], positions[0])
        sample = openxr_sample(joint_set, positions, rotmats, is_valid, 0.0)
        if joint_set is JointSet.BD:
            return worn.worn_on(sample)
        if not self._calibration.has_t_pose:
            raise InputError.at(
                "pose.openxr.joint_set",
                f"{joint_set.name} needs header.calibration.t_pose with "
                "the same joints; its rest pose is not ours",
                "NOT_CALIBRATED",
            )
        return sample


# ----------------------------------------------------------------------------------------- messages
def sample_from_wire(trackers: types_pb2.TrackerSet, field: str) -> TrackerSample:
    """All devices; those that are missing have confidence 0. Time is the caller's."""
    sample = TrackerSample(
        time_s=0.0,
        positions=np.zeros((ROLE_COUNT, 3)),
        rotmats=np.repeat(np.eye(3)[None], ROLE_COUNT, axis=0),
        confidence=np.zeros(ROLE_COUNT),
    )
    seen: set[int] = set()
    for index, tracker in enumerate(trackers.trackers):
        if not 1 <= tracker.role <= ROLE_COUNT or tracker.role in seen:
            problem = "twice" if tracker.role in seen else "no role of TrackerRole"
            raise InputError.at(
                f"{field}.trackers[{index}].role",
                f"{tracker.role} is {problem}; each device has its own",
                "BAD_POSE",
            )
        seen.add(tracker.role)
        role = Role(tracker.role - 1)
        path = f"{field}.trackers[{role.name.lower()}]"
        confidence = tracker.confidence if tracker.HasField("confidence") else 1.0
        if not 0 <= confidence <= 1:
            raise InputError.at(f"{path}.confidence", f"{confidence}, expected 0 to 1", "BAD_POSE")
        if confidence > 0:
            sample.positions[role] = wire.position_from_wire(tracker.position, f"{path}.position")
            sample.rotmats[role] = wire.rotmat_from_wire(tracker.rotation, f"{path}.rotation")
            sample.confidence[role] = confidence
    return sample


def humanoid_from_wire(humanoid: types_pb2.HumanoidPose, field: str) -> Array:
    """World rotations (22, 3, 3) of a humanoid, in our axes."""
    if humanoid.space not in (types_pb2.HUMANOID_SPACE_WORLD, types_pb2.HUMANOID_SPACE_LOCAL):
        raise InputError.at(
            f"{field}.space", f"{humanoid.space}, expected WORLD or LOCAL", "MISSING"
        )
    count = len(humanoid.bones)
    if len(humanoid.rotations) != 4 * count:
        raise InputError.at(
            f"{field}.rotations",
            f"{len(humanoid.rotations)} numbers for {count} bones, expected {4 * count}",
            "BAD_SHAPE",
        )
    bones: dict[int, Array] = {}
    for index, bone in enumerate(humanoid.bones):
        if bone >= HUMAN_BONE_COUNT or bone in bones:
            problem = "twice" if bone in bones else "no HumanBodyBones"
            raise InputError.at(f"{field}.bones[{index}]", f"{bone} is {problem}", "BAD_POSE")
        values = humanoid.rotations[4 * index : 4 * index + 4]
        bones[bone] = wire.rotmat_from_wire(values, f"{field}.rotations[{index}]")
    is_local = humanoid.space == types_pb2.HUMANOID_SPACE_LOCAL
    try:
        return humanoid_world(bones, is_local=is_local)
    except InputError as error:
        raise InputError.at(f"{field}.bones", f"{error}", "MISSING") from error


def joints_from_wire(
    message: types_pb2.OpenXrBody, field: str
) -> tuple[JointSet, Array, Array, BoolArray]:
    """Joint set, positions (n, 3), rotations (n, 3, 3; BD's in our axes), which are valid (n,)."""
    joint_set = JOINT_SETS.get(message.joint_set)
    if joint_set is None:
        raise InputError.at(
            f"{field}.joint_set", f"{message.joint_set}, expected BD, FB or META", "MISSING"
        )
    count = joint_set.count
    for name, width in (("positions", 3), ("rotations", 4), ("is_valid", 1)):
        found = len(getattr(message, name))
        if found != count * width and not (name == "is_valid" and found == 0):
            raise InputError.at(
                f"{field}.{name}",
                f"{found} values, expected {width} for each of {count} joints",
                "BAD_SHAPE",
            )
    is_valid = np.array(message.is_valid or [True] * count, bool)
    positions = np.zeros((count, 3))
    rotmats: Array = np.repeat(np.eye(3)[None], count, axis=0)
    used = range(JOINT_COUNT) if joint_set is JointSet.BD else joint_set.roles.values()
    for joint in used:
        if is_valid[joint]:
            place, turn = (3 * joint, 3 * joint + 3), (4 * joint, 4 * joint + 4)
            positions[joint] = wire.position_from_wire(
                message.positions[slice(*place)], f"{field}.positions[{joint}]"
            )
            rotmats[joint] = wire.rotmat_from_wire(
                message.rotations[slice(*turn)], f"{field}.rotations[{joint}]"
            )
    if joint_set is JointSet.BD:
        rotmats = from_bd(rotmats)
    return joint_set, positions, rotmats, is_valid


def calibration_from_wire(header: interaction_pb2.SessionHeader, body: Body) -> PlayerCalibration:
    """The player's calibration; raises InputError or ConfigError that names the field."""
    message, field = header.calibration, "header.calibration"
    if message.axes not in AXES:
        raise InputError.at(f"{field}.axes", f"{message.axes} is unknown")
    axes, floor = AXES[message.axes], float(message.floor_height)
    if not abs(floor) <= MOST_FLOOR:
        raise InputError.at(f"{field}.floor_height", f"{floor} m, expected within {MOST_FLOOR:g}")
    betas = wire.betas_from_wire(header.player_betas, "header.player_betas")
    still = np.repeat(np.eye(3)[None], JOINT_COUNT, axis=0)
    known = PlayerCalibration(
        worn=uncalibrated(body, betas, axes=axes, floor=floor), humanoid=still
    )
    how = message.WhichOneof("how")
    if how == "t_pose" and message.t_pose.WhichOneof("input") == "humanoid":
        path = f"{field}.t_pose.humanoid"
        rest = humanoid_from_wire(message.t_pose.humanoid, path)
        hips = wire.position_from_wire(
            message.t_pose.humanoid.hips_position, f"{path}.hips_position"
        )
        ours = known.worn.rest_joints[0, 1] - known.worn.sole
        scale = float(ours / np.clip(hips[1] - floor, 0.5 * ours, 2 * ours))
        return replace(known, humanoid=rest, hips_scale=scale)
    if how is None:
        return known
    if header.player_betas:
        raise InputError.at(
            "header.player_betas", "given beside a calibration, which tells the shape; leave it out"
        )
    try:
        if how == "size":
            span = message.size.arm_span if message.size.HasField("arm_span") else None
            worn = calibrated_by_size(body, message.size.height, span, axes=axes, floor=floor)
            return replace(known, worn=worn)
        height = message.t_pose.height if message.t_pose.HasField("height") else None
        sample = _t_pose_sample(message.t_pose, f"{field}.t_pose")
        is_openxr = message.t_pose.HasField("openxr")
        worn = calibrated_by_t_pose(
            body, sample, height=height, axes=Axes.JOINTS if is_openxr else axes, floor=floor
        )
        return replace(known, worn=worn, has_t_pose=True)
    except InputError as error:
        if error.field is None or error.field.startswith(field):
            raise
        raise InputError(
            f"{field}.{how}: {error}", field=f"{field}.{how}.{error.field}", reason=error.reason
        ) from error


def _t_pose_sample(t_pose: types_pb2.TPose, field: str) -> TrackerSample:
    kind = t_pose.WhichOneof("input")
    if kind == "trackers":
        return sample_from_wire(t_pose.trackers, f"{field}.trackers")
    if kind == "openxr":
        return openxr_sample(*joints_from_wire(t_pose.openxr, f"{field}.openxr"), 0.0)
    raise InputError.at(
        f"{field}.trackers", "missing; set one of trackers, humanoid, openxr", "MISSING"
    )


def flags_to_wire(flags: Flags) -> list[types_pb2.TrackerStatus]:
    return [
        types_pb2.TrackerStatus(role=role + 1, state=STATES[state])  # type: ignore[arg-type]
        for role, state in flags.items()
    ]
