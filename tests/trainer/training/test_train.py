"""A run goes on as if it had never stopped, alone or among processes, and says what it does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import ConfigError
from engine.sampling.request import WindowRequest
from tests.trainer.synthetic import clip_records, write_clips
from trainer import starter
from trainer.data import windows
from trainer.data.captions import unique_captions
from trainer.data.shards import ShardsManifest, load_clips, write_manifest, write_shard
from trainer.evaluation.subject import open_subject
from trainer.models.animator.network import Animator
from trainer.models.checkpoints import load_network, read_checkpoint
from trainer.models.generator.network import Generator
from trainer.text.captions import encoder_mark, load_captions
from trainer.training import train
from trainer.training.batches import from_workers, prefetched, share
from trainer.training.config import TrainConfig
from trainer.training.config_file import load_config
from trainer.training.objectives import OBJECTIVES, make_task
from trainer.training.run_log import LOG
from trainer.training.runs import CHECKPOINT
from trainer.training.world import World

TINY = Path(train.__file__).parents[1] / "configs" / "tiny.toml"
ROLLOUTS = tuple(
    f"animator.rollouts.{setting}" for setting in ("share=0.25", "windows=1", "advance=[4, 8]")
)
"""Windows on the network's own history are made again alike, too."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("data") / "shards", clips=8)


def tiny(data: Path, *changes: str, objective: str = "animator") -> TrainConfig:
    kind = OBJECTIVES[objective].config
    rollouts = ROLLOUTS if objective == "animator" else ()
    return load_config(TINY, objective, kind, [f"data={data}", "log_every=1", *rollouts, *changes])


def command(data: Path, out: Path, *changes: str) -> list[str]:
    settings = [f"data={data}", "log_every=1", *ROLLOUTS, *changes]
    words = [word for change in settings for word in ("--set", change)]
    program = [sys.executable, "-m", "trainer.training.train"]
    return [*program, "animator", str(TINY), "--out", str(out), *words]


def weights(out: Path) -> dict[str, torch.Tensor]:
    return dict(torch.load(out / CHECKPOINT, weights_only=True)["state_dict"])


def curve(out: Path, kind: str = "train") -> list[dict[str, Any]]:
    """The log without the times, which no two runs share."""
    lines = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    return [
        {k: v for k, v in line.items() if k != "seconds"} for line in lines if line["kind"] == kind
    ]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.long
def test_a_run_that_was_killed_ends_with_the_bits_and_the_curve_of_an_unbroken_one(
    data: Path, tmp_path: Path
) -> None:
    changes = ["steps=40", "optimiser.name=muon", "checkpoint_minutes=0.008"]  # AdamW is in it too
    config = tiny(data, *changes)
    killed, unbroken = tmp_path / "killed", tmp_path / "unbroken"
    arguments = command(data, killed, *changes)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if (killed / CHECKPOINT).exists())
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert torch.load(killed / CHECKPOINT, weights_only=True)["training"]["step"] < 40

    train.train(config, killed)
    train.train(config, unbroken)
    assert same(weights(killed), weights(unbroken))
    assert curve(killed) == curve(unbroken)


@pytest.mark.long
def test_sigterm_ends_a_run_with_a_checkpoint_that_it_goes_on_from(
    data: Path, tmp_path: Path
) -> None:
    arguments = command(data, tmp_path, "steps=10000")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "step 3 " in line)
        process.terminate()
        last = process.stdout.readlines()[-1]
    step = torch.load(tmp_path / CHECKPOINT, weights_only=True)["training"]["step"]
    assert (process.returncode, step) >= (0, 3)
    assert f"stopped at step {step}" in last
    train.train(tiny(data, f"steps={step + 2}"), tmp_path)
    assert [line["step"] for line in curve(tmp_path)] == list(range(1, step + 3))


@pytest.mark.long
@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_that_still_compiles_ends_at_once_and_in_one_line(
    data: Path, tmp_path: Path, processes: int
) -> None:
    """Its first step takes minutes, in which it hears of no signal and no other process."""
    out = tmp_path / "out"
    arguments = command(data, out, "steps=10000", "compile=true", f"processes={processes}")
    cold = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, env=cold, stdout=pipe, stderr=pipe, text=True) as process:
        while not (out / LOG).exists():
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(2.0)  # into the first step
        process.terminate()
        begun = time.monotonic()
        said, complained = process.communicate(timeout=60)
        seconds = time.monotonic() - begun
    assert (process.returncode, complained) == (0, "")
    assert said.splitlines() == [f"{out}: stopped before the first step; nothing is lost"]
    assert seconds < 20  # torch itself kills what has not ended after 30
    assert not (out / CHECKPOINT).exists()


