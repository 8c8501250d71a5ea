"""Joint limits on poses of one bent joint."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.rotations import rotmat_about
from engine.body.skeleton import JOINT
from trainer.evaluation.metrics import joint_limits


def pose(**degrees: tuple[str, float]) -> np.ndarray:
    """(22, 3, 3) a T pose with some joints turned: name=(axis, degrees)."""
    rotmats = np.tile(np.eye(3), (22, 1, 1))
    for joint, (axis, angle) in degrees.items():
        rotmats[JOINT[joint]] = rotmat_about(axis, np.radians(angle))
    return rotmats


@pytest.mark.parametrize(
    ("joint", "axis", "angle"),
    [
        ("left_knee", "x", 130),  # heel to the back
        ("left_elbow", "y", -145),  # forearm forward
        ("right_elbow", "y", 145),
        ("left_shoulder", "z", -80),  # arm hanging
        ("right_shoulder", "z", 80),
        ("left_hip", "x", -110),  # knee raised forward
        ("right_hip", "z", -40),  # leg out to the right
        ("spine2", "x", 60),  # a bow
        ("head", "y", 55),
    ],
)
def test_what_people_do_is_within_limits(joint: str, axis: str, angle: float) -> None:
    assert joint_limits.violations(pose(**{joint: (axis, angle)})) == 0


@pytest.mark.parametrize(
    ("joint", "axis", "angle", "limit"),
    [
        ("left_knee", "x", -60, 10),  # forward
        ("right_elbow", "y", -40, 10),  # backward
        ("left_hip", "x", 90, 30),
        ("right_ankle", "x", -60, 20),
        ("head", "y", 120, 60),
    ],
)
def test_excess_is_the_angle_beyond_range_and_tolerance(
    joint: str, axis: str, angle: float, limit: float
) -> None:
    excess = joint_limits.excess(pose(**{joint: (axis, angle)}))
    assert (excess > 0).sum() == 1
    assert np.degrees(excess.max()) == pytest.approx(abs(angle) - limit - 15)


def test_left_and_right_have_the_same_limits() -> None:
    rng = np.random.default_rng(0)
    rotations = np.linalg.qr(rng.normal(size=(200, 22, 3, 3)))[0]
    rotations *= np.linalg.det(rotations)[..., None, None]
    mirror = np.diag([-1.0, 1.0, 1.0])
    from engine.body.skeleton import MIRROR

    there = joint_limits.excess(rotations)
    back = joint_limits.excess(mirror @ rotations[:, list(MIRROR)] @ mirror)
    assert np.sort(back, axis=-1) == pytest.approx(np.sort(there, axis=-1))


def test_three_spine_joints_share_one_range() -> None:
    bend = {name: ("x", 40.0) for name in ("spine1", "spine2", "spine3")}
    assert np.degrees(joint_limits.excess(pose(**bend)).max()) == pytest.approx(120 - 80 - 15)


def test_swing_times_twist_is_the_rotation() -> None:
    rng = np.random.default_rng(1)
    from engine.body.rotations import rotmat_from_axis_angle

    rotmats = rotmat_from_axis_angle(rng.normal(size=(50, 3)))
    for axis, name in enumerate("xyz"):
        swing, twist = joint_limits.swing_twist(rotmats, axis)
        assert swing[:, axis] == pytest.approx(np.zeros(50), abs=1e-9)
        back = rotmat_from_axis_angle(swing) @ rotmat_about(name, twist)
        assert back == pytest.approx(rotmats, abs=1e-9)
