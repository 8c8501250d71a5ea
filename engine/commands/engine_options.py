"""The flags of an engine: what the commands share that start one, or talk to one.

Knows flags; nothing of what they mean to a server.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from engine.backends.open import BACKENDS
from engine.backends.protocol import PRECISIONS

LAYERS = {
    "guard": "leave posture and gaze as the network has them, and no layer that follows",
    "company": "leave steps and places as the network has them, and answer nothing",
    "responses": "answer no hand, hug, wave or bow by rule",
}
"""Switches of the layers over the network, in the order in which each needs the one before."""


def add_server_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server", metavar="HOST:PORT", help="use this server; default: start one and stop it"
    )
    parser.add_argument(
        "--server-token", type=Path, metavar="FILE", help="holds the token that --server asks for"
    )
    parser.add_argument(
        "--server-ca",
        type=Path,
        metavar="PEM",
        help="what the certificate of --server is signed by; encrypts the connection",
    )


def add_engine_options(parser: argparse.ArgumentParser, *, is_live: bool = True) -> None:
    """What decides how motion is made; shared with the commands that start a server themselves.

    is_live  with what matters to live sessions alone
    """
    group = parser.add_argument_group("engine")
    group.add_argument("--bundle", type=Path, metavar="DIR", help="default: the starter bundle")
    add_backend_options(group)
    group.add_argument("--threads", type=int, metavar="N", help="threads of the backend")
    group.add_argument(
        "--body", type=Path, metavar="NPZ", help="a licensed SMPLX_*.npz in place of the open body"
    )
    group.add_argument(
        "--no-foot-lock",
        action="store_true",
        help="leave planted feet as the network moves them (see docs/architecture.md)",
    )
    add_steps_option(parser)
    if is_live:
        group.add_argument(
            "--horizon",
            type=int,
            metavar="F",
            help="frames that the client holds ahead of its clock, 4 to 100 (default: 20)",
        )
        for name, text in LAYERS.items():
            group.add_argument(f"--no-{name}", action="store_true", help=text)


def add_steps_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--steps",
        type=int,
        metavar="K",
        help="denoiser calls per window, 1 to 50 (default: the bundle's)",
    )


def add_backend_options(
    group: argparse._ActionsContainer, precisions: Sequence[str] = PRECISIONS
) -> None:
    """Which library computes, where, and in what precision."""
    group.add_argument(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="what runs the graphs; auto: tensorrt, torch on a GPU, openvino, the first that is "
        "here (%(default)s)",
    )
    group.add_argument(
        "--device", type=int, default=0, metavar="N", help="index of the GPU (%(default)s)"
    )
    group.add_argument(
        "--precision",
        choices=precisions,
        default="auto",
        help="of the graphs; auto: the fastest that the processor or GPU computes (%(default)s)",
    )


def engine_flags(args: argparse.Namespace) -> list[str]:
    """The flags of `add_engine_options` as they were given, for a child process."""
    names = ("bundle", "backend", "device", "precision", "threads", "horizon", "body", "steps")
    given = {name: getattr(args, name, None) for name in names}
    flags = [
        part
        for name, value in given.items()
        if value is not None
        for part in (f"--{name}", str(value))
    ]
    flags += ["--no-foot-lock"] if args.no_foot_lock else []
    return flags + [f"--no-{name}" for name in LAYERS if getattr(args, f"no_{name}", False)]
