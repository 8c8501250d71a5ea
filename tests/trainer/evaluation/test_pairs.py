"""Pairs from words: in company or alone the same, and measured by hand where the hand can."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.pose import Pose
from engine.body.shape import load_body
from engine.bundle import STARTER
from engine.motion.motion import POSE_FEATURES, pose_from_features
from engine.sampling.generation import People, generate_pair
from engine.sampling.models import encode_text
from engine.sampling.pairs import sample_generator
from tests.trainer.synthetic import write_clips
from trainer.data.shards import load_clips
from trainer.data.windows import WindowSampler
from trainer.evaluation import pairs
from trainer.evaluation.pairs import text_pairs
from trainer.evaluation.subject import Subject, open_subject


@pytest.fixture(scope="module")
def subject() -> Subject:
    return open_subject(STARTER)


def test_a_pair_is_what_a_user_gets_for_its_text_and_seed(subject: Subject) -> None:
    texts, seeds = ["they hug", pairs.HANDSHAKE, "they hug"], [3, 4, 5]
    body, models = load_body(), subject.models
    made, _ = text_pairs(subject, body, texts, seeds)
    assert models is not None
    assert subject.guidance is not None
    assert subject.generator_steps is not None
    guidance, steps = subject.guidance, subject.generator_steps
    alone = generate_pair(
        body=body,
        text=encode_text(models, [texts[1]])[0],
        single=None,
        seed=seeds[1],
        sample=lambda *inputs: sample_generator(models, *inputs, guidance, steps),
    )
    np.testing.assert_allclose(made[1].pose.transl, alone.pose.transl, atol=0.02)
    np.testing.assert_allclose(made[1].pose.rotmats, alone.pose.rotmats, atol=0.05)


def test_wrists_of_two_who_stand_in_each_other_are_together() -> None:
    still, nobody = np.tile(np.eye(3), (2, 22, 1, 1)), np.zeros((2, 10))
    transl = np.array([[0.0, 1, 0], [0.3, 1, 0.4]])
    pair = People(pose=Pose(still, transl), betas=nobody)
    assert pairs.wrist_gap(pair, load_body()) == pytest.approx(0.5)


def test_bone_error_is_that_of_a_body_with_one_bone_too_long() -> None:
    body, betas = load_body(), np.zeros((1, 2, 10), np.float32)
    answers = np.zeros((1, 2, POSE_FEATURES + 66), np.float32)
    rest = np.stack([body.rest_joints(betas[0, 0])] * 2)
    answers[0, :, POSE_FEATURES:] = rest.reshape(2, 66)
    assert pairs.bone_error(answers, betas, body) == pytest.approx(0, abs=1e-4)
    head = rest[0, 15] - rest[0, 12]
    answers[0, 0, POSE_FEATURES + 45 : POSE_FEATURES + 48] += 0.021 * head / np.linalg.norm(head)
    # 2.1 cm on one bone of 42
    assert pairs.bone_error(answers, betas, body) == pytest.approx(2.1 / 42, rel=1e-3)


def test_pairs_become_windows_that_know_nothing_else(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    clips = load_clips(write_clips(tmp_path_factory.mktemp("data") / "shards"))
    sampler = WindowSampler(clips=clips, subset=np.arange(1, len(clips)), augment=False)
    like = sampler.draw(3, np.random.default_rng(0))
    given = [
        People(pose=pose_from_features(anchor), betas=np.zeros((2, 10), np.float32))
        for anchor in like.clean_anchor
    ]
    batch = pairs.pair_batch(given, like, load_body())
    rows = np.arange(3)
    np.testing.assert_allclose(
        batch.motion[rows, :, like.anchor_index], like.clean_anchor, atol=1e-5
    )
    assert not batch.known[like.known_mask[..., 0] == 0].any()
    np.testing.assert_allclose(
        batch.rest_joints[0, 1], load_body().rest_joints(np.zeros(10)), atol=1e-6
    )
