"""The metrics on motions whose figures the hand can compute."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluation.metrics import joints as metrics


def standing(frames: int = 10) -> np.ndarray:
    """(1, 2, frame, 22, 3) two people who stand still, feet on the floor, the rest a metre up."""
    joints = np.ones((1, 2, frames, 22, 3))
    joints[..., [7, 8, 10, 11], 1] = 0
    return joints


def test_standing_people_neither_skate_nor_jerk_nor_float() -> None:
    joints = standing()
    assert metrics.foot_skating(joints) == 0
    assert metrics.mean_jerk(joints) == 0
    assert metrics.floor_error(joints) == 0
    assert metrics.top_speed(joints) == 0


def test_feet_dragged_at_half_a_metre_a_second_skate_by_that() -> None:
    joints = standing()
    joints[..., 0] += 0.05 * np.arange(10)[:, None]
    assert metrics.foot_skating(joints) == pytest.approx(50)
    joints[..., 1] += 1  # carried through the air they do not
    assert metrics.foot_skating(joints) == 0


def test_a_cubic_has_its_constant_jerk() -> None:
    times = np.arange(10) / 10
    joints = standing()
    joints[..., 0] = times[:, None] ** 3
    assert metrics.mean_jerk(joints) == pytest.approx(6)


def test_a_step_at_the_seam_is_seen_and_one_elsewhere_counts_against_it() -> None:
    rng = np.random.default_rng(0)
    joints = rng.normal(0, 0.001, (2, 30, 22, 3))
    is_seam = np.arange(30) == 15
    assert metrics.seam_jerk_ratio(joints, is_seam) == pytest.approx(1, abs=0.2)
    joints[:, 15:] += 0.1
    assert metrics.seam_jerk_ratio(joints, is_seam) > 10


def test_contact_gap_is_the_mean_over_true_contacts_only() -> None:
    truth = np.zeros((1, 2, 1, 2, 3))
    truth[0, :, 0, 1, 0] = [5, 9]
    touching = metrics.touching(truth)
    assert touching.sum() == 1
    moved = truth.copy()
    moved[0, 1, 0, 0, 2] = 0.3
    assert metrics.contact_gap(moved, touching) == pytest.approx(30)


def test_frame_error_looks_at_masked_frames_only() -> None:
    joints, truth = standing(), standing()
    joints[:, :, 3] += np.array([0.03, 0.04, 0])
    mask = np.zeros((1, 2, 10), np.bool_)
    mask[:, 0, 3] = True
    assert metrics.frame_error(joints, truth, mask) == pytest.approx(5)
