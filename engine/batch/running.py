"""Running: all prompts of a batch through one engine, some of them together.

Knows makers and folders; no file of prompts and no terminal.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

from engine.batch.folder import Entry, stored
from engine.batch.making import Begun, Maker
from engine.batch.prompts import Prompt
from engine.errors import ContraposeError

logger = logging.getLogger(__name__)

TOGETHER, FEW = 32, 4
"""Prompts whose pairs are denoised together: at most, and at least where so many are left."""
SWITCH_S = 0.0005
"""How long whoever comes from a graph waits for the interpreter, in place of Python's 5 ms: so long
a core would stand still."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a prompt: an entry, or a problem.

    notice  what people are told of its words, if anything
    cpu_s   seconds of a processor that the motion took outside the networks
    """

    prompt: Prompt
    entry: Entry | None = None
    problem: str = ""
    notice: str = ""
    cpu_s: float = 0.0


def made_motions(
    makers: Sequence[Maker], prompts: Sequence[Prompt], folder: Path, suffix: str
) -> Iterator[Outcome]:
    """Make and store every prompt, some at a time by each maker; outcomes come in their order."""
    begun_s, outside_s = time.process_time(), 0.0
    idle = SimpleQueue[Maker]()
    for maker in makers:
        idle.put(maker)

    def made(some: Sequence[Prompt]) -> list[Outcome]:
        maker = idle.get()
        try:
            return _made(maker, some, Path(part), suffix)
        finally:
            idle.put(maker)

    with (
        _switching_every(SWITCH_S),
        tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as part,
        ThreadPoolExecutor(len(makers), thread_name_prefix="contrapose-maker") as pool,
    ):
        for outcomes in pool.map(made, _shared_out(prompts, len(makers))):
            outside_s += sum(outcome.cpu_s for outcome in outcomes)
            yield from outcomes
    used_s = time.process_time() - begun_s
    logger.info("%.1f s of processor time, %.1f s of it outside the networks", used_s, outside_s)


@contextmanager
def _switching_every(seconds: float) -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _shared_out(prompts: Sequence[Prompt], makers: int) -> Iterator[Sequence[Prompt]]:
    """TOGETHER at a time; fewer towards the end, so that makers are done at much the same time."""
    first = 0
    while first < len(prompts):
        left = len(prompts) - first
        count = min(TOGETHER, max(left // makers, FEW))
        yield prompts[first : first + count]
        first += count


def _made(maker: Maker, prompts: Sequence[Prompt], part: Path, suffix: str) -> list[Outcome]:
    """What became of prompts, in their order."""
    started = time.thread_time()
    begun = maker.begin(prompts)
    starts = [start for start in begun.values() if isinstance(start, Begun)]
    made = maker.finish(starts)
    notices = {start.prompt: start.notice for start in starts}
    outcomes = []
    for prompt, start in begun.items():
        result = start if isinstance(start, ContraposeError) else made[prompt]
        try:
            if isinstance(result, ContraposeError):
                raise result
            entry = stored(part, prompt, result, maker.loaded.body, suffix)
        except ContraposeError as error:
            outcomes.append(Outcome(prompt=prompt, problem=str(error)))
        else:
            outcomes.append(Outcome(prompt=prompt, entry=entry, notice=notices[prompt]))
    cpu_s = (time.thread_time() - started) / len(outcomes)
    return [replace(outcome, cpu_s=cpu_s) for outcome in outcomes]
