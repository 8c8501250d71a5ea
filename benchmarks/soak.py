"""Soak: a server among mixed clients for an hour, and whether it grows or is ever late.

    python -m benchmarks.soak                    # an hour
    python -m benchmarks.soak --minutes 15

Good clients play in sessions of a minute, each followed by the next. Beside them come, in turn,
clients who cancel, want places far off, generate motions, forge tokens and send garbage. A line a
minute says what was late and what the server holds between two rounds. The last is compared with
the first after the warm-up: memory may have grown by 5 %, files and threads not at all.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from benchmarks.beside import Held, Seen, abused, players_of, seen_by, settled
from benchmarks.chaos import MOST_GROWTH
from engine.commands.server_process import ServerProcess, own_server

CLIENTS = 4
ROUND_SECONDS = 60.0
BESIDE = ("cancelled", "far_walks", "generations", "tokens", "garbage")
WARM_UP_ROUNDS = len(BESIDE)
"""Pools of threads and of memory fill up in them."""


async def one_round(
    server: ServerProcess, players: Sequence[Sequence[bytes]], name: str, seconds: float
) -> Seen:
    with abused(name, server.address, seconds):
        return await seen_by(players, server.address, seconds)


def missed(late: int, errors: Sequence[str], first: Held, last: Held) -> list[str]:
    """What an hour must not do."""
    growth = last.rss_mb / first.rss_mb - 1
    goals = {
        f"{late} frames were late": late > 0,
        f"clients were ended: {errors[:1]}": bool(errors),
        f"memory grew {100 * growth:.1f} %": growth > MOST_GROWTH,
        f"{last.files - first.files} files were left open": last.files > first.files,
        f"{last.threads - first.threads} threads were left": last.threads > first.threads,
        f"{last.slots} sessions were left over": last.slots > 0,
    }
    return [goal for goal, is_missed in goals.items() if is_missed]


def run(server: ServerProcess, rounds: int, seconds: float) -> list[str]:
    """All rounds, a line each; the goals that were missed."""
    players = players_of(CLIENTS)
    print(f"{'min':>5} {'beside':12} {'late':>5} {'lag':>5} {'p95':>5} {'MB':>6} files threads")
    late, errors, held = 0, list[str](), list[Held]()
    begun = time.monotonic()
    for number in range(rounds + WARM_UP_ROUNDS):
        name = BESIDE[number % len(BESIDE)]
        seen = asyncio.run(one_round(server, players, name, seconds))
        held.append(settled(server.address, server.pid))
        late, errors = late + seen.late, errors + seen.errors
        now = held[-1]
        print(
            f"{(time.monotonic() - begun) / 60:5.1f} {name:12} {seen.late:5} {seen.lag_ms:5.0f} "
            f"{seen.reaction_ms(95):5.0f} {now.rss_mb:6.0f} {now.files:5} {now.threads:7}",
            flush=True,
        )
    return missed(late, errors, held[WARM_UP_ROUNDS - 1], held[-1])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="(%(default)s)")
    args = parser.parse_args(arguments)
    rounds = max(round(60 * args.minutes / ROUND_SECONDS) - WARM_UP_ROUNDS, 1)
    with own_server([]) as server:
        problems = run(server, rounds, ROUND_SECONDS)
    for problem in problems:
        print(f"MISSED  {problem}")
    print("no goal was missed" if not problems else f"{len(problems)} goals were missed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
