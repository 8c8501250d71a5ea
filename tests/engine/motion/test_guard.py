"""Laws of the posture guard and of attention."""

from __future__ import annotations

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.arms import chest_of, reaching
from engine.body.capsules import Segments, fitted_capsules, gaps
from engine.body.kinematics import forward_kinematics
from engine.body.pose import Pose
from engine.body.rotations import rotmat_about
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.motion.guard import (
    HELD_UP,
    LOOKS_PAST,
    TILT,
    attentive,
    guarded,
    hands_down,
    hanging,
    off_hanging,
    raised,
)
from engine.motion.motion import FRAME_RATE

REST = load_body().rest_joints(np.zeros(10)).astype(np.float64)
FRAMES = 20


def at_ease() -> tuple[Array, Array]:
    return np.broadcast_to(hanging(), (FRAMES, 22, 3, 3)).copy(), np.zeros((FRAMES, 3))


def going(pace: float) -> tuple[Array, Array]:
    """The same, who goes ahead at so many metres a second."""
    rotmats, transl = at_ease()
    transl[:, 2] = pace / FRAME_RATE * np.arange(FRAMES)
    return rotmats, transl


def tilt_of(rotmats: Array) -> Array:
    return np.asarray(np.arccos(np.clip(rotmats[:, 0, 1, 1], -1, 1)))


@pytest.mark.parametrize("lean", [-0.7, 0.5])
@pytest.mark.parametrize("pace", [0.0, 1.2])
def test_one_who_leans_is_drawn_upright(pace: float, lean: float) -> None:
    rotmats, transl = going(pace)
    rotmats[:, 0] = rotmat_about("x", lean)
    upright = guarded(Pose(rotmats, transl), REST, 0.0, balance=True)
    assert tilt_of(upright.rotmats).max() <= TILT[int(pace == 0), 1] + 1e-6


@pytest.mark.parametrize("reason", [0.0, 1.0])
def test_a_spine_that_bends_backwards_is_drawn_straight(reason: float) -> None:
    """Whatever the reason: nobody has one for that."""
    rotmats, transl = at_ease()
    for name in ("spine1", "spine2", "spine3"):
        rotmats[:, JOINT[name]] = rotmat_about("x", -0.3)
    straight = guarded(Pose(rotmats, transl), REST, reason, balance=True)
    joints, _ = straight.in_world(REST)
    along = joints[:, JOINT["neck"]] - joints[:, JOINT["pelvis"]]
    back = np.degrees(np.arctan2(-along[:, 2], along[:, 1]))
    assert back.max() < 10


@pytest.mark.parametrize("angle", [0.9, 1.8])
@pytest.mark.parametrize("side", ["left", "right"])
def test_hands_that_are_held_up_come_down(side: str, angle: float) -> None:
    rotmats, transl = at_ease()
    turn = rotmat_about("x", -angle)
    rotmats[:, JOINT[f"{side}_shoulder"]] = turn @ rotmats[:, JOINT[f"{side}_shoulder"]]
    assert off_hanging(rotmats, REST).max() > 0.4
    chest = chest_of(rotmats, transl, REST)
    lowered = reaching(rotmats, chest, REST, *hands_down(rotmats, chest, REST, 1.0))
    assert off_hanging(lowered, REST).max() < HELD_UP + 0.03


def test_hips_that_lean_backwards_come_back_whatever_the_reason() -> None:
    rotmats, transl = at_ease()
    rotmats[:, 0] = rotmat_about("y", 0.8) @ rotmat_about("x", -0.5)
    upright = guarded(Pose(rotmats, transl), REST, 1.0, balance=True)
    assert tilt_of(upright.rotmats).max() <= TILT[0, 1] + 1e-6


def test_a_reason_leaves_trunk_and_hands_as_they_are() -> None:
    rotmats, transl = at_ease()
    rotmats[:, 0] = rotmat_about("x", 0.6)
    kept = guarded(Pose(rotmats, transl), REST, 1.0, balance=True)
    np.testing.assert_array_equal(kept.rotmats, rotmats)
    np.testing.assert_array_equal(kept.transl, transl)


@pytest.mark.parametrize(("pace", "lean"), [(0.0, 0.008), (1.2, 0.03)])
def test_one_who_stands_or_walks_at_ease_is_left_alone(pace: float, lean: float) -> None:
    rotmats, transl = going(pace)
    rotmats[:, 0] = rotmat_about("x", lean)
    kept = guarded(Pose(rotmats, transl), REST, 0.0, balance=True)
    np.testing.assert_allclose(kept.rotmats, rotmats, atol=1e-12)
    np.testing.assert_allclose(kept.transl, transl, atol=1e-12)


