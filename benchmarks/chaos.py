"""Chaos: abuses one after the other beside good clients, and whether these notice any of it.

    python -m benchmarks.chaos                       # 90 s for each abuse: about half an hour
    python -m benchmarks.chaos --seconds 10 --only pings controls --no-engines

One server has it all, so what an abuse leaves behind is seen in the next. First the good clients
are alone (`calm`). Then one abuse at a time goes on beside them; `stop` is a server that stands
still for 2 s, with a horizon of 24 frames. At last one of two engines behind a front is killed, and
one is stopped. A goal that is missed is named, and the exit code is 1.

late      frames of the good clients that were not there when they had to be shown
lag       longest time that the server's event loop was held up, ms
p50, p95  from the arrival of a good client's pose to the first frame computed from it, ms
slots     sessions that are left over afterwards
MB        resident memory of the server afterwards, and its growth since before
files     descriptors and threads, as many more as before
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.abuses import ABUSES
from benchmarks.beside import Held, Seen, abused, players_of, seen_by, settled
from benchmarks.failing_engines import FailOver, fail_over
from engine.commands.server_process import ServerProcess, own_server

CLIENTS = 4
CALM, STOP, CROWD = "calm", "stop", "crowd"
STOP_SECONDS, STOP_HORIZON = 2.0, 24
MOST_LAG_MS = 100.0
MOST_SLOWER = 2.0
"""How many times the calm reaction one may take beside an abuse, at p95."""
MOST_GROWTH = 0.05
WARM_UP, WARM_UP_SECONDS = ("cancelled", "generations"), 6.0
"""What fills pools of threads and of memory before anything is compared."""
HEADING = (
    f"{'':14} {'late':>4} {'of':>6} {'lag':>6} {'p50':>6} {'p95':>6} {'slots':>5} {'MB':>6} "
    f"{'growth':>7} {'files':>5} {'threads':>7}  what came of it"
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One abuse beside good clients: what they saw, and what the server held before and after."""

    name: str
    seen: Seen
    before: Held
    after: Held
    outcomes: dict[str, int]

    @property
    def growth(self) -> float:
        return self.after.rss_mb / self.before.rss_mb - 1

    def __str__(self) -> str:
        seen, before, after = self.seen, self.before, self.after
        said = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        return (
            f"{self.name:14} {seen.late:4} {seen.frames:6} {seen.lag_ms:6.0f} "
            f"{seen.reaction_ms(50):6.0f} {seen.reaction_ms(95):6.0f} {after.slots:5} "
            f"{after.rss_mb:6.0f} {100 * self.growth:6.1f}% {after.files - before.files:5} "
            f"{after.threads - before.threads:7}  {said}"
        )


def missed(row: Row, calm: Row) -> list[str]:
    """The goals that a row misses, beside the calm one."""
    seen, after = row.seen, row.after
    slower = seen.reaction_ms(95) / calm.seen.reaction_ms(95)
    goals = {
        f"{seen.late} frames are late": seen.late > 0,
        f"good clients were ended: {seen.errors[:1]}": bool(seen.errors),
        f"the event loop lagged {seen.lag_ms:.0f} ms": seen.lag_ms >= MOST_LAG_MS
        and row.name != STOP,
        f"reactions take {slower:.1f} times as long": slower > MOST_SLOWER
        and row.name not in (STOP, CROWD),
        f"{after.slots} sessions are left over": after.slots > 0,
        f"memory grew {100 * row.growth:.1f} %": row.growth > MOST_GROWTH,
        f"{after.files - row.before.files} files are left open": after.files > row.before.files,
        f"{after.threads - row.before.threads} threads are left": after.threads
        > row.before.threads,
    }
    return [f"{row.name}: {goal}" for goal, is_missed in goals.items() if is_missed]


async def beside(
    server: ServerProcess, players: Sequence[Sequence[bytes]], name: str, seconds: float
) -> Row:
    """Good clients for so long, and an abuse beside them."""
    before = settled(server.address, server.pid)
    outcomes: dict[str, int] = {}
    if name == CALM:
        seen = await seen_by(players, server.address, seconds)
    elif name == STOP:
        seen, _ = await asyncio.gather(
            seen_by(players, server.address, seconds, STOP_HORIZON),
            _stopped(server.pid, seconds / 2),
        )
    else:
        with abused(name, server.address, seconds) as abuser:
            seen = await seen_by(players, server.address, seconds)
            outcomes = await asyncio.to_thread(abuser.outcomes)
    after = settled(server.address, server.pid, before)
    return Row(name=name, seen=seen, before=before, after=after, outcomes=outcomes)


async def _stopped(pid: int, after: float) -> None:
    """The server stands still for a while."""
    await asyncio.sleep(after)
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(STOP_SECONDS)
    finally:
        os.kill(pid, signal.SIGCONT)


def run(server: ServerProcess, names: Sequence[str], seconds: float, clients: int) -> list[str]:
    """All rows of one server, printed as they come; the goals that were missed."""
    players = players_of(clients)
    for name in WARM_UP:
        asyncio.run(beside(server, players, name, WARM_UP_SECONDS))
    print(HEADING, flush=True)
    calm = asyncio.run(beside(server, players, CALM, seconds))
    print(calm, flush=True)
    problems: list[str] = []
    for name in names:
        row = asyncio.run(beside(server, players, name, seconds))
        print(row, flush=True)
        problems += missed(row, calm)
    return problems


def engines() -> list[str]:
    """One of two engines is killed, and one is stopped; the goals that were missed."""
    problems: list[str] = []
    with own_server(["--engines", "2", "--threads", "1"]) as front:
        for fault in (signal.SIGKILL, signal.SIGSTOP):
            found: FailOver = asyncio.run(fail_over(front, fault, CLIENTS))
            print(f"one of two engines gets {fault.name}: {found}", flush=True)
            problems += [f"{fault.name}: {goal}" for goal in found.missed]
    return problems


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    every = [*ABUSES, STOP]
    parser.add_argument("--seconds", type=float, default=90.0, help="for each (%(default)s)")
    parser.add_argument("--only", nargs="*", choices=every, default=every, metavar="ABUSE")
    parser.add_argument("--no-engines", action="store_true", help="leave the two engines out")
    args = parser.parse_args(arguments)
    problems: list[str] = []
    if args.only:
        with own_server(["--threads", str(os.cpu_count() or 1)]) as server:
            problems += run(server, args.only, args.seconds, CLIENTS)
    if not args.no_engines:
        problems += engines()
    for problem in problems:
        print(f"MISSED  {problem}", flush=True)
    print("no goal was missed" if not problems else f"{len(problems)} goals were missed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
