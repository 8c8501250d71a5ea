"""The ablation table: rows measured on the same draws, and what one row wins over the others.

Knows samplers, draws and measures; knows no network and no training. What has been measured is kept
in the row's folder, so that a table can be gone on with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.sampling.generation import SampleWindows
from trainer.evaluation.evaluator.evaluator import Evaluator
from trainer.evaluation.measures import (
    COLUMNS,
    TRUTH,
    Draw,
    EvaluationSettings,
    animated_draw,
    window_measures,
)
from trainer.evaluation.metrics.distributions import Estimate, estimated
from trainer.evaluation.report import Cell, Table

MEASURES = "measures.json"
SIDES = {
    "raw": "windows as the networks leave them",
    "finished": "windows as a user gets them, joined to the anchor and cleaned up by the engine",
}
Repeats = list[dict[str, float]]
Row = dict[str, Repeats]
"""For each of SIDES the measures of every repeat, in the order of the draws."""


def measured_row(
    sample: SampleWindows | None,
    drawn: Sequence[Draw],
    settings: EvaluationSettings,
    evaluator: Evaluator,
    folder: Path,
    sha256: str = "",
) -> Row:
    """Measure a row, or read what FOLDER keeps of the same row; None as `sample` is the truth.

    sha256  of the row's checkpoint, if it has one
    """
    key = {
        "sha256": sha256,
        "evaluator": evaluator.shards,
        "settings": {k: v for k, v in vars(settings).items() if k != "body"},
    }
    key = json.loads(json.dumps(key))
    path = folder / MEASURES
    if path.exists() and (stored := json.loads(path.read_text()))["key"] == key:
        return dict(stored["row"])
    row: Row = {side: [] for side in SIDES}
    for draw in drawn:
        if sample is None:
            motions = dict.fromkeys(SIDES, draw.batch.motion)
        else:
            finished, raw = animated_draw(sample, draw, settings, settings.steps[0])
            motions = {"raw": raw, "finished": finished}
        for side, motion in motions.items():
            row[side].append(window_measures(motion, draw, settings, evaluator))
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"key": key, "row": row}, indent=1) + "\n")
    return row


def ablation_tables(rows: Mapping[str, Row], ours: str) -> list[Table]:
    """The rows as measured and as finished, and what `ours` wins over each other one."""
    tables = [
        Table(
            title=title,
            rows={
                name: {c: estimated([r[c] for r in row[side]]) for c in COLUMNS}
                for name, row in rows.items()
            },
        )
        for side, title in SIDES.items()
    ]
    others = [name for name in rows if name not in (ours, TRUTH)]
    for side, title in SIDES.items():
        if ours in rows and others:
            tables.append(
                Table(
                    title=f"{ours} against each row: {title}",
                    rows={name: _won(rows, ours, name, side) for name in others},
                    note="What the row has more than ours, repeat by repeat on the same draws: of "
                    "FID, and of the contact ratio's distance from the truth's. Decided where the "
                    "95 % interval leaves out 0; it counts draws of test windows, not seeds of "
                    "training.",
                )
            )
    return tables


def _won(rows: Mapping[str, Row], ours: str, name: str, side: str) -> dict[str, Cell]:
    def of(row: str, measure: str) -> Any:
        return np.array([repeat[measure] for repeat in rows[row][side]])

    def off(row: str) -> Any:
        return np.abs(of(row, "contact_ratio_pct") - of(TRUTH, "contact_ratio_pct"))

    fid = estimated(of(name, "fid") - of(ours, "fid"))
    contact = estimated(off(name) - off(ours))
    return {
        "fid": fid,
        f"{ours} on FID": _verdict(fid),
        "contact_ratio_pct, off the truth": contact,
        f"{ours} on contact": _verdict(contact),
    }


def _verdict(more: Estimate) -> str:
    if more.interval is None or abs(more.mean) <= more.interval:
        return "undecided"
    return "wins" if more.mean > 0 else "loses"
