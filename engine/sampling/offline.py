"""Offline work on the executor: samplers that block, and whose work goes behind that of live
sessions. Each ends with its block, whatever is under way then. Knows no session and no message.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from functools import partial

import numpy as np

from engine.arrays import Array
from engine.errors import ContraposeError, OverloadedError
from engine.sampling.executor import Executor
from engine.sampling.generation import SamplePair, SampleWindows
from engine.sampling.pairs import generator_steps
from engine.sampling.request import SampledWindow, WindowRequest


def sampled(executor: Executor, requests: list[WindowRequest]) -> Array:
    """Denoise windows behind those of live sessions; blocks. Returns x0 (n, 2, 30, 135)."""
    futures: list[Future[Array]] = [Future() for _ in requests]

    def fulfil(future: Future[Array], result: SampledWindow | ContraposeError) -> None:
        if isinstance(result, ContraposeError):
            future.set_exception(result)
        else:
            future.set_result(result.x0)

    done = [partial(fulfil, future) for future in futures]
    executor.submit_together(list(zip(requests, done, strict=True)), np.inf)
    return np.stack([future.result() for future in futures])


@contextmanager
def patient_windows(executor: Executor) -> Iterator[SampleWindows]:
    """A sampler of windows.

    Beside live sessions its callers take turns: until it asks for the next window, only the one
    that had the last computes, and it begins when no window of a session is under way.
    """
    is_over, caller = threading.Event(), object()

    def sample(requests: list[WindowRequest]) -> Array:
        executor.offline.leave(caller)
        if executor.is_shared:
            executor.offline.take(caller)
        if is_over.is_set():
            executor.offline.leave(caller)
            raise _cancelled()
        x0 = sampled(executor, requests)
        executor.wait_for_quiet()
        return x0

    try:
        yield sample
    finally:
        is_over.set()
        executor.offline.leave(caller)


@contextmanager
def patient_pairs(executor: Executor, guidance: float, steps: int) -> Iterator[SamplePair]:
    """A sampler of pairs, which gives way to live sessions between two steps."""
    under_way: list[Future[Array]] = []

    def sample(noise: Array, pose: Array, mask: Array, words: Array) -> Array:
        under_way.append(
            executor.call_in_pieces(
                lambda models: generator_steps(models, noise, pose, mask, words, guidance, steps)
            )
        )
        try:
            return under_way[-1].result()
        except CancelledError as exc:
            raise _cancelled() from exc

    try:
        yield sample
    finally:
        for future in under_way:
            future.cancel()


def _cancelled() -> OverloadedError:
    return OverloadedError("the client has gone", reason="CANCELLED")
