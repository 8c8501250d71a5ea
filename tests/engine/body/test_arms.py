"""Laws of arms that reach."""

from __future__ import annotations

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.arms import ARMS, Reach, chest_of, palms_of, reaching
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import rotmat_about
from engine.body.shape import load_body
from engine.motion.standing import standing_pose

REST = load_body().rest_joints(np.zeros(10)).astype(np.float64)
FRAMES = 12


def standing(yaw: float = 0.0) -> tuple[Array, Array]:
    rotmats = np.broadcast_to(standing_pose(), (FRAMES, 22, 3, 3)).copy()
    rotmats[:, 0] = rotmat_about("y", yaw)
    return rotmats, np.zeros((FRAMES, 3))


def reach_before(side: int, weight: Array, yaw: float = 0.0) -> Reach:
    """The palm 35 cm before the shoulder and a little below it, looking inwards."""
    turn = rotmat_about("y", yaw)
    sign = (1.0, -1.0)[side]
    shoulder = REST[0] + turn @ (REST[ARMS[side][1]] - REST[0])
    along = turn @ np.array([0.0, 0.0, 1.0])
    place = shoulder + turn @ np.array([0.0, -0.25, 0.35])
    rows = (len(weight), 1)
    return Reach(
        side=side,
        weight=weight,
        palm=np.tile(place, rows),
        fingers=np.tile(along, rows),
        faces=np.tile(turn @ np.array([-sign, 0.0, 0.0]), rows),
    )


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("yaw", [0.0, 2.1])
def test_a_palm_arrives_where_it_shall_be_and_faces_there(side: int, yaw: float) -> None:
    reach = reach_before(side, np.ones(FRAMES), yaw)
    rotmats, transl = standing(yaw)
    moved = reaching(rotmats, chest_of(rotmats, transl, REST), REST, reach)
    palms, fingers, faces = palms_of(*forward_kinematics(REST, moved, transl), REST)
    assert np.linalg.norm(palms[:, side] - reach.palm, axis=-1).max() < 0.015
    assert (fingers[:, side] * reach.fingers).sum(axis=-1).min() > np.cos(0.35)
    assert (faces[:, side] * reach.faces).sum(axis=-1).min() > np.cos(0.35)


def test_without_weight_nothing_moves_and_the_other_arm_never_does() -> None:
    rotmats, transl = standing()
    weight = np.linspace(0, 1, FRAMES)
    moved = reaching(rotmats, chest_of(rotmats, transl, REST), REST, reach_before(1, weight))
    np.testing.assert_array_equal(moved[0], rotmats[0])
    others = [joint for joint in range(22) if joint not in ARMS[1]]
    np.testing.assert_array_equal(moved[:, others], rotmats[:, others])


def test_a_hand_goes_straight_to_its_place() -> None:
    rotmats, transl = standing()
    weight = np.linspace(0, 1, FRAMES)
    chest = chest_of(rotmats, transl, REST)
    moved = reaching(rotmats, chest, REST, reach_before(0, weight))
    joints, _ = forward_kinematics(REST, moved, transl)
    wrist = joints[:, ARMS[0][3]]
    straight = wrist[0] + np.linspace(0, 1, FRAMES)[:, None] * (wrist[-1] - wrist[0])
    assert np.linalg.norm(wrist - straight, axis=-1).max() < 0.03


def test_what_is_out_of_reach_is_reached_for_with_an_arm_that_is_not_torn() -> None:
    rotmats, transl = standing()
    reach = reach_before(1, np.ones(FRAMES))
    far = Reach(
        side=1,
        weight=reach.weight,
        palm=reach.palm + np.array([0.0, 0.0, 2.0]),
        fingers=reach.fingers,
        faces=reach.faces,
    )
    moved = reaching(rotmats, chest_of(rotmats, transl, REST), REST, far)
    joints, _ = forward_kinematics(REST, moved, transl)
    _, shoulder, elbow, wrist = ARMS[1]
    ahead = joints[0, wrist] - joints[0, shoulder]
    length = sum(np.linalg.norm(REST[b] - REST[a]) for a, b in ((shoulder, elbow), (elbow, wrist)))
    assert 0.9 * length < np.linalg.norm(ahead) <= length
    assert ahead[2] > 0.9 * np.linalg.norm(ahead)
