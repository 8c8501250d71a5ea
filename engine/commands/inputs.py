"""How commands read recordings of skeletons whose size and joints have to be guessed.

Knows `--rig` and `--height`, and what is told of a guess. Knows no server and no network.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.errors import InputError

if TYPE_CHECKING:
    from engine.formats import RigMap

SHORTEST, TALLEST = 0.5, 2.5


def add_height(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--height",
        type=float,
        metavar="M",
        help="how tall the person of a BVH, AMC or glTF file is (default: as the bones tell)",
    )


def rig_of(args: argparse.Namespace) -> RigMap:
    """What --rig and --height say. Raises InputError."""
    from engine.formats import RigMap, read_rig_map

    rig = RigMap() if args.rig is None else read_rig_map(args.rig)
    if args.height is None:
        return rig
    if not SHORTEST <= args.height <= TALLEST:
        raise InputError.at(
            "--height", f"{args.height:g}, expected metres, {SHORTEST:g} to {TALLEST:g}"
        )
    return replace(rig, height=args.height)


def tell_of_guess(text: str) -> None:
    print(f"contrapose: {text}", file=sys.stderr)
