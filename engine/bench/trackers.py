"""`contrapose bench trackers`: how well a full pose comes back from a few of its joints.

Plays recordings of whole bodies as if they wore devices, drops all but some, solves the pose and
compares. Knows files, the tracker solver and figures; no server and no network.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.bench.figures import check_within
from engine.body.pose import Pose, stacked
from engine.body.rotations import geodesic_angle, rotmat_from_axis_angle
from engine.body.shape import Body, load_body
from engine.body.skeleton import FOOT_JOINTS, JOINT_NAMES
from engine.devices.calibration import (
    ROLE_JOINTS,
    Calibration,
    Role,
    TrackerSample,
    calibrated_by_size,
    calibrated_by_t_pose,
    uncalibrated,
)
from engine.devices.trackers import begin, solve
from engine.motion.motion import Motion

SUMMARY = "solve recorded poses from 3, 4 and 6 trackers and compare"
HELP = """\
Wears devices on recorded bodies (headset at the eyes, controllers in the hands, trackers on belt
and insteps), solves the pose from the first 3, 4 or 6 of them and compares with the recording:

joints, upper, feet  mean distance of joints, cm: all 22; pelvis and up; ankles and balls of feet
rotation             mean angle between world rotations of all joints, degrees
jitter               mean jerk of all joints over that of the recording (1: as smooth)
skating              mean speed of the ball of a foot within 2 cm of its lowest, cm/s
                     (recording in brackets)

Calibrations: exact (the wearer's own shape and mounting), t_pose (measured in a T pose that droops
by 5 degrees; shape unknown), size (height and arm span, no look at the devices).
"""
COUNTS = (3, 4, 6)
CALIBRATIONS = ("exact", "t_pose", "size")
NOISE_METRES, NOISE_RADIANS = 0.001, 0.005
MOUNTS = np.array(
    [
        [0.0, 0.09, 0.09],
        [0.085, -0.02, 0.02],
        [-0.085, -0.02, 0.02],
        [0.0, 0.05, 0.1],
        [0.0, 0.02, 0.07],
        [0.0, 0.02, 0.07],
    ]
)
"""(6, 3) metres of each device from its joint, in the joint's axes."""
UPPER = [i for i, n in enumerate(JOINT_NAMES) if not n.endswith(("hip", "knee", "ankle", "foot"))]
FEET = list(FOOT_JOINTS)
BALLS = [JOINT_NAMES.index("left_foot"), JOINT_NAMES.index("right_foot")]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures of one recording, or a mean over several; see HELP."""

    joints_cm: float
    upper_cm: float
    feet_cm: float
    rotation_deg: float
    jitter: float
    skating_cm_s: float
    recorded_skating_cm_s: float
    solve_ms: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=".bvh or .npz")
    parser.add_argument("--rate", type=float, default=30.0, metavar="F", help="(default: 30)")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="of each file")
    parser.add_argument(
        "--calibration", choices=CALIBRATIONS, action="append", help="(default: all)"
    )


def run(args: argparse.Namespace) -> int:
    from engine.formats import read_motion, resampled

    check_within(args, rate=(1, 240), seconds=(1, np.inf))
    body = load_body()
    motions = {}
    for path in args.files:
        motion = resampled(read_motion(path, body=body), args.rate)
        motions[path.stem] = first_seconds(motion, args.seconds)
    rows = []
    for calibration in args.calibration or CALIBRATIONS:
        for count in COUNTS:
            each = {n: measured(m, body, count, calibration) for n, m in motions.items()}
            rows.append(_row(calibration, count, each))
    if args.json:
        print(json.dumps({"rate": args.rate, "rows": rows}, indent=2))
    else:
        _print_table(rows)
    return 0


def _row(calibration: str, count: int, each: dict[str, Figures]) -> dict[str, Any]:
    """Means over the files, and the figures of each."""
    figures = {name: asdict(found) for name, found in each.items()}
    means = {
        name: float(np.mean([found[name] for found in figures.values()]))
        for name in next(iter(figures.values()))
    }
    return {"calibration": calibration, "trackers": count, **means, "files": figures}


def first_seconds(motion: Motion, seconds: float) -> Motion:
    frames = max(int(seconds * motion.frame_rate), 2)
    return Motion(
        quats_xyzw=motion.quats_xyzw[:1, :frames],
        transl=motion.transl[:1, :frames],
        betas=motion.betas[:1],
        frame_rate=motion.frame_rate,
    )


def measured(motion: Motion, body: Body, count: int, kind: str) -> Figures:
    """Solve the first person of a motion from its first `count` devices."""
    true_rest = body.rest_joints(motion.betas[0]).astype(np.float64)
    true = Pose(motion.rotmats[0].astype(np.float64), motion.transl[0].astype(np.float64))
    joints, world = true.in_world(true_rest)
    calibration = calibration_for(body, motion.betas[0], kind)
    state = begin(calibration)
    poses = []
    started = time.process_time()
    for sample in samples_of(joints, world, motion.frame_rate, count):
        state, pose, _ = solve(state, sample)
        poses.append(pose)
    seconds = time.process_time() - started
    found, found_world = stacked(poses).in_world(calibration.rest_joints)
    return compared(joints, world, found, found_world, motion.frame_rate, seconds)


def compared(
    joints: Array, world: Array, found: Array, found_world: Array, rate: float, seconds: float
) -> Figures:
    """Figures of joints (frame, 22, 3) and world rotations, recorded and found."""
    error = 100 * np.linalg.norm(found - joints, axis=-1)
    jerk, found_jerk = (np.linalg.norm(np.diff(j, n=3, axis=0), axis=-1) for j in (joints, found))
    return Figures(
        joints_cm=float(error.mean()),
        upper_cm=float(error[:, UPPER].mean()),
        feet_cm=float(error[:, FEET].mean()),
        rotation_deg=float(np.degrees(geodesic_angle(found_world, world)).mean()),
        jitter=float(found_jerk.mean() / max(jerk.mean(), 1e-9)),
        skating_cm_s=_skating(found, rate),
        recorded_skating_cm_s=_skating(joints, rate),
        solve_ms=1000 * seconds / len(joints),
    )


def samples_of(
    joints: Array, world: Array, rate: float, count: int, seed: int = 0
) -> Iterator[TrackerSample]:
    """What devices on a moving body would send, with a headset's noise."""
    rng = np.random.default_rng(seed)
    turns = world[:, ROLE_JOINTS]
    positions = joints[:, ROLE_JOINTS] + (turns @ MOUNTS[..., None])[..., 0]
    positions = positions + rng.normal(0, NOISE_METRES, positions.shape)
    turns = turns @ _openxr_axes()
    turns = turns @ rotmat_from_axis_angle(rng.normal(0, NOISE_RADIANS, positions.shape))
    confidence = np.where(np.arange(len(Role)) < count, 1.0, 0.0)
    for frame in range(len(joints)):
        yield TrackerSample(
            time_s=frame / rate,
            positions=positions[frame],
            rotmats=turns[frame],
            confidence=confidence,
        )


