"""Laws of the scheduler: the most urgent go first, and the size of a call is worth its cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sampling.scheduler import CallCosts, Left, Scheduler, best_bucket, even_costs

EVEN = even_costs((1, 2, 4, 8, 16))
ONE_ROW = even_costs((1,))
LINEAR = CallCosts({1: 0.004, 2: 0.007, 4: 0.012, 8: 0.020, 16: 0.038}, weight=0)
"""As on a processor without matrix units: batches are hardly cheaper."""
RELAXED = 10.0


@dataclass(eq=False)
class Job:
    steps_left: int
    deadline: float
    cohort: str = ""

    @property
    def is_done(self) -> bool:
        return self.steps_left == 0


def scheduler_of(jobs: list[Job]) -> Scheduler[Job]:
    scheduler: Scheduler[Job] = Scheduler()
    for job in jobs:
        scheduler.submit(job, job.deadline)
    return scheduler


# ----------------------------------------------------------------------------------- who goes first
def test_the_nearest_deadline_goes_first_and_equals_go_in_order_of_arrival() -> None:
    late, first, second = Job(1, 2.0), Job(1, 1.0), Job(1, 1.0)
    scheduler = scheduler_of([late, first, second])
    assert scheduler.next_rows(0, even_costs((1, 2))) == [first, second]
    assert scheduler.next_rows(0, EVEN) == [first, second, late]


def test_a_new_window_joins_the_next_call_beside_those_half_done() -> None:
    old, urgent = Job(5, 1.0), Job(5, 0.5)
    scheduler = scheduler_of([old])
    assert scheduler.next_rows(0, EVEN) == [old]
    scheduler.submit(urgent, urgent.deadline)
    assert scheduler.next_rows(0, EVEN) == [urgent, old]
    assert scheduler.next_rows(0, ONE_ROW) == [urgent]


def test_a_call_keeps_the_company_of_its_most_urgent_window() -> None:
    first, other, second = Job(4, 1.0, "4"), Job(9, 2.0, "9"), Job(4, 3.0, "4")
    scheduler = scheduler_of([first, other, second])
    assert scheduler.next_rows(0, EVEN) == [first, second]
    scheduler.drop([first, second])
    assert scheduler.next_rows(0, EVEN) == [other]


def test_a_window_about_to_run_dry_overtakes_a_crowd() -> None:
    crowd = [Job(10, RELAXED) for _ in range(40)]
    scheduler = scheduler_of(crowd)
    scheduler.next_rows(0, LINEAR)
    urgent = Job(1, 0.05)
    scheduler.submit(urgent, urgent.deadline)
    assert scheduler.next_rows(0, LINEAR)[0] is urgent


def test_patient_windows_take_only_seats_that_would_be_padding() -> None:
    live, patient = [Job(4, 1.0) for _ in range(3)], [Job(4, math.inf) for _ in range(5)]
    scheduler = scheduler_of([*patient, *live])
    assert scheduler.urgent_count == 3
    assert scheduler.next_rows(0, EVEN) == [*live, patient[0]]
    scheduler.drop(live)
    assert scheduler.next_rows(0, EVEN) == patient


def test_done_and_dropped_windows_leave() -> None:
    done, open_, dropped = Job(0, 3.0), Job(1, 2.0), Job(1, 1.0)
    scheduler = scheduler_of([done, open_, dropped])
    scheduler.drop([dropped])
    assert scheduler.take_done() == [(done, 3.0)]
    assert scheduler.next_rows(0, EVEN) == [open_]
    assert len(scheduler) == 1


@given(
    st.lists(st.tuples(st.integers(1, 5), st.floats(0, 10) | st.just(math.inf)), max_size=30),
    st.sampled_from([EVEN, ONE_ROW, LINEAR]),
)
def test_every_window_is_done_after_as_many_rows_as_it_has_steps(
    jobs: list[tuple[int, float]], costs: CallCosts
) -> None:
    submitted = [Job(steps, deadline) for steps, deadline in jobs]
    scheduler = scheduler_of(submitted)
    rows, now = 0, 0.0
    finished: list[Job] = []
    while chosen := scheduler.next_rows(now, costs):
        assert len(chosen) <= max(costs.buckets)
        now += costs.seconds(len(chosen))
        for job in chosen:
            job.steps_left -= 1
        rows += len(chosen)
        finished += [job for job, _ in scheduler.take_done()]
    assert rows == sum(steps for steps, _ in jobs)
    assert {id(job) for job in finished} == {id(job) for job in submitted}


# ------------------------------------------------------------------------------------ how many rows
def relaxed(count: int) -> list[Left]:
    return [Left(RELAXED, 4)] * count


@pytest.mark.parametrize(("rows", "bucket"), [(1, 1), (2, 2), (3, 2), (5, 4), (7, 8), (30, 16)])
def test_no_call_is_padded_where_that_wastes_time(rows: int, bucket: int) -> None:
    assert best_bucket(relaxed(rows), LINEAR) == bucket


def test_a_padded_call_is_made_where_it_costs_less_than_two() -> None:
    flat = CallCosts({1: 0.010, 4: 0.011, 8: 0.012})
    assert best_bucket(relaxed(5), flat) == 8


def test_company_that_would_make_a_row_late_is_left_behind() -> None:
    about_to_run_dry = Left(0.018, 4)  # alone 16 ms, with three others 48 ms
    assert best_bucket([about_to_run_dry, *relaxed(3)], LINEAR) == 1


def test_who_is_late_anyway_keeps_nobody_from_going_together() -> None:
    too_late = Left(0.001, 4)
    assert best_bucket([too_late, *relaxed(3)], LINEAR) == 4


def test_one_row_is_not_saved_at_the_price_of_several() -> None:
    tight = [Left(0.050, 4)] * 4  # together all are done in 48 ms, alone only three are
    assert best_bucket(tight, LINEAR) == 4


# -------------------------------------------------------------------------------------------- costs
def test_costs_follow_the_calls_and_hardly_an_outlier() -> None:
    costs = CallCosts({1: 0.010, 4: 0.020}, weight=0.5)
    costs.observe(3, 0.040)
    assert costs.seconds(4) == pytest.approx(0.030)
    assert costs.seconds(1) == 0.010
    costs.observe(1, 100.0)
    assert costs.seconds(1) < 0.050


def test_a_row_costs_less_in_company() -> None:
    assert LINEAR.seconds_a_row(1) == 0.004
    assert LINEAR.seconds_a_row(3) == pytest.approx(0.007 / 2)
    assert LINEAR.seconds_a_row(100) == pytest.approx(0.038 / 16)
    assert LINEAR.bucket(100) == 16


@pytest.mark.parametrize("seconds", [{}, {1: 0.0}, {0: 1.0}])
def test_costs_without_sense_are_refused(seconds: dict[int, float]) -> None:
    with pytest.raises(ValueError, match="costs are"):
        CallCosts(seconds)
