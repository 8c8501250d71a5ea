"""`contrapose bench stream`: one session as a player sees it, over a good network or a bad one.

Plays a recording to a real server, as `react` does, and adds up what came when. Knows no session.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import Array
from engine.bench.figures import percentiles, rounded
from engine.commands.engine_options import add_engine_options, add_server_option
from engine.commands.recorded_player import DEMO_PLAYER, DEMO_SEED, frames_of, looped
from engine.commands.report import joints_of, report_of
from engine.commands.server_process import ServerAddress, running_server
from engine.errors import InputError
from engine.formats.plot import Plot, check_plot_path, write_plots
from engine.motion.motion import FRAME_RATE

if TYPE_CHECKING:
    from engine.commands.live_client import PlayedSession
    from engine.motion.motion import Motion
    from engine.testing import BadNetwork

SUMMARY = "play one session, over a bad network if you like"
HELP = """\
Plays a recording to a real server in another process, one session, and reports what the player saw:
the figures of `contrapose react --report`, and

arrival_ms         when each frame came, against the moment the horizon reached it
arrival_jitter_ms  mean difference of that between neighbours (as RFC 3550, 6.4.1)
revisions_per_s    plans that replaced an older one
share              of the frames shown, by quality
late_at_s          session time of each late frame
step_cm            largest way of a joint from one shown frame to the next: inside windows, and
                   across their seams

With any of --jitter-ms, --loss and --stall-s the session runs through a loopback proxy that does to
its bytes what TCP does on such a network: they come late, but all come, in order.
"""
MOST_LATE_TOLD = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="(%(default)s)")
    parser.add_argument("--player", type=Path, metavar="FILE", help="default: the one shipped")
    parser.add_argument("--seed", type=int, default=DEMO_SEED, help="(%(default)s)")
    add_server_option(parser)
    network = parser.add_argument_group("network, each way")
    network.add_argument(
        "--jitter-ms", type=float, default=0.0, metavar="MS", help="each packet takes 0 to MS"
    )
    network.add_argument(
        "--loss",
        type=float,
        default=0.0,
        metavar="PART",
        help="part of the packets that is lost: sent again after 200 ms, and what is behind waits",
    )
    network.add_argument(
        "--stall-s", type=float, default=0.0, metavar="S", help="nothing arrives for S seconds"
    )
    network.add_argument(
        "--stall-every-s", type=float, default=5.0, metavar="S", help="(%(default)s)"
    )
    network.add_argument("--network-seed", type=int, default=0, metavar="N", help="(%(default)s)")
    parser.add_argument("--plot", type=Path, metavar="SVG", help="how early each frame came")
    add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    from engine.body.shape import load_body
    from engine.commands.live_client import finished
    from engine.formats import read_motion

    network = _network(args)
    check_plot_path(args.plot)
    recording = read_motion(args.player or DEMO_PLAYER, body=load_body(args.body))
    player = looped(recording, frames_of(args.seconds))
    with running_server(args) as server:
        played = finished(_play(server, player, network, args))
    report = stream_report(played, network)
    if args.json:
        print(json.dumps(rounded(report), indent=2))
    else:
        _print(report)
    if args.plot is not None:
        write_plots(args.plot, [_plot(played)])
    return 0


def _network(args: argparse.Namespace) -> BadNetwork | None:
    """None: straight to the server."""
    from engine.testing import BadNetwork

    if not (args.jitter_ms or args.loss or args.stall_s):
        return None
    try:
        return BadNetwork(
            jitter_s=args.jitter_ms / 1000,
            loss=args.loss,
            stall_s=args.stall_s,
            stall_every_s=args.stall_every_s,
            seed=args.network_seed,
        )
    except ValueError as exc:
        raise InputError.at("network", f"{exc}") from exc


async def _play(
    server: ServerAddress, player: Motion, network: BadNetwork | None, args: argparse.Namespace
) -> PlayedSession:
    from engine.commands.live_client import interact
    from engine.testing import LossyProxy

    async def play(server: ServerAddress) -> PlayedSession:
        return await interact(
            server, player, seed=args.seed, steps=args.steps, horizon_frames=args.horizon
        )

    if network is None:
        return await play(server)
    async with LossyProxy(server.address, network) as proxy:
        return await play(replace(server, address=proxy.address))


# ---------------------------------------------------------------------------------------- reporting
def stream_report(played: PlayedSession, network: BadNetwork | None) -> dict[str, Any]:
    frames, summary = played.frames, played.summary
    arrivals = np.array([frame.arrived for frame in frames if not frame.is_late])
    reached = np.array([frame.index for frame in frames if not frame.is_late], float)
    reached = (reached - played.accepted.horizon_frames) / FRAME_RATE
    # Those of the first plan are sent at once, before the horizon reaches them one by one.
    transit_ms = 1000 * (arrivals - reached)[reached > 0]
    quality = Counter(frame.quality.lower() for frame in frames)
    return {
        **report_of(played),
        "arrival_ms": percentiles(transit_ms),
        "arrival_jitter_ms": float(np.abs(np.diff(transit_ms)).mean())
        if len(transit_ms) > 1
        else None,
        "revisions_per_s": summary.revisions / max(summary.duration, 1e-9),
        "share": {name: quality[name] / len(frames) for name in ("generated", "held", "fallback")},
        "late_at_s": [frame.time_code for frame in frames if frame.is_late][:MOST_LATE_TOLD],
        "step_cm": largest_steps_cm(joints_of(played), [frame.window for frame in frames]),
        "first_frame": frames[0].index,
        "network": None if network is None else asdict(network),
    }


def _plot(played: PlayedSession) -> Plot:
    """Milliseconds from a frame's arrival to when it was due; late ones stand at 0."""
    delay_s = played.accepted.playout_delay
    points = [
        (frame.time_code, 1000 * (frame.index / FRAME_RATE + delay_s - frame.arrived))
        for frame in played.frames
        if not frame.is_late
    ]
    late = [(frame.time_code, 0.0) for frame in played.frames if frame.is_late]
    return Plot(
        title="margin",
        x_label="session time, s",
        y_label="arrived before due, ms",
        series={"in time": points, "late": late},
        is_line=False,
    )


