"""`contrapose bench ACTION`: figures of this machine, one file per action.

Knows the actions by name and nothing of what they measure.
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
        importlib.import_module(f"engine.bench.{name}").add_action(actions)
