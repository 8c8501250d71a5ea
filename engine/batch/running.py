"""Running: all prompts of a batch through some engines, some of them together.

Knows engines and folders; no file of prompts and no terminal, and not where an engine runs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

from engine.batch.folder import Entry, stored
from engine.batch.making import Begun, Maker
from engine.batch.prompts import Prompt
from engine.errors import ContraposeError

TOGETHER, FEW = 32, 4
"""Prompts whose pairs are denoised together: at most, and at least where so many are left."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a prompt: an entry, or a problem.

    notice  what people are told of its words, if anything
    """

    prompt: Prompt
    entry: Entry | None = None
    problem: str = ""
    notice: str = ""


class Engine(Protocol):
    """What makes motions and stores them, for one thread at a time."""

    def made(self, prompts: Sequence[Prompt], part: Path, suffix: str) -> list[Outcome]:
        """What became of prompts, in their order; part and suffix as `stored` takes them."""
        ...

    def close(self) -> None:
        """Give up what is under way. Any thread."""
        ...


def made_motions(
    engines: Sequence[Engine], prompts: Sequence[Prompt], folder: Path, suffix: str
) -> Iterator[Outcome]:
    """Make and store every prompt, some at a time by each engine; outcomes come in their order.

    Whoever stops before the last, or is stopped, closes the engines.
    """
    idle = SimpleQueue[Engine]()
    for engine in engines:
        idle.put(engine)

    def made(some: Sequence[Prompt]) -> list[Outcome]:
        engine = idle.get()
        try:
            return engine.made(some, Path(part), suffix)
        finally:
            idle.put(engine)

    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as part,
        ThreadPoolExecutor(len(engines), thread_name_prefix="contrapose-maker") as pool,
    ):
        try:
            for outcomes in pool.map(made, _shared_out(prompts, len(engines))):
                yield from outcomes
        except BaseException:
            for engine in engines:  # else the pool would wait for what is under way
                engine.close()
            raise


def _shared_out(prompts: Sequence[Prompt], engines: int) -> Iterator[Sequence[Prompt]]:
    """TOGETHER at a time; fewer towards the end, so that engines are done at much the same time.

    A rest of less than FEW goes along: some calls take as long for one as for several.
    """
    first = 0
    while first < len(prompts):
        left = len(prompts) - first
        count = min(TOGETHER, max(left // engines, FEW))
        if left - count < FEW:
            count = min(left, TOGETHER)
        yield prompts[first : first + count]
        first += count


def made_by(maker: Maker, prompts: Sequence[Prompt], part: Path, suffix: str) -> list[Outcome]:
    """What became of prompts, in their order: made here and stored."""
    begun = maker.begin(prompts)
    starts = [start for start in begun.values() if isinstance(start, Begun)]
    made = maker.finish(starts)
    notices = {start.prompt: start.notice for start in starts}
    outcomes = []
    for prompt in prompts:
        start = begun[prompt]
        result = start if isinstance(start, ContraposeError) else made[prompt]
        try:
            if isinstance(result, ContraposeError):
                raise result
            entry = stored(part, prompt, result, maker.loaded.body, suffix)
        except ContraposeError as error:
            outcomes.append(Outcome(prompt=prompt, problem=str(error)))
        else:
            outcomes.append(Outcome(prompt=prompt, entry=entry, notice=notices[prompt]))
    return outcomes
