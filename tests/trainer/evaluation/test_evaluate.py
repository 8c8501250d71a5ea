"""`contrapose eval`: what it refuses, and that one evaluation fills every report alike."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from engine.arrays import Array
from engine.errors import InputError
from engine.sampling.request import WindowRequest
from tests.trainer.synthetic import write_clips
from trainer.commands import add_commands
from trainer.data.shards import load_clips
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.evaluator.networks import EvaluatorConfig
from trainer.evaluation.evaluator.training import open_evaluator, shards_hash
from trainer.evaluation.measures import EvaluationSettings
from trainer.evaluation.report import write_report
from trainer.evaluation.subject import Subject


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    return parser.parse_args(["eval", *arguments])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards with a quick evaluator beside them."""
    path = write_clips(tmp_path_factory.mktemp("data") / "shards", clips=40)
    config = EvaluatorConfig(width=16, latent=8, pool=64, steps=10, batch=16)
    open_evaluator(path, load_clips(path), config=config)
    return path


def copy(requests: Sequence[WindowRequest]) -> Array:
    """Holds the anchor still."""
    return np.zeros((len(requests), 2, 30, 135), np.float32)


@pytest.mark.long
def test_one_evaluation_writes_the_same_tables_to_every_report(data: Path, tmp_path: Path) -> None:
    clips = load_clips(data)
    settings = EvaluationSettings(
        windows=6, steps=(1,), repeats=1, mesh_frames=2, modes=(2, 2), chains=1, sessions=1,
        anchors=5,
    )  # fmt: skip
    evaluator = open_evaluator(data, clips)
    subject = Subject(name="copy", sha256="0", sample=copy, history_frames=10, steps_default=1)
    paths = [tmp_path / f"report{ending}" for ending in (".md", ".json", ".html")]
    write_report(evaluate(subject, clips, settings, evaluator), paths)
    text, content, page = (path.read_text() for path in paths)
    report = json.loads(content)
    titles = [table["title"] for table in report["tables"]]
    cases = ["windows from the anchor", "windows from the history"]
    assert titles[:4] == [*cases, "acceptance, 1 step", "chains of windows"]
    assert list(report["tables"][0]["rows"]) == ["truth", "1 step"]
    assert report["about"]["shards sha256"] == shards_hash(data)
    for title in titles:
        assert f"## {title}" in text
        assert f"<h2>{title}</h2>" in page
    assert page.count("<svg") == 2


def test_what_cannot_be_evaluated_is_refused_in_one_line(data: Path, tmp_path: Path) -> None:
    args = parsed(str(tmp_path / "absent.pt"), "--data", str(data))
    with pytest.raises(InputError, match=r"absent\.pt"):
        args.run(args)
    args = parsed("model.pt", "--data", str(data), "-o", "report.pdf")
    with pytest.raises(InputError, match="reports end in"):
        args.run(args)
