"""Retargeting: the motion of a foreign skeleton on one of our bodies.

Knows a BVH recording, its rig and a body. Only orientations are carried over: bone lengths become a
shape, and the pelvis travels in proportion to the legs.

At one reference pose R both skeletons stand alike; from there on each of our joints turns in the
world as its counterpart does:
    ours_world(t) = theirs_world(t) theirs_world(R)^T ours_world(R)
R is the file's rest pose if that stands like a person (T or A pose), else the frame that does best
(LaFAN1 and others keep a rest pose that is a knot). Our body at R: torso and head upright, facing
as hips and shoulders face; limbs swung from the T pose onto their bones; feet flat, toes as theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal, Protocol, Self

import numpy as np

from engine.arrays import Array
from engine.body.canonical import yaw_of
from engine.body.rotations import (
    quat_from_rotmat,
    rotmat_about,
    rotmat_from_axis_angle,
    slerp_rotmat,
)
from engine.body.shape import Body, bone_lengths, fit_betas
from engine.body.skeleton import FOOT_JOINTS, JOINT, JOINT_COUNT, JOINT_NAMES, PARENTS
from engine.errors import InputError
from engine.formats.options import UNITS as OURS
from engine.formats.rig import RigMap, match_joints
from engine.motion.motion import Motion

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "CMU": 0.0254 / 0.45}
"""Metres per unit; the CMU data base counts in inches times 0.45."""
HUMAN_LEG = (0.65, 1.2)
"""Hip to ankle in metres, of people of 1.35 m and more: what the unit of length is guessed by."""
AVERAGE_LEG = 0.83
LEG_OF_HEIGHT = 0.49
"""Hip to ankle, as a part of a body's height."""
HEIGHT_ROUNDS = 6
"""Of a search for the unit that makes somebody as tall as was said: to a centimetre."""
STANDS = 0.6
"""A rest pose whose legs and spine lean less than this (radians, in mean) is a reference."""
FLOOR_PERCENTILE = 10.0
"""Share of frames whose lower foot may be under the floor, by noise and by toes pressed in."""
SHAPE_PRIOR = 0.06
"""The prior of `fit_betas`: with it odd bones of real rigs still give shapes of real people."""
UP_AXES: tuple[Literal["y"], Literal["z"]] = ("y", "z")
BONES = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
LIMBS = {f"{s}_{joint}": f"{s}_{end}" for joint, end in BONES for s in ("left", "right")}
"""Joint -> end of its bone."""
UPRIGHT_BONES = (
    ("left_hip", "left_knee", -1),
    ("right_hip", "right_knee", -1),
    ("left_knee", "left_ankle", -1),
    ("right_knee", "right_ankle", -1),
    ("pelvis", "head", 1),
)
CHAINS = (
    ("pelvis", "spine1", "spine2", "spine3"),
    ("spine3", "neck", "head"),
)


class Skeleton(Protocol):
    """A recording of joints, as BVH files and glTF scenes hold them: one joint is over all others,
    and none is turned in the rest pose."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def parents(self) -> tuple[int, ...]:
        """Parents come first; the first joint's is -1."""

    @property
    def frame_rate(self) -> float: ...

    def rest_positions(self) -> Array:
        """(J, 3)"""

    @property
    def frames(self) -> int: ...

    def part(self, joints: Iterable[int]) -> tuple[Self, dict[int, int]]:
        """A recording of at least these joints, and the index in it of each of its joints."""

    def world(self, frames: slice, turned: Array | None = None) -> tuple[Array, Array]:
        """Joints (T, J, 3) and their orientations (T, J, 3, 3) of some frames, in a world that is
        turned by `turned` (3, 3)."""