@pytest.mark.long
def test_two_processes_are_one_process_with_the_same_batch(tmp_path: Path) -> None:
    # Without what each process would average over frames or contacts of its own, as any DDP does.
    records = [record for record in clip_records(8) if len(record.features) >= 30]
    whole = tmp_path / "shards"
    shard = write_shard(whole, "shard-00000", records)
    write_manifest(whole, ShardsManifest(source="", options={}, shards=(shard,), is_complete=True))
    terms = ("distance", "contact", "skate")
    changes = [*(f"animator.loss.{term}=0" for term in terms), "size.dropout=0", "steps=3"]
    train.train(tiny(whole, *changes), tmp_path / "one")
    arguments = command(whole, tmp_path / "two", *changes, "processes=2")
    subprocess.run(
        arguments, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    for alone, together in zip(curve(tmp_path / "one"), curve(tmp_path / "two"), strict=True):
        assert together["total"] == pytest.approx(alone["total"], rel=1e-4)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # as where there is one core
def test_worker_processes_draw_the_batches_that_a_thread_draws(data: Path) -> None:
    config = tiny(data)
    batch = share(make_task(config).draw, config, World())
    with (
        closing(prefetched(batch, 7, 3)) as by_thread,
        closing(from_workers(batch, 7, 3, 2)) as by_workers,
    ):
        for _ in range(3):
            assert same(next(by_thread), next(by_workers))


@pytest.mark.long
def test_a_full_disk_is_named_and_leaves_the_checkpoint_before(data: Path, tmp_path: Path) -> None:
    train.train(tiny(data, "steps=2"), tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    room = f"import resource as r; r.setrlimit(r.RLIMIT_FSIZE, ({len(before) // 2},) * 2);"
    program = (
        f"{room} import sys; from trainer.training.train import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = [sys.executable, "-c", program, *command(data, tmp_path, "steps=4")[3:]]
    result = subprocess.run(arguments, capture_output=True, text=True)
    assert result.returncode == 2
    assert f"{CHECKPOINT}: cannot write step 4" in result.stderr
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))


def test_a_run_goes_on_only_with_the_configuration_it_began_with(
    data: Path, tmp_path: Path
) -> None:
    train.train(tiny(data, "steps=1"), tmp_path)
    with pytest.raises(ConfigError, match=r"batch = 8, now it is 16.*--fresh"):
        train.train(tiny(data, "steps=2", "batch=16"), tmp_path)
    train.train(tiny(data, "steps=1", "batch=16"), tmp_path, resume=False)
    assert len(curve(tmp_path)) == 1


def test_a_run_can_start_from_anothers_averaged_weights_without_words(
    data: Path, tmp_path: Path
) -> None:
    store_random_captions(data, width=12)
    train.train(tiny(data, "steps=2"), tmp_path / "first")
    stored = read_checkpoint(tmp_path / "first" / CHECKPOINT)
    stored["contrapose"]["schedules"] = [[900, 400]]  # as of a student
    torch.save(stored, tmp_path / "first" / CHECKPOINT)
    wordy = tiny(data, "steps=1", "text_encoder=minilm", f"init={tmp_path / 'first' / CHECKPOINT}")
    task = make_task(wordy)
    network = task.network
    assert task.about["schedules"] == [[900, 400]]
    assert isinstance(network, Animator)
    assert not network.text_embed.weight.any()
    first = weights(tmp_path / "first")
    own = {f"model.decoder.net.{k}": v for k, v in network.state_dict().items()}
    assert same(first, {name: own[name] for name in first})
    with pytest.raises(ConfigError, match=r"linear1.weight as \(32, 16\), this network as"):
        make_task(replace(wordy, size=replace(wordy.size, width=32)))


def store_random_captions(data: Path, width: int) -> None:
    texts = unique_captions(load_clips(data).captions)
    vectors = np.random.default_rng(0).standard_normal((len(texts), width)).astype(np.float32)
    np.savez(
        data / f"captions-{encoder_mark('minilm')}.npz", texts=np.array(texts), vectors=vectors
    )
    assert load_captions(load_clips(data), data, "minilm").width == width


def test_a_generators_loss_falls_and_the_log_says_so(data: Path, tmp_path: Path) -> None:
    store_random_captions(data, width=12)
    changes = ["text_encoder=minilm", "steps=60", "size.dropout=0"]
    checkpoint = train.train(tiny(data, *changes, objective="generator"), tmp_path)
    network = load_network(checkpoint, Generator)
    assert network.config.text_width == 12
    totals = [line["total"] for line in curve(tmp_path)]
    assert np.mean(totals[-10:]) < 0.7 * np.mean(totals[:10])
    assert [line["step"] for line in curve(tmp_path, "held_out")] == [60]
    assert list((tmp_path / "tensorboard").iterdir())


@pytest.mark.long
def test_the_starter_samples_what_its_checkpoint_samples(data: Path, tmp_path: Path) -> None:
    checkpoint = train.train(tiny(data), tmp_path / "run")
    bundle = starter.make_starter(checkpoint, None, tmp_path / "starter.bundle", text=None)
    clips = load_clips(data)
    batch = windows.WindowSampler(clips=clips, subset=np.arange(1, len(clips))).draw(
        1, np.random.default_rng(0)
    )
    request = WindowRequest(
        known=batch.known[0],
        known_mask=batch.known_mask[0],
        anchor=batch.anchor[0],
        anchor_joints=batch.anchor_joints[0],
        seed=0,
        steps=4,
    )
    ours, compiled = (open_subject(path).sample([request]) for path in (checkpoint, bundle.path))
    np.testing.assert_allclose(compiled, ours, atol=0.05)  # halves, and bf16 where the CPU has it
