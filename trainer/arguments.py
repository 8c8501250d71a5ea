"""What `contrapose train`, and each process that torchrun starts, is told on its command line.

Knows words and types; imports nothing heavy, so that a machine without PyTorch lists the command.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from trainer.models.families import FAMILIES


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("objective", choices=(*FAMILIES, "distill"))
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    add_changes(parser, "optimiser.learning_rate=2e-4")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="checkpoint and log (runs/ and the CONFIG's name)"
    )
    parser.add_argument("--fresh", action="store_true", help="do not go on with what --out holds")


def add_changes(parser: argparse.ArgumentParser, example: str) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help=f"change a key of the configuration, such as {example}",
    )


def train_arguments(args: argparse.Namespace) -> list[str]:
    """The arguments that `add_train_arguments` would parse to `args`."""
    changes = [word for change in args.set for word in ("--set", change)]
    out = ["--out", str(args.out)] if args.out else []
    return [args.objective, str(args.config), *changes, *out, *["--fresh"] * args.fresh]
