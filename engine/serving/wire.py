"""The wire: protobuf messages to arrays and settings, and back, with every check on what is sent.

Knows messages, arrays and settings; no service, no session, no socket. Whatever is wrong raises
InputError, ConfigError or SessionError whose `field` is the path of the offending field, as in
`pose.body.rotations[left_knee]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from contrapose.v1 import interaction_pb2, types_pb2
from google.protobuf.message import Message

from engine.arrays import Array, BoolArray
from engine.body.fingers import CURLS
from engine.body.pose import Pose, stacked
from engine.body.rotations import quat_from_rotmat, rotmat_from_quat
from engine.body.shape import SHAPE_COUNT
from engine.body.skeleton import JOINT_COUNT, JOINT_NAMES, PARENTS
from engine.body.vectors import lengths
from engine.errors import ConfigError, InputError, SessionError
from engine.sampling.generation import People
from engine.sampling.text import TEXT_CHARACTERS
from engine.serving.intent_wire import Settings, respond_from_wire
from engine.session.config import SessionConfig

MAX_BETA = 5.0
MAX_NAME_CHARACTERS = 64
MAX_DISTANCE = 1000.0
"""Metres from the origin. Farther out float32 is too coarse for contact."""
MIN_STEPS, MAX_STEPS = 1, 50
MIN_QUAT_LENGTH, MAX_QUAT_LENGTH = 0.9, 1.1


def pose_from_wire(body: types_pb2.BodyPose, field: str) -> Pose:
    """One pose, float32; `field` is the body's path."""
    quats = _floats(
        body.rotations, 4 * JOINT_COUNT, f"{field}.rotations", "22 quaternions x, y, z, w"
    )
    quats = quats.reshape(JOINT_COUNT, 4)
    for joint in np.flatnonzero(~_is_unit(quats)):
        _check_quat(quats[joint], f"{field}.rotations[{JOINT_NAMES[joint]}]")
    transl = position_from_wire(body.root_translation, f"{field}.root_translation")
    check_curls(body.curls, f"{field}.curls")
    return Pose(rotmat_from_quat(quats).astype(np.float32), transl)


def player_pose_from_wire(pose: interaction_pb2.PlayerPose) -> Pose:
    check_present(pose, "body", "pose.body")
    return pose_from_wire(pose.body, "pose.body")


def check_curls(curls: Sequence[float], field: str) -> None:
    """Raise unless there are none, or one of each finger, in 0..1."""
    if len(curls) == 0:
        return
    values = _floats(curls, CURLS, field, "none, or five a hand, left then right")
    if not np.all((values >= 0) & (values <= 1)):
        raise InputError.at(
            field, f"{values.tolist()} has a value outside 0..1, straight to closed", "BAD_POSE"
        )


def position_from_wire(values: Sequence[float], field: str) -> Array:
    """(3,) metres, near enough to the origin for float32."""
    place = _floats(values, 3, field, "x, y, z in metres")
    _check_finite(place, field)
    if np.abs(place).max() > MAX_DISTANCE:
        raise InputError.at(
            field,
            f"{place.tolist()} is over {MAX_DISTANCE:.0f} m from the origin; send "
            "metres, and move the origin near the player",
            "BAD_POSE",
        )
    return place


def rotmat_from_wire(values: Sequence[float], field: str) -> Array:
    """(3, 3) of one quaternion."""
    quat = _floats(values, 4, field, "a unit quaternion x, y, z, w")
    _check_quat(quat, field)
    return rotmat_from_quat(quat.astype(np.float64))


def check_follows(
    previous: interaction_pb2.PlayerPose | None, pose: interaction_pb2.PlayerPose
) -> None:
    """Raise unless number and time of a streamed pose are sane and grow."""
    if not (np.isfinite(pose.time_code) and pose.time_code >= 0):
        raise InputError.at(
            "pose.time_code",
            f"{pose.time_code}, expected finite seconds since the first pose",
            "BAD_TIME",
        )
    if previous is None:
        if pose.sequence == 0:
            raise InputError.at("pose.sequence", "0 means no pose; number poses from 1", "BAD_TIME")
        return
    for name in ("sequence", "time_code"):
        before, now = getattr(previous, name), getattr(pose, name)
        if now <= before:
            raise InputError.at(
                f"pose.{name}", f"{now} after {before}; it must grow from pose to pose", "BAD_TIME"
            )