def largest_steps_cm(joints: Array, windows: list[int]) -> dict[str, float | None]:
    """Largest step of any joint (frame, 22, 3) from frame to frame, inside windows and at seams."""
    steps = 100 * np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=-1)
    is_seam = np.diff(windows) != 0
    parts = {"inside": steps[~is_seam], "seams": steps[is_seam]}
    return {name: float(part.max()) if len(part) else None for name, part in parts.items()}


def _print(report: dict[str, Any]) -> None:
    def numbers(values: dict[str, float | None], unit: str) -> str:
        return ", ".join(
            f"{name} {'-' if value is None else f'{value:.0f}'}" for name, value in values.items()
        ) + (f" {unit}" if unit else "")

    share = ", ".join(f"{100 * part:.1f}% {name}" for name, part in report["share"].items())
    jitter, margin = report["arrival_jitter_ms"], report["least_margin_ms"]
    rows = {
        "frames": f"{report['frames']} from frame {report['first_frame']} on, "
        f"{report['late_frames']} late; {share}",
        "margin": f"least {'-' if margin is None else f'{margin:.0f}'} ms before a frame was due",
        "arrival": f"{numbers(report['arrival_ms'], 'ms')}, "
        f"jitter {'-' if jitter is None else f'{jitter:.0f}'} ms",
        "reaction": numbers(report["reaction_ms"], "ms"),
        "plan": f"{report['windows']} windows, {report['revisions_per_s']:.2f} revisions/s, "
        f"horizon {report['horizon_frames']}, {report['steps']} steps",
        "seams": f"jerk {report['seam_jerk_ratio']} times that inside windows; largest step "
        f"{numbers(report['step_cm'], 'cm')}",
        "model": f"{report['bundle']} on {report['backend']} ({report['precision']})",
    }
    for name, text in rows.items():
        print(f"{name:<10}{text}")
    if report["late_at_s"]:
        print("late at   " + " ".join(f"{at:.1f}" for at in report["late_at_s"]) + " s")
