"""`contrapose bench load`: how many sessions this machine carries without a late frame.

Starts a real server for every trial, plays N simulated players to it from this process, and reads
what the server spends. Knows no session and no network.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.bench.figures import percentiles, rounded
from engine.commands.engine_options import add_engine_options, engine_flags
from engine.commands.full_size import full_size_bundle
from engine.commands.recorded_player import DEMO_PLAYER
from engine.commands.server_process import ServerProcess, own_server
from engine.errors import InputError
from engine.formats.plot import Plot, check_plot_path, write_plots
from engine.serving.process import Usage, usage_of

if TYPE_CHECKING:
    from contrapose.v1 import server_info_pb2

    from engine.bench.simulated_players import PlayerFigures

SUMMARY = "find how many sessions this machine carries"
HELP = """\
Plays N simulated players to a real server in another process, each with a motion of its own and a
connection of its own, and counts the frames that were not there when they had to be shown.

Without --sessions it looks for the largest N that passes: doubling, then halving the gap, in short
trials, and at last over --seconds. With it, these numbers are tried as they are. A number passes
when no frame of any player is late, nobody is refused or cut off, and at most 1 frame in 100 is
starved: shown after the first 2 s, but held because the network was late for it.

late       frames not there at their time plus the playout delay
starved    frames held, or fallen back on after the first 2 s, of all
reaction   ms from the arrival of a pose to the first frame computed from it, by the server's clock
windows/s  windows denoised; batch: mean rows of a denoiser call
steps      denoiser calls a window at the end; revisions: least frames between two, at the end
cpu        of the server, per session, in parts of one core; players: of this process in all
lag        longest time that the server's event loop was held up
says       sessions that the server, empty, said it could carry

