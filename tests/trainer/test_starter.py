"""The starter is exported whole, with what was measured, and never over its size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from engine.bundle import ACTS_FILE, load_bundle
from engine.errors import BundleError, InputError
from engine.sampling.acts import SENTENCES
from engine.sampling.kinds import load_kinds
from trainer import starter
from trainer.models.animator.network import Animator
from trainer.models.blocks import NetworkConfig
from trainer.models.checkpoints import PREFIX
from trainer.models.generator.network import Generator
from trainer.starter import make_starter
from trainer.text.minilm import minilm_text

pytestmark = pytest.mark.slow

SIZE = NetworkConfig(width=16, heads=2, layers=1, ffn_width=16, text_width=384)


def checkpoint(path: Path, network: Animator | Generator, name: str) -> Path:
    state = {f"{PREFIX}{key}": value for key, value in network.state_dict().items()}
    about = {"network": name, "heads": SIZE.heads, "schedules": [[930], [910, 470]]}
    torch.save({"state_dict": state, "contrapose": about}, path)
    return path


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return (
        checkpoint(folder / "animator.pt", Animator(SIZE), "animator"),
        checkpoint(folder / "generator.pt", Generator(SIZE), "generator"),
    )


@pytest.mark.long
def test_the_starter_carries_both_networks_words_and_measured_schedules(
    checkpoints: tuple[Path, Path], tmp_path: Path
) -> None:
    names = ("fid", "contact_ratio_pct", "jerk_m_s3", "foot_skating_cm_s")
    rows = {"1 step": {name: {"mean": 50.0, "interval": 1.0} for name in names}}
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"tables": [{"title": "windows from the anchor", "rows": rows}]}))
    path = tmp_path / "s.bundle"
    make_starter(*checkpoints, path, text=minilm_text(), report=report, counts=(4,))
    bundle = load_bundle(path)
    manifest = bundle.manifest
    assert load_kinds(bundle.file(ACTS_FILE)).sentences == SENTENCES
    assert manifest.animator.text_width == 384
    assert manifest.text is not None
    assert manifest.animator.steps_default == 1
    found = {s.steps: (s.timesteps[0], s.quality is None) for s in manifest.animator.schedules}
    assert found == {1: (930, False), 2: (910, True), 4: (750, True)}
    quality = manifest.animator.schedules[0].quality
    assert quality is not None
    assert quality.contact_ratio == 0.5


@pytest.mark.long
def test_a_starter_over_its_size_is_refused_and_the_old_one_stays(
    checkpoints: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "MOST_BYTES", 1000)
    with pytest.raises(BundleError, match="at most 1000 are allowed"):
        make_starter(checkpoints[0], None, tmp_path / "s.bundle", text=None)
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_in_each_others_place_are_refused(
    checkpoints: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="holds no animator"):
        make_starter(checkpoints[1], checkpoints[0], tmp_path / "s.bundle", text=None)


def test_the_packaged_starter_is_at_most_25_megabytes() -> None:
    files = load_bundle(starter.STARTER).manifest.files.values()
    assert sum(record.bytes for record in files) <= starter.MOST_BYTES == 25_000_000
