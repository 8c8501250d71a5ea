"""`contrapose ablate`: what each part of the animator is worth, as in Ponimator's table 2.

Trains the same small network with one thing missing at a time, and measures all of them, the truth
and two floors on the same draws. Every row has a folder of its own, and what a folder holds is not
made again. The parser imports nothing heavy, so a machine without PyTorch still lists the command.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.sampling.generation import SampleWindows
    from trainer.data.shards import Clips
    from trainer.evaluation.measures import EvaluationSettings
    from trainer.evaluation.training import Evaluator
    from trainer.training.config import TrainConfig

CONFIG = Path(__file__).parent.parent / "configs" / "ablation.toml"
DENOISER_CALLS = 20


@dataclass(frozen=True)
class Variant:
    """A trained row: what it is, and what it has otherwise than the configuration file."""

    about: str
    changes: tuple[str, ...] = ()


OURS = "full"
VARIANTS = {
    OURS: Variant("the animator"),
    "without-anchor": Variant(
        "the pair is a condition only: windows are absolute, not residuals, and no frame is given",
        ("ablation.sight.anchor=false",),
    ),
    "without-time": Variant(
        "neither mask nor given frame: the network knows the pair, but not where it stands",
        ("ablation.sight.time=false",),
    ),
    "without-joints": Variant(
        "no world joints in the condition vector", ("ablation.sight.joints=false",)
    ),
    "random-pose": Variant(
        "trained around random frames instead of poses that touch",
        ("ablation.animator.contact_bias=0.0",),
    ),
    "intergen-like": Variant(
        "two streams with cross-attention; the pair is a condition only, as without-anchor",
        ("ablation.is_intergen=true", "size.layers=3"),  # three of its blocks outweigh four of ours
    ),
}
FLOORS = {
    "copy": "no network: the pair, held still",
    "nearest": "no network: the training window around the nearest pair",
}
ROWS = (*VARIANTS, *FLOORS)


# ------------------------------------------------------------------------------------ command line
def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "ablate",
        help="train and measure the animator with one thing missing at a time",
        description="Trains the networks of the ablation table at a small size, measures them "
        "beside the truth and two floors, and writes DIR/ablations.{md,json}. A run that was "
        "stopped goes on where it was; finished rows are not made again.",
    )
    parser.add_argument("--data", type=Path, metavar="SHARDS", help="default: as in --config")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--steps", type=int, metavar="N", help="of training, for each network")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=ROWS,
        default=ROWS,
        metavar="NAME",
        help=f"rows, of {', '.join(ROWS)}",
    )
    parser.add_argument("--repeats", type=int, default=5, metavar="R", help="(%(default)s)")
    parser.add_argument("--windows", type=int, default=256, metavar="N", help="(%(default)s)")
    parser.add_argument(
        "--config", type=Path, default=CONFIG, metavar="FILE.toml", help="default: ablation.toml"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key of the configuration, such as size.width=128",
    )
    parser.add_argument(
        "--evaluator",
        type=Path,
        metavar="FILE",
        help="trained there if it is not; default: SHARDS.evaluator.pt",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from trainer.data.shards import load_clips
    from trainer.evaluation.measures import EvaluationSettings
    from trainer.evaluation.training import open_evaluator, shards_hash

    changes = [f"data={args.data}"] * bool(args.data) + [f"steps={args.steps}"] * bool(args.steps)
    configs = variant_configs(args.config, [*changes, *args.set])
    data = configs[OURS].data.absolute()
    path = args.evaluator or data.with_name(f"{data.name}.evaluator.pt")
    clips = load_clips(data)
    evaluator = open_evaluator(path, clips, shards_hash(data))
    settings = EvaluationSettings(
        windows=args.windows, steps=(DENOISER_CALLS,), repeats=args.repeats
    )
    is_over = ablate(configs, args.only, clips, evaluator, settings, args.out)
    print(args.out / "ablations.md" if is_over else "stopped: the same command goes on from here")
    return 0 if is_over else 1


# ---------------------------------------------------------------------------------------- the rows
def variant_configs(path: Path, changes: Sequence[str]) -> dict[str, TrainConfig]:
    """The configuration of each trained row: the file's, changed for all, then for the row."""
    from trainer.ablation.task import AblationConfig
    from trainer.training.config import load_config

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
    from trainer.evaluation.ablations import ablation_tables, anchor_draws, measured_row
    from trainer.evaluation.floors import copy_sampler, nearest_sampler
    from trainer.evaluation.measures import TRUTH
    from trainer.evaluation.report import Report, write_report

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
    from trainer.ablation.task import ablation_sampler, ablation_task, open_network
    from trainer.training.train import run_task
    from trainer.training.world import joined_world

    with joined_world(config.threads) as world:
        checkpoint = run_task(config, ablation_task(config, clips), out, world)
    network, is_over = open_network(checkpoint, config)
    if not is_over:
        return None
    return ablation_sampler(network), hashlib.sha256(checkpoint.read_bytes()).hexdigest()
