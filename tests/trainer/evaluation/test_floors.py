"""Floors: the anchor held still, and the training window around the nearest pair."""

from __future__ import annotations

import numpy as np
import pytest

from engine.arrays import IntArray
from engine.sampling.request import WindowRequest
from tests.trainer.synthetic import write_clips
from trainer.data.shards import Clips, load_clips
from trainer.data.windows import anchor_joints_of, canonicalised
from trainer.evaluation.floors import copy_sampler, nearest_sampler


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    return load_clips(write_clips(tmp_path_factory.mktemp("data") / "shards", clips=16))


def window_of(clips: Clips, clip: int, index: int, order: tuple[int, int]) -> np.ndarray:
    """The canonical window of a clip with its first anchor frame at `index`, people in `order`."""
    first = int(clips.anchor_frames[clip][0]) - index
    motion = clips.motion_of(clip)[first : first + 30].transpose(1, 0, 2)[None, list(order)]
    rest = clips.rest_joints[clip][None, list(order)]
    return np.asarray(canonicalised(motion, rest, np.array([index]))[0])


def request_of(window: np.ndarray, rest_joints: np.ndarray, index: int) -> WindowRequest:
    mask = np.zeros((2, 30, 1), np.float32)
    mask[:, index] = 1
    anchor = window[:, index]
    return WindowRequest(
        known=window * mask,
        known_mask=mask,
        anchor=anchor,
        anchor_joints=anchor_joints_of(anchor, rest_joints),
        seed=0,
        steps=1,
    )


def long_clips(clips: Clips, least: int) -> IntArray:
    return np.array([c for c in clips.subset("train") if clips.frames(int(c)) >= least])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_training_pair_finds_its_own_window_whoever_is_the_player(
    clips: Clips, order: tuple[int, int]
) -> None:
    index, sample = 9, nearest_sampler(clips)
    for clip in long_clips(clips, least=12 - index + 30).tolist():
        window = window_of(clips, clip, index, order)
        request = request_of(window, clips.rest_joints[clip][list(order)], index)
        found = sample([request])[0] + request.anchor[:, None]
        np.testing.assert_allclose(found, window, atol=1e-5)


def test_a_pair_that_can_stand_where_it_should_goes_before_a_nearer_one(clips: Clips) -> None:
    """Asked to stand at 29: neither frame 12 nor frame 20 has so much before it, 20 has more."""
    clip = int(long_clips(clips, least=42)[0])
    wanted = window_of(clips, clip, 12, (0, 1))
    late = request_of(np.roll(wanted, 17, axis=1), clips.rest_joints[clip], 29)
    found = nearest_sampler(clips)([late])[0] + late.anchor[:, None]
    around_20 = [
        canonicalised(
            clips.motion_of(c)[:30].transpose(1, 0, 2)[None, order],
            clips.rest_joints[c][None, order],
            np.array([20]),
        )[0]
        for c in long_clips(clips, least=30).tolist()
        for order in ([0, 1], [1, 0])
    ]
    assert any(np.allclose(found, window, atol=1e-5) for window in around_20)


def test_copy_holds_the_anchor_still(clips: Clips) -> None:
    clip = int(long_clips(clips, least=42)[0])
    request = request_of(window_of(clips, clip, 12, (0, 1)), clips.rest_joints[clip], 12)
    residual = copy_sampler()([request, request])
    assert residual.shape == (2, 2, 30, 135)
    assert not residual.any()
