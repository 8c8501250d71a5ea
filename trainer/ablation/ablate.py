"""`contrapose ablate`: what each part of the animator is worth.

Trains the same small network with one thing missing at a time, and measures all of them, the truth
and two floors on the same draws. Every row has a folder of its own, and what a folder holds is not
made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.sampling.generation import SampleWindows
from trainer.ablation.rows import FLOORS, OURS, ROWS, VARIANTS
from trainer.ablation.table import ablation_tables, measured_row
from trainer.ablation.variants import AblationConfig, ablation_sampler, ablation_task, open_network
from trainer.data.shards import Clips
from trainer.evaluation.evaluator.evaluator import Evaluator
from trainer.evaluation.floors import copy_sampler, nearest_sampler
from trainer.evaluation.measures import TRUTH, EvaluationSettings, anchor_draws
from trainer.evaluation.report import Report, write_report
from trainer.training.config import TrainConfig
from trainer.training.config_file import load_config
from trainer.training.train import run_task, settled
from trainer.training.world import joined_world

DENOISER_CALLS = 20


def variant_configs(path: Path, changes: Sequence[str]) -> dict[str, TrainConfig]:
    """The configuration of each trained row: the file's, changed for all, then for the row."""
    return {
        name: load_config(path, "ablation", AblationConfig, [*changes, *variant.changes])
        for name, variant in VARIANTS.items()
    }


def ablate(
    configs: Mapping[str, TrainConfig],
    only: Sequence[str],
    clips: Clips,
    evaluator: Evaluator,
    settings: EvaluationSettings,
    out: Path,
) -> bool:
    """Make the rows, each in its folder, and the report after each; False if asked to stop."""
    drawn = anchor_draws(clips, settings)
    out.mkdir(parents=True, exist_ok=True)
    measured = {}
    for name in (TRUTH, *(row for row in ROWS if row in only)):
        sample, sha256 = None, ""
        if name in VARIANTS:
            trained = _trained(configs[name], clips, out / name)
            if trained is None:
                return False
            sample, sha256 = trained
        elif name in FLOORS:
            sample = copy_sampler() if name == "copy" else nearest_sampler(clips)
        measured[name] = measured_row(sample, drawn, settings, evaluator, out / name, sha256)
        report = Report(
            title="Ablations",
            about=_about(configs, list(measured), settings, evaluator),
            tables=ablation_tables(measured, OURS),
        )
        write_report(report, [out / "ablations.md", out / "ablations.json"])
    return True


def _about(
    configs: Mapping[str, TrainConfig],
    rows: Sequence[str],
    settings: EvaluationSettings,
    evaluator: Evaluator,
) -> dict[str, Any]:
    base = configs[OURS]
    meanings = {name: variant.about for name, variant in VARIANTS.items()} | FLOORS
    return {
        "shards sha256": evaluator.shards,
        "training": f"{base.steps} steps of {base.batch} windows, seed {base.seed}",
        "network": f"{base.size}",
        "windows": f"{settings.windows} of test clips, {settings.repeats} repeats, "
        "mean ± 1.96 s / sqrt(R)",
        "denoiser calls": settings.steps[0],
        "mesh frames a repeat": settings.mesh_frames,
        **{name: meanings[name] for name in rows if name in meanings},
    }


def _trained(config: TrainConfig, clips: Clips, out: Path) -> tuple[SampleWindows, str] | None:
    """The network of a row, trained as far as it is not yet, and its checkpoint's SHA-256.

    None if training was asked to stop before its end.
    """
    with joined_world(config.threads) as world:
        config = settled(config, world)
        checkpoint = run_task(config, ablation_task(config, clips), out, world)
    network, is_over = open_network(checkpoint, config)
    if not is_over:
        return None
    return ablation_sampler(network), hashlib.sha256(checkpoint.read_bytes()).hexdigest()
