"""The evaluator: what it sees, what it learns, and that its file is only taken for its own data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import InputError
from tests.trainer.synthetic import write_clips
from trainer.data.canonical import turned
from trainer.data.shards import Clips, load_clips
from trainer.data.windows import WindowBatch
from trainer.evaluation.captions import read_captions
from trainer.evaluation.evaluator.evaluator import Evaluator, load_evaluator
from trainer.evaluation.evaluator.features import FEATURES, window_features
from trainer.evaluation.evaluator.networks import EvaluatorConfig, Matching
from trainer.evaluation.evaluator.training import (
    FROM_ANCHOR,
    open_evaluator,
    shards_hash,
    train_evaluator,
    window_sampler,
)

TINY = EvaluatorConfig(width=16, latent=8, pool=48, steps=15, batch=16)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("data") / "shards", clips=10)


@pytest.fixture(scope="module")
def clips(data: Path) -> Clips:
    return load_clips(data)


@pytest.fixture(scope="module")
def evaluator(data: Path, clips: Clips) -> Evaluator:
    return train_evaluator(clips, shards_hash(data), TINY)


def batch_of(clips: Clips, count: int = 12) -> WindowBatch:
    sampler = window_sampler(clips, np.arange(len(clips)), FROM_ANCHOR)
    return sampler.draw(count, np.random.default_rng(1))


def test_features_do_not_see_where_a_window_lies_in_the_world(clips: Clips) -> None:
    batch = batch_of(clips)
    here = window_features(batch.motion, batch.rest_joints)
    assert here.shape == (12, 30, FEATURES)
    there = turned(batch.motion, batch.rest_joints, np.linspace(-3, 3, 12))
    there[..., -3:] += np.array([5, 0.3, -2], np.float32)
    moved = window_features(there, batch.rest_joints)
    np.testing.assert_allclose(moved, here, atol=2e-4)


def test_velocities_are_differences_of_the_joints(clips: Clips) -> None:
    batch = batch_of(clips)
    person = window_features(batch.motion, batch.rest_joints).reshape(12, 30, 2, -1)
    joints, velocity = person[..., 132:198], person[..., 198:]
    central = (joints[:, 2:] - joints[:, :-2]) / 0.2
    np.testing.assert_allclose(velocity[:, 1:-1], central, atol=1e-3)
    single = window_features(batch.clean_anchor[:, :, None], batch.rest_joints)
    assert not single.reshape(12, 1, 2, -1)[..., 198:].any()


def test_training_is_a_function_of_clips_and_seed(
    clips: Clips, data: Path, evaluator: Evaluator
) -> None:
    again = train_evaluator(clips, shards_hash(data), TINY)
    for name, tensor in evaluator.networks.state_dict().items():
        assert torch.equal(tensor, again.networks.state_dict()[name]), name


def test_embeddings_of_windows_vary_by_about_one(clips: Clips, evaluator: Evaluator) -> None:
    batch = batch_of(clips, 64)
    for vectors in (
        evaluator.windows(batch.motion, batch.rest_joints),
        evaluator.pairs(batch.clean_anchor, batch.rest_joints),
    ):
        assert vectors.shape == (64, 8)
        assert 0.3 < vectors.var(axis=0).mean() < 3
    matched = evaluator.matched_windows(batch.motion, batch.rest_joints)
    np.testing.assert_allclose(np.linalg.norm(matched, axis=1), 1, atol=1e-6)


def test_the_file_holds_the_evaluator_and_refuses_other_shards(
    clips: Clips, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, shards = tmp_path / "evaluator.pt", shards_hash(data)
    made = open_evaluator(data, clips, path, TINY)
    monkeypatch.setattr(
        "trainer.evaluation.evaluator.training.train_evaluator", None
    )  # a second would fail
    kept = open_evaluator(data, clips, path)
    batch = batch_of(clips)
    for use in ("windows", "matched_windows"):
        first, second = (getattr(e, use)(batch.motion, batch.rest_joints) for e in (made, kept))
        np.testing.assert_array_equal(first, second)
    with pytest.raises(InputError, match=r"evaluator\.pt: was trained on shards .* name another"):
        load_evaluator(path, "0" * 64)
    path.write_bytes(b"not a network")
    with pytest.raises(InputError, match="not readable as an evaluator"):
        load_evaluator(path, shards)


def test_captions_that_also_hold_are_no_wrong_answers(clips: Clips) -> None:
    captions = read_captions(clips)
    assert len(captions.texts) == 2
    assert captions.is_true(np.array([0, 1]), np.array([0, 1, 1])).all()
    config = EvaluatorConfig(width=8, latent=4)
    torch.manual_seed(0)
    matching = Matching(config)
    features, text = torch.randn(3, 30, FEATURES), torch.randn(3, config.text_width)
    all_true = torch.ones(3, 3, dtype=torch.bool)
    assert matching.loss(features, text, all_true).item() == 0
    assert matching.loss(features, text, torch.eye(3, dtype=torch.bool)).item() > 0
