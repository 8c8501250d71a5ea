"""Calibration: which joint a tracked device is fixed to, and how; and the shape of its wearer.

Knows devices, a body and its rest pose: no motion. A device is fixed to its joint:
    joint rotation = device rotation @ turn,   joint position = device position + device rotation @
    offset.
A T pose measures both and the shape; else they are taken from height, arm span and OpenXR's axes
(view space and grip pose, OpenXR 1.1, sections 7.1 and 6.3.2: the grip's X leaves the left palm and
enters the right one, its -Z goes from the little finger to the thumb).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, IntEnum

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.rotations import rotmat_about
from engine.body.shape import SHAPE_COUNT, Body
from engine.body.skeleton import JOINT, JOINT_COUNT
from engine.body.vectors import rotated
from engine.errors import InputError


class Role(IntEnum):
    """What a device follows; the order of every array of devices."""

    HEAD = 0
    LEFT_HAND = 1
    RIGHT_HAND = 2
    HIPS = 3
    LEFT_FOOT = 4
    RIGHT_FOOT = 5


ROLE_COUNT = len(Role)
ROLE_JOINTS = [
    JOINT[name]
    for name in ("head", "left_wrist", "right_wrist", "pelvis", "left_ankle", "right_ankle")
]
TRUSTED = 0.5
"""Confidence below which a device counts as lost."""
EYES = np.array([0.0, 0.09, 0.09])
PALM = np.array([0.085, -0.02, 0.02])
"""A headset before the head joint, and a controller in the left hand from its wrist, metres."""
MOST_BETA = 3.0
SHAPE_PRIOR = 0.005
"""Metres of each measure that the mean shape is worth."""
HUMAN_HEIGHT, HUMAN_SPAN = (1.0, 2.3), (0.9, 2.5)
LEAST_HAND_SPAN = 0.8


@dataclass(frozen=True, kw_only=True, eq=False)
class TrackerSample:
    """All devices at one instant, in the order of `Role`; right-handed, Y up, metres.

    positions (6, 3), rotmats (6, 3, 3), confidence (6,) in 0..1; 0 where there is none, whose
    numbers are then ignored
    Raises InputError if a device that is there has a number that is not finite.
    """

    time_s: float
    positions: Array
    rotmats: Array
    confidence: Array

    def __post_init__(self) -> None:
        for name, values, shape in (
            ("positions", self.positions, (ROLE_COUNT, 3)),
            ("rotmats", self.rotmats, (ROLE_COUNT, 3, 3)),
            ("confidence", self.confidence, (ROLE_COUNT,)),
        ):
            if values.shape != shape:
                raise InputError(f"{name} has shape {values.shape}, expected {shape}", field=name)
        if not (np.all(self.confidence >= 0) and np.all(self.confidence <= 1)):
            raise InputError(f"confidence is {self.confidence}, expected 0..1", field="confidence")
        for role in Role:
            numbers = np.append(self.positions[role], self.rotmats[role])
            if self.confidence[role] > 0 and not np.isfinite(numbers).all():
                raise InputError(
                    f"{role.name.lower()}: holds numbers that are not finite; send confidence 0 "
                    "for a device that is lost",
                    field=role.name.lower(),
                )

    @property
    def is_trusted(self) -> BoolArray:
        return np.asarray(self.confidence >= TRUSTED)


class Axes(Enum):
    """How devices that nobody calibrated are fixed."""

    OPENXR = "openxr"
    """Headset: view space, at the eyes; controllers: grip poses; hips and feet: on their joints."""
    UNITY = "unity"
    """The same as Unity has it, with x mirrored: Unity mirrors z, so devices look the other way."""
    JOINTS = "joints"
    """Every device stands on its joint, with the joint's axes (+Z forward in the T pose)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """A wearer and the devices.

    betas (10,), rest_joints (22, 3)
    turns (6, 3, 3), offsets (6, 3)  see the module
    sole   height of the soles in the rest pose
    floor  height of the floor, in the devices' space
    """

    betas: Array
    rest_joints: Array
    turns: Array
    offsets: Array
    sole: float
    floor: float = 0.0

    def joints(self, sample: TrackerSample) -> tuple[Array, Array]:
        """Where the joints of all devices are, (6, 3), and how they are turned, (6, 3, 3)."""
        is_there = sample.confidence > 0
        rotmats = np.where(is_there[:, None, None], sample.rotmats, np.eye(3))
        positions = np.where(is_there[:, None], sample.positions, 0.0)
        return positions + rotated(rotmats, self.offsets), rotmats @ self.turns

    def worn_on(self, sample: TrackerSample) -> TrackerSample:
        """What the devices would send if `sample` holds the joints themselves."""
        rotmats = sample.rotmats @ np.swapaxes(self.turns, -1, -2)
        positions = sample.positions - rotated(rotmats, self.offsets)
        return replace(sample, positions=positions, rotmats=rotmats)


def uncalibrated(
    body: Body, betas: Array | None = None, *, axes: Axes = Axes.OPENXR, floor: float = 0.0
) -> Calibration:
    """A wearer of known shape (None: the average) whose devices are fixed as `axes` says."""
    betas = np.zeros(SHAPE_COUNT) if betas is None else np.asarray(betas, np.float64)
    turns, places = _mounting(axes)
    return calibration_of(body, betas, turns, -rotated(turns, places), floor)


def calibrated_by_size(
    body: Body,
    height: float,
    arm_span: float | None = None,
    *,
    axes: Axes = Axes.OPENXR,
    floor: float = 0.0,
) -> Calibration:
    """A wearer whose height and arm span (None: the usual one for the height) are known, metres.
    Raises InputError if no person is like that."""
    _require_human("height", height, HUMAN_HEIGHT)
    rows, missing = [_extent(body, 1)[1]], [height - _extent(body, 1)[0]]
    if arm_span is not None:
        _require_human("arm_span", arm_span, HUMAN_SPAN)
        rows.append(_extent(body, 0)[1])
        missing.append(arm_span - _extent(body, 0)[0])
    return uncalibrated(body, _betas_for(rows, missing), axes=axes, floor=floor)


def calibrated_by_t_pose(
    body: Body,
    sample: TrackerSample,
    *,
    height: float | None = None,
    axes: Axes = Axes.OPENXR,
    floor: float = 0.0,
) -> Calibration:
    """A wearer who stands in a T, looks ahead, palms down, with all devices on.

    height  None: the shape goes by how high the headset is
    axes    where on their joints the devices are about; a T pose cannot tell that from the size
    The body faces as the hands say. Raises InputError if headset or hands are missing or not as in
    a T.
    """
    for role in (Role.HEAD, Role.LEFT_HAND, Role.RIGHT_HAND):
        if not sample.is_trusted[role]:
            raise InputError(
                f"{role.name.lower()}: not tracked; a T pose needs headset and both hands",
                field=role.name.lower(),
            )
    turns, places = _mounting(axes)
    head, left, right = (sample.positions[role] for role in Role if role <= Role.RIGHT_HAND)
    across = (left - right) * [1.0, 0.0, 1.0]
    span, eyes = float(np.linalg.norm(across)), float(head[1] - floor)
    _require_t_pose(span, eyes, float((left[1] + right[1]) / 2 - floor))

    betas = _t_pose_betas(body, eyes, span, places, height)
    known = uncalibrated(body, betas, axes=axes, floor=floor)
    facing = rotmat_about("y", float(np.arctan2(-across[2], across[0])))
    rest = known.rest_joints[ROLE_JOINTS]
    joints = rotated(facing, rest - known.rest_joints[0])
    seen = [Role.HEAD, Role.LEFT_HAND, Role.RIGHT_HAND]
    hints = (sample.positions - rotated(facing, places) - joints)[seen]
    pelvis = 0.5 * hints[0] + 0.25 * (hints[1] + hints[2])
    pelvis[1] = floor + known.rest_joints[0, 1] - known.sole
    is_on = sample.is_trusted
    device = np.where(is_on[:, None, None], sample.rotmats, np.eye(3))
    measured = rotated(np.swapaxes(device, -1, -2), pelvis + joints - sample.positions)
    return calibration_of(
        body,
        betas,
        np.where(is_on[:, None, None], np.swapaxes(device, -1, -2) @ facing, turns),
        np.where(is_on[:, None], measured, known.offsets),
        floor,
    )


def calibration_of(
    body: Body, betas: Array, turns: Array, offsets: Array, floor: float
) -> Calibration:
    """A wearer of known shape whose devices are known to be fixed so."""
    return Calibration(
        betas=betas,
        rest_joints=body.rest_joints(betas).astype(np.float64),
        turns=turns,
        offsets=offsets,
        sole=float(body.rest_vertices(betas)[:, 1].min()),
        floor=floor,
    )


def _mounting(axes: Axes) -> tuple[Array, Array]:
    """turns (6, 3, 3), and places (6, 3) of the devices from their joints, in the joints' axes."""
    turns, places = np.repeat(np.eye(3)[None], ROLE_COUNT, axis=0), np.zeros((ROLE_COUNT, 3))
    if axes is not Axes.JOINTS:
        turns[Role.HEAD] = rotmat_about("y", np.pi)
        turns[Role.LEFT_HAND] = [[0, -1, 0], [-1, 0, 0], [0, 0, -1]]
        turns[Role.RIGHT_HAND] = [[0, 1, 0], [1, 0, 0], [0, 0, -1]]
        if axes is Axes.UNITY:
            turns[: Role.HIPS] = rotmat_about("y", np.pi) @ turns[: Role.HIPS]
        places[Role.HEAD] = EYES
        places[Role.LEFT_HAND] = PALM
        places[Role.RIGHT_HAND] = PALM * [-1, 1, 1]
    return turns, places


