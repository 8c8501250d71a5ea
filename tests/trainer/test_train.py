"""A run resumes as if it had never stopped, ends by itself, and leaves a checkpoint to load."""

from __future__ import annotations

import itertools
import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import ConfigError
from tests.trainer.synthetic import write_clips
from trainer import evaluate, starter, train
from trainer.data import windows
from trainer.data.shards import load_clips
from trainer.models.animator import Animator
from trainer.models.generator import Generator
from trainer.train import TrainConfig


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """Eight steps of a network of a few thousand weights."""
    return TrainConfig(
        network="animator",
        clips=write_clips(tmp_path_factory.mktemp("clips") / "clips", clips=8),
        steps=8,
        width=16,
        heads=2,
        layers=2,
        ffn_width=32,
        batch=4,
        processes=1,
        compile=False,
        bf16=False,
        log_every=1,
    )


def weights(out: Path) -> dict[str, torch.Tensor]:
    return dict(torch.load(out / train.CHECKPOINT, weights_only=True)["state_dict"])


def test_a_run_stopped_by_sigterm_and_resumed_ends_with_the_same_bits(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train.train(tiny, tmp_path / "unbroken")

    report = train._report

    def report_and_stop(out: Path, config: TrainConfig, run: train.Run, *rest: object) -> None:
        report(out, config, run, *rest)  # type: ignore[arg-type]
        if run.step == 3:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(train, "_report", report_and_stop)
    train.train(tiny, tmp_path / "broken")
    stopped = torch.load(tmp_path / "broken" / train.CHECKPOINT, weights_only=True)
    assert stopped["training"]["step"] == 4  # the step under way was finished
    monkeypatch.undo()
    train.train(tiny, tmp_path / "broken")

    expected, found = weights(tmp_path / "unbroken"), weights(tmp_path / "broken")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_two_processes_train_one_network_that_can_be_evaluated(
    tiny: TrainConfig, tmp_path: Path
) -> None:
    checkpoint = train.train(replace(tiny, processes=2, steps=3), tmp_path)
    network = evaluate.load_checkpoint(checkpoint)
    assert isinstance(network, Animator)
    sample = evaluate.torch_sampler(network)
    report = evaluate.evaluate_windows(sample, load_clips(tiny.clips), 4, [2], seed=0)
    assert report["history"]["truth"]["known_frame_error_cm"] == 0
    assert report["history"]["2"]["unknown_frame_error_cm"] > 0


def test_a_session_with_a_perfect_animator_has_no_seams(tiny: TrainConfig) -> None:
    clips = load_clips(tiny.clips)
    frames = 45
    chosen = [i for i in range(len(clips)) if clips.frames(i) >= frames][:2]
    cut = clips.frames_at(clips.starts[chosen][:, None] + np.arange(frames))
    motion, rest = cut.transpose(0, 2, 1, 3), clips.rest_joints[chosen]

    def perfect(given: evaluate.Given, steps: int, seed: int) -> np.ndarray:
        canonical = windows.canonicalised(motion, rest, np.full(len(rest), seed + 9))
        return canonical[:, :, seed : seed + 30]

    made, is_seam = evaluate.reacted(perfect, motion, rest, steps=4, seed=0)
    truth = windows.canonicalised(motion, rest, np.zeros(len(rest), np.int64))
    made = windows.canonicalised(made, rest, np.zeros(len(rest), np.int64))
    np.testing.assert_allclose(made, truth, atol=1e-4)
    assert is_seam.sum() == 4


def test_the_learning_rate_rises_and_falls_with_the_elapsed_fraction(tiny: TrainConfig) -> None:
    rates = [train.learning_rate(tiny, done) for done in np.linspace(0, 1, 101)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[2] == pytest.approx(tiny.learning_rate)
    assert all(a > b for a, b in itertools.pairwise(rates[2:]))
    assert rates[-1] == pytest.approx(0.01 * tiny.learning_rate)


def test_a_run_needs_an_end(tiny: TrainConfig) -> None:
    with pytest.raises(ConfigError, match="--minutes"):
        replace(tiny, steps=None)


def test_a_generators_loss_falls_and_the_log_says_so(tiny: TrainConfig, tmp_path: Path) -> None:
    clips = load_clips(tiny.clips)
    texts = windows.unique_captions(clips.captions)
    vectors = np.random.default_rng(0).standard_normal((len(texts), 12)).astype(np.float32)
    np.savez(tiny.clips.with_suffix(".captions.npz"), texts=np.array(texts), vectors=vectors)
    config = replace(tiny, network="generator", steps=60, learning_rate=3e-3)
    network = evaluate.load_checkpoint(train.train(config, tmp_path))
    assert isinstance(network, Generator)
    assert network.config.text_width == 12
    lines = [json.loads(line) for line in (tmp_path / train.LOG).read_text().splitlines()]
    totals = [line["total"] for line in lines if line["kind"] == "train"]
    assert np.mean(totals[-10:]) < 0.7 * np.mean(totals[:10])
    assert lines[-1]["kind"] == "held out"


def test_the_starter_samples_what_its_checkpoint_samples(tiny: TrainConfig, tmp_path: Path) -> None:
    checkpoint = train.train(replace(tiny, steps=20, learning_rate=3e-3), tmp_path / "run")
    bundle = starter.make_starter(checkpoint, None, tmp_path / "starter.bundle")
    clips = load_clips(tiny.clips)
    batch = windows.WindowSampler(clips=clips, subset=np.arange(1, len(clips))).draw(
        1, np.random.default_rng(0)
    )
    given = evaluate.Given(
        known=batch.known,
        known_mask=batch.known_mask,
        anchor=batch.anchor,
        anchor_joints=batch.anchor_joints,
    )
    ours, compiled = (
        evaluate.open_sampler(path)(given, 4, 0) for path in (checkpoint, bundle.path)
    )
    np.testing.assert_allclose(compiled, ours, atol=0.05)  # halves, and bf16 where the CPU has it
