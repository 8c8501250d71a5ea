"""Quality over the number of denoiser calls, of several subjects on the same draws.

Knows subjects, draws and measures; knows no network, no training and no file.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.errors import InputError
from engine.formats.plot import Plot
from trainer.data.shards import Clips
from trainer.evaluation.evaluator.evaluator import Evaluator
from trainer.evaluation.measures import (
    COLUMNS,
    TRUTH,
    EvaluationSettings,
    anchor_draws,
    animated_draw,
    estimates,
    label_of,
    window_measures,
)
from trainer.evaluation.metrics.distributions import Estimate
from trainer.evaluation.report import Report, Table
from trainer.evaluation.subject import Subject

logger = logging.getLogger(__name__)

PLOTTED = {
    "fid": "FID",
    "contact_ratio_pct": "frames in contact, %",
    "jerk_m_s3": "jerk, m/s3",
    "foot_skating_cm_s": "foot skating, cm/s",
}
NOTE = "Windows as a user gets them, from the anchor alone; all rows on the same draws."
IN_PLOT = 3
"""A value this many times the worst at the most steps is in the table only: a network that was
never distilled makes noise in one step, and a plot of that would flatten all else to a line."""


def step_curves(
    subjects: Sequence[Subject], clips: Clips, settings: EvaluationSettings, evaluator: Evaluator
) -> Report:
    """A table for each subject, with a row for each step count, and a plot for each of PLOTTED.

    Raises InputError if two subjects go by one name.
    """
    names = [short_name(subject.name) for subject in subjects]
    if len(set(names)) < len(names):
        raise InputError(f"{', '.join(names)}: two models go by one name; rename one")
    drawn = anchor_draws(clips, settings)
    truth = estimates([window_measures(d.batch.motion, d, settings, evaluator) for d in drawn])
    measured: dict[str, dict[int, dict[str, Estimate]]] = {}
    for name, subject in zip(names, subjects, strict=True):
        measured[name] = {}
        for steps in settings.steps:
            logger.info("%s: %s", name, label_of(steps))
            made = [animated_draw(subject.sample, d, settings, steps)[0] for d in drawn]
            measured[name][steps] = estimates(
                [
                    window_measures(motion, draw, settings, evaluator)
                    for motion, draw in zip(made, drawn, strict=True)
                ]
            )
    tables = [
        Table(
            title=name,
            rows={TRUTH: _columns(truth)}
            | {label_of(steps): _columns(row) for steps, row in rows.items()},
            note=NOTE,
        )
        for name, rows in measured.items()
    ]
    return Report(
        title="Quality over denoiser calls",
        about={
            **{f"{name} sha256": s.sha256 for name, s in zip(names, subjects, strict=True)},
            "shards sha256": evaluator.shards,
            "windows": settings.windows,
            "repeats": f"{settings.repeats}, mean ± 1.96 s / sqrt(R)",
            "seed": settings.seed,
            "mesh frames a repeat": settings.mesh_frames,
        },
        tables=tables,
        plots=[_plot(column, truth[column].mean, measured) for column in PLOTTED],
    )


def short_name(name: str) -> str:
    """A checkpoint goes by its run's folder, a bundle by its own: "runs/a/checkpoint.pt" -> "a"."""
    path = Path(name)
    return path.absolute().parent.name if path.suffix == ".pt" else path.name


def _columns(row: Mapping[str, Estimate]) -> dict[str, Estimate]:
    return {column: row[column] for column in COLUMNS}


def _plot(
    column: str, truth: float, measured: Mapping[str, Mapping[int, Mapping[str, Estimate]]]
) -> Plot:
    counts = list(next(iter(measured.values())))
    most = IN_PLOT * max(truth, *(rows[max(counts)][column].mean for rows in measured.values()))
    series = {TRUTH: [(math.log2(steps), truth) for steps in counts]} | {
        name: [
            (math.log2(steps), row[column].mean)
            for steps, row in rows.items()
            if row[column].mean <= most
        ]
        for name, rows in measured.items()
    }
    return Plot(
        title=PLOTTED[column],
        x_label="denoiser calls of a window, as powers of two",
        y_label=PLOTTED[column],
        series=series,
        is_line=True,
    )
