"""Laws of load control, on a simulated machine: what is given up, in which order, and who may come.

The machine is simulated with the real scheduler: sessions ask for windows, denoiser calls take what
a table of costs says, and time is a number.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from engine.motion.motion import FRAME_RATE, WINDOW_FRAMES
from engine.sampling.scheduler import CallCosts, Scheduler
from engine.serving.load import (
    PUBLISHED_STEPS,
    LoadControl,
    LoadLevel,
    LoadSample,
    PythonCost,
    SessionCost,
    SlotQueue,
    stretched_revisions,
)
from engine.session.config import SessionConfig

CONFIG = SessionConfig(steps=4)
SCHEDULES = (50, 20, 10, 8, 4, 2, 1)
BUCKETS = (1, 2, 4, 8, 16)
NEW_FRAMES = WINDOW_FRAMES - CONFIG.history_frames


# ------------------------------------------------------------------------------ a simulated machine
@dataclass(eq=False)
class SimulatedSession:
    """One that always departs: it asks for a revision as often as it may."""

    config: SessionConfig
    opened: float
    plan_until: float
    revised: float = -1e9
    is_asking: bool = False
    starved_s: float = 0.0


@dataclass(eq=False)
class SimulatedWindow:
    session: SimulatedSession
    asked: float
    steps_left: int
    deadline: float

    cohort = None

    @property
    def is_done(self) -> bool:
        return self.steps_left == 0


@dataclass
class Machine:
    """An executor, its sessions, and the load control over them."""

    costs: CallCosts
    config: SessionConfig = CONFIG
    schedules: tuple[int, ...] = SCHEDULES
    begin_s: float = 0.001
    now: float = 0.0
    sessions: list[SimulatedSession] = field(default_factory=list)
    levels: list[LoadLevel] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self) -> None:
        self.control = LoadControl(self.schedules, self.config)
        self._scheduler: Scheduler[SimulatedWindow] = Scheduler()
        self._executor_s, self._rows, self._windows, self._late = 0.0, 0, 0, 0
        self._next_look = 0.0

    def cost(self, sessions: int) -> SessionCost:
        row_s = self.costs.seconds_a_row(max(sessions, 1))
        return SessionCost(begin_s=self.begin_s, step_s=row_s, python=PythonCost())

    def open(self) -> bool:
        """One more session, if there is room."""
        capacity = self.control.capacity(self.config, self.cost(len(self.sessions) + 1))
        if len(self.sessions) >= max(capacity, 1):
            self.refused += 1
            return False
        until = self.now + self.config.horizon_frames / FRAME_RATE
        self.sessions.append(SimulatedSession(self.config, self.now, until))
        self._look()
        return True

    def run_until(self, end: float) -> None:
        while self.now < end:
            if self.now >= self._next_look:
                self._next_look = self.now + 0.25
                self._look()
            self._ask()
            rows = self._scheduler.next_rows(self.now, self.costs)
            self._pass(self.costs.seconds(len(rows)) if rows else 0.01, is_busy=bool(rows))
            self._rows += len(rows)
            for row in rows:
                row.steps_left -= 1
            for window, deadline in self._scheduler.take_done():
                self._windows += 1
                self._late += self.now > deadline
                window.session.is_asking = False
                plan_until = window.asked + NEW_FRAMES / FRAME_RATE
                window.session.plan_until = max(window.session.plan_until, plan_until)

    def _ask(self) -> None:
        for session in self.sessions:
            config = self.control.level.applied(session.config)
            is_due = (
                self.now - session.revised >= config.revision_frames / FRAME_RATE
                or session.plan_until - self.now < config.refill_frames / FRAME_RATE
            )
            if is_due and not session.is_asking:
                session.is_asking, session.revised = True, self.now
                deadline = self.now + (config.commit_frames + 1) / FRAME_RATE
                window = SimulatedWindow(session, self.now, config.steps, deadline)
                self._scheduler.submit(window, deadline)
                self._pass(self.begin_s, is_busy=True)

    def _pass(self, seconds: float, *, is_busy: bool) -> None:
        before, self.now = self.now, self.now + seconds
        self._executor_s += seconds * is_busy
        for session in self.sessions:
            session.starved_s += max(self.now - max(session.plan_until, before), 0.0)

    def _look(self) -> None:
        sample = LoadSample(
            now=self.now,
            executor_s=self._executor_s,
            rows=self._rows,
            session_thread_s=0.0,
            windows=self._windows,
            late_windows=self._late,
            sessions=len(self.sessions),
            most_steps=self.config.steps,
            cost=self.cost(len(self.sessions)),
        )
        if self.control.update(sample):
            self.levels.append(self.control.level)

    @property
    def starved_s(self) -> float:
        return sum(session.starved_s for session in self.sessions)


def machine_with(row_ms: float, *, company: float = 0.6, **settings_: object) -> Machine:
    """row_ms    of a call with one row
    company   what a further row costs of that
    """
    seconds = {size: row_ms / 1000 * (1 + company * (size - 1)) for size in BUCKETS}
    return Machine(CallCosts(seconds, weight=0), **settings_)  # type: ignore[arg-type]


def opened(machine: Machine, count: int, *, gap_s: float = 0.2) -> int:
    """Sessions that come one after the other; returns how many were let in."""
    let_in = 0
    for _ in range(count):
        let_in += machine.open()
        machine.run_until(machine.now + gap_s)
    return let_in


# --------------------------------------------------------------------------------- what is given up
def test_a_machine_with_time_to_spare_gives_everyone_what_he_asked_for() -> None:
    machine = machine_with(2.0)
    assert opened(machine, 8) == 8
    machine.run_until(60)
    assert machine.levels == []
    assert machine.starved_s == 0


def test_steps_go_before_revisions_and_come_back_after_them() -> None:
    machine = machine_with(45.0)
    opened(machine, 16)
    machine.run_until(40)
    down = list(machine.levels)
    assert down[0].revision_frames is None
    assert down[-1].steps == 1
    assert down[-1].revision_frames is not None
    for before, after in pairwise(down):
        assert after.revision_frames is None or before.steps == after.steps
    assert machine.starved_s == 0

    del machine.sessions[1:]
    machine.run_until(machine.now + 180)
    up = machine.levels[len(down) :]
    assert up[-1] == LoadLevel()
    is_stretched = [level.revision_frames is not None for level in up]
    assert is_stretched == sorted(is_stretched, reverse=True)


def test_a_network_without_schedules_goes_down_the_published_ones() -> None:
    machine = machine_with(4.0, config=replace(CONFIG, steps=50), schedules=())
    opened(machine, 6)
    machine.run_until(10)
    assert machine.levels[0] == LoadLevel(steps=20)
    assert opened(machine, 30) == 30
    machine.run_until(30)
    assert {level.steps for level in machine.levels} <= {None, *PUBLISHED_STEPS}
    assert machine.control.level.steps == 4
    assert machine.starved_s == 0


def test_a_session_that_asked_for_little_keeps_it() -> None:
    level = LoadLevel(steps=4, revision_frames=8)
    frugal = replace(CONFIG, steps=2, revision_frames=10)
    assert level.applied(frugal) == frugal
    assert level.applied(replace(CONFIG, steps=50)).steps == 4
    assert LoadLevel().applied(CONFIG) is not None
    assert LoadLevel().applied(CONFIG) == CONFIG


def test_revisions_are_stretched_up_to_what_a_window_covers() -> None:
    assert stretched_revisions(CONFIG) == (8, 12)
    assert stretched_revisions(replace(CONFIG, history_frames=1)) == (8, 12, 16, 20)
    assert stretched_revisions(replace(CONFIG, revision_frames=15)) == (15,)


ROOMY = PythonCost(second_s=0.04)
"""Of which 20 sessions fit into the interpreter."""


def planned(
    control: LoadControl,
    looks: range,
    *,
    executor: float,
    session_thread: float,
    sessions: int = 20,
    python: PythonCost = ROOMY,
) -> LoadLevel:
    """The level after looks, four a second, with an executor and a session thread so busy."""
    for look in looks:
        now = look / 4
        control.update(
            LoadSample(
                now=now,
                executor_s=executor * now,
                rows=look,
                session_thread_s=session_thread * now,
                windows=look,
                late_windows=0,
                sessions=sessions,
                most_steps=4,
                cost=SessionCost(begin_s=0.001, step_s=0.001, python=python),
            )
        )
    return control.level


def test_a_busy_session_thread_costs_revisions_and_no_steps() -> None:
    level = planned(LoadControl(SCHEDULES, CONFIG), range(40), executor=0.3, session_thread=0.98)
    assert level == LoadLevel(steps=None, revision_frames=12)


def test_sessions_that_would_fill_the_interpreter_have_rarer_revisions_at_once() -> None:
    """20 of 0.06 s each at the usual distance, of which 0.05 are for windows: 0.7 of it then."""
    control, rarer = LoadControl(SCHEDULES, CONFIG), 2 * CONFIG.revision_frames
    calm = partial(
        planned,
        control,
        executor=0.0,
        session_thread=0.0,
        python=PythonCost(second_s=0.01, window_s=0.02),
    )
    assert calm(range(1)) == LoadLevel(revision_frames=rarer)
    assert calm(range(1, 200)) == LoadLevel(revision_frames=rarer)
    assert calm(range(200, 400), sessions=10) == LoadLevel()


def test_steps_come_back_beside_a_session_thread_that_has_much_to_do() -> None:
    control = LoadControl(SCHEDULES, CONFIG)
    assert planned(control, range(8), executor=0.98, session_thread=0.8) == LoadLevel(steps=2)
    assert planned(control, range(400, 500), executor=0.3, session_thread=0.8) == LoadLevel()


def test_the_level_does_not_swing() -> None:
    """A load at the border: what comes back too early and goes again is tried less and less."""
    machine = machine_with(13.0)
    opened(machine, 6)
    machine.run_until(30)
    settled = len(machine.levels)
    machine.run_until(330)
    assert len(machine.levels) - settled <= 2 * 300 / 60 + 4
    assert machine.starved_s == 0


def test_an_empty_server_begins_anew() -> None:
    machine = machine_with(12.0)
    opened(machine, 16)
    machine.run_until(20)
    assert machine.control.level != LoadLevel()
    machine.sessions.clear()
    machine.run_until(machine.now + 1)
    assert machine.control.level == LoadLevel()


# ---------------------------------------------------------------------------------- who may come in
def test_the_full_size_network_has_room_for_two_on_a_processor_that_takes_60_ms_a_step() -> None:
    machine = machine_with(60.0, company=0.9, config=replace(CONFIG, steps=10), schedules=())
    assert opened(machine, 2, gap_s=1.0) == 2
    machine.run_until(120)
    assert machine.starved_s == 0


def test_the_interpreter_limits_sessions_as_the_executor_does() -> None:
    cost = SessionCost(begin_s=0.001, step_s=0.001, python=PythonCost(second_s=0.05))
    control = LoadControl(SCHEDULES, CONFIG)
    assert control.capacity(CONFIG, cost) == 18
    assert control.capacity(CONFIG, replace(cost, python=PythonCost())) > 100


def test_what_windows_take_of_the_interpreter_is_saved_by_rarer_revisions() -> None:
    """0.9 of a core holds 18 sessions of 0.05 s, of which four fifths are for 2.5 windows a second;
    at the lowest level revisions are three times as far apart."""
    python = PythonCost(second_s=0.01, window_s=0.016)
    assert python.at(FRAME_RATE / CONFIG.revision_frames) == pytest.approx(0.05)
    cost = SessionCost(begin_s=0.001, step_s=0.0001, python=python)
    assert stretched_revisions(CONFIG)[-1] == 3 * CONFIG.revision_frames
    assert LoadControl(SCHEDULES, CONFIG).capacity(CONFIG, cost) == int(0.9 / (0.01 + 0.04 / 3))


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    row_ms=st.floats(2.0, 150.0),
    company=st.floats(0.05, 1.0),
    begin_ms=st.floats(0.0, 10.0),
    steps=st.sampled_from((1, 4, 10, 50)),
    gaps=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=40),
)
@example(row_ms=150.0, company=1.0, begin_ms=10.0, steps=50, gaps=[0.0] * 40)
def test_who_is_let_in_is_never_starved(
    row_ms: float, company: float, begin_ms: float, steps: int, gaps: list[float]
) -> None:
    """Sessions come as they like and always depart. Nobody's plan runs dry but for the moment in
    which the level is found: windows with many steps may be under way when someone comes.

    Except alone: one session is always let in, on however slow a machine.
    """
    machine = machine_with(
        row_ms,
        company=company,
        begin_s=begin_ms / 1000,
        config=replace(CONFIG, steps=steps),
    )
    for gap in gaps:
        machine.open()
        machine.run_until(machine.now + gap)
    machine.run_until(machine.now + 5)
    at_first = [session.starved_s for session in machine.sessions]
    machine.run_until(machine.now + 15)
    if len(machine.sessions) > 1:
        assert max(at_first) < 1
        assert [session.starved_s for session in machine.sessions] == at_first


# ---------------------------------------------------------------------------------------- the queue
def test_who_is_refused_is_told_when_a_place_is_likely_to_be_free() -> None:
    places = SlotQueue()
    for number in range(10):
        places.opened(str(number), 0.0)
    for number in range(5):
        places.closed(str(number), 100.0)
    # 10 sessions of 100 s, 5 of which ended: one ends every 33 s of the five that are left
    assert places.refused(100.0) == pytest.approx(1000 / 6 / 5)


def test_the_more_are_told_to_come_again_the_later() -> None:
    places = SlotQueue()
    for number in range(4):
        places.opened(str(number), 0.0)
    delays = [places.refused(10.0) for _ in range(3)]
    assert delays == sorted(delays)
    assert delays[0] < delays[2]
    assert places.refused(10.0 + delays[2]) == pytest.approx(
        delays[0] + delays[2], rel=0.01
    )  # nobody waits any more, and sessions have got older


@given(st.lists(st.tuples(st.sampled_from(["open", "close", "refuse"]), st.floats(0, 1000))))
def test_what_is_told_lies_between_a_second_and_a_minute(moves: list[tuple[str, float]]) -> None:
    places, now = SlotQueue(), 0.0
    names: list[str] = []
    for number, (move, gap) in enumerate(moves):
        now += gap
        if move == "open":
            places.opened(str(number), now)
            names.append(str(number))
        elif move == "close" and names:
            places.closed(names.pop(), now)
        else:
            assert SlotQueue.LEAST_S <= places.refused(now) <= SlotQueue.MOST_S
