"""Laws of offline callers: beside live sessions they take turns, and live windows go first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from engine.arrays import Array
from engine.errors import OverloadedError
from engine.sampling.executor import Executor
from engine.sampling.offline import patient_windows
from engine.sampling.one_by_one import OneByOne
from engine.sampling.scheduler import CallCosts
from engine.testing import GraphInputs, still_models
from tests.engine.sampling.test_executor import (
    ONE_ROW,
    WAIT_S,
    a_request,
    models_with,
    submitted,
)

COMPUTES_S = 0.005


class Computing:
    """Callers who ask for windows and compute after each; how many ever did so at once."""

    def __init__(self) -> None:
        self.most = self._now = 0
        self._lock = threading.Lock()
        self.order: list[int] = []

    def make(self, executor: Executor, caller: int, windows: int) -> None:
        with patient_windows(executor) as sample:
            for seed in range(windows):
                sample([a_request(seed)])
                with self._lock:
                    self._now += 1
                    self.most = max(self.most, self._now)
                    self.order.append(caller)
                time.sleep(COMPUTES_S)
                with self._lock:
                    self._now -= 1


@contextmanager
def busy_executor(is_live: bool) -> Iterator[Executor]:
    """An executor; live windows go through it all the time, if so."""
    with Executor(still_models(), costs=CallCosts({1: 0.001, 4: 0.001}, weight=0)) as executor:
        over = threading.Event()

        def live() -> None:
            while not over.is_set():
                submitted(executor, a_request()).result(WAIT_S)
                time.sleep(0.002)

        with ThreadPoolExecutor(1) as pool:
            playing = pool.submit(live) if is_live else None
            while is_live and not executor.is_shared:
                time.sleep(0.001)
            yield executor
            over.set()
            if playing is not None:
                playing.result(WAIT_S)


@pytest.mark.parametrize("is_live", [True, False])
def test_one_offline_caller_computes_at_a_time_where_sessions_are_live(is_live: bool) -> None:
    computing = Computing()
    with busy_executor(is_live) as executor, ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(computing.make, executor, n, 12) for n in range(4)]:
            done.result(WAIT_S)
    assert (computing.most == 1) is is_live


def test_all_offline_callers_get_on_beside_live_sessions() -> None:
    computing = Computing()
    with busy_executor(True) as executor, ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(computing.make, executor, n, 10) for n in range(3)]:
            done.result(WAIT_S)
    for first in range(3, 27, 3):
        assert set(computing.order[first : first + 3]) == {0, 1, 2}


def test_an_offline_caller_who_has_gone_leaves_the_turn_to_others() -> None:
    with busy_executor(True) as executor:
        with patient_windows(executor) as gone:
            gone([a_request()])
        with patient_windows(executor) as sample:
            assert sample([a_request()]).shape == (1, 2, 30, 135)
        with pytest.raises(OverloadedError):
            gone([a_request()])
        with patient_windows(executor) as sample:
            assert sample([a_request()]).shape == (1, 2, 30, 135)


def test_offline_callers_compute_when_no_live_window_is_under_way() -> None:
    """One comes in the last step of the caller's own window: it is done before that returns."""
    order: list[str] = []
    gate = threading.Event()
    inner = still_models().animator.step

    def step(inputs: GraphInputs) -> dict[str, Array]:
        gate.wait(WAIT_S)
        return dict(inner(inputs))

    with Executor(models_with(step=step), costs=ONE_ROW) as executor:

        def offline() -> None:
            with patient_windows(executor) as sample:
                sample([a_request(steps=1)])
                order.append("offline")

        with ThreadPoolExecutor(1) as pool:
            caller = pool.submit(offline)
            while executor.under_way is None:
                time.sleep(0.001)
            live = submitted(executor, a_request(seed=2, steps=20))
            live.add_done_callback(lambda _: order.append("live"))
            gate.set()
            caller.result(WAIT_S)
            live.result(WAIT_S)
    assert order == ["live", "offline"]


def test_a_caller_who_is_taken_out_waits_no_more() -> None:
    order, first, second = OneByOne(), object(), object()
    order.take(first)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(order.take, second)
        time.sleep(0.02)
        assert not waiting.done()
        order.leave(second)
        waiting.result(WAIT_S)
    order.take(first)
