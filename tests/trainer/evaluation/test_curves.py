"""Curves over denoiser calls: the same draws for all models, a row for each step count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from engine.arrays import Array
from engine.errors import InputError
from engine.sampling.request import WindowRequest
from tests.trainer.synthetic import write_clips
from trainer.data.shards import load_clips
from trainer.evaluation.curves import PLOTTED, short_name, step_curves
from trainer.evaluation.evaluator.networks import EvaluatorConfig
from trainer.evaluation.evaluator.training import train_evaluator
from trainer.evaluation.measures import EvaluationSettings
from trainer.evaluation.report import write_report
from trainer.evaluation.subject import Subject


def still(requests: Sequence[WindowRequest]) -> Array:
    return np.zeros((len(requests), 2, 30, 135), np.float32)


def nearly_still(requests: Sequence[WindowRequest]) -> Array:
    """A walk that is the longer the fewer the steps."""
    walk = np.arange(30)[:, None] * np.array([0.02, 0, 0]) / requests[0].steps
    x0 = still(requests)
    x0[..., -3:] = walk
    return x0


def subject(name: str, sample: object) -> Subject:
    assert callable(sample)
    return Subject(name=name, sha256="0", sample=sample, history_frames=10, steps_default=10)


@pytest.mark.long
def test_a_curve_has_a_table_for_each_model_and_a_plot_for_each_measure(tmp_path: Path) -> None:
    clips = load_clips(write_clips(tmp_path / "shards", clips=40))
    config = EvaluatorConfig(width=16, latent=8, pool=64, steps=10, batch=16)
    evaluator = train_evaluator(clips, "shards", config)
    settings = EvaluationSettings(windows=8, steps=(1, 2, 4), repeats=2, mesh_frames=2)
    models = [subject("runs/a/checkpoint.pt", still), subject("b.bundle", nearly_still)]
    report = step_curves(models, clips, settings, evaluator)

    assert [table.title for table in report.tables] == ["a", "b.bundle"]
    for table in report.tables:
        assert list(table.rows) == ["truth", "1 step", "2 steps", "4 steps"]
    one, other = (table.rows for table in report.tables)
    assert one["truth"] == other["truth"]
    assert one["1 step"] == one["2 steps"] == one["4 steps"]
    assert other["1 step"] != other["4 steps"]
    assert [plot.title for plot in report.plots] == list(PLOTTED.values())
    for plot in report.plots:
        assert [x for x, _ in plot.series["a"]] == [0, 1, 2]
        assert all(
            y <= 3 * max(dict(p)[2] for p in plot.series.values())
            for _, y in plot.series["b.bundle"]
        )
    write_report(report, [tmp_path / "curve.svg"])
    picture = (tmp_path / "curve.svg").read_text()
    assert all(picture.count(f">{title}<") == 2 for title in PLOTTED.values())
    assert picture.count(">b.bundle<") == len(PLOTTED)

    with pytest.raises(InputError, match="two models go by one name"):
        step_curves([models[0], models[0]], clips, settings, evaluator)


def test_a_checkpoint_goes_by_its_folder_and_a_bundle_by_its_own() -> None:
    assert short_name("runs/student/checkpoint.pt") == "student"
    assert short_name("engine/data/starter.bundle") == "starter.bundle"
