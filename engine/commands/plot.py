"""`contrapose plot`: a motion as curves over time."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "plot",
        help="draw a motion's heights, speeds, distance and contacts over time",
        description="Heights and speeds of heads, hands, hips and feet; for two people also their "
        "distance and what touches when. Needs the extra `plot`.",
    )
    parser.add_argument("motion", type=Path, metavar="MOTION", help="any file that convert reads")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="PNG", help=".png, .svg or .pdf"
    )
    parser.add_argument(
        "--body", type=Path, metavar="FILE", help="a licensed SMPL-X body (default: the open body)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import matplotlib  # noqa: F401, before the work

    from engine.body.shape import load_body
    from engine.formats import read_motion
    from engine.formats.motion_plot import write_motion_plot
    from engine.formats.plot import PICTURES, check_plot_path

    check_plot_path(args.out, PICTURES)
    body = load_body(args.body)
    motion = read_motion(args.motion, body=body)
    write_motion_plot(args.out, motion, body, args.motion.name)
    print(args.out)
    return 0
