"""The player of the demo is a recording like a client's: steady, plausible, and the one we make."""

from __future__ import annotations

import numpy as np

from engine.body.kinematics import forward_kinematics
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.formats import read_motion
from trainer.choreography.demo_player import OUTPUT, SECONDS, SHAKE, player


def test_the_shipped_recording_moves_like_a_person_on_the_floor() -> None:
    motion = read_motion(OUTPUT)
    assert (motion.people, motion.frame_rate) == (1, 10.0)
    assert motion.frames >= 10 * SECONDS
    rest = load_body().rest_joints(motion.betas[0])
    joints, _ = forward_kinematics(rest, motion.rotmats[0], motion.transl[0])
    feet = joints[:, [JOINT["left_foot"], JOINT["right_foot"]], 1]
    assert np.all((feet.min(axis=1) > 0) & (feet.min(axis=1) < 0.06))
    assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() * 10 < 4
    hand = joints[round(10 * SHAKE[1]), JOINT["right_wrist"]]
    assert 0.6 < hand[2] - joints[0, 0, 2] < 1.0


def test_the_same_recording_is_made_again() -> None:
    first, again = player(), player()
    np.testing.assert_array_equal(first.quats_xyzw, again.quats_xyzw)
    np.testing.assert_array_equal(first.transl, again.transl)
