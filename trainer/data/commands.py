"""`contrapose data ...`: motion data in, shards out.

Parsers only: what reads and makes is imported when a command runs.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from engine.errors import ConfigError, InputError

DATA_SETS = (
    "interx", "interhuman", "hi4d", "chi3d", "dd100", "amass-pair", "bvh-pair", "asf-amc-pair",
)  # fmt: skip


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    data = subparsers.add_parser("data", help="make shards of two-person clips for training")
    commands = data.add_subparsers(dest="data_command", required=True, metavar="COMMAND")
    _add_import(commands)
    _add_synth(commands)


def _add_import(commands: argparse._SubParsersAction[Any]) -> None:
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
        help="people touch whose skins are nearer (%(default)s)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N recordings")
    parser.set_defaults(run=_import)


def _add_synth(commands: argparse._SubParsersAction[Any]) -> None:
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
    _require_positive("--workers", args.workers)
    _require_positive("--threshold-cm", args.threshold_cm)
    if args.limit is not None:
        _require_positive("--limit", args.limit)
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
    _require_positive("--workers", args.workers)
    _require_positive("--count", args.count)
    from trainer.choreography.clips import synth_job
    from trainer.data.shards import totals

    job = synth_job(args.out, count=args.count, seed=args.seed, base_motion=args.base_motion)
    counts = totals(job.run(workers=args.workers))
    print(f"{args.out}: {counts['clips']} clips, {counts['frames']} frames")
    return 0


def _require_positive(option: str, value: float) -> None:
    if value <= 0:
        raise ConfigError(f"{option} is {value}, must be above 0", field=option.lstrip("-"))
