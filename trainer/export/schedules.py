"""The step schedules of a bundle: their timesteps, their measured quality, and the default.

Knows checkpoints and the JSON reports of `contrapose eval`. Knows no graph and no directory of a
bundle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.bundle import ScheduleSpec, StepQuality
from engine.errors import InputError
from engine.sampling.schedule import step_schedule
from trainer.evaluation.curves import short_name
from trainer.evaluation.measures import label_of
from trainer.models.checkpoints import distilled_schedules

AS_GOOD = 1.1
"""Within a tenth of the best is as good as it."""
ANCHOR_TABLE = "windows from the anchor"
"""The table of a report on one model; reports on several have one named after each."""


def bundle_schedules(
    checkpoint: Path, counts: Sequence[int], report: Path | None = None
) -> tuple[ScheduleSpec, ...]:
    """Those the network was distilled to, and even ones at the other `counts`; fewest steps first.

    report  of this network, with `--steps`; a count it does not have stays without quality
    Raises InputError if it holds no table of this network.
    """
    own = distilled_schedules(checkpoint)
    rows = {} if report is None else _measured_rows(report, short_name(str(checkpoint)))
    return tuple(
        ScheduleSpec(
            steps=steps,
            timesteps=own.get(steps) or tuple(step_schedule(steps).timesteps.tolist()),
            quality=_quality(rows.get(label_of(steps))),
        )
        for steps in sorted({*own, *counts})
    )


def default_steps(schedules: Sequence[ScheduleSpec], unmeasured: int) -> int:
    """The fewest steps that are as good as the best; `unmeasured` where nothing was measured.

    Best is the lowest FID. As good are FID, jerk and foot skating of at most AS_GOOD times its, and
    contact of at least its / AS_GOOD.
    """
    measured = [(s.steps, s.quality) for s in schedules if s.quality is not None]
    if not measured:
        return unmeasured
    best = min((quality for _, quality in measured), key=lambda quality: quality.fid)
    return min(steps for steps, quality in measured if _is_as_good(quality, best))


def _is_as_good(quality: StepQuality, best: StepQuality) -> bool:
    return (
        quality.fid <= AS_GOOD * best.fid
        and quality.jerk_m_s3 <= AS_GOOD * best.jerk_m_s3
        and quality.foot_skating_cm_s <= AS_GOOD * best.foot_skating_cm_s
        and quality.contact_ratio >= best.contact_ratio / AS_GOOD
    )


def _measured_rows(report: Path, name: str) -> Mapping[str, Mapping[str, Any]]:
    try:
        content = json.loads(report.read_text(encoding="utf-8"))
        tables: dict[str, Mapping[str, Any]] = {t["title"]: t["rows"] for t in content["tables"]}
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InputError(
            f"{report}: is no JSON report of contrapose eval ({exc})", field="--report"
        ) from exc
    for title in (name, ANCHOR_TABLE):
        if title in tables:
            return tables[title]
    raise InputError(
        f"{report}: has tables {', '.join(tables)}, expected {name} or {ANCHOR_TABLE}; measure the "
        "checkpoint that is exported",
        field="--report",
    )


def _quality(row: Mapping[str, Any] | None) -> StepQuality | None:
    if row is None:
        return None
    return StepQuality(
        fid=row["fid"]["mean"],
        contact_ratio=row["contact_ratio_pct"]["mean"] / 100,
        jerk_m_s3=row["jerk_m_s3"]["mean"],
        foot_skating_cm_s=row["foot_skating_cm_s"]["mean"],
    )