def test_the_face_turns_to_what_is_attended_to_as_far_as_necks_go() -> None:
    rotmats, transl = at_ease()
    joints, _ = forward_kinematics(REST, rotmats, transl)
    head = joints[:, JOINT["head"]]
    for bearing in (-1.0, 0.0, 1.0):
        away = 2 * np.array([np.sin(bearing), 0.0, np.cos(bearing)])
        looking = attentive(rotmats, chest_of(rotmats, transl, REST), REST, head + away)
        _, world = forward_kinematics(REST, looking, transl)
        face = world[0, JOINT["head"], :, 2]
        assert face @ away / 2 > np.cos(LOOKS_PAST + 0.05)
    behind = attentive(rotmats, chest_of(rotmats, transl, REST), REST, head - [0.0, 0.0, 2.0])
    _, world = forward_kinematics(REST, behind, transl)
    assert world[0, JOINT["head"], 2, 2] > -0.2


def test_a_raised_hand_is_higher_than_where_it_hangs_and_a_swinging_one_hardly_is() -> None:
    rotmats, _ = at_ease()
    assert abs(raised(rotmats, REST)).max() < 1e-9
    arm = JOINT["right_shoulder"]
    swung, held = rotmats.copy(), rotmats.copy()
    swung[:, arm] = rotmat_about("x", -0.4) @ rotmats[:, arm]
    held[:, arm] = rotmat_about("x", -1.4) @ rotmats[:, arm]
    assert 0 < raised(swung, REST)[0, 1] < 0.10 < 0.35 < raised(held, REST)[0, 1]


@pytest.mark.parametrize("seed", range(4))
def test_hands_hang_beside_the_thighs_and_not_in_them(seed: int) -> None:
    body, betas = load_body(), np.random.default_rng(seed).normal(0, 1, 10)
    rest = body.rest_joints(betas).astype(np.float64)
    joints, world = forward_kinematics(rest, hanging(), np.zeros(3))
    out = joints[JOINT["left_wrist"], 0] - joints[JOINT["left_hip"], 0]
    assert 0.08 < out < 0.20  # of real people who walk: 0.07 to 0.18 in eight of ten frames
    capsules = fitted_capsules(body, betas)
    posed = capsules.posed(joints, world)
    arm, trunk = (
        np.isin(capsules.joints, [JOINT[name] for name in names])
        for names in (("left_elbow", "left_wrist"), ("pelvis", "left_hip", "left_knee"))
    )
    of_arm, of_trunk = (
        Segments(starts=posed.starts[of], axes=posed.axes[of]) for of in (arm, trunk)
    )
    assert gaps(of_arm, capsules.radii[arm], of_trunk, capsules.radii[trunk]).min() > 0


def test_a_neck_that_is_bent_one_way_and_a_head_the_other_way_come_back_by_and_by() -> None:
    """The face looks at the other all the while: gaze alone would leave them as they are."""
    rotmats, transl = at_ease()
    head = forward_kinematics(REST, rotmats, transl)[0][:, JOINT["head"]]
    rotmats[:, JOINT["neck"]] = rotmat_about("z", np.array(-1.0))
    rotmats[:, JOINT["head"]] = rotmat_about("z", np.array(1.0))
    chest = chest_of(rotmats, transl, REST)
    for _ in range(12):
        rotmats = attentive(rotmats, chest, REST, head + np.array([0.0, 0.08, 1.5]))
    for name in ("neck", "head"):
        side = np.arcsin(rotmats[:, JOINT[name], 1, 0])
        assert np.abs(side).max() < np.radians(7)


def test_a_bent_spine_comes_back_by_and_by() -> None:
    """As windows go on from each other; a bend of some degrees is what people have."""
    rotmats, transl = at_ease()
    for name in ("spine1", "spine2", "spine3"):
        rotmats[:, JOINT[name]] = rotmat_about("x", np.array(np.radians(6.0)))
    for _ in range(12):
        rotmats = guarded(Pose(rotmats, transl), REST, 0.0, balance=False).rotmats
    bend = [np.arcsin(rotmats[:, JOINT[f"spine{n}"], 2, 1]).max() for n in (1, 2, 3)]
    assert np.radians(3) < sum(bend) < np.radians(9)
