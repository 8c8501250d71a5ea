"""`contrapose vmc`: the partner as a VMC performer, for programs that know nothing of us.

Knows flags; the session is `vmc_stream.py`'s, which is imported when the command runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.commands.engine_options import add_engine_options, add_server_option
from engine.commands.recorded_player import frames_of
from engine.commands.server_process import running_server

LOOPBACK = "127.0.0.1"
SEND_PORT, LISTEN_PORT = 39539, 39540


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "vmc",
        help="send a live partner to Unity, Unreal, Blender, Godot or VSeeFace over VMC",
        description="The player is a recording, or any VMC performer that sends to us. The partner "
        "goes out as a VMC performer, 60 frames a second. Five steps for each tool: docs/vmc.md.",
    )
    player = parser.add_mutually_exclusive_group(required=True)
    player.add_argument(
        "--player", type=Path, metavar="FILE", help="a recording, played back and forth"
    )
    player.add_argument(
        "--listen",
        type=_listening,
        metavar="[HOST:]PORT",
        help=f"where a VMC performer sends the player to, usually {LISTEN_PORT}; from this machine "
        "alone, unless HOST names another of its addresses",
    )
    parser.add_argument(
        "--send",
        type=_receiving,
        default=(LOOPBACK, SEND_PORT),
        metavar="HOST[:PORT]",
        help=f"where the partner goes ({LOOPBACK}:{SEND_PORT})",
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="default: until Ctrl-C")
    parser.add_argument("--text", default="", help='what the two do: "they shake hands"')
    parser.add_argument("--seed", type=int, metavar="N", help="default: a random one")
    add_server_option(parser)
    add_engine_options(parser)
    parser.set_defaults(run=run)


def _listening(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host or LOOPBACK, _port(port)


def _receiving(text: str) -> tuple[str, int]:
    host, colon, port = text.partition(":")
    if not host:
        raise ValueError
    return host, _port(port) if colon else SEND_PORT


def _port(text: str) -> int:
    if not 0 < int(text) < 65536:
        raise ValueError
    return int(text)


_listening.__name__ = "place to listen at"
_receiving.__name__ = "place to send to"


def run(args: argparse.Namespace) -> int:
    from engine.body.shape import load_body
    from engine.commands.live_client import finished
    from engine.commands.vmc_stream import perform
    from engine.formats import read_motion

    frames = None if args.seconds is None else frames_of(args.seconds)
    body = load_body(args.body)
    player = None if args.player is None else read_motion(args.player, body=body)
    settings = {
        "text": args.text,
        "seed": args.seed,
        "steps": args.steps,
        "horizon_frames": args.horizon,
        "client_name": "contrapose-vmc",
    }
    with running_server(args) as server:
        finished(
            perform(
                server,
                player=player,
                listens_at=args.listen,
                sends_to=args.send,
                frames=frames,
                **settings,
            )
        )
    return 0
