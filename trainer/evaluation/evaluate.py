"""`contrapose eval` of one subject: what a bundle or a checkpoint is worth, on clips it never saw.

Puts together what this folder measures, as a report. Knows no file.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.body.skins import Skins
from engine.formats.plot import Plot
from trainer.data.shards import Clips
from trainer.evaluation import measures, pairs, restoring, sequences
from trainer.evaluation.animated import animated
from trainer.evaluation.captions import read_captions
from trainer.evaluation.evaluator.evaluator import Evaluator
from trainer.evaluation.measures import Draw, EvaluationSettings
from trainer.evaluation.metrics.distributions import NEIGHBOURS, POOL
from trainer.evaluation.report import Report, Table
from trainer.evaluation.subject import Subject

logger = logging.getLogger(__name__)

PLOTTED = 128
"""Windows of each set in the plots."""


def evaluate(
    subject: Subject, clips: Clips, settings: EvaluationSettings, evaluator: Evaluator
) -> Report:
    """All tables and plots of one subject."""
    started = time.monotonic()
    captions = read_captions(clips)
    tables: list[Table] = []

    def add(title: str, rows: Mapping[str, Mapping[str, Any]], note: str = "") -> None:
        logger.info("%5.0f s  %s", time.monotonic() - started, title)
        if rows:
            tables.append(Table(title=title, rows=rows, note=note))

    drawn = {
        case: measures.draws(clips, captions, known_sets, settings)
        for case, known_sets in measures.CASES.items()
    }
    for case, draws in drawn.items():
        rows = measures.measure_case(subject.sample, draws, settings, evaluator, subject.encode)
        add(f"windows from the {case}", rows, NOTES[case])
    for steps in settings.steps if settings.anchors else ():
        checked = measures.acceptance(subject.sample, clips, settings, captions, steps)
        add(f"acceptance, {measures.label_of(steps)}", checked, NOTES["acceptance"])
    chains = sequences.chain_table(subject.sample, drawn["anchor"], settings)
    add("chains of windows", chains, NOTES["chains"])
    sessions = sequences.session_table(subject.sample, clips, settings)
    add("sessions", sessions, NOTES["sessions"])
    restored = restoring.restoring_table(subject.sample, clips, settings)
    add("histories gone wrong", restored, NOTES["restoring"])
    if subject.has_generator:
        words = pairs.text_table(subject, clips, settings, evaluator, captions)
        add("words to pairs to windows", words, NOTES["words"])
        add("pairs of each kind", pairs.kind_table(subject, clips, settings), NOTES["kinds"])
        add("handshakes", pairs.handshake_table(subject, settings), NOTES["handshakes"])
    return Report(
        title=f"Evaluation of {subject.name}",
        about=_about(subject, clips, settings, evaluator, time.monotonic() - started),
        tables=tables,
        plots=_plots(subject, drawn["anchor"][0], settings, evaluator),
    )


NOTES = {
    "anchor": "One pair is known and nothing else.",
    "history": "Both people are known up to the anchor, the partner perhaps some frames further.",
    "acceptance": "Windows around anchors never seen, over the truth of the same windows; met at "
    "1.5 times the truth at most, and contact at no less than the truth / 1.5.",
    "chains": "Seven seconds from one anchor, windows laid end to start.",
    "sessions": "The partner of a live session, revised every half second.",
    "restoring": "How far a partner who began so is from one who did not, and what is left of it "
    "four seconds later; no layer of the engine helps.",
    "words": "Captions of test clips: measures of the pair, then those of the window around it.",
    "kinds": "Eight pairs from captions of each kind, beside eight true anchors.",
    "handshakes": "Distance of the right wrists, seeds 0 to 19.",
}


def _about(
    subject: Subject,
    clips: Clips,
    settings: EvaluationSettings,
    evaluator: Evaluator,
    seconds: float,
) -> dict[str, Any]:
    return {
        "model": subject.name,
        "model sha256": subject.sha256,
        "shards sha256": evaluator.shards,
        "test clips": len(clips.subset("test")),
        "windows": settings.windows,
        "repeats": f"{settings.repeats}, mean ± 1.96 s / sqrt(R)",
        "seed": settings.seed,
        "mesh frames a repeat": settings.mesh_frames,
        "body": settings.body.name,
        "evaluator": f"{evaluator.config}",
        "precision and recall": f"k = {NEIGHBOURS} nearest neighbours",
        "R-precision": f"pool of {POOL}",
        "seconds": round(seconds),
    }


def _plots(
    subject: Subject, draw: Draw, settings: EvaluationSettings, evaluator: Evaluator
) -> list[Plot]:
    """Where windows made from a few anchors lie among real ones, and how they leave the truth."""
    rows = np.arange(min(len(draw.batch.motion), PLOTTED))
    batch, reference = (measures.chosen_rows(b, rows) for b in (draw.batch, draw.reference))
    skins = Skins(body=settings.body, betas=draw.betas[rows])
    made = {
        measures.label_of(steps): animated(subject.sample, batch, skins, steps, draw.seed)[0]
        for steps in settings.steps
    }
    sets = {"real": evaluator.windows(reference.motion, reference.rest_joints)}
    sets |= {name: evaluator.windows(motion, batch.rest_joints) for name, motion in made.items()}
    errors = {n: measures.error_over_window(motion, batch) for n, motion in made.items()}
    return [
        Plot(
            title="Embeddings on the first two principal components of real windows",
            x_label="component 1",
            y_label="component 2",
            series=_map(sets),
            is_line=False,
        ),
        Plot(
            title="Error over the window",
            x_label="frames from the anchor",
            y_label="mean joint error to the one true continuation, cm",
            series={n: [(i, float(e)) for i, e in enumerate(es)] for n, es in errors.items()},
            is_line=True,
        ),
    ]


def _map(sets: dict[str, Array]) -> dict[str, Sequence[tuple[float, float]]]:
    """All sets on the first two principal components of the first."""
    first = next(iter(sets.values()))
    axes = np.linalg.svd(first - first.mean(axis=0), full_matrices=False)[2][:2]
    return {
        name: [
            (round(float(x), 3), round(float(y), 3))
            for x, y in ((vectors - first.mean(axis=0)) @ axes.T)
        ]
        for name, vectors in sets.items()
    }
