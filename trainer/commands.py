"""The commands that the trainer adds to `contrapose`, found through its entry point.

Parsers, and what hands their words on. PyTorch and all else that is heavy is imported when a
command runs, so a machine without it still lists them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from engine.errors import ConfigError, InputError
from trainer.ablation.rows import CONFIG, ROWS
from trainer.arguments import add_changes, add_train_arguments

if TYPE_CHECKING:
    from trainer.evaluation.report import Report

DATA_SETS = (
    "interx", "interhuman", "hi4d", "chi3d", "dd100", "amass-pair", "bvh-pair", "asf-amc-pair",
)  # fmt: skip
Commands: TypeAlias = "argparse._SubParsersAction[Any]"


def add_commands(subparsers: Commands) -> None:
    _add_data(subparsers)
    _add_train(subparsers)
    _add_eval(subparsers)
    _add_eval_live(subparsers)
    _add_ablate(subparsers)
    _add_import_ponimator(subparsers)


def _require_positive(args: argparse.Namespace, *options: str) -> None:
    for option in options:
        value = getattr(args, option)
        if value is not None and value <= 0:
            flag = f"--{option.replace('_', '-')}"
            raise ConfigError(f"{flag} is {value}, must be above 0", field=flag.lstrip("-"))


# -------------------------------------------------------------------------------------------- data
def _add_data(subparsers: Commands) -> None:
    data = subparsers.add_parser("data", help="make shards of two-person clips for training")
    commands = data.add_subparsers(dest="data_command", required=True, metavar="COMMAND")
    _add_data_import(commands)
    _add_data_synth(commands)


def _add_data_import(commands: Commands) -> None:
    parser = commands.add_parser(
        "import",
        help="interactions from a motion-capture data set",
        description="Reads a data set as its owners lay it out, finds the poses in which the two "
        "people touch, and keeps three seconds before and after each. What cannot be read is "
        "named, skipped and counted. A killed import goes on where it stopped.",
        epilog="Data sets come from you, under their owners' terms; most are for research only.",
    )
    parser.add_argument("data_set", choices=DATA_SETS, help="whose layout SRC has")
    parser.add_argument("source", type=Path, metavar="SRC", help="folder of the data set")
    _add_job_options(parser)
    parser.add_argument("--ray", action="store_true", help="share the work on a Ray cluster")
    parser.add_argument(
        "--body",
        type=Path,
        metavar="FILE",
        help="licensed SMPL-X body (npz) that the data set's shape coordinates belong to; without "
        "it people have the open body's mean shape",
    )
    parser.add_argument(
        "--threshold-cm",
        type=float,
        default=1.3,
        metavar="CM",
        help="people touch if their skins are nearer than this (%(default)s)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N recordings")
    parser.set_defaults(run=_import)


def _add_data_synth(commands: Commands) -> None:
    parser = commands.add_parser(
        "synth",
        help="interactions from the built-in choreography",
        description="Makes clips of two people who meet. The same count, seed and recordings give "
        "the same bits, whatever the number of workers. A killed run goes on where it stopped.",
    )
    _add_job_options(parser)
    parser.add_argument(
        "--count", type=int, default=10_000, metavar="N", help="clips (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the whole set (%(default)s)")
    parser.add_argument(
        "--base-motion",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="folders of real single-person recordings (.bvh, or .amc with its .asf)",
    )
    parser.set_defaults(run=_synth)


def _add_job_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        required=True,
        metavar="SHARDS",
        help="folder to make or go on with",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes (%(default)s)",
    )


def _import(args: argparse.Namespace) -> int:
    _require_positive(args, "workers", "threshold_cm", "limit")
    from trainer.data.importing import import_job
    from trainer.data.shards import totals

    job = import_job(
        args.out,
        args.data_set,
        args.source,
        body_file=args.body,
        threshold=args.threshold_cm / 100,
        limit=args.limit,
    )
    counts = totals(job.run(workers=args.workers, on_ray=args.ray))
    recordings = sum(len(part) for part in job.parts)
    summary = (
        f"{args.out}: {counts['clips']} clips of {recordings} recordings; {counts['skipped']} "
        f"could not be read, in {counts['empty']} nobody touches"
    )
    if not counts["clips"]:
        raise InputError(f"{summary}: nothing was imported", field="source")
    print(summary)
    return 0


def _synth(args: argparse.Namespace) -> int:
    _require_positive(args, "workers", "count")
    from trainer.choreography.clips import synth_job
    from trainer.data.shards import totals

    job = synth_job(args.out, count=args.count, seed=args.seed, base_motion=args.base_motion)
    counts = totals(job.run(workers=args.workers))
    print(f"{args.out}: {counts['clips']} clips, {counts['frames']} frames")
    return 0


# ------------------------------------------------------------------------------------------- train
def _add_train(subparsers: Commands) -> None:
    parser = subparsers.add_parser(
        "train",
        help="train a network from a TOML configuration",
        description="Trains what CONFIG describes, or goes on where an earlier run in --out was "
        "stopped. SIGTERM and Ctrl-C write a checkpoint first.",
    )
    add_train_arguments(parser)
    parser.set_defaults(run=_train)


def _train(args: argparse.Namespace) -> int:
    from trainer.training.train import run_command

    return run_command(args)


# -------------------------------------------------------------------------------------------- eval
def _add_eval(subparsers: Commands) -> None:
    parser = subparsers.add_parser(
        "eval",
        help="measure a bundle or a checkpoint on clips it never saw",
        description="Measures windows, chains, sessions and pairs beside the truth, on the test "
        "split of SHARDS. Windows are what a user gets: sampled, joined and cleaned up by the "
        "engine; --raw adds rows of the network alone. Trains its own evaluator once.",
    )
    parser.add_argument(
        "models",
        type=Path,
        nargs="+",
        metavar="BUNDLE|CHECKPOINT",
        help="several: their quality over --steps is compared, and nothing else is measured",
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="SHARDS",
        help="clips: a folder that `contrapose data` made",
    )
    _add_report_option(parser)
    parser.add_argument(
        "--steps", type=int, nargs="+", metavar="K", help="step schedules; default: the bundle's"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="(%(default)s)")
    parser.add_argument("--raw", action="store_true", help="rows without the engine's clean-up too")
    parser.add_argument(
        "--mesh-frames",
        type=int,
        default=64,
        metavar="N",
        help="frames of each repeat whose meshes are compared (%(default)s)",
    )
    parser.add_argument(
        "--body", type=Path, metavar="NPZ", help="the body that betas mean; default: the packaged"
    )
    _add_measuring_options(parser)
    parser.add_argument(
        "--quick", action="store_true", help="seconds of it, to see that it runs; worth nothing"
    )
    parser.set_defaults(run=_eval)


def _add_report_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="reports to write: .md, .json, .html, .svg; default: Markdown to the terminal",
    )


def _tell(report: Report, paths: Sequence[Path]) -> None:
    """What `--out` asks for."""
    from trainer.evaluation.report import markdown, write_report

    write_report(report, paths)
    if not paths:
        sys.stdout.write(markdown(report))


def _add_measuring_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--windows", type=int, default=256, metavar="N", help="(%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, metavar="R", help="(%(default)s)")
    parser.add_argument(
        "--evaluator",
        type=Path,
        metavar="FILE",
        help="trained and kept there if it is missing (default: SHARDS.evaluator.pt)",
    )


def _eval(args: argparse.Namespace) -> int:
    from engine.body.shape import load_body
    from trainer.data.shards import load_clips
    from trainer.evaluation.curves import step_curves
    from trainer.evaluation.evaluate import evaluate
    from trainer.evaluation.evaluator.training import (
        open_evaluator,
        shards_hash,
        train_evaluator,
    )
    from trainer.evaluation.measures import QUICK_EVALUATOR, EvaluationSettings, quick
    from trainer.evaluation.report import check_paths
    from trainer.evaluation.subject import open_subject

    check_paths(args.out)
    clips = load_clips(args.data)
    subjects = [open_subject(path) for path in args.models]
    evaluator = (
        train_evaluator(clips, shards_hash(args.data), QUICK_EVALUATOR)
        if args.quick
        else open_evaluator(args.data, clips, args.evaluator)
    )
    settings = EvaluationSettings(
        windows=args.windows,
        steps=tuple(args.steps or (subjects[0].steps_default,)),
        repeats=args.repeats,
        seed=args.seed,
        with_raw=args.raw,
        mesh_frames=args.mesh_frames,
        history_frames=subjects[0].history_frames,
        body=load_body(args.body),
    )
    settings = quick(settings) if args.quick else settings
    if len(subjects) > 1:
        report = step_curves(subjects, clips, settings, evaluator)
    else:
        report = evaluate(subjects[0], clips, settings, evaluator)
    _tell(report, args.out)
    return 0


def _add_eval_live(subparsers: Commands) -> None:
    parser = subparsers.add_parser(
        "eval-live",
        help="play people to a bundle's sessions and measure the partner",
        description="Plays people who stand, walk, hold a hand out, wave or bow to live sessions "
        "on a virtual clock, and measures whether the partner answers, stays believable and "
        "follows: beside the truth, a partner who never moves and one who holds a hand out "
        "(docs/live_evaluation.md).",
    )
    parser.add_argument("bundle", type=Path, nargs="?", metavar="BUNDLE", help="default: starter")
    _add_report_option(parser)
    parser.add_argument("--quick", action="store_true", help="two players of each kind")
    parser.add_argument(
        "--no-layers", action="store_true", help="the network alone, too; takes as long again"
    )
    parser.add_argument(
        "--rows",
        choices=("usual", "all"),
        default="usual",
        help="all: play the partners who never move and hold a hand out, too; usual: their rows "
        "as they are stored for the default players (%(default)s)",
    )
    parser.add_argument(
        "--wire",
        action="store_true",
        help="through a server, in real time: for a few players or groups",
    )
    parser.add_argument(
        "--players", type=int, default=20, metavar="N", help="of each kind (%(default)s)"
    )
    parser.add_argument(
        "--groups",
        nargs="+",
        default=[],
        metavar="G",
        help="kinds of players; default: all but hour, who play an hour each",
    )
    parser.add_argument(
        "--real",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="recordings of people to play too",
    )
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="draw contact sheets there")
    parser.add_argument("--steps", type=int, metavar="K", help="default: the bundle's")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="(%(default)s)")
    parser.add_argument(
        "--workers", type=int, default=2, metavar="N", help="processes (%(default)s)"
    )
    parser.set_defaults(run=_eval_live)


def _eval_live(args: argparse.Namespace) -> int:
    import time

    from engine.bundle import STARTER
    from trainer.evaluation.live.rows import BARE, HELD, PARTNER, STILL, TRUTH
    from trainer.evaluation.live.run import LiveSettings, live_report, live_rows, quick
    from trainer.evaluation.report import check_paths

    _require_positive(args, "players", "workers", "steps")
    check_paths(args.out)
    alone = (BARE,) if args.no_layers else ()
    baselines = (STILL, HELD) if args.rows == "all" else ()
    settings = LiveSettings(
        bundle=args.bundle or STARTER,
        players=args.players,
        seed=args.seed,
        groups=tuple(args.groups),
        real=tuple(args.real),
        rows=(PARTNER, *alone, TRUTH, *baselines),
        on_wire=args.wire,
        sheets=args.sheets,
        workers=args.workers,
        steps=args.steps,
    )
    settings = quick(settings) if args.quick else settings
    if settings.sheets is not None:
        settings.sheets.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    rows = live_rows(settings)
    report = live_report(rows, settings, time.monotonic() - begun)
    _tell(report, args.out)
    return 0


# ------------------------------------------------------------------------------------------ ablate
def _add_ablate(subparsers: Commands) -> None:
    parser = subparsers.add_parser(
        "ablate",
        help="train and measure the animator with one thing missing at a time",
        description="Trains the networks of the ablation table at a small size, measures them "
        "beside the truth and two floors, and writes DIR/ablations.{md,json}. A run that was "
        "stopped goes on where it was; finished rows are not made again.",
    )
    parser.add_argument("--data", type=Path, metavar="SHARDS", help="default: as in --config")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--steps", type=int, metavar="N", help="training steps of each network")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=ROWS,
        default=ROWS,
        metavar="NAME",
        help=f"rows, of {', '.join(ROWS)}",
    )
    parser.add_argument(
        "--config", type=Path, default=CONFIG, metavar="FILE.toml", help="default: ablation.toml"
    )
    add_changes(parser, "size.width=128")
    _add_measuring_options(parser)
    parser.set_defaults(run=_ablate)


def _ablate(args: argparse.Namespace) -> int:
    from trainer.ablation.ablate import DENOISER_CALLS, ablate, variant_configs
    from trainer.ablation.rows import OURS
    from trainer.data.shards import load_clips
    from trainer.evaluation.evaluator.training import open_evaluator
    from trainer.evaluation.measures import EvaluationSettings

    changes = [f"data={args.data}"] * bool(args.data) + [f"steps={args.steps}"] * bool(args.steps)
    configs = variant_configs(args.config, [*changes, *args.set])
    clips = load_clips(configs[OURS].data)
    evaluator = open_evaluator(configs[OURS].data, clips, args.evaluator)
    settings = EvaluationSettings(
        windows=args.windows, steps=(DENOISER_CALLS,), repeats=args.repeats
    )
    is_over = ablate(configs, args.only, clips, evaluator, settings, args.out)
    print(args.out / "ablations.md" if is_over else "stopped: the same command goes on from here")
    return 0 if is_over else 1


# ------------------------------------------------------------------------------- import-ponimator
def _add_import_ponimator(subparsers: Commands) -> None:
    parser = subparsers.add_parser(
        "import-ponimator",
        help="turn published Ponimator checkpoints into a bundle",
        description="Reads contactmotion.ckpt (and contactpose.ckpt), checks every tensor, and "
        "exports a bundle. The licensed body tensors inside the checkpoints are ignored.",
    )
    parser.add_argument("--animator", type=Path, required=True, metavar="CKPT")
    parser.add_argument("--generator", type=Path, metavar="CKPT")
    parser.add_argument(
        "--tokenizer", type=Path, metavar="JSON", help="CLIP's tokenizer.json; without it no text"
    )
    parser.add_argument(
        "--heads",
        type=int,
        default=8,
        metavar="N",
        help="attention heads, which no tensor tells (%(default)s, as published)",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="BUNDLE")
    parser.set_defaults(run=_import_ponimator)


def _import_ponimator(args: argparse.Namespace) -> int:
    from trainer.export.import_ponimator import import_ponimator

    import_ponimator(
        args.animator, args.generator, args.out, tokenizer=args.tokenizer, heads=args.heads
    )
    print(args.out)
    return 0