def person_from_wire(person: types_pb2.Person, field: str) -> People:
    check_present(person, "pose", f"{field}.pose")
    pose = pose_from_wire(person.pose, f"{field}.pose")
    return People(pose=pose, betas=betas_from_wire(person.betas, f"{field}.betas"))


def pair_from_wire(pair: types_pb2.Pair, field: str) -> People:
    for name in ("player", "partner"):
        check_present(pair, name, f"{field}.{name}")
    player = person_from_wire(pair.player, f"{field}.player")
    partner = person_from_wire(pair.partner, f"{field}.partner")
    return People(
        pose=stacked([player.pose, partner.pose]), betas=np.stack([player.betas, partner.betas])
    )


def betas_from_wire(betas: Sequence[float], field: str) -> Array:
    """(10,); zeros where none were sent."""
    if len(betas) == 0:
        return np.zeros(SHAPE_COUNT, np.float32)
    values = _floats(betas, SHAPE_COUNT, field, "none or one per shape direction")
    _check_finite(values, field)
    if np.abs(values).max() > MAX_BETA:
        raise InputError.at(
            field,
            f"{values.tolist()} has a value outside -{MAX_BETA:g}..{MAX_BETA:g} "
            "standard deviations",
            "BAD_SHAPE",
        )
    return values


def text_from_wire(text: str, field: str) -> str:
    if len(text) > TEXT_CHARACTERS:
        raise InputError.at(
            field,
            f"{len(text)} characters, at most {TEXT_CHARACTERS} are allowed",
            "TEXT_TOO_LONG",
        )
    return text


def name_from_wire(name: str, field: str) -> str:
    """Identifiers go into logs, so they are short and printable."""
    if len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise InputError.at(
            field,
            f"expected at most {MAX_NAME_CHARACTERS} printable characters, found {len(name)}",
            "BAD_NAME",
        )
    return name


def count_from_wire(count: int, low: int, high: int, field: str) -> int:
    """A setting that must lie in low..high."""
    if not low <= count <= high:
        raise ConfigError.at(field, f"{count}, expected {low} to {high}")
    return count


def steps_from_wire(steps: int, field: str) -> int:
    return count_from_wire(steps, MIN_STEPS, MAX_STEPS, field)


def session_config(header: interaction_pb2.SessionHeader, default: SessionConfig) -> SessionConfig:
    """The server's settings with those of a header in their place."""
    names = ("steps", "horizon_frames", "commit_frames", "allow_contact", "zone_radius")
    return _changed(default, header, names, "header")


def changed_config(config: SessionConfig, control: interaction_pb2.SessionControl) -> SessionConfig:
    """A session's settings with those of a control in their place; the same if it has none."""
    return _changed(config, control, ("steps", "allow_contact", "zone_radius"), "control")


def _changed(
    config: SessionConfig, message: Settings, names: Sequence[str], field: str
) -> SessionConfig:
    wanted = {name: getattr(message, name) for name in names if message.HasField(name)}
    wanted |= respond_from_wire(message, field)
    if "steps" in wanted:
        steps_from_wire(wanted["steps"], f"{field}.steps")
    try:
        return replace(config, **wanted) if wanted else config
    except ConfigError as error:
        raise error.within(field) from error


def header_from_wire(
    request: interaction_pb2.StreamInteractionRequest,
) -> interaction_pb2.SessionHeader:
    """The header of a stream's first message, names and text checked."""
    if request.WhichOneof("part") != "header":
        found = request.WhichOneof("part") or "an empty message"
        raise SessionError.at(
            "header", f"the first message is {found}; send a header first", "HEADER_REQUIRED"
        )
    header = request.header
    for name in ("session_id", "client_name", "client_version"):
        name_from_wire(getattr(header, name), f"header.{name}")
    text_from_wire(header.text, "header.text")
    return header


