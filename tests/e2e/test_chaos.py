"""The harness of `make chaos` and `make soak`, for a second each: it measures, and it judges."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from benchmarks import beside, chaos, soak
from benchmarks.abuses import ABUSES
from benchmarks.beside import Held, Seen, held, players_of
from benchmarks.failing_engines import FailOver
from engine.bench.simulated_players import PlayerFigures
from engine.commands.server_process import ServerProcess
from tests.e2e.conftest import RunningServer

SEEN = Seen(players=(PlayerFigures(frames=10, reactions_ms=[20.0, 30.0]),), lag_ms=5.0)
HELD = Held(slots=0, rss_mb=400.0, files=20, threads=9)
CALM = chaos.Row(name="calm", seen=SEEN, before=HELD, after=HELD, outcomes={})


@pytest.mark.slow
def test_abuses_run_beside_good_clients_and_leave_no_session(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second each of two that take no place, of which a slow machine has but one; whether frames
    were late is another machine's to say."""
    monkeypatch.setattr(beside, "SETTLE_SECONDS", 0.0)
    target = ServerProcess(address=server.address, pid=server.process.pid)
    players = players_of(1)
    for name in ("http1", "headerless"):
        row = asyncio.run(chaos.beside(target, players, name, 1.0))
        assert row.seen.frames > 0
        assert row.seen.errors == []
        assert row.after.slots == 0
        assert sum(row.outcomes.values()) > 0
    assert held(server.address, server.process.pid).rss_mb > 10


def seen(**changes: object) -> chaos.Row:
    return replace(CALM, seen=replace(SEEN, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (seen(players=(PlayerFigures(late_frames=1, reactions_ms=[20.0]),)), "1 frames are late"),
        (seen(players=(PlayerFigures(error="ABORTED", reactions_ms=[20.0]),)), "were ended"),
        (seen(lag_ms=150.0), "lagged 150 ms"),
        (seen(players=(PlayerFigures(reactions_ms=[200.0]),)), "as long"),
        (replace(CALM, after=replace(HELD, slots=2)), "2 sessions"),
        (replace(CALM, after=replace(HELD, rss_mb=430.0)), "memory grew"),
        (replace(CALM, after=replace(HELD, files=21)), "1 files"),
        (replace(CALM, after=replace(HELD, threads=10)), "1 threads"),
    ],
)
def test_each_goal_can_be_missed(row: chaos.Row, problem: str) -> None:
    (found,) = chaos.missed(row, CALM)
    assert problem in found
    assert chaos.missed(CALM, CALM) == []
    assert len(str(row).splitlines()) == 1


def test_a_soak_is_judged_by_what_it_leaves_and_engines_by_how_long_they_are_away() -> None:
    assert soak.missed(0, [], HELD, replace(HELD, rss_mb=410.0)) == []
    grown = replace(HELD, rss_mb=430.0, files=21, threads=10, slots=1)
    assert len(soak.missed(3, ["ABORTED"], HELD, grown)) == 6
    assert FailOver(told=[2.5], resumed=[0.5], new=[2.9], back=20.0).missed == []
    assert len(FailOver(told=[3.5], resumed=[1.5], new=[3.1], back=31.0).missed) == 4
    assert FailOver(told=[2.5], new=[0.1], back=20.0).missed != []
    assert set(soak.BESIDE) <= set(ABUSES)
