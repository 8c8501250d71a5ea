"""A bundle's default is the fewest steps that are as good as the best, by what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from engine.bundle import ScheduleSpec, StepQuality
from engine.errors import InputError
from trainer.export.schedules import bundle_schedules, default_steps


def measured(steps: int, fid: float, contact: float, jerk: float = 10.0) -> ScheduleSpec:
    quality = StepQuality(fid=fid, contact_ratio=contact, jerk_m_s3=jerk, foot_skating_cm_s=2.0)
    return ScheduleSpec(steps=steps, timesteps=tuple(range(steps, 0, -1)), quality=quality)


def test_the_default_is_the_fewest_steps_as_good_as_the_best_in_every_measure() -> None:
    best = measured(20, fid=5.0, contact=0.6)
    assert default_steps([measured(2, fid=5.4, contact=0.56), best], 10) == 2
    assert default_steps([measured(2, fid=5.6, contact=0.60), best], 10) == 20
    assert default_steps([measured(2, fid=5.4, contact=0.50), best], 10) == 20
    assert default_steps([measured(2, fid=5.4, contact=0.60, jerk=12.0), best], 10) == 20


def test_a_schedule_that_was_not_measured_is_never_the_default() -> None:
    unknown = ScheduleSpec(steps=1, timesteps=(930,), quality=None)
    assert default_steps([unknown, measured(4, fid=5.0, contact=0.6)], 10) == 4
    assert default_steps([unknown], 10) == 10


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "student" / "checkpoint.pt"
    path.parent.mkdir()
    torch.save({"contrapose": {"schedules": [[930], [910, 470]]}}, path)
    return path


def written(path: Path, title: str) -> Path:
    names = ("fid", "contact_ratio_pct", "jerk_m_s3", "foot_skating_cm_s")
    row = {name: {"mean": 50.0, "interval": 1.0} for name in names}
    table = {"title": title, "rows": {"truth": row, "2 steps": row}, "note": ""}
    path.write_text(json.dumps({"tables": [table]}))
    return path


@pytest.mark.parametrize("title", ["student", "windows from the anchor"])
def test_schedules_are_the_students_own_and_even_beside_them(
    checkpoint: Path, tmp_path: Path, title: str
) -> None:
    schedules = bundle_schedules(checkpoint, (2, 4), written(tmp_path / "report.json", title))
    found = {s.steps: (s.timesteps, s.quality is not None) for s in schedules}
    assert found == {
        1: ((930,), False),
        2: ((910, 470), True),
        4: ((750, 500, 250, 0), False),
    }
    assert schedules[1].quality == StepQuality(
        fid=50.0, contact_ratio=0.5, jerk_m_s3=50.0, foot_skating_cm_s=50.0
    )


def test_a_report_on_another_network_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    report = written(tmp_path / "report.json", "teacher")
    with pytest.raises(InputError, match="has tables teacher, expected student"):
        bundle_schedules(checkpoint, (4,), report)