def motion_from_bvh(
    bvh: Skeleton,
    body: Body,
    rig: RigMap,
    *,
    source: str,
    up: Literal["y", "z"] | None = None,
    keeps_place: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Motion:
    """One person's motion on `body`, with its feet on y = 0.

    rig          joints, unit and axes that the file does not tell; `up` overrides the rig's
    source       what errors call the file
    keeps_place  for people recorded together: the pelvis travels as in the file, in metres, and
                 its height alone in proportion to the legs, over the file's own zero
    tell         told in one line what was guessed
    A file with exactly our joints (as we write them) is taken as it stands: no scale, no floor.
    """
    if frozenset(name for name in bvh.names if name in JOINT) == frozenset(JOINT_NAMES):
        return _own_motion(bvh, body, rig)
    joints = match_joints(bvh.names, bvh.parents, rig, source)
    bvh, index = bvh.part(joints.values())
    joints = {name: index[joint] for name, joint in joints.items()}
    rest = bvh.rest_positions()
    up = up or rig.up or _up_axis(rest, bvh, joints)
    to_y_up = _to_y_up(up)
    rest = rest @ to_y_up.T

    reference, reference_turns = rest, np.repeat(to_y_up[None], len(bvh.names), axis=0)
    if _lean(rest, joints) > STANDS:
        leans = [_lean(positions, joints) for positions, _ in _chunks(bvh, to_y_up)]
        best = int(np.argmin(np.concatenate(leans)))
        positions, orientations = bvh.world(slice(best, best + 1), to_y_up)
        reference, reference_turns = positions[0], orientations[0]
    named = {name: reference[index] for name, index in joints.items()}
    _require_bones(named, source)

    if rig.height is not None:
        rig = _unit_of_height(named, body, rig, rig.height)
    betas = _fitted_shape(named, body, rig)
    if tell is not None:
        tell(
            f"{source}: taken as {_unit(rig, named):.3g} m a unit, {up.upper()} up, "
            f"{bvh.frame_rate:g} frames a second, a person of {_height(body, betas):.2f} m; "
            "--height, --up or a rig map say otherwise"
        )
    rest_joints = body.rest_joints(betas).astype(np.float64)
    ours = _reference_pose(named, rest_joints)
    turns = {name: reference_turns[index].T @ ours[name] for name, index in joints.items()}
    legs = _leg_length(dict(zip(JOINT_NAMES, rest_joints, strict=True))) / _leg_length(named)
    scale = np.full(3, legs)
    if keeps_place:
        scale[[0, 2]] = _unit(rig, named)

    made = _Frames()
    for positions, orientations in _chunks(bvh, to_y_up):
        world = {
            name: (orientations[:, index].reshape(-1, 3) @ turns[name]).reshape(-1, 3, 3)
            for name, index in joints.items()
        }
        whole = _completed(world)
        transl = _transl(positions * scale, joints, whole[:, 0], rest_joints)
        made.add(_local(whole), transl, _lowest_sole(whole, transl, rest_joints, body, betas))
    return made.motion(betas, bvh.frame_rate, stands_on_floor=not keeps_place)


CHUNK = 1024
"""Frames carried over at a time: memory follows the text, not the matrices of all joints."""


def _chunks(bvh: Skeleton, turned: Array | None = None) -> Iterator[tuple[Array, Array]]:
    """`world` of CHUNK frames after CHUNK frames."""
    for start in range(0, bvh.frames, CHUNK):
        yield bvh.world(slice(start, start + CHUNK), turned)


@dataclass
class _Frames:
    """What has been carried over so far: float32, as a motion has it."""

    quats: list[Array] = field(default_factory=list)
    transl: list[Array] = field(default_factory=list)
    lowest: list[Array] = field(default_factory=list)

    def add(self, rotmats: Array, transl: Array, lowest: Array) -> None:
        self.quats.append(quat_from_rotmat(rotmats).astype(np.float32))
        self.transl.append(transl)
        self.lowest.append(lowest)

    def motion(self, betas: Array, frame_rate: float, *, stands_on_floor: bool) -> Motion:
        """The motion; the ground is where the soles are in the frames when a foot stands."""
        transl = np.concatenate(self.transl)
        if stands_on_floor:
            transl[:, 1] -= np.percentile(np.concatenate(self.lowest), FLOOR_PERCENTILE)
        return Motion(
            quats_xyzw=np.concatenate(self.quats)[None],
            transl=transl.astype(np.float32)[None],
            betas=betas.astype(np.float32)[None],
            frame_rate=frame_rate,
        )


def _own_motion(bvh: Skeleton, body: Body, rig: RigMap) -> Motion:
    """A file that `write_bvh` wrote, or one like it: a T pose at rest and our axes."""
    index = [bvh.names.index(name) for name in JOINT_NAMES]
    rest = bvh.rest_positions()[index]
    unit = rig.metres_per_unit or _own_unit(_leg_length(dict(zip(JOINT_NAMES, rest, strict=True))))
    betas = fit_betas(body, bone_lengths(rest) * unit, prior=1e-5, iterations=10)
    pelvis = body.rest_joints(betas)[0]
    made = _Frames()
    for positions, orientations in _chunks(bvh):
        transl = positions[:, index[0]] * unit - pelvis
        made.add(_local(orientations[:, index]), transl, transl[:, 1])
    return made.motion(betas, bvh.frame_rate, stands_on_floor=False)


# ---------------------------------------------------------------------------------- axes and units
def unit_of(bvh: Skeleton, rig: RigMap, source: str) -> float:
    """Metres per unit of a file: what the rig map says, else a guess by the length of its legs."""
    joints = match_joints(bvh.names, bvh.parents, rig, source)
    rest = bvh.rest_positions()
    named = {name: rest[index] for name, index in joints.items()}
    _require_bones(named, source)
    return _unit(rig, named)


def _to_y_up(up: Literal["y", "z"]) -> Array:
    return np.eye(3) if up == "y" else rotmat_about("x", -np.pi / 2)


def _up_axis(rest: Array, bvh: Skeleton, joints: Mapping[str, int]) -> Literal["y", "z"]:
    """The axis along which the rest pose stands, or if it is a knot, the body over the clip."""
    lean = [float(_lean(rest @ _to_y_up(up).T, joints)) for up in UP_AXES]
    if min(lean) >= STANDS:
        lean = [_total_lean(bvh, joints, up) for up in UP_AXES]
    return UP_AXES[int(np.argmin(lean))]


def _total_lean(bvh: Skeleton, joints: Mapping[str, int], up: Literal["y", "z"]) -> float:
    return sum(float(_lean(positions, joints).sum()) for positions, _ in _chunks(bvh, _to_y_up(up)))


def _unit(rig: RigMap, named: Mapping[str, Array]) -> float:
    """Metres per unit, as far as the rig map tells, else guessed."""
    return rig.metres_per_unit or guess_unit(_leg_length(named))


def _unit_of_height(named: Mapping[str, Array], body: Body, rig: RigMap, height: float) -> RigMap:
    """The rig map with the unit in which the person is `height` metres tall."""
    unit = height * LEG_OF_HEIGHT / _leg_length(named)
    for _ in range(HEIGHT_ROUNDS):
        found = replace(rig, height=None, metres_per_unit=unit)
        unit *= height / _height(body, _fitted_shape(named, body, found))
    return replace(rig, height=None, metres_per_unit=unit)


def _height(body: Body, betas: Array) -> float:
    return float(np.ptp(body.rest_vertices(betas)[:, 1]))


def guess_unit(leg_length: float) -> float:
    """Metres per unit for a leg (hip to ankle) this many units long.

    Where no common unit gives a human leg, one that makes it the average adult's.
    """
    for unit in UNITS.values():
        if HUMAN_LEG[0] <= leg_length * unit <= HUMAN_LEG[1]:
            return unit
    return AVERAGE_LEG / leg_length


def _own_unit(leg_length: float) -> float:
    """Metres per unit of a file like ours: of those that we write in, however long the legs are."""
    unit = min(OURS.values(), key=lambda unit: abs(np.log(leg_length * unit / AVERAGE_LEG)))
    is_a_leg = 1 / 3 < leg_length * unit / AVERAGE_LEG < 3
    return unit if is_a_leg else guess_unit(leg_length)


def _length(joints: Mapping[str, Array], *names: str) -> float:
    """Length along a line of joints, in mean over left and right where names have no side."""
    sides = ("left_", "right_")
    bones = [
        float(np.linalg.norm(joints[side + end] - joints[side + start]))
        for side in sides
        for start, end in pairwise(names)
    ]
    return sum(bones) / 2


def _leg_length(joints: Mapping[str, Array]) -> float:
    return _length(joints, "hip", "knee", "ankle")


def _require_bones(named: Mapping[str, Array], source: str) -> None:
    for part in BONES[:3]:
        if _length(named, *part) < 1e-6:
            raise InputError(
                f"{source}: the bone from {part[0]} to {part[1]} has no length; if joints were "
                "mistaken for others, say which is which in a rig map (--rig map.toml)",
                field="rig.joints",
            )


# ------------------------------------------------------------------------------------------- shape
def _fitted_shape(named: Mapping[str, Array], body: Body, rig: RigMap) -> Array:
    """Betas (10,) from the bones that all rigs place alike: limbs, the trunk's height, its widths.

    Spines are cut differently by every rig, so ours are stretched with the trunk as a whole.
    """
    unit = _unit(rig, named)
    rest = body.rest_joints(np.zeros(10)).astype(np.float64)
    mean = dict(zip(JOINT_NAMES, rest, strict=True))
    lengths = bone_lengths(rest)

    def trunk(joints: Mapping[str, Array]) -> float:
        tops = joints["left_shoulder"] + joints["right_shoulder"]
        return float(np.linalg.norm(tops - joints["left_hip"] - joints["right_hip"]) / 2)

    def width(joints: Mapping[str, Array], part: str) -> float:
        return float(np.linalg.norm(joints[f"left_{part}"] - joints[f"right_{part}"]))

    ratios = {
        "spine1 spine2 spine3 neck head": trunk(named) * unit / trunk(mean),
        "hip": width(named, "hip") * unit / width(mean, "hip"),
        "collar shoulder": width(named, "shoulder") * unit / width(mean, "shoulder"),
        "knee": _length(named, "hip", "knee") * unit / _length(mean, "hip", "knee"),
        "ankle foot": _length(named, "knee", "ankle") * unit / _length(mean, "knee", "ankle"),
        "elbow wrist": _length(named, "shoulder", "elbow")
        * unit
        / _length(mean, "shoulder", "elbow"),
    }
    for names, ratio in ratios.items():
        for name in names.split():
            for side in ("", "left_", "right_"):
                if side + name in JOINT:
                    lengths[JOINT[side + name] - 1] *= ratio
    return np.clip(fit_betas(body, lengths, prior=SHAPE_PRIOR), -3.0, 3.0)


# ---------------------------------------------------------------------------------- reference pose
def _lean(positions: Array, joints: Mapping[str, int]) -> Array:
    """Mean angle (radians) of legs and spine from the vertical; (..., J, 3) -> (...,)."""
    angles = []
    for start, end, sign in UPRIGHT_BONES:
        top = joints.get(end, joints.get("neck", 0))
        bone = positions[..., top, :] - positions[..., joints[start], :]
        length = np.maximum(np.linalg.norm(bone, axis=-1), 1e-9)
        angles.append(np.arccos(np.clip(sign * bone[..., 1] / length, -1, 1)))
    return np.asarray(np.mean(angles, axis=0))


def _reference_pose(named: Mapping[str, Array], rest_joints: Array) -> dict[str, Array]:
    """World orientations (3, 3) of our joints at the reference pose, by joint name."""
    across = np.zeros((JOINT_COUNT, 3))
    for name in ("left_hip", "right_hip", "left_shoulder", "right_shoulder"):
        across[JOINT[name]] = named[name]
    facing = rotmat_about("y", float(yaw_of(across)))
    pose = {name: facing for name in JOINT_NAMES}
    for joint, end in LIMBS.items():
        parent = JOINT_NAMES[PARENTS[JOINT[joint]]]
        turn = pose[parent] if parent in LIMBS else facing
        if end in named:
            ours = turn @ (rest_joints[JOINT[end]] - rest_joints[JOINT[joint]])
            turn = _swing(ours, named[end] - named[joint]) @ turn
        pose[joint] = turn
        if end.endswith("wrist"):
            pose[end] = turn
    for side in ("left", "right"):
        ankle, foot = f"{side}_ankle", f"{side}_foot"
        if foot in named:
            ours = facing @ (rest_joints[JOINT[foot]] - rest_joints[JOINT[ankle]])
            flat = np.array([1.0, 0.0, 1.0])
            turn = _swing(ours * flat, (named[foot] - named[ankle]) * flat) @ facing
            pose[ankle] = pose[foot] = turn
    return pose


def _swing(start: Array, goal: Array) -> Array:
    """The smallest rotation that turns one direction into another; none where one has no length."""
    scale = np.linalg.norm(start) * np.linalg.norm(goal)
    axis = np.cross(start, goal)
    sine = np.linalg.norm(axis)
    if sine <= 1e-9 * scale or scale == 0:
        return np.eye(3)
    return rotmat_from_axis_angle(axis / sine * np.arctan2(sine, np.dot(start, goal)))


# ------------------------------------------------------------------------------------------ motion
def _completed(world: dict[str, Array]) -> Array:
    """World orientations (T, 22, 3, 3); joints that the rig lacks share the turn of their chain.

    Between two joints that it has they turn in equal steps; beyond the last they go along with it.
    """
    for chain in CHAINS:
        known = [i for i, name in enumerate(chain) if name in world]
        for start, stop in pairwise(known):
            for i in range(start + 1, stop):
                part = np.array((i - start) / (stop - start))
                world[chain[i]] = slerp_rotmat(world[chain[start]], world[chain[stop]], part)
    for joint, name in enumerate(JOINT_NAMES):
        if name not in world:
            world[name] = world[JOINT_NAMES[PARENTS[joint]]]
    return np.stack([world[name] for name in JOINT_NAMES], axis=1)


def _local(world: Array) -> Array:
    """World orientations (T, 22, 3, 3) -> parent-relative rotations."""
    parents = world[:, list(PARENTS[1:])]
    return np.concatenate([world[:, :1], np.swapaxes(parents, -1, -2) @ world[:, 1:]], axis=1)


def _transl(positions: Array, joints: Mapping[str, int], root: Array, rest_joints: Array) -> Array:
    """Translations (T, 3) that put the middle of our hips where theirs is (in metres)."""
    hips = positions[:, [joints["left_hip"], joints["right_hip"]]].mean(axis=1)
    ours = rest_joints[[JOINT["left_hip"], JOINT["right_hip"]]].mean(axis=0) - rest_joints[0]
    return np.asarray(hips - root @ ours - rest_joints[0])


def _lowest_sole(
    world: Array, transl: Array, rest_joints: Array, body: Body, betas: Array
) -> Array:
    """Height (T,) of the lower sole, as far as ankle and ball of the foot tell."""
    sole = float(body.rest_vertices(betas)[:, 1].min())
    lowest = []
    for joint in FOOT_JOINTS:
        height, child = rest_joints[0, 1] + transl[:, 1], joint
        while child > 0:
            parent = PARENTS[child]
            height = height + world[:, parent, 1] @ (rest_joints[child] - rest_joints[parent])
            child = parent
        lowest.append(height - (rest_joints[joint, 1] - sole))
    return np.asarray(np.min(lowest, axis=0))
