"""How near `contrapose generate` comes to what its networks alone could do, on this machine.

Makes motions of the first prompts of a file as the command does, and counts the processor time of
all that is no graph call: of the same run, so that other work on the machine slows down both. Then
it makes the same graph calls again, as many at once as before, with nothing in between, and
compares what the clock says of the two.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from engine.arrays import Array
from engine.backends import Graph, Precision, open_backend
from engine.backends.ports import Inputs
from engine.backends.processor import usable_cores
from engine.batch import Maker, Outcome, made_motions, read_prompts
from engine.batch.prompts import Defaults, Prompt
from engine.body.shape import load_body
from engine.bundle import KINDS_FILE, STARTER, Bundle, load_bundle
from engine.sampling.executor import Executor
from engine.sampling.kinds import load_kinds
from engine.sampling.loaded import LoadedBundle
from engine.sampling.models import Models, Network, load_models

AnyNetwork = TypeVar("AnyNetwork", bound=Network)
PROMPTS = Path("tests/data/people_sentences.txt")
TURN, WARM_UP = 200, 64
"""Motions that are made before their graph calls are made again, and before anything is counted."""
ALONE = {"OPENBLAS_NUM_THREADS": "1"}
"""What the command sets before numpy is there."""


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Seconds of the clock, of all the process's threads, and of those that are no graph call."""

    clock_s: float
    cpu_s: float
    outside_s: float


class Calls:
    """Calls of graphs, in order; of each graph and shape the last one can be made again."""

    def __init__(self) -> None:
        self.thread_s: dict[int, float] = defaultdict(float)
        """Of each calling thread, in calls."""
        self._order: list[tuple[object, ...]] = []
        self._last: dict[tuple[object, ...], Callable[[], object]] = {}

    def noting(self, graph: Graph) -> Graph:
        """The graph, whose calls are noted from now on."""

        def call(inputs: Inputs) -> dict[str, Array]:
            key = id(graph), *(np.shape(value) for value in inputs.values())
            self._order.append(key)
            self._last[key] = lambda: graph(inputs)
            begun = time.thread_time()
            outputs = graph(inputs)
            self.thread_s[threading.get_ident()] += time.thread_time() - begun
            return outputs

        return call

    def forget(self) -> None:
        self._order.clear()
        self._last.clear()

    def again(self, executors: Sequence[Executor]) -> float:
        """Make all calls again, each on the executor that is free; returns seconds of the clock."""
        left = deque(self._order)

        def make(_: Models) -> None:
            while True:
                try:
                    key = left.popleft()
                except IndexError:
                    return
                self._last[key]()

        begun = time.perf_counter()
        for done in [executor.call(make) for executor in executors]:
            done.result()
        return time.perf_counter() - begun


def noted(models: Models, calls: Calls) -> Models:
    """The models of a bundle that holds all of them, their calls noted."""
    assert models.generator is not None
    assert models.text is not None

    def of(network: AnyNetwork) -> AnyNetwork:
        noting = calls.noting
        return replace(network, condition=noting(network.condition), step=noting(network.step))

    return replace(
        models,
        animator=of(models.animator),
        generator=of(models.generator),
        text=replace(models.text, graph=calls.noting(models.text.graph)),
    )


def made(makers: Sequence[Maker], calls: Calls, prompts: Sequence[Prompt]) -> Spent:
    """What making the motions takes."""

    def counted() -> tuple[float, float, float]:
        threads = [maker.loaded.executor.call(lambda _: time.thread_time()) for maker in makers]
        in_executors = sum(thread.result() for thread in threads)
        return time.process_time(), time.thread_time(), in_executors - sum(calls.thread_s.values())

    with tempfile.TemporaryDirectory() as folder:
        before, begun = counted(), time.perf_counter()
        outcomes: list[Outcome] = list(made_motions(makers, prompts, Path(folder), ".npz"))
        clock_s = time.perf_counter() - begun
        cpu_s, *ours = (now - then for now, then in zip(counted(), before, strict=True))
    assert all(outcome.entry is not None for outcome in outcomes)
    outside_s = sum(outcome.cpu_s for outcome in outcomes) + sum(ours)
    return Spent(clock_s=clock_s, cpu_s=cpu_s, outside_s=outside_s)


def measured(
    bundle: Bundle, prompts: Sequence[Prompt], precision: Precision
) -> tuple[list[Spent], list[float]]:
    """What making the motions takes, TURN after TURN, and seconds of the clock of the graph calls
    of each turn alone."""
    backend = open_backend(precision=precision, streams=usable_cores())
    models, calls = load_models(bundle, backend), Calls()
    spent, alone = [], []
    with ExitStack() as open_now:
        first = open_now.enter_context(Executor(noted(models, calls)))
        first.measure()
        more = [open_now.enter_context(first.another()) for _ in range(backend.streams - 1)]
        executors = [first, *more]
        makers = [maker_on(executor, bundle) for executor in executors]
        made(makers, calls, prompts[:WARM_UP])  # first calls allocate
        for at in range(0, len(prompts), TURN):
            calls.forget()
            spent.append(made(makers, calls, prompts[at : at + TURN]))
            alone.append(calls.again(executors))
    return spent, alone


def maker_on(executor: Executor, bundle: Bundle) -> Maker:
    loaded = LoadedBundle(
        bundle=bundle,
        executor=executor,
        body=load_body(),
        backend="",
        precision="",
        kinds=load_kinds(bundle.file(KINDS_FILE)),
    )
    return Maker(loaded, steps=None, foot_lock=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.offline", description=__doc__)
    parser.add_argument("--prompts", type=Path, default=PROMPTS, help="(%(default)s)")
    parser.add_argument("--count", type=int, default=200, metavar="N", help="(%(default)s)")
    parser.add_argument("--bundle", type=Path, default=STARTER)
    parser.add_argument("--precision", choices=("auto", "f32", "bf16"), default="auto")
    args = parser.parse_args()
    if not ALONE.items() <= os.environ.items():
        again = [sys.executable, "-m", "benchmarks.offline", *sys.argv[1:]]
        os.execve(sys.executable, again, os.environ | ALONE)
    prompts = read_prompts(args.prompts, Defaults())[0][: args.count]
    spent, alone = measured(load_bundle(args.bundle), prompts, args.precision)
    clock_s, cpu_s, outside_s = (
        sum(getattr(turn, name) for turn in spent) for name in ("clock_s", "cpu_s", "outside_s")
    )
    print(
        f"{len(prompts)} motions: {cpu_s:.1f} s of processor time, {outside_s:.1f} s of it outside "
        f"the networks ({1 - outside_s / cpu_s:.1%} in them); by the clock {clock_s:.1f} s, the "
        f"graph calls alone {sum(alone):.1f} s ({sum(alone) / clock_s:.1%}); "
        f"{len(prompts) / clock_s:.1f} motions a second"
    )


if __name__ == "__main__":
    main()
