"""The commands that the trainer adds to `contrapose`, found through its entry point.

Parsers only: PyTorch is imported when a command runs, so a machine without it still lists them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from trainer.ablation.ablate import add_commands as add_ablate_command
from trainer.data.commands import add_commands as add_data_commands
from trainer.evaluation.evaluate import add_commands as add_eval_command


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    add_data_commands(subparsers)
    _add_train(subparsers)
    add_eval_command(subparsers)
    add_ablate_command(subparsers)
    _add_import_ponimator(subparsers)


def _add_import_ponimator(subparsers: argparse._SubParsersAction[Any]) -> None:
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


def _add_train(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "train",
        help="train a network from a TOML configuration",
        description="Trains what CONFIG describes, or goes on where an earlier run in --out was "
        "stopped. SIGTERM and Ctrl-C write a checkpoint first.",
    )
    add_train_arguments(parser)
    parser.set_defaults(run=_train)


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """What `contrapose train` and each process below torchrun are told."""
    parser.add_argument("objective", choices=("animator", "generator", "distill"))
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key of the configuration, such as optimiser.learning_rate=2e-4",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="checkpoint and log (runs/ and the CONFIG's name)"
    )
    parser.add_argument("--fresh", action="store_true", help="do not go on with what --out holds")


def train_arguments(args: argparse.Namespace) -> list[str]:
    """The arguments that `add_train_arguments` would parse to `args`."""
    changes = [word for change in args.set for word in ("--set", change)]
    out = ["--out", str(args.out)] if args.out else []
    return [args.objective, str(args.config), *changes, *out, *["--fresh"] * args.fresh]


def _train(args: argparse.Namespace) -> int:
    from trainer.training.train import run_command

    return run_command(args)


def _import_ponimator(args: argparse.Namespace) -> int:
    from trainer.export.import_ponimator import import_ponimator

    import_ponimator(
        args.animator, args.generator, args.out, tokenizer=args.tokenizer, heads=args.heads
    )
    print(args.out)
    return 0
