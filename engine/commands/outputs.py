"""Where commands put motions: files of any kind, several at once, or standard output.

Knows the options that all commands share which write motions: `-o`, `--person`, `--frame-rate`,
`--trim`, `--units` and `--layout`. Knows no server and no network.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from engine.errors import InputError
from engine.progress import waiting

if TYPE_CHECKING:
    from engine.body.shape import Body
    from engine.formats import WriteOptions
    from engine.motion.motion import Motion

STANDARD_OUTPUT = Path("-")
KINDS = ".npz, .glb, .vrma, .bvh, .fbx, .usd, .csv, .gif, .mp4, .png"


def add_outputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o",
        "--out",
        dest="outputs",
        type=Path,
        action="append",
        required=True,
        metavar="OUT",
        help=f"{KINDS}, or - for npz to standard output; may be given more than once",
    )
    group.add_argument(
        "--person",
        choices=("player", "partner", "both"),
        default="both",
        help="who is written (%(default)s)",
    )
    group.add_argument(
        "--frame-rate",
        type=_rate,
        metavar="F",
        help="frames a second (default: 30; as read in .npz, .csv and pictures)",
    )
    group.add_argument(
        "--trim",
        type=_span,
        default=(0.0, np.inf),
        metavar="A:B",
        help="seconds, as in 1.5:4 or 2:",
    )
    group.add_argument("--units", choices=("cm", "m"), default="cm", help="of .bvh (%(default)s)")
    group.add_argument(
        "--layout",
        choices=("ours", "amass", "interx"),
        default="ours",
        help="of .npz: amass is a file a person with Z up, interx a folder with P1.npz and P2.npz",
    )


def _rate(text: str) -> float:
    value = float(text)
    if not (np.isfinite(value) and value > 0):
        raise ValueError
    return value


_rate.__name__ = "number of frames a second"


def _span(text: str) -> tuple[float, float]:
    start, colon, end = text.partition(":")
    span = float(start or 0), float(end or np.inf)
    if not colon or not 0 <= span[0] <= span[1]:
        raise ValueError
    return span


_span.__name__ = "span A:B of seconds, A up to B,"


def options_of(args: argparse.Namespace) -> WriteOptions:
    from engine.formats import WriteOptions

    return WriteOptions(
        person=args.person,
        frame_rate=args.frame_rate,
        trim=args.trim,
        units=args.units,
        layout=args.layout,
    )


def check_outputs(args: argparse.Namespace) -> None:
    """Better refused before the work than after it. Raises InputError."""
    from engine.formats import check_writable

    if len(set(args.outputs)) < len(args.outputs):
        raise InputError.at("-o", "names one file twice; leave one out")
    for path in args.outputs:
        if path != STANDARD_OUTPUT:
            check_writable(path)
    if STANDARD_OUTPUT in args.outputs and args.layout != "ours":
        raise InputError.at("-o", f"- is one file, --layout {args.layout} writes one a person")
    if STANDARD_OUTPUT in args.outputs and sys.stdout.isatty():
        raise InputError.at("-o", "- would write npz to this terminal; send it to a file or a pipe")


def write_outputs(
    args: argparse.Namespace, motion: Motion, body: Body, *, caption: str = ""
) -> list[Path]:
    """Write a motion to every output; returns the paths of files that were written."""
    from engine.formats import PICTURES, write_motion

    options = options_of(args)
    written: list[Path] = []
    for path in args.outputs:
        if path != STANDARD_OUTPUT:
            is_drawn = path.suffix.lower() in PICTURES  # which has a bar of its own
            with nullcontext() if is_drawn else waiting(f"writing {path}"):
                written += write_motion(path, motion, body, caption=caption, options=options)
            continue
        with tempfile.TemporaryDirectory() as folder:
            (made,) = write_motion(Path(folder) / "motion.npz", motion, body, options=options)
            sys.stdout.buffer.write(made.read_bytes())
            sys.stdout.buffer.flush()
    return written


def told(args: argparse.Namespace) -> TextIO:
    """Where a command says what it did: not into its own output."""
    return sys.stderr if STANDARD_OUTPUT in args.outputs else sys.stdout
