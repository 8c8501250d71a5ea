"""The pose: its leading axes are cut and stacked, its own are not."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.pose import Pose, stacked
from engine.body.rotations import rotmat_from_axis_angle
from engine.body.shape import load_body

REST = load_body().rest_joints(np.array([np.zeros(10), np.ones(10)]))


def motion(frames: int = 5) -> Pose:
    rng = np.random.default_rng(frames)
    turns = rotmat_from_axis_angle(rng.normal(0, 0.4, (2, frames, 22, 3)))
    return Pose(turns, rng.normal(0, 1, (2, frames, 3)))


@pytest.mark.parametrize(
    "index", [1, (0, 3), (1, slice(1, 4)), (slice(None), [0, 2]), np.array([True, False]), None]
)
def test_an_index_cuts_both_arrays_along_the_leading_axes(index: object) -> None:
    whole = motion()
    cut = whole[index]  # type: ignore[index]
    np.testing.assert_array_equal(cut.transl, whole.transl[index])  # type: ignore[index]
    assert cut.rotmats.shape == (*cut.transl.shape[:-1], 22, 3, 3)


@pytest.mark.parametrize("axis", [0, 1])
def test_poses_that_are_stacked_lie_side_by_side(axis: int) -> None:
    whole = motion()
    parts = [whole[:, frame] for frame in range(5)] if axis else [whole[0], whole[1]]
    again = stacked(parts, axis)
    np.testing.assert_array_equal(again.rotmats, whole.rotmats)
    np.testing.assert_array_equal(again.transl, whole.transl)


def test_joints_are_the_same_alone_and_among_others() -> None:
    joints, world = motion().in_world(REST[:, None])
    for person, frame in np.ndindex(2, 5):
        alone = motion()[person, frame].in_world(REST[person])
        np.testing.assert_allclose(alone[0], joints[person, frame], atol=1e-12)
        np.testing.assert_allclose(alone[1], world[person, frame], atol=1e-12)


def test_a_pair_is_not_unpacked_by_mistake_for_its_arrays() -> None:
    with pytest.raises(TypeError):
        _, _ = motion()  # type: ignore[misc]