def check_resumes_only(header: interaction_pb2.SessionHeader) -> None:
    """Raise InputError for a header that says more than a resume token, and who sends it."""
    for descriptor, _ in header.ListFields():
        if descriptor.name not in ("resume_token", "client_name", "client_version"):
            field = f"header.{descriptor.name}"
            raise InputError.at(
                field, "given beside resume_token, which holds all settings; leave it out"
            )


def part_from_wire(request: interaction_pb2.StreamInteractionRequest) -> str:
    """Which part a later message of a stream carries; never the header."""
    part = request.WhichOneof("part")
    if part == "header":
        raise SessionError.at(
            "header",
            "a second header; a stream is one session, open another stream",
            "HEADER_REPEATED",
        )
    if part is None:
        raise InputError.at(
            "part", "an empty message; set one of pose, control, ping, end", "EMPTY_MESSAGE"
        )
    return str(part)


def poses_to_wire(poses: Pose, curls: Array | None = None) -> list[types_pb2.BodyPose]:
    """All poses (...,), in order, to the wire's quaternions.

    curls  (..., 10) of their hands; None: nothing is said of them
    """
    quats = quat_from_rotmat(poses.rotmats).reshape(-1, 4 * JOINT_COUNT)
    places = poses.transl.reshape(-1, 3)
    hands = [()] * len(places) if curls is None else curls.reshape(-1, CURLS).tolist()
    return [
        types_pb2.BodyPose(root_translation=place, rotations=rotations, curls=bent)
        for place, rotations, bent in zip(places.tolist(), quats.tolist(), hands, strict=True)
    ]


def pose_to_wire(pose: Pose, curls: Array | None = None) -> types_pb2.BodyPose:
    """One pose; curls (10,)."""
    return poses_to_wire(pose, curls)[0]


def person_to_wire(pose: Pose, betas: Array, curls: Array | None = None) -> types_pb2.Person:
    return types_pb2.Person(pose=pose_to_wire(pose, curls), betas=betas.tolist())


def skeleton_to_wire(rest_joints: Array, betas: Array) -> types_pb2.Skeleton:
    """Rest joints (22, 3) of the body with shape `betas`."""
    parents = [max(parent, 0) for parent in PARENTS]
    offsets = rest_joints - rest_joints[parents]
    offsets[0] = rest_joints[0]
    return types_pb2.Skeleton(
        joint_names=JOINT_NAMES,
        parent_indices=PARENTS,
        rest_offsets=offsets.ravel().tolist(),
        betas=betas.tolist(),
    )


def _floats(values: Sequence[float], count: int, field: str, expected: str) -> Array:
    if len(values) != count:
        raise InputError.at(
            field, f"{len(values)} numbers, expected {count} ({expected})", "BAD_SHAPE"
        )
    return np.array(values, np.float32)


def _check_quat(quat: Array, field: str) -> None:
    if not _is_unit(quat):
        _check_finite(quat, field)
        raise InputError.at(
            field,
            f"a quaternion of length {lengths(quat.astype(np.float64)):.3g}, expected a unit "
            "quaternion x, y, z, w",
            "BAD_POSE",
        )


def _is_unit(quats: Array) -> BoolArray:
    """Which of (..., 4) are unit, or nearly so; one that is not finite is not."""
    with np.errstate(over="ignore", invalid="ignore"):
        length = lengths(quats)
    return np.asarray((length >= MIN_QUAT_LENGTH) & (length <= MAX_QUAT_LENGTH))


def _check_finite(values: Array, field: str) -> None:
    if not np.all(np.isfinite(values)):
        raise InputError.at(field, f"{values.tolist()} has a value that is not finite", "BAD_POSE")


def check_present(message: Message, name: str, field: str) -> None:
    if not message.HasField(name):
        raise InputError.at(field, "missing; it is required", "MISSING")
