"""`contrapose kinds`: what a bundle was trained to do, in words that it understands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.bundle import KINDS_FILE, STARTER, load_bundle
from engine.errors import BundleError

LINE = 99
"""Characters of a line: of the wordings of a kind those are shown that it holds."""


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "kinds",
        help="what a bundle knows, with words for it",
        description="Lists the kinds of interaction that a bundle was trained on, and some of the "
        "words that mean each. What is asked for in words far from all of these is made, but "
        "rarely what was meant; a notice says so.",
    )
    parser.add_argument(
        "bundle", type=Path, nargs="?", metavar="BUNDLE", default=STARTER, help="default: starter"
    )
    parser.add_argument("--all", action="store_true", help="all wordings, a line each")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from engine.sampling.kinds import load_kinds

    bundle = load_bundle(args.bundle)
    path = bundle.optional(KINDS_FILE)
    if path is None:
        raise BundleError(f"{args.bundle}: does not say what it was trained on; export again")
    kinds = load_kinds(path)
    width = max(map(len, kinds.names), default=0)
    for number, name in enumerate(kinds.names):
        wordings = kinds.wordings(number)
        if args.all:
            print(name, *(f"  {text}" for text in wordings), sep="\n")
        else:
            print(_line(f"{name:{width}}  ", wordings))
    return 0


def _line(start: str, wordings: Sequence[str]) -> str:
    line = start + wordings[0]
    for text in wordings[1:]:
        if len(line) + len(text) + 2 <= LINE:
            line += f"; {text}"
    return line
