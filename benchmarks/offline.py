"""How near `contrapose generate` comes to what its networks alone could do, on this machine.

Makes motions of the first prompts of a file as the command does, a process a core, and notes the
graph calls. Then each process makes its calls again, all at once as before, with nothing in
between. What the clock says of the motions, over what it says of the calls alone, is what all else
costs: work, waiting, and an uneven end. Both are of one run, so that other work on the machine
slows down both; where there is such work, several rounds tell more than one.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from engine.arrays import Array
from engine.backends import Graph
from engine.backends.ports import Inputs
from engine.backends.processor import usable_cores
from engine.batch import Maker, made_motions, read_prompts
from engine.batch.engines import OwnProcess, begun_processes
from engine.batch.making import load_maker
from engine.batch.prompts import Defaults, Prompt
from engine.bundle import STARTER, load_bundle
from engine.sampling.executor import CallerTurns, Executor
from engine.sampling.loaded import ComputeConfig, LoadedBundle
from engine.sampling.models import Models, Network
from engine.sampling.scheduler import costs_by_rows

AnyNetwork = TypeVar("AnyNetwork", bound=Network)
PROMPTS = Path("tests/data/people_sentences.txt")
WARM_UP = 64
"""Motions that are made before anything is counted: first calls allocate."""
ALONE = {"OPENBLAS_NUM_THREADS": "1"}
"""What the command sets before numpy is there."""


class Calls:
    """Calls of graphs, in order; of each graph and shape the last one can be made again."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        """Processor time of all of them."""
        self._order: list[tuple[object, ...]] = []
        self._last: dict[tuple[object, ...], Callable[[], object]] = {}

    def noting(self, graph: Graph) -> Graph:
        """The graph, whose calls are noted from now on."""

        def call(inputs: Inputs) -> dict[str, Array]:
            key = id(graph), *(np.shape(value) for value in inputs.values())
            self._order.append(key)
            self._last[key] = lambda: graph(inputs)
            begun = time.process_time()
            outputs = graph(inputs)
            self.cpu_s += time.process_time() - begun
            return outputs

        return call

    def again(self) -> float:
        """Make all calls again, and forget them; returns seconds of the clock."""
        begun = time.perf_counter()
        for key in self._order:
            self._last[key]()
        self._order.clear()
        return time.perf_counter() - begun


class NotingMaker(Maker):
    """A maker whose graph calls are noted."""

    def __init__(self, loaded: LoadedBundle) -> None:
        self.calls = Calls()
        models = noted(loaded.executor.call(lambda models: models).result(), self.calls)
        costs = costs_by_rows(models.animator.buckets)
        executor = Executor(models, costs=costs, turns=CallerTurns())
        super().__init__(replace(loaded, executor=executor), steps=None, foot_lock=True)


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


def load_noting(config: ComputeConfig) -> NotingMaker:
    return NotingMaker(load_maker(config, steps=None, foot_lock=True).loaded)


@dataclass(frozen=True, kw_only=True)
class Used:
    """What processes have used since they began: seconds of processor time, and of it in graph
    calls."""

    cpu_s: float = 0.0
    graphs_s: float = 0.0


def used(maker: NotingMaker) -> Used:
    return Used(cpu_s=time.process_time(), graphs_s=maker.calls.cpu_s)


def calls_again(maker: NotingMaker) -> float:
    return maker.calls.again()


def peak_mb(_: NotingMaker) -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


@dataclass(frozen=True, kw_only=True)
class Round:
    """Seconds of some motions: by the clock, of all processors, of these in graph calls, and by the
    clock of such calls alone, shared out evenly."""

    clock_s: float
    cpu_s: float
    graphs_s: float
    alone_s: float


def one_round(engines: Sequence[OwnProcess], prompts: Sequence[Prompt], folder: Path) -> Round:
    with ThreadPoolExecutor(len(engines)) as pool:
        before = [engine.call(used) for engine in engines]
        ours, begun = time.process_time(), time.perf_counter()
        outcomes = list(made_motions(engines, prompts, folder, ".npz"))
        clock_s, ours = time.perf_counter() - begun, time.process_time() - ours
        after = [engine.call(used) for engine in engines]
        alone_s = list(pool.map(lambda engine: engine.call(calls_again), engines))
    assert all(outcome.entry is not None for outcome in outcomes)
    pairs = list(zip(before, after, strict=True))
    return Round(
        clock_s=clock_s,
        cpu_s=ours + sum(now.cpu_s - then.cpu_s for then, now in pairs),
        graphs_s=sum(now.graphs_s - then.graphs_s for then, now in pairs),
        alone_s=sum(alone_s) / len(engines),
    )


def told(rounds: Sequence[Round], motions: int) -> str:
    clock_s, cpu_s, graphs_s, alone_s = (
        sum(getattr(each, name) for each in rounds)
        for name in ("clock_s", "cpu_s", "graphs_s", "alone_s")
    )
    made = motions * len(rounds)
    cpu_ms, outside_ms = 1e3 * cpu_s / made, 1e3 * (cpu_s - graphs_s) / made
    return (
        f"{motions} motions in {clock_s / len(rounds):.1f} s, {made / clock_s:.1f} a second; each "
        f"takes {cpu_ms:.1f} ms of a processor, {outside_ms:.1f} of them outside the networks "
        f"({graphs_s / cpu_s:.1%} in them); the graph calls alone take "
        f"{alone_s / len(rounds):.1f} s by the clock: {alone_s / clock_s:.1%} of their pace"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.offline", description=__doc__)
    parser.add_argument("--prompts", type=Path, default=PROMPTS, help="(%(default)s)")
    parser.add_argument("--count", type=int, default=200, metavar="N", help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="(%(default)s)")
    parser.add_argument("--bundle", type=Path, default=STARTER)
    parser.add_argument("--precision", choices=("auto", "f32", "bf16"), default="auto")
    args = parser.parse_args()
    if not ALONE.items() <= os.environ.items():
        again = [sys.executable, "-m", "benchmarks.offline", *sys.argv[1:]]
        os.execve(sys.executable, again, os.environ | ALONE)
    prompts = read_prompts(args.prompts, Defaults())[0][: args.count]
    bundle = load_bundle(args.bundle)
    config = ComputeConfig(bundle=bundle, backend="openvino", precision=args.precision, threads=1)
    begun = time.perf_counter()
    engines = begun_processes(usable_cores(), partial(load_noting, config))
    print(f"{len(engines)} processes loaded in {time.perf_counter() - begun:.1f} s", flush=True)
    rounds: list[Round] = []
    # Nothing is deleted before the end: for minutes ext4 looks through the places of deleted files
    # before it makes a new one, which took up to 0.8 ms a motion.
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.rounds + 1):
            place = Path(folder) / str(number)
            place.mkdir()
            if number == 0:
                one_round(engines, prompts[:WARM_UP], place)
                continue
            rounds.append(one_round(engines, prompts, place))
            print(told(rounds[-1:], len(prompts)), flush=True)
    print(f"all rounds: {told(rounds, len(prompts))}")
    print(f"at most {max(engine.call(peak_mb) for engine in engines):.0f} MB in a process")
    for engine in engines:
        engine.close()


if __name__ == "__main__":
    main()