With --websocket every other player comes through the WebSocket, and each door has a line of its
own: late frames, reaction, and what a small message, up or down, costs the server's processor there
(pings of sessions that send no pose, before the players come, so nothing but the door is at work).
"""
DOORS = ("grpc", "websocket")
SHORT_SECONDS = 15.0
FULL_SIZE_STEPS = 10
MOST_STARVED = 0.01
MOST_SESSIONS = 1024
PINGING_SESSIONS = 8
"""That measure what a message costs, where a server carries as many."""
OPENING_GAP_S = 0.2
"""Between two sessions: N games do not start at the same instant."""
SAMPLE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class DoorFigures:
    """What the players of one door saw."""

    door: str
    figures: tuple[PlayerFigures, ...]
    cpu_us_per_message: float | None
    """Of the server; None where the system does not say."""

    def as_json(self) -> dict[str, Any]:
        every = [ms for player in self.figures for ms in player.reactions_ms]
        return {
            "door": self.door,
            "sessions": len(self.figures),
            "frames": sum(player.frames for player in self.figures),
            "late_frames": sum(player.late_frames for player in self.figures),
            "reaction_ms": percentiles(every),
            "cpu_us_per_message": self.cpu_us_per_message,
        }


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What N players saw for some seconds, and what the server spent on it."""

    sessions: int
    seconds: float
    figures: tuple[PlayerFigures, ...]
    usage: tuple[tuple[float, Usage], ...]
    """Samples of the server's, each with its time since all sessions were open."""
    players_cpu: float
    """Processor time of this process, in parts of one core."""
    capacity: int
    """Sessions that the server, empty, said it could carry."""
    before: server_info_pb2.ServerLoad
    after: server_info_pb2.ServerLoad
    doors: tuple[DoorFigures, ...] = ()
    """Of each door, where two were used."""

    @property
    def refused(self) -> int:
        return sum(player.refusal is not None for player in self.figures)

    @property
    def errors(self) -> list[str]:
        return [player.error for player in self.figures if player.error is not None]

    @property
    def frames(self) -> int:
        return sum(player.frames for player in self.figures)

    @property
    def late_frames(self) -> int:
        return sum(player.late_frames for player in self.figures)

    @property
    def starved_share(self) -> float:
        return sum(player.starved_frames for player in self.figures) / max(self.frames, 1)

    @property
    def passes(self) -> bool:
        is_complete = not (self.refused or self.errors) and self.frames > 0
        return is_complete and self.late_frames == 0 and self.starved_share <= MOST_STARVED

    @property
    def reaction_ms(self) -> dict[str, float | None]:
        all_of_them = [ms for player in self.figures for ms in player.reactions_ms]
        return percentiles(all_of_them)

    @property
    def rss_mb(self) -> float | None:
        return self.usage[-1][1].resident_mb if self.usage else None

    @property
    def rss_mb_after_1_min(self) -> float | None:
        """None for a trial that was not at least twice as long."""
        if self.seconds < 120:
            return None
        return next((usage.resident_mb for at, usage in self.usage if at >= 60), None)

    @property
    def server_cpu(self) -> float | None:
        """In parts of one core, from when all sessions were open."""
        if len(self.usage) < 2:
            return None
        (begun, first), (ended, last) = self.usage[0], self.usage[-1]
        return (last.cpu_s - first.cpu_s) / max(ended - begun, 1e-9)

    def as_json(self) -> dict[str, Any]:
        quality = sum((player.by_quality for player in self.figures), Counter[str]())
        cpu, load, lags = self.server_cpu, self.after, self._send_lags_ms()
        return {
            "sessions": self.sessions,
            "seconds": self.seconds,
            "passes": self.passes,
            "frames": self.frames,
            "late_frames": self.late_frames,
            "starved_share": self.starved_share,
            "share": {
                name: quality[name] / max(self.frames, 1)
                for name in ("generated", "held", "fallback")
            },
            "refused": self.refused,
            "server_capacity": self.capacity,
            "errors": self.errors,
            "least_margin_ms": self._least_margin_ms(),
            "reaction_ms": self.reaction_ms,
            "revisions_per_session_s": sum(player.revisions for player in self.figures)
            / max(self.sessions * self.seconds, 1e-9),
            "windows_per_s": (load.windows - self.before.windows) / self.seconds,
            "late_windows": load.late_windows - self.before.late_windows,
            "mean_batch": load.mean_batch,
            "steps": load.steps,
            "least_steps": min((min(p.steps) for p in self.figures if p.steps), default=None),
            "revision_frames": load.revision_frames,
            "engine_busy": load.engine_busy,
            "loop_lag_ms": load.loop_lag_ms,
            "server_cpu": cpu,
            "server_cpu_per_session": None if cpu is None else cpu / self.sessions,
            "players_cpu": self.players_cpu,
            "players_lag_ms": percentiles(lags),
            "rss_mb": self.rss_mb,
            "rss_mb_after_1_min": self.rss_mb_after_1_min,
            "doors": [door.as_json() for door in self.doors],
        }

    def _least_margin_ms(self) -> float | None:
        least = min((player.least_margin_s for player in self.figures), default=np.inf)
        return 1000 * least if np.isfinite(least) else None

    def _send_lags_ms(self) -> list[float]:
        return [1000 * lag for player in self.figures for lag in player.send_lags_s]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="(%(default)s)")
    parser.add_argument(
        "--sessions", type=_numbers, metavar="N[,N...]", help="default: the largest that passes"
    )
    parser.add_argument("--rate", type=float, default=10.0, help="poses a second (%(default)s)")
    parser.add_argument(
        "--players", type=Path, metavar="DIR", help="recordings in place of the one shipped"
    )
    parser.add_argument(
        "--full-size",
        action="store_true",
        help=f"the published architecture, random weights, {FULL_SIZE_STEPS} steps",
    )
    parser.add_argument(
        "--websocket", action="store_true", help="every other player through the WebSocket"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the players' motions (%(default)s)")
    parser.add_argument("--plot", type=Path, metavar="SVG", help="cost and reaction over sessions")
    add_engine_options(parser)


def _numbers(text: str) -> list[int]:
    numbers = sorted({int(part) for part in text.split(",")})
    if not numbers or not 1 <= numbers[0] <= numbers[-1] <= MOST_SESSIONS:
        raise ValueError
    return numbers


def run(args: argparse.Namespace) -> int:
    if not 1 <= args.seconds <= 86_400:
        raise InputError.at("--seconds", f"{args.seconds:g}, expected 1 to 86400")
    if not 1 <= args.rate <= 120:
        raise InputError.at("--rate", f"{args.rate:g}, expected 1 to 120")
    if args.full_size and args.bundle is not None:
        raise InputError("--full-size and --bundle: give one of them", field="--full-size")
    check_plot_path(args.plot)
    with _engine_flags(args) as flags:
        players = _players(args)

        def attempt(sessions: int, seconds: float) -> Trial:
            with own_server(flags, has_page=args.websocket) as server:
                trial = asyncio.run(_trial(server, players, sessions, seconds, args.rate))
            if not args.json:
                _print_row(trial)
            return trial

        if not args.json:
            print(HEADING, flush=True)
        trials = (
            search(attempt, args.seconds)
            if args.sessions is None
            else [attempt(sessions, args.seconds) for sessions in args.sessions]
        )
    report = report_of(trials)
    if args.json:
        print(json.dumps(rounded(report), indent=2))
    else:
        _print_verdict(report)
    if args.plot is not None:
        write_plots(args.plot, _plots(trials))
    return 0


@contextmanager
def _engine_flags(args: argparse.Namespace) -> Iterator[list[str]]:
    if not args.full_size:
        yield engine_flags(args)
        return
    if args.steps is None:
        args.steps = FULL_SIZE_STEPS
    with full_size_bundle() as bundle:
        yield [*engine_flags(args), "--bundle", str(bundle)]


# ---------------------------------------------------------------------------------------- searching
def search(attempt: Callable[[int, float], Trial], seconds: float) -> list[Trial]:
    """Trials that end in the largest number of sessions that passes for so long.

    Short ones double the number until it fails, then halve the gap; the best is tried at length,
    and the next lower one should that fail. Only what passed or failed at length is believed.
    """
    short = min(SHORT_SECONDS, seconds)
    trials = [attempt(1, short)]
    while trials[-1].passes and trials[-1].sessions < MOST_SESSIONS:
        trials.append(attempt(2 * trials[-1].sessions, short))
    passed = max((trial.sessions for trial in trials if trial.passes), default=0)
    failed = trials[-1].sessions
    while failed - passed > 1:
        middle = (passed + failed) // 2
        trials.append(attempt(middle, short))
        passed, failed = (middle, failed) if trials[-1].passes else (passed, middle)
    while passed > 0:
        trials.append(attempt(passed, seconds))
        if trials[-1].passes:
            break
        passed -= 1
    return trials


def report_of(trials: Sequence[Trial]) -> dict[str, Any]:
    """For each number of sessions the longest trial counts; of two as long, the later one."""
    by_sessions = {
        trial.sessions: trial
        for trial in sorted(trials, key=lambda trial: (trial.sessions, trial.seconds))
    }
    longest = max(trial.seconds for trial in trials)
    passed = [t for t in by_sessions.values() if t.passes and t.seconds == longest]
    best = max(passed, key=lambda trial: trial.sessions, default=trials[-1])
    return {
        "max_sessions": best.sessions if passed else 0,
        "seconds": longest,
        "late_frames": best.late_frames,
        "reaction_ms": best.reaction_ms,
        "rss_mb": best.rss_mb,
        "rss_mb_after_1_min": best.rss_mb_after_1_min,
        "cores": os.cpu_count(),
        "by_sessions": [trial.as_json() for trial in by_sessions.values()],
    }


# ----------------------------------------------------------------------------------------- a trial
def _players(args: argparse.Namespace) -> Callable[[int], list[bytes]]:
    """Player k's poses, ready to be sent."""
    from engine.bench.simulated_players import pose_requests, varied
    from engine.body.shape import load_body
    from engine.formats import read_motion

    paths = [DEMO_PLAYER] if args.players is None else sorted(args.players.glob("*.*"))
    if not paths:
        raise InputError.at("--players", f"{args.players} holds no recordings")
    body = load_body(args.body)
    recordings = [read_motion(path, body=body) for path in paths]

    def requests(player: int) -> list[bytes]:
        motion = varied(recordings[player % len(recordings)], args.seed + player)
        return pose_requests(motion, args.rate)

    return requests


async def _trial(
    server: ServerProcess,
    requests_of: Callable[[int], list[bytes]],
    sessions: int,
    seconds: float,
    rate: float,
) -> Trial:
    import grpc.aio
    from contrapose.v1 import server_info_pb2, server_info_pb2_grpc

    from engine.bench.doors import cpu_per_message, grpc_stream, websocket_stream
    from engine.bench.simulated_players import SimulatedPlayer

    doors = {"grpc": partial(grpc_stream, server.address)}
    if server.page is not None:
        doors["websocket"] = partial(websocket_stream, server.page)
    names = [DOORS[player % len(doors)] for player in range(sessions)]
    players = [SimulatedPlayer(requests_of(player), rate) for player in range(sessions)]
    opening_s = OPENING_GAP_S * sessions
    async with grpc.aio.insecure_channel(server.address) as channel:
        info = server_info_pb2_grpc.ServerInfoServiceStub(channel)  # type: ignore[no-untyped-call]  # generated

        async def told() -> server_info_pb2.GetServerInfoResponse:
            request = server_info_pb2.GetServerInfoRequest()
            answer: server_info_pb2.GetServerInfoResponse = await info.GetServerInfo(request)
            return answer

        capacity = (await told()).max_sessions
        costs: dict[str, float | None] = {}
        for name, door in doors.items() if len(doors) > 1 else ():
            asked = max(min(PINGING_SESSIONS, capacity), 1)
            costs[name] = await cpu_per_message(door, server.pid, asked)

        async def play(number: int) -> None:
            await asyncio.sleep(OPENING_GAP_S * number)
            left_s = opening_s - OPENING_GAP_S * number
            await players[number].play(doors[names[number]](), left_s + seconds)

        tasks = [asyncio.create_task(play(number)) for number in range(sessions)]
        await asyncio.sleep(opening_s)
        before, own_cpu, begun = await told(), time.process_time(), time.monotonic()
        usage = await _watched(server.pid, tasks, begun, seconds)
        after = await told()
        own_cpu = (time.process_time() - own_cpu) / (time.monotonic() - begun)
        await asyncio.gather(*tasks)
    return Trial(
        sessions=sessions,
        seconds=seconds,
        figures=tuple(player.figures for player in players),
        usage=usage,
        players_cpu=own_cpu,
        capacity=capacity,
        before=before.load,
        after=after.load,
        doors=tuple(
            DoorFigures(
                door=name,
                figures=tuple(
                    player.figures
                    for player, its in zip(players, names, strict=True)
                    if its == name
                ),
                cpu_us_per_message=None if cost is None else 1e6 * cost,
            )
            for name, cost in costs.items()
        ),
    )


async def _watched(
    pid: int, tasks: Sequence[asyncio.Task[None]], begun: float, seconds: float
) -> tuple[tuple[float, Usage], ...]:
    """What the server uses, second by second, until just before the players end."""
    usage = []
    while (at := time.monotonic() - begun) < seconds - SAMPLE_SECONDS / 4:
        if (now := usage_of(pid)) is not None:
            usage.append((at, now))
        _, pending = await asyncio.wait(tasks, timeout=min(SAMPLE_SECONDS, seconds - at))
        if not pending:
            break  # everyone was refused or cut off
    return tuple(usage)


# ---------------------------------------------------------------------------------------- reporting
HEADING = (
    "sessions      s    late  starved   reaction ms p50/p95/p99  windows/s  batch  steps"
    "  revisions   cpu  players  lag ms  rss MB  says"
)


def _print_row(trial: Trial) -> None:
    row = trial.as_json()
    reaction = "/".join("-" if ms is None else f"{ms:.0f}" for ms in trial.reaction_ms.values())
    cpu = row["server_cpu_per_session"]
    print(
        f"{trial.sessions:8} {trial.seconds:6.0f} {trial.late_frames:7} "
        f"{100 * trial.starved_share:7.2f}% {reaction:>25} {row['windows_per_s']:10.1f} "
        f"{row['mean_batch']:6.1f} {row['steps']:6} {row['revision_frames']:10} "
        f"{'-' if cpu is None else f'{cpu:.3f}':>5} {trial.players_cpu:8.2f} "
        f"{row['loop_lag_ms']:7.1f} {trial.rss_mb or 0:7.0f} {trial.capacity:5}"
        f"{f'  {trial.refused} refused' if trial.refused else ''}"
        f"{'' if trial.passes else '  fails'}",
        flush=True,
    )
    for door in row["doors"]:
        ms = "/".join("-" if ms is None else f"{ms:.0f}" for ms in door["reaction_ms"].values())
        cost = door["cpu_us_per_message"]
        print(
            f"{door['door']:>17} {door['sessions']} sessions, {door['late_frames']} late, "
            f"reaction {ms} ms, {'-' if cost is None else f'{cost:.0f}'} us a message",
            flush=True,
        )
    for error in sorted(set(trial.errors)):
        print(f"         {error}", flush=True)


def _print_verdict(report: dict[str, Any]) -> None:
    print(
        f"{report['max_sessions']} sessions without a late frame over {report['seconds']:g} s "
        f"on {report['cores']} cores"
    )
    after_1_min, at_end = report["rss_mb_after_1_min"], report["rss_mb"]
    if after_1_min is not None and at_end is not None:
        grown = 100 * (at_end / after_1_min - 1)
        print(
            f"memory: {after_1_min:.0f} MB after 1 min, {at_end:.0f} MB at the end: {grown:+.1f}%"
        )


def _plots(trials: Sequence[Trial]) -> list[Plot]:
    rows = sorted((trial.as_json() for trial in trials), key=lambda row: row["sessions"])

    def series(*path: str) -> list[tuple[float, float]]:
        points = []
        for row in rows:
            value: Any = row
            for key in path:
                value = value[key]
            if value is not None:
                points.append((float(row["sessions"]), float(value)))
        return points

    return [
        Plot(
            title="reaction",
            x_label="sessions",
            y_label="reaction, ms",
            series={name: series("reaction_ms", name) for name in ("p50", "p95", "p99")},
            is_line=True,
        ),
        Plot(
            title="cost",
            x_label="sessions",
            y_label="server, cores per session",
            series={"cores": series("server_cpu_per_session")},
            is_line=True,
        ),
    ]
