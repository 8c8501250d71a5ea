"""What `contrapose train`, and each process that torchrun starts, is told on its command line.

Knows words and types; imports nothing heavy, so that a machine without PyTorch lists the command.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from trainer.models.families import FAMILIES

QUICK = (
    "steps=2", "batch=8", "draw_rows=4", "processes=1", "compile=false", "check_batches=1",
    "optimiser.name=adamw",
)  # fmt: skip
"""Changes to any configuration that end a run in seconds."""
QUICK_SIZE = ("size.width=32", "size.heads=2", "size.layers=1", "size.ffn_width=32")
"""And where the configuration says how large the network is."""


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("objective", choices=(*FAMILIES, "distill"))
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    add_changes(parser, "optimiser.learning_rate=2e-4")
    parser.add_argument(
        "--quick", action="store_true", help="two steps of a small network, to see that it runs"
    )
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


def changes_of(args: argparse.Namespace) -> list[str]:
    """What --quick and --set change, in this order."""
    quick = QUICK if args.objective == "distill" else (*QUICK, *QUICK_SIZE)
    return [*quick * args.quick, *args.set]


def train_arguments(args: argparse.Namespace) -> list[str]:
    """The arguments that `add_train_arguments` would parse to `args`."""
    changes = [word for change in changes_of(args) for word in ("--set", change)]
    out = ["--out", str(args.out)] if args.out else []
    return [args.objective, str(args.config), *changes, *out, *["--fresh"] * args.fresh]
