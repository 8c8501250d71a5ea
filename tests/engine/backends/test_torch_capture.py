"""Captured calls of the torch backend, with a stand-in for PyTorch's streams and graphs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.arrays import Array
from engine.backends.torch import GPU_BUCKETS, MOST_CAPTURED, Compiler, TorchBackend
from engine.backends.torch_capture import Workplace
from engine.bundle import Bundle
from engine.errors import BackendError
from engine.sampling.executor import Executor
from engine.sampling.models import Models, load_models
from engine.sampling.request import WindowRequest
from engine.sampling.sampler import (
    advance_windows,
    begin_windows,
    sample_again,
    sample_windows,
)
from tests.engine.backends.host_cuda import HostCuda
from tests.engine.backends.small_animator import small_animator
from tests.engine.sampling.test_executor import WAIT_S, submitted

SCHEDULES = (1, 2, 4)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> HostCuda:
    return HostCuda(monkeypatch)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return small_animator(tmp_path_factory.mktemp("small") / "small.bundle", SCHEDULES)


@pytest.fixture
def backend(cuda: HostCuda) -> Iterator[TorchBackend]:
    opened = TorchBackend(threads=1, workplace=Workplace(torch.device("cpu")))
    yield opened
    opened.close()


def a_window(seed: int, steps: int) -> WindowRequest:
    draw = np.random.default_rng(seed)

    def normal(*shape: int) -> Array:
        return draw.standard_normal(shape).astype(np.float32)

    return WindowRequest(
        known=normal(2, 30, 135),
        known_mask=(normal(2, 30, 1) > 0).astype(np.float32),
        anchor=normal(2, 135),
        anchor_joints=normal(2, 22, 3),
        seed=seed,
        steps=steps,
    )


def loaded(bundle: Bundle, backend: TorchBackend, buckets: tuple[int, ...] = (1, 2)) -> Models:
    return load_models(bundle, backend, buckets=buckets)


# ----------------------------------------------------------------------------- when it captures
def test_every_schedule_of_the_bundle_is_captured_at_load_and_none_in_live_traffic(
    cuda: HostCuda, bundle: Bundle, backend: TorchBackend
) -> None:
    models = loaded(bundle, backend, GPU_BUCKETS)
    single_steps = len(GPU_BUCKETS)
    assert cuda.captures == len(GPU_BUCKETS) * len(SCHEDULES) + single_steps
    with Executor(models) as executor:
        for rows in (1, 9):
            requests = [a_window(seed, SCHEDULES[seed % 3]) for seed in range(rows)]
            futures = [submitted(executor, request) for request in requests]
            for future in futures:
                future.result(WAIT_S)
    assert cuda.captures == len(GPU_BUCKETS) * len(SCHEDULES) + single_steps


def test_more_schedules_than_the_spare_places_do_not_drive_each_other_out(
    cuda: HostCuda, tmp_path: Path, backend: TorchBackend
) -> None:
    steps = tuple(range(1, MOST_CAPTURED // 2 + 4))
    models = loaded(small_animator(tmp_path / "small.bundle", steps), backend)
    before = cuda.captures
    for count in steps:
        sample_windows(models, [a_window(count, count)])
    assert cuda.captures == before


def test_another_step_count_goes_step_by_step_until_it_is_captured_in_a_quiet_moment(
    cuda: HostCuda, bundle: Bundle, backend: TorchBackend
) -> None:
    models = loaded(bundle, backend)
    before, loop = cuda.captures, models.animator.loop
    assert loop is not None
    with Executor(models) as executor:
        first = submitted(executor, a_window(1, 3)).result(WAIT_S)
        while not loop.is_ready(3):
            executor.call(lambda models: None).result(WAIT_S)
        assert cuda.captures == before + 2
        later = submitted(executor, a_window(1, 3)).result(WAIT_S)
        assert cuda.captures == before + 2
    np.testing.assert_allclose(later, first, rtol=1e-5, atol=1e-6)


def test_both_ways_a_window_can_be_sampled_again_to_the_bit(
    cuda: HostCuda, bundle: Bundle, backend: TorchBackend
) -> None:
    models = loaded(bundle, backend)
    lazily = load_models(bundle, backend, buckets=(1, 2), is_lazy=True)
    for steps in (1, 3, 4):
        windows = begin_windows(models, [a_window(seed, steps) for seed in range(2)])
        while not windows[0].is_done:
            advance_windows(models, windows)
        assert len(windows[0].trace.denoiser) == (3 if steps == 3 else 1)
        for window in windows:
            again = sample_again(lazily, window.request, window.trace)
            np.testing.assert_array_equal(again, window.x0)


# ----------------------------------------------------------------------------- what it computes
def test_a_captured_window_is_the_one_that_is_computed(
    cuda: HostCuda, bundle: Bundle, backend: TorchBackend
) -> None:
    plain = loaded(bundle, TorchBackend(threads=1))
    models = loaded(bundle, backend)
    for rows in (1, 2):
        requests = [a_window(seed, 4) for seed in range(rows)]
        np.testing.assert_array_equal(
            sample_windows(models, requests), sample_windows(plain, requests)
        )


def test_after_a_failed_capture_the_next_call_is_good(
    cuda: HostCuda, bundle: Bundle, backend: TorchBackend
) -> None:
    plain = loaded(bundle, TorchBackend(threads=1))
    models = load_models(bundle, backend, buckets=(1,), is_lazy=True)
    good = sample_windows(models, [a_window(0, 2)])
    cuda.fails = iter([True])
    with pytest.raises(BackendError, match="inference failed"):
        sample_windows(models, [a_window(1, 4)])
    assert cuda.current is cuda.first
    assert not cuda.recording
    assert cuda.pools == 2  # the one of the failed capture is not used again
    expected = sample_windows(plain, [a_window(1, 4)])
    np.testing.assert_array_equal(sample_windows(models, [a_window(1, 4)]), expected)
    np.testing.assert_array_equal(sample_windows(models, [a_window(0, 2)]), good)


def test_a_loop_that_cannot_be_captured_leaves_windows_to_go_step_by_step(
    cuda: HostCuda,
    bundle: Bundle,
    backend: TorchBackend,
    caplog: pytest.LogCaptureFixture,
) -> None:
    models = loaded(bundle, backend)
    before = cuda.captures
    cuda.fails = iter([True] * 9)
    with Executor(models) as executor:
        for seed in range(4):
            assert submitted(executor, a_window(seed, 3)).result(WAIT_S).shape == (2, 30, 135)
            executor.call(lambda models: None).result(WAIT_S)
    assert cuda.captures == before + 1
    assert sum("go step by step" in message for message in caplog.messages) == 1


# ----------------------------------------------------------------------------- what compilers see
@pytest.mark.parametrize("rows", [1, 2, 4])
def test_every_input_of_a_fused_step_lies_at_a_multiple_of_16_bytes(
    bundle: Bundle, rows: int
) -> None:
    """A compiler copies what does not, at every step."""
    seen: list[int] = []
    backend = TorchBackend(threads=1, compiler=watching(seen))
    models = loaded(bundle, backend, (1, 2, 4))
    sample_windows(models, [a_window(seed, 4) for seed in range(rows)])
    assert backend.unfused == {}
    assert len(seen) >= 4 * 7
    assert set(seen) == {0}


def watching(seen: list[int]) -> Compiler:
    """A compiler that only notes how far its inputs lie from a multiple of 16 bytes."""

    def compiler(module: torch.fx.GraphModule, _: object) -> object:
        def run(*inputs: object) -> object:
            seen.extend(v.data_ptr() % 16 for v in inputs if isinstance(v, torch.Tensor))
            return module.forward(*inputs)

        return run

    return compiler