def _require_human(field: str, metres: float, limits: tuple[float, float]) -> None:
    # What was meant to be the limit may have become a float32 beyond it.
    if not np.float32(limits[0]) <= np.float32(metres) <= np.float32(limits[1]):
        raise InputError(
            f"{field}: {metres:g} m, expected {limits[0]:g} to {limits[1]:g}", field=field
        )


def _require_t_pose(span: float, eyes: float, hands: float) -> None:
    if span < LEAST_HAND_SPAN:
        raise InputError(
            f"left_hand: {span:.2f} m beside the right hand; stretch both arms out to the sides",
            field="left_hand",
        )
    if not HUMAN_HEIGHT[0] - 0.2 <= eyes <= HUMAN_HEIGHT[1]:
        raise InputError(
            f"head: {eyes:.2f} m over the floor; stand, and set the floor's height", field="head"
        )
    if not 0.6 * eyes <= hands <= 1.1 * eyes:
        raise InputError(
            f"left_hand: hands at {hands:.2f} m, the head at {eyes:.2f} m; hold them at the "
            "height of the shoulders",
            field="left_hand",
        )


# ------------------------------------------------------------------------------------------- shapes
def _t_pose_betas(
    body: Body, eyes: float, span: float, places: Array, height: float | None
) -> Array:
    """The shape whose headset and hands are where they were seen, or that is so tall."""
    joints = body.joint_template[:JOINT_COUNT].astype(np.float64)
    moves = body.joint_directions[:JOINT_COUNT].astype(np.float64)
    left, right, head = JOINT["left_wrist"], JOINT["right_wrist"], JOINT["head"]
    width = joints[left, 0] - joints[right, 0] + places[Role.LEFT_HAND, 0]
    rows = [moves[left, 0] - moves[right, 0]]
    missing = [span - float(width - places[Role.RIGHT_HAND, 0])]
    if height is not None:
        _require_human("height", height, HUMAN_HEIGHT)
        rows.append(_extent(body, 1)[1])
        missing.append(height - _extent(body, 1)[0])
    else:
        lowest = int(np.argmin(body.template[:, 1]))
        stands = joints[head, 1] - body.template[lowest, 1] + places[Role.HEAD, 1]
        rows.append(moves[head, 1] - body.shape_directions[lowest, 1])
        missing.append(eyes - float(stands))
    return _betas_for(rows, missing)


def _extent(body: Body, axis: int) -> tuple[float, Array]:
    """How long the average body is along an axis, and by how much each beta adds to it (10,)."""
    values = body.template[:, axis]
    low, high = int(np.argmin(values)), int(np.argmax(values))
    moves = body.shape_directions[[low, high], axis].astype(np.float64)
    return float(values[high] - values[low]), moves[1] - moves[0]


def _betas_for(rows: list[Array], missing: list[float]) -> Array:
    """The shape nearest to the average that adds `missing` metres to each measure (10,).

    min |rows b - missing|^2 / prior^2 + |b|^2  =>  b = A^T (A A^T + prior^2 I)^-1 missing
    """
    a = np.stack(rows)
    weights = np.linalg.solve(a @ a.T + SHAPE_PRIOR**2 * np.eye(len(a)), np.array(missing))
    return np.clip(a.T @ weights, -MOST_BETA, MOST_BETA)
