"""`contrapose react | demo | animate | pose`: motion from a real server, as a game gets it.

Without --server each command starts a server of its own on a free loopback port and stops it
afterwards. What is said to the server is `live_client.py`'s, which is imported when a command runs.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.commands.engine_options import add_engine_options, add_server_option
from engine.commands.inputs import add_height, rig_of, tell_of_guess
from engine.commands.outputs import add_outputs, check_outputs, told, write_outputs
from engine.commands.recorded_player import DEMO_PLAYER, DEMO_SEED, frames_of, looped
from engine.commands.server_process import running_server
from engine.commands.view import open_in_browser
from engine.errors import InputError

if TYPE_CHECKING:
    from contrapose.v1 import generation_pb2

    from engine.commands.live_client import PlayedSession
    from engine.commands.server_process import ServerAddress
    from engine.motion.motion import Motion


# ------------------------------------------------------------------------------------------ parsers
def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    _add_react(subparsers)
    _add_demo(subparsers)
    _add_animate(subparsers)
    _add_pose(subparsers)


def _add_react(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "react",
        help="let a partner react to a recorded player, in real time",
        description="Plays a recording to the server as if it were live, 10 poses a second, plays "
        "the partner's frames when they are due, and writes both people as they were shown. A "
        "recording that is too short is played back and forth.",
    )
    parser.add_argument("player", type=Path, metavar="PLAYER", help="any file that `convert` reads")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="default: the recording's length"
    )
    parser.add_argument(
        "--rig", type=Path, metavar="TOML", help="joint names of a BVH or glTF file (see convert)"
    )
    add_height(parser)
    parser.add_argument("--report", type=Path, metavar="JSON", help="write the figures there")
    parser.add_argument(
        "--mode",
        choices=("react", "follow_plan"),
        default="react",
        help="follow_plan: both people are made from the player's first pose on (%(default)s)",
    )
    parser.add_argument(
        "--energy",
        type=float,
        default=1.0,
        metavar="E",
        help="how lively the partner moves, 0.5 to 1.5 (%(default)s)",
    )
    _add_making_options(parser)
    add_outputs(parser)
    parser.set_defaults(run=run_react)


def _add_demo(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="a recorded player meets a live partner, with a picture",
        description="`react` with the recording that is shipped. Writes interaction.gif, "
        "interaction.npz and report.json. At a terminal its server goes on: open the address that "
        "is printed and meet the partner yourself, until Ctrl-C.",
    )
    parser.add_argument("--seconds", type=float, default=18.0, metavar="S", help="(%(default)s)")
    parser.add_argument(
        "--headless", action="store_true", help="show nothing, and end when the files are there"
    )
    parser.add_argument("-o", "--out", type=Path, default=Path("out"), metavar="DIR")
    _add_making_options(parser, seed=DEMO_SEED)
    parser.set_defaults(mode="react", energy=1.0)
    parser.set_defaults(run=run_demo)


def _add_animate(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "animate",
        help="make a motion around a two-person pose, or from a few words",
        description="The pose stands unchanged at --at; what leads to it and what follows is made. "
        "Without a pose, the words make one.",
    )
    parser.add_argument(
        "pair",
        type=Path,
        nargs="?",
        metavar="PAIR",
        help="two people, in any file that `convert` reads",
    )
    parser.add_argument(
        "--at",
        default="first",
        metavar="first|middle|last|N",
        help="frame of the motion where the pose stands (%(default)s)",
    )
    parser.add_argument(
        "--frame", type=int, default=0, metavar="N", help="of PAIR, if it is a motion (%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="(%(default)s)")
    _add_making_options(parser, is_live=False)
    add_outputs(parser)
    parser.set_defaults(run=run_animate)


def _add_pose(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "pose",
        help="make a two-person pose from a few words, a single pose, or both",
    )
    parser.add_argument(
        "--from",
        dest="single",
        type=Path,
        metavar="SINGLE",
        help="one person, in any file that `convert` reads",
    )
    parser.add_argument(
        "--frame",
        type=int,
        default=0,
        metavar="N",
        help="of SINGLE, if it is a motion (%(default)s)",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="PAIR")
    _add_making_options(parser, is_live=False)
    parser.set_defaults(run=run_pose)


def _add_making_options(
    parser: argparse.ArgumentParser, seed: int | None = None, *, is_live: bool = True
) -> None:
    """What is made, and by which server."""
    parser.add_argument("--text", default="", help='what the two do: "they shake hands"')
    usual = "default: a random one" if seed is None else "(%(default)s)"
    parser.add_argument("--seed", type=int, default=seed, metavar="N", help=usual)
    add_server_option(parser)
    add_engine_options(parser, is_live=is_live)


# ----------------------------------------------------------------------------------------- commands
def run_react(args: argparse.Namespace) -> int:
    from engine.body.shape import load_body
    from engine.commands.report import check_report, report_of, summary_of, write_report
    from engine.formats import read_motion

    check_outputs(args)
    if args.report is not None:
        check_report(args.report)
    body = load_body(args.body)
    player = read_motion(args.player, body=body, rig=rig_of(args), tell=tell_of_guess)
    seconds = player.frames / player.frame_rate if args.seconds is None else args.seconds
    with running_server(args) as server:
        played = _played(args, player, seconds, server)
    write_outputs(args, played.motion, body)
    report = report_of(played)
    if args.report is not None:
        write_report(args.report, report)
    print(summary_of(report), file=told(args))
    return 0


def run_demo(args: argparse.Namespace) -> int:
    from engine.body.shape import load_body
    from engine.commands.report import report_of, summary_of, write_report
    from engine.formats import check_writable, read_motion, write_motion

    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InputError(f"{args.out}: cannot be made: {exc.strerror}", field="--out") from exc
    picture = args.out / "interaction.gif"
    check_writable(picture)
    body = load_body(args.body)
    print(f"playing {args.seconds:g} s to a live server ...", flush=True)
    goes_on = args.server is None and not args.headless and sys.stdout.isatty()
    with running_server(args, has_page=goes_on) as server:
        played = _played(args, read_motion(DEMO_PLAYER, body=body), args.seconds, server)
        report = report_of(played)
        write_motion(args.out / "interaction.npz", played.motion, body)
        write_motion(picture, played.motion, body)
        write_report(args.out / "report.json", report)
        print(summary_of(report))
        print(f"wrote {picture}, interaction.npz and report.json")
        if not args.headless:
            open_in_browser(picture.resolve().as_uri())
        if server.page is not None:
            wait_for_interrupt(f"meet the partner yourself: {server.page} (Ctrl-C ends it)")
    return 0


def run_animate(args: argparse.Namespace) -> int:
    from engine.body.shape import load_body
    from engine.commands.live_client import finished, generate_motion, motion_of, people_at
    from engine.formats import read_motion

    check_outputs(args)
    body = load_body(args.body)
    if args.pair is None and not args.text:
        raise InputError("animate: give PAIR, --text, or both", field="pair")
    pair = None
    if args.pair is not None:
        pair = people_at(read_motion(args.pair, body=body), args.frame, 2, args.pair)
    _check_seed(args.seed)
    frames = frames_of(args.seconds)
    anchor = anchor_index_of(args.at, frames)
    settings = {"frames": frames, "anchor_index": anchor, "seed": args.seed, "steps": args.steps}
    with running_server(args) as server:
        made = finished(generate_motion(server, pair, text=args.text, **settings))
    paths = write_outputs(args, motion_of(made.people), body, caption=args.text)
    where = ", ".join(map(str, paths)) or "standard output"
    made_how = f"{frames} frames, the pose at frame {anchor}; {_how(made.info)}"
    print(f"{where}: {made_how}", file=told(args))
    _tell_notice(made.info)
    return 0


def run_pose(args: argparse.Namespace) -> int:
    from engine.body.shape import load_body
    from engine.commands.live_client import finished, generate_pair, motion_of, people_at
    from engine.formats import check_writable, read_motion, write_motion

    check_writable(args.out)
    body = load_body(args.body)
    _check_seed(args.seed)
    if args.single is None and not args.text:
        raise InputError("pose: give --text, --from, or both", field="--text")
    single = None
    if args.single is not None:
        single = people_at(read_motion(args.single, body=body), args.frame, 1, args.single)
    settings = {"text": args.text, "single": single, "seed": args.seed, "steps": args.steps}
    with running_server(args) as server:
        made = finished(generate_pair(server, **settings))
    write_motion(args.out, motion_of(made.people), body, caption=args.text)
    print(f"{args.out}: {_how(made.info)}")
    _tell_notice(made.info)
    return 0


def anchor_index_of(at: str, frames: int) -> int:
    from engine.motion.motion import frame_named

    index = frame_named(at, frames)
    if index is None:
        raise InputError.at(
            "--at", f"{at!r}, expected first, middle, last or a frame from 0 to {frames - 1}"
        )
    return index


def _how(info: generation_pb2.GenerationInfo) -> str:
    return (
        f"seed {info.seed}, {info.steps} steps, {info.bundle} on {info.backend} ({info.precision})"
    )


def _tell_notice(info: generation_pb2.GenerationInfo) -> None:
    if info.notice:
        print(info.notice, file=sys.stderr)


def wait_for_interrupt(told: str) -> None:
    """Say that it goes on, until Ctrl-C, which is how this is meant to end."""
    with suppress(KeyboardInterrupt):
        print(told, flush=True)
        while True:
            time.sleep(3600)


def _played(
    args: argparse.Namespace, player: Motion, seconds: float, server: ServerAddress
) -> PlayedSession:
    from engine.commands.live_client import finished, interact

    _check_seed(args.seed)
    looping = looped(player, frames_of(seconds))
    names = ("text", "seed", "steps", "mode", "energy")
    settings = {name: getattr(args, name) for name in names} | {"horizon_frames": args.horizon}
    return finished(interact(server, looping, **settings))


def _check_seed(seed: int | None) -> None:
    if seed is not None and not 0 <= seed < 1 << 64:
        raise InputError.at("--seed", f"{seed}, expected 0 to 2^64 - 1")
