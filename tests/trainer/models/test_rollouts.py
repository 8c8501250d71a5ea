"""A roll-out's history is what the network made; its target goes on there and rejoins the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.arrays import Array
from engine.errors import ConfigError
from engine.motion.motion import pose_from_features
from tests.trainer.synthetic import write_clips
from trainer.data.shards import load_clips
from trainer.data.windows import WindowSampler
from trainer.models.animator.rollouts import CHAIN, RolloutConfig, draw_chains, rolled_out
from trainer.models.family import Tensors

CONFIG = RolloutConfig(share=0.5, windows=2, advance=(4, 6))
ROWS = 6


@pytest.fixture(scope="module")
def sampler(tmp_path_factory: pytest.TempPathFactory) -> WindowSampler:
    clips = load_clips(write_clips(tmp_path_factory.mktemp("clips")))
    return WindowSampler(clips=clips, subset=np.arange(len(clips)), augment=False)


def chains_of(sampler: WindowSampler, is_still: bool = False) -> Tensors:
    batch = draw_chains(sampler, CONFIG, ROWS, 1.0, np.random.default_rng(0))
    if is_still:
        motion = batch[f"{CHAIN}motion"]
        batch[f"{CHAIN}motion"] = motion[:, :, :1].repeat(1, 1, motion.shape[2], 1)
    return batch


def staying(told: Tensors) -> Tensor:
    """A network that leaves both where the anchor has them."""
    return torch.zeros_like(told["x_t"])


def straying(told: Tensors) -> Tensor:
    """A network that sets the partner 20 cm off along the ground."""
    x0 = torch.zeros_like(told["x_t"])
    x0[:, 1, :, -3] = 0.2
    return x0


def seen_by_player(features: Tensor, rest: Tensor) -> Array:
    """The partner's joints (rows, 30, 22, 3) from the player's pelvis."""
    pose = pose_from_features(features.numpy())
    joints = pose.in_world(rest.numpy()[:, :, None])[0]
    return np.asarray(joints[:, 1] - joints[:, 0, :, :1])


def test_the_right_answer_leads_along_the_truth(sampler: WindowSampler) -> None:
    found = rolled_out(chains_of(sampler, is_still=True), staying, CONFIG)
    still = found["anchor"][:, :, None].expand(-1, -1, 30, -1)
    torch.testing.assert_close(found["motion"], still, atol=1e-4, rtol=0)
    torch.testing.assert_close(found["known"], still * found["known_mask"], atol=1e-4, rtol=0)
    assert found["known_mask"][:, 0, :, 0].sum(dim=1).tolist() == [10] * ROWS
    assert found["known_mask"][:, 1, :, 0].sum(dim=1).tolist() == [13] * ROWS


def test_what_the_network_made_is_its_history_and_the_target_rejoins_the_truth(
    sampler: WindowSampler,
) -> None:
    batch = chains_of(sampler, is_still=True)
    right, off = (rolled_out(batch, network, CONFIG) for network in (staying, straying))
    rest = right["rest_joints"]
    apart = np.linalg.norm(
        seen_by_player(off["motion"], rest) - seen_by_player(right["motion"], rest), axis=-1
    ).mean(axis=-1)  # (rows, frame)
    known = CONFIG.last_known
    assert (apart[:, known] > 0.15).all()
    assert (np.diff(apart[:, known:]) < 1e-4).all()
    assert apart[:, known + 1].min() > 0.9 * apart[:, known].min()  # no jump where it goes on
    np.testing.assert_allclose(apart[:, known + CONFIG.rejoin :], 0, atol=1e-4)


def test_the_player_stays_the_one_of_the_clip(sampler: WindowSampler) -> None:
    batch = chains_of(sampler)
    found = rolled_out(batch, straying, CONFIG)
    begins = batch[f"{CHAIN}begins"][:, -1].numpy()
    for row, begin in enumerate(begins):
        truth = batch[f"{CHAIN}motion"][row, 0, begin : begin + 30].numpy()
        turn = pose_from_features(found["motion"][row, 0].numpy()).rotmats
        np.testing.assert_allclose(turn[:, 1:], pose_from_features(truth).rotmats[:, 1:], atol=1e-5)


def test_all_clips_too_short_is_an_error_that_says_so(sampler: WindowSampler) -> None:
    long = replace(CONFIG, windows=9)
    with pytest.raises(ConfigError, match="no clip has 84 frames"):
        draw_chains(sampler, long, ROWS, 1.0, np.random.default_rng(0))
    with pytest.raises(ConfigError, match=r"advance is \(4, 20\), expected two numbers from 1 to"):
        RolloutConfig(advance=(4, 20))
