"""`contrapose bench load`: the search finds the limit, and what it reports was measured."""

from __future__ import annotations

import argparse

import pytest
from contrapose.v1 import server_info_pb2

from engine.bench.commands import add_commands
from engine.bench.load import Trial, report_of, search
from engine.bench.simulated_players import PlayerFigures
from engine.errors import InputError

NO_LOAD = server_info_pb2.ServerLoad()


def trial(sessions: int, seconds: float, **figures: object) -> Trial:
    player = PlayerFigures(**{"frames": 100, **figures})  # type: ignore[arg-type]
    return Trial(
        sessions=sessions,
        seconds=seconds,
        figures=(player,) * sessions,
        usage=(),
        players_cpu=0.0,
        capacity=0,
        before=NO_LOAD,
        after=NO_LOAD,
    )


class Machine:
    """Carries so many sessions for a short while, and so many at length."""

    def __init__(self, briefly: int, at_length: int) -> None:
        self.briefly, self.at_length = briefly, at_length
        self.asked: list[tuple[int, float]] = []

    def attempt(self, sessions: int, seconds: float) -> Trial:
        self.asked.append((sessions, seconds))
        limit = self.at_length if seconds > 15 else self.briefly
        return trial(sessions, seconds, late_frames=int(sessions > limit))


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 21])
def test_the_search_finds_the_limit_in_few_trials(limit: int) -> None:
    machine = Machine(limit, limit)
    report = report_of(search(machine.attempt, 60))
    assert report["max_sessions"] == limit
    assert machine.asked[-1] == (limit, 60)
    assert len(machine.asked) <= 12


def test_only_what_holds_at_length_is_believed() -> None:
    report = report_of(search(Machine(briefly=9, at_length=7).attempt, 60))
    assert (report["max_sessions"], report["late_frames"]) == (7, 0)
    assert {row["sessions"] for row in report["by_sessions"] if row["seconds"] == 60} == {7, 8, 9}


def test_a_machine_that_carries_nobody_is_reported_as_such() -> None:
    report = report_of(search(Machine(0, 0).attempt, 60))
    assert report["max_sessions"] == 0
    assert report["late_frames"] > 0


@pytest.mark.parametrize(
    "flaw",
    [{"late_frames": 1}, {"starved_frames": 2}, {"refusal": "full"}, {"error": "cut off"}],
)
def test_what_spoils_one_player_spoils_the_trial(flaw: dict[str, object]) -> None:
    assert trial(2, 60).passes
    assert not trial(2, 60, **flaw).passes


@pytest.mark.parametrize(
    "options", [("--seconds", 0), ("--rate", 0), ("--full-size", "--bundle", "b"), ("--plot", "p")]
)
def test_nothing_to_measure_is_refused_at_once(options: tuple[object, ...]) -> None:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["bench", "load", *map(str, options)])
    with pytest.raises(InputError):
        args.run(args)
