"""Which run of a session is the newest, for how long, and what a run that nobody saw leaves."""

from __future__ import annotations

import pytest

from engine.errors import SessionError
from engine.serving.runs import KEPT_SECONDS, TICKS, Runs


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_later_run_has_a_larger_number_though_the_clock_stands_or_goes_back() -> None:
    clock = Clock()
    runs = Runs(clock)
    numbers = []
    after = None
    for now in (1000.0, 1000.0, 990.0):
        clock.now = now
        with runs.begun("a", after) as run:
            run.told()
        numbers.append(run.number)
        after = run.number
    assert numbers == sorted(set(numbers))


def test_a_token_of_another_server_is_newer_than_what_is_known_here() -> None:
    """The session went on there; here its old stream may still be open."""
    runs = Runs(Clock())
    with runs.begun("a", None) as here, runs.begun("a", here.number + 50) as back:
        assert back.number > here.number + 50


def test_an_older_run_is_refused_while_the_newer_lasts_and_afterwards() -> None:
    runs = Runs(Clock())
    with runs.begun("a", None) as first:
        first.told()
    with runs.begun("a", first.number) as second:
        second.told()
        with pytest.raises(SessionError, match="newer run"), runs.begun("a", first.number):
            pass
    with pytest.raises(SessionError) as refusal, runs.begun("a", first.number):
        pass
    assert (refusal.value.reason, refusal.value.field) == (
        "RESUME_REPLACED",
        "header.resume_token",
    )
    with runs.begun("b", first.number), runs.begun("a", second.number):
        pass


def test_a_run_of_which_no_token_went_out_is_as_if_it_had_not_been() -> None:
    runs = Runs(Clock())
    with runs.begun("a", None) as first:
        first.told()
    for _ in range(3):
        with runs.begun("a", first.number):
            pass
    with runs.begun("a", None), pytest.raises(SessionError), runs.begun("a", first.number):
        pass


def test_runs_are_forgotten_when_no_token_of_before_is_valid_any_more() -> None:
    clock = Clock()
    runs = Runs(clock)
    for number in range(100):
        with runs.begun(f"{number}", None) as run:
            run.told()
    clock.now += KEPT_SECONDS + 1
    with runs.begun("a", None) as newest:
        newest.told()
    with runs.begun("0", int(900 * TICKS)) as again:
        assert again.number > newest.number - TICKS
