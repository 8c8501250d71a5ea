"""Laws of the executor: one thread, many windows, and no failure that spreads."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest

from engine.arrays import Array
from engine.errors import BackendError, ContraposeError, OverloadedError
from engine.sampling.executor import TIMED_CALLS, Executor, Pieces, measured_costs
from engine.sampling.models import BUCKETS, Models
from engine.sampling.request import SampledWindow, WindowRequest
from engine.sampling.sampler import advance_windows, begin_windows, sample_again, sample_windows
from engine.sampling.scheduler import CallCosts
from engine.testing import (
    GraphInputs,
    LoopOf,
    VirtualClock,
    small_memory,
    still_models,
    with_animator,
)

WAIT_S = 120.0
ALWAYS_EVEN = CallCosts(dict.fromkeys(BUCKETS, 0.001), weight=0)
ONE_ROW = CallCosts({1: 0.001}, weight=0)


def a_request(seed: int = 1, steps: int = 4) -> WindowRequest:
    return WindowRequest(
        known=np.zeros((2, 30, 135), np.float32),
        known_mask=np.zeros((2, 30, 1), np.float32),
        anchor=np.zeros((2, 135), np.float32),
        anchor_joints=np.zeros((2, 22, 3), np.float32),
        seed=seed,
        steps=steps,
    )


def poisoned(request: WindowRequest) -> WindowRequest:
    return replace(request, anchor=np.full((2, 135), np.nan, np.float32))


def submitted(executor: Executor, request: WindowRequest, deadline: float = 0.0) -> Future[Array]:
    future: Future[Array] = Future()

    def on_done(result: SampledWindow | ContraposeError) -> None:
        if isinstance(result, ContraposeError):
            future.set_exception(result)
        else:
            future.set_result(result.x0)

    executor.submit(request, deadline, on_done)
    return future


def models_with(**graphs: object) -> Models:
    return with_animator(still_models(), **graphs)


def fails_on_nan(graph: str) -> Models:
    inner = getattr(still_models().animator, graph)

    def run(inputs: GraphInputs) -> dict[str, Array]:
        if not np.isfinite(inputs["anchor"]).all():
            raise RuntimeError("poison")
        return dict(inner(inputs))

    return models_with(**{graph: run})


def echoing(inputs: GraphInputs) -> dict[str, Array]:
    """A denoiser whose answer is half of what it sees: depends on the row and on nothing else."""
    x_t = inputs["x_t"].astype(np.float32)
    return {"x_s": x_t * 0.5, "x0": x_t * 0.5}


def test_windows_together_give_what_each_gives_alone() -> None:
    models = models_with(step=echoing)
    requests = [a_request(seed, steps) for seed, steps in ((1, 4), (2, 7), (3, 4), (4, 10))]
    with Executor(models, costs=CallCosts({1: 0.001, 2: 0.001, 3: 0.001})) as executor:
        futures = [submitted(executor, request) for request in requests]
        together = [future.result(WAIT_S) for future in futures]
    for request, result in zip(requests, together, strict=True):
        np.testing.assert_array_equal(result, sample_windows(models, [request])[0])


@pytest.mark.parametrize("graph", ["condition", "step"])
def test_a_window_that_fails_takes_no_other_with_it(graph: str) -> None:
    with Executor(fails_on_nan(graph)) as executor:
        bad = submitted(executor, poisoned(a_request(1)))
        good = [submitted(executor, a_request(seed)) for seed in range(2, 5)]
        with pytest.raises(BackendError, match="poison"):
            bad.result(WAIT_S)
        for future in good:
            assert future.result(WAIT_S).shape == (2, 30, 135)
        assert submitted(executor, a_request()).result(WAIT_S) is not None


def test_a_receiver_that_raises_does_not_stop_the_executor() -> None:
    def raising(result: Array | ContraposeError) -> None:
        raise ValueError("receiver")

    with Executor(still_models()) as executor:
        executor.submit(a_request(), 0.0, raising)
        assert submitted(executor, a_request(2)).result(WAIT_S) is not None


def test_calls_run_on_the_engine_thread_between_windows() -> None:
    with Executor(still_models()) as executor:
        window = submitted(executor, a_request(steps=50))
        name = executor.call(lambda models: threading.current_thread().name).result(WAIT_S)
        assert name == "contrapose-executor"
        failing = executor.call(lambda models: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            failing.result(WAIT_S)
        assert window.result(WAIT_S) is not None


def hold(executor: Executor, is_open: threading.Event) -> None:
    """Keep the executor thread busy until `is_open`: what is submitted now begins together."""
    started = threading.Event()

    def wait(models: Models) -> None:
        started.set()
        is_open.wait(WAIT_S)

    executor.call(wait)
    assert started.wait(WAIT_S)


def test_the_urgent_window_overtakes() -> None:
    finished: list[str] = []
    is_open = threading.Event()
    with Executor(still_models(), costs=ONE_ROW) as executor:
        hold(executor, is_open)
        lazy = submitted(executor, a_request(1), deadline=9.0)
        urgent = submitted(executor, a_request(2), deadline=1.0)
        lazy.add_done_callback(lambda _: finished.append("lazy"))
        urgent.add_done_callback(lambda _: finished.append("urgent"))
        is_open.set()
        lazy.result(WAIT_S)
    assert finished == ["urgent", "lazy"]


def test_rows_of_different_windows_share_denoiser_calls() -> None:
    is_open = threading.Event()
    with Executor(still_models(), costs=ALWAYS_EVEN) as executor:
        hold(executor, is_open)
        futures = [submitted(executor, a_request(seed, steps=8)) for seed in range(8)]
        is_open.set()
        for future in futures:
            future.result(WAIT_S)
    status = executor.figures()
    assert status.rows == 64
    assert status.denoiser_calls == 8
    assert status.mean_batch == 8
    assert status.windows == 8


def test_windows_done_after_their_deadline_are_counted_as_late() -> None:
    with Executor(still_models(), clock=lambda: 5.0) as executor:
        for deadline in (4.0, 6.0, np.inf):
            submitted(executor, a_request(), deadline).result(WAIT_S)
    figures = executor.figures()
    assert (figures.windows, figures.live_windows, figures.late_windows) == (3, 2, 1)


# ----------------------------------------------------------------------------------- work in pieces
def pieces(executor: Executor, count: int, log: list[str]) -> Future[str]:
    def steps(models: Models) -> Pieces[str]:
        for piece in range(count):
            log.append(f"piece {piece}")
            yield
        return "done"

    return executor.call_in_pieces(steps)


def test_work_in_pieces_lets_every_live_window_go_first() -> None:
    """A pair at fifty steps is under way; a live window comes after its first piece."""
    log: list[str] = []
    with Executor(still_models()) as executor:
        window: list[Future[Array]] = []

        def steps(models: Models) -> Pieces[str]:
            for piece in range(50):
                log.append(f"piece {piece}")
                if piece == 0:
                    window.append(submitted(executor, a_request(steps=10), deadline=1.0))
                    window[0].add_done_callback(lambda _: log.append("window"))
                yield
            return "done"

        assert executor.call_in_pieces(steps).result(WAIT_S) == "done"
    assert log.index("window") == 1
    assert len(log) == 51


def test_work_in_pieces_and_patient_windows_take_turns() -> None:
    log: list[str] = []
    is_open = threading.Event()
    with Executor(still_models()) as executor:
        hold(executor, is_open)
        window = submitted(executor, a_request(steps=4), deadline=np.inf)
        window.add_done_callback(lambda _: log.append("window"))
        work = [pieces(executor, 10, log) for _ in range(2)]
        is_open.set()
        assert [future.result(WAIT_S) for future in work] == ["done", "done"]
    assert log[:4] == ["piece 0", "piece 0", "piece 1", "window"]


def test_offline_work_gets_on_where_live_windows_never_end() -> None:
    """Each turn of the executor takes 0.2 s, and there is always a live window."""
    now = 0.0
    log: list[str] = []

    def slow_step(inputs: GraphInputs) -> dict[str, Array]:
        nonlocal now
        now += 0.2
        return dict(still_models().animator.step(inputs))

    is_open = threading.Event()
    models = models_with(step=slow_step)
    with Executor(models, costs=ONE_ROW, clock=lambda: now) as executor:
        hold(executor, is_open)
        live = submitted(executor, a_request(1, steps=50), deadline=1.0)
        live.add_done_callback(lambda _: log.append("live"))
        offline = submitted(executor, a_request(2, steps=3), deadline=np.inf)
        offline.add_done_callback(lambda _: log.append("offline"))
        work = pieces(executor, 3, log)
        is_open.set()
        for future in (live, offline, work):
            future.result(WAIT_S)
    assert log[-1] == "live"
    assert sorted(log[:-1]) == ["offline", "piece 0", "piece 1", "piece 2"]


def test_cancelled_work_stops_before_its_next_piece() -> None:
    log: list[str] = []
    is_open = threading.Event()
    with Executor(still_models()) as executor:
        hold(executor, is_open)
        work = pieces(executor, 10, log)
        assert work.cancel()
        is_open.set()
        assert submitted(executor, a_request()).result(WAIT_S) is not None
    assert log == []


def test_work_that_fails_says_so_and_stops_nobody() -> None:
    def failing(models: Models) -> Pieces[None]:
        yield
        raise BackendError("second piece")

    with Executor(still_models()) as executor:
        with pytest.raises(BackendError, match="second piece"):
            executor.call_in_pieces(failing).result(WAIT_S)
        assert submitted(executor, a_request()).result(WAIT_S) is not None


@pytest.mark.parametrize("graph", ["condition", "step"])
def test_an_engine_out_of_memory_fails_its_windows_and_lives(graph: str) -> None:
    inner = getattr(still_models().animator, graph)
    failures = iter([True])

    def run(inputs: GraphInputs) -> dict[str, Array]:
        if next(failures, False):
            raise MemoryError
        return dict(inner(inputs))

    with Executor(models_with(**{graph: run})) as executor:
        with pytest.raises(OverloadedError, match="out of memory"):
            submitted(executor, a_request()).result(WAIT_S)
        assert submitted(executor, a_request()).result(WAIT_S) is not None


def test_a_batch_that_does_not_fit_is_halved_until_it_does() -> None:
    still = still_models()
    models = models_with(
        condition=small_memory(still.animator.condition, 3),
        step=small_memory(still.animator.step, 3),
    )
    is_open = threading.Event()
    with Executor(models, costs=ALWAYS_EVEN) as executor:
        hold(executor, is_open)
        futures = [submitted(executor, a_request(seed)) for seed in range(8)]
        is_open.set()
        for future in futures:
            assert future.result(WAIT_S).shape == (2, 30, 135)
    assert executor.figures().mean_batch == 2


def test_batches_that_never_fit_are_tried_no_more() -> None:
    """Each attempt takes a second; after some, four rows a second are known to be the most."""
    clock, attempts = VirtualClock(), []
    small = small_memory(still_models().animator.step, 4)

    def slow(inputs: GraphInputs) -> dict[str, Array]:
        attempts.append(len(inputs["x_t"]))
        clock.advance(1.0)
        return small(inputs)

    costs = CallCosts(dict.fromkeys((1, 2, 4, 8), 1.0))
    with Executor(models_with(step=slow), costs=costs, clock=clock) as executor:
        for _ in range(20):
            is_open = threading.Event()
            hold(executor, is_open)
            futures = [submitted(executor, a_request(seed, 1), np.inf) for seed in range(8)]
            is_open.set()
            for future in futures:
                future.result(WAIT_S)
    assert attempts[:3] == [8, 4, 4]
    assert attempts[-10:] == [4] * 10


def test_a_row_that_does_not_fit_alone_is_overload_and_not_the_end() -> None:
    models = models_with(step=small_memory(still_models().animator.step, 0))
    with Executor(models) as executor:
        with pytest.raises(OverloadedError, match="out of memory") as caught:
            submitted(executor, a_request()).result(WAIT_S)
        assert caught.value.reason == "OUT_OF_MEMORY"


# ----------------------------------------------------------------------------------- whole windows
def test_a_loop_gives_what_single_steps_give() -> None:
    by_steps = models_with(step=echoing)
    loop = LoopOf(by_steps.animator.condition, by_steps.animator.step)
    requests = [a_request(seed, steps) for seed, steps in ((1, 4), (2, 7), (3, 4), (4, 4), (5, 7))]
    is_open = threading.Event()
    with Executor(with_animator(by_steps, loop=loop), costs=ALWAYS_EVEN) as executor:
        hold(executor, is_open)
        futures = [
            submitted(executor, request, deadline=float(index))
            for index, request in enumerate(requests)
        ]
        is_open.set()
        whole = [future.result(WAIT_S) for future in futures]
    for request, result in zip(requests, whole, strict=True):
        np.testing.assert_array_equal(result, sample_windows(by_steps, [request])[0])
    assert loop.calls == [(3, 4), (2, 7)]  # the most urgent first, with all who keep its schedule
    assert (executor.figures().denoiser_calls, executor.figures().rows) == (11, 26)


def test_a_whole_window_can_be_sampled_again_to_the_bit() -> None:
    by_steps = models_with(step=echoing)
    models = with_animator(
        by_steps, loop=LoopOf(by_steps.animator.condition, by_steps.animator.step)
    )
    windows = begin_windows(models, [a_request(seed) for seed in range(3)])
    advance_windows(models, windows)
    for window in windows:
        again = sample_again(models, window.request, window.trace)
        np.testing.assert_array_equal(again, window.x0)


def test_a_window_that_fails_in_a_loop_takes_no_other_with_it() -> None:
    poison = fails_on_nan("step")
    models = with_animator(poison, loop=LoopOf(poison.animator.condition, poison.animator.step))
    with Executor(models) as executor:
        good = [submitted(executor, a_request(seed)) for seed in range(3)]
        bad = submitted(executor, poisoned(a_request(9)))
        with pytest.raises(BackendError, match="poison"):
            bad.result(WAIT_S)
        assert all(future.result(WAIT_S).shape == (2, 30, 135) for future in good)


def test_costs_of_a_loop_are_those_of_its_steps() -> None:
    still = still_models()
    loop = LoopOf(still.animator.condition, still.animator.step)
    assert measured_costs(with_animator(still, loop=loop), (2,)).buckets == (2,)
    assert set(loop.calls) == {(2, 1 + TIMED_CALLS)}


def test_costs_are_measured_for_every_bucket() -> None:
    with Executor(still_models()) as executor:
        executor.measure()
        assert executor.costs.buckets == BUCKETS
    assert measured_costs(still_models(), (1, 3)).buckets == (1, 3)


def test_closing_answers_everyone_who_waits_and_refuses_who_comes_later() -> None:
    started, is_open = threading.Event(), threading.Event()

    def block(models: Models) -> None:
        started.set()
        is_open.wait(WAIT_S)

    executor = Executor(still_models())
    running = executor.call(block)
    assert started.wait(WAIT_S)
    waiting = submitted(executor, a_request())
    call = executor.call(lambda models: None)
    closer = threading.Thread(target=executor.close)
    closer.start()
    is_open.set()
    closer.join(WAIT_S)
    with pytest.raises(BackendError, match="shutting down"):
        submitted(executor, a_request())
    running.result(WAIT_S)
    for future in (waiting, call):
        with pytest.raises(BackendError):
            future.result(WAIT_S)
    executor.close()