def _openxr_axes() -> Array:
    """(6, 3, 3) axes of each device in the joint's."""
    turns = uncalibrated(load_body()).turns
    return np.swapaxes(turns, -1, -2)


def calibration_for(body: Body, betas: Array, kind: str) -> Calibration:
    """What a wearer of this shape gets; see HELP."""
    exact = uncalibrated(body, betas)
    if kind == "exact":
        offsets = -(exact.turns @ MOUNTS[..., None])[..., 0]
        return replace(exact, offsets=offsets)
    if kind == "size":
        extent = np.ptp(body.rest_vertices(betas), axis=0)
        return calibrated_by_size(body, float(extent[1]), float(extent[0]))
    rotmats = np.repeat(np.eye(3)[None], len(JOINT_NAMES), axis=0)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        droop = rotmat_from_axis_angle(np.array([0.0, 0.0, sign * np.radians(5.0)]))
        rotmats[JOINT_NAMES.index(f"{side}_shoulder")] = droop
    lift = np.array([0.0, -exact.sole, 0.0])
    joints, world = Pose(rotmats, lift)[None].in_world(exact.rest_joints)
    (sample,) = samples_of(joints, world, 30.0, len(Role))
    return calibrated_by_t_pose(body, sample)


def _skating(joints: Array, rate: float) -> float:
    """Mean speed over the floor of the balls of the feet while they are down, cm/s."""
    balls = joints[:, BALLS]
    speed = 100 * rate * np.linalg.norm(np.diff(balls[..., [0, 2]], axis=0), axis=-1)
    height = balls[..., 1]
    is_down = np.maximum(height[1:], height[:-1]) < np.percentile(height, 1) + 0.02
    return float(speed[is_down].mean()) if is_down.any() else 0.0


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    print(
        "calibration trackers  joints   upper    feet  rotation  jitter  skating        solve\n"
        "                          cm      cm      cm   degrees          cm/s              ms"
    )
    for row in rows:
        print(
            f"{row['calibration']:11} {row['trackers']:8} {row['joints_cm']:7.1f} "
            f"{row['upper_cm']:7.1f} {row['feet_cm']:7.1f} {row['rotation_deg']:9.1f} "
            f"{row['jitter']:7.2f}  {row['skating_cm_s']:5.1f} "
            f"({row['recorded_skating_cm_s']:4.1f}) {row['solve_ms']:8.2f}"
        )
