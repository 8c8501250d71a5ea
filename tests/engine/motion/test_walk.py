"""Laws of a walk to a place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.body.canonical import yaw_of
from engine.body.pose import Pose, stacked
from engine.body.rotations import rotmat_about
from engine.body.shape import load_body
from engine.motion import stance as stance_module
from engine.motion.floor import floor_height
from engine.motion.stance import Feet, Stance
from engine.motion.standing import standing_partner, standing_pose
from engine.motion.walk import KEPT_FRAMES, Destination, Steps, walk_frames

REST = load_body().rest_joints(np.zeros((2, 10))).astype(np.float64)


def steps_to(start: Pose, place: Destination) -> Steps:
    frames = walk_frames(start, place, REST[1])
    return Steps(start=start, place=place, rest_joints=REST[1], floor=0.0, frames=frames)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each frame that is made from now on is."""
    made: list[float] = []

    def stepped(stance: Stance, *arguments: Any) -> tuple[Stance, Feet]:
        made.append(arguments[-1])
        return stance_module.stepped(stance, *arguments)

    monkeypatch.setattr("engine.motion.walk.stepped", stepped)
    return made


def test_a_walk_of_a_kilometre_costs_the_frames_that_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = counted(monkeypatch)
    start = Pose(standing_pose(), np.zeros(3))
    steps = steps_to(start, Destination(ground=np.array([800.0, 600.0]), yaw=1.0))
    assert steps.frames > 10_000
    first = [steps.at(row) for row in range(30)]
    assert len(made) == 30
    joints, _ = steps.end().in_world(REST[1])
    assert len(made) <= 130
    np.testing.assert_allclose(joints[0, [0, 2]], [800.0, 600.0], atol=1e-6)
    again = [steps.at(row) for row in range(30)]
    assert len(made) <= 130
    assert all(a is b for a, b in zip(first, again, strict=True))


def test_a_frame_that_is_kept_no_more_is_made_again_to_the_bit() -> None:
    steps = steps_to(Pose(standing_pose(), np.zeros(3)), Destination(ground=np.array([0.0, 40.0])))
    early = steps.at(3)
    steps.at(KEPT_FRAMES + 20)
    again = steps.at(3)
    assert again is not early
    np.testing.assert_array_equal(again.rotmats, early.rotmats)
    np.testing.assert_array_equal(again.transl, early.transl)


@pytest.mark.parametrize("metres", [3.0, 30.0])
def test_the_end_of_a_walk_is_its_last_frame(metres: float) -> None:
    """Or, of a long one, as near as no hand notices."""
    steps = steps_to(
        Pose(standing_pose(), np.zeros(3)), Destination(ground=np.array([0.0, metres]))
    )
    last, _ = steps.at(steps.frames + 7).in_world(REST[1])
    end, _ = steps.end().in_world(REST[1])
    np.testing.assert_allclose(end, last, atol=0.0 if metres < 10 else 0.02)


def test_a_walker_has_a_foot_on_the_floor_and_ends_where_he_shall_whatever_the_way() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        start = standing_partner(Pose(standing_pose(), np.zeros(3)), REST, 1.4, 0.0)
        start.rotmats[0] = rotmat_about("y", rng.uniform(-3, 3))
        place = Destination(ground=rng.uniform(-3, 3, 2), yaw=rng.uniform(-3, 3))
        steps = steps_to(start, place)
        frames = steps.frames
        poses = stacked([steps.at(row) for row in range(frames)])
        joints, _ = poses.in_world(REST[1])
        np.testing.assert_allclose(joints[-1, 0, [0, 2]], place.ground, atol=1e-6)
        assert np.cos(yaw_of(joints[-1]) - place.yaw) > np.cos(np.radians(3))
        soles = floor_height(poses, REST[1])
        assert soles.min() > -1e-3
        assert soles.max() < 0.03
        assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() < 0.6
