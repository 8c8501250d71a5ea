"""`contrapose bench ACTION`: figures of this machine, one file per action.

Knows the actions by name and nothing of what they measure. Each has a SUMMARY, a HELP text, adds
its arguments, and runs.
"""

from __future__ import annotations

import argparse
import importlib
from typing import Any

ACTIONS = ("denoise", "load", "session", "stream", "trackers", "window", "warm")


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser("bench", help="measure this machine")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name in ACTIONS:
        action = importlib.import_module(f"engine.bench.{name}")
        parser = actions.add_parser(
            name,
            help=action.SUMMARY,
            description=action.HELP,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        action.add_arguments(parser)
        parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
        parser.set_defaults(run=action.run)
