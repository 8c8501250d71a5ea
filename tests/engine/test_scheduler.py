"""Laws of the scheduler: the most urgent go first, and who is in stays in until done."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from engine.scheduler import Scheduler


@dataclass(eq=False)
class Job:
    steps_left: int
    deadline: float

    @property
    def is_done(self) -> bool:
        return self.steps_left == 0


def test_the_nearest_deadline_goes_first_and_equals_go_in_order_of_arrival() -> None:
    scheduler: Scheduler[Job] = Scheduler()
    late, first, second = Job(1, 2.0), Job(1, 1.0), Job(1, 1.0)
    for job in (late, first, second):
        scheduler.submit(job, job.deadline)
    assert scheduler.next_rows(2) == [first, second]
    assert scheduler.next_rows(16) == [first, second, late]


def test_a_new_window_joins_the_next_call_beside_those_half_done() -> None:
    scheduler: Scheduler[Job] = Scheduler()
    old = Job(5, 1.0)
    scheduler.submit(old, old.deadline)
    assert scheduler.next_rows(4) == [old]
    urgent = Job(5, 0.5)
    scheduler.submit(urgent, urgent.deadline)
    assert scheduler.next_rows(4) == [urgent, old]
    assert scheduler.next_rows(1) == [urgent]


def test_done_and_dropped_windows_leave() -> None:
    scheduler: Scheduler[Job] = Scheduler()
    done, open_, dropped = Job(0, 3.0), Job(1, 2.0), Job(1, 1.0)
    for job in (done, open_, dropped):
        scheduler.submit(job, job.deadline)
    scheduler.drop([dropped])
    assert scheduler.take_done() == [done]
    assert scheduler.next_rows(4) == [open_]
    assert len(scheduler) == 1


@given(
    st.lists(st.tuples(st.integers(1, 5), st.floats(0, 10)), max_size=30),
    st.integers(1, 8),
)
def test_every_window_is_done_after_as_many_rows_as_it_has_steps(
    jobs: list[tuple[int, float]], limit: int
) -> None:
    scheduler: Scheduler[Job] = Scheduler()
    submitted = [Job(steps, deadline) for steps, deadline in jobs]
    for job in submitted:
        scheduler.submit(job, job.deadline)
    rows = 0
    finished: list[Job] = []
    while chosen := scheduler.next_rows(limit):
        assert len(chosen) <= limit
        for job in chosen:
            job.steps_left -= 1
        rows += len(chosen)
        finished += scheduler.take_done()
    assert rows == sum(steps for steps, _ in jobs)
    assert {id(job) for job in finished} == {id(job) for job in submitted}
