"""Running: all prompts of a batch through one engine, some of them together.

Knows makers and folders; no file of prompts and no terminal.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from engine.batch.folder import Entry, stored
from engine.batch.making import Begun, Maker
from engine.batch.prompts import Prompt
from engine.errors import ContraposeError

logger = logging.getLogger(__name__)

TOGETHER = 8
"""Prompts whose pairs are denoised in one go, and whose motions are finished in one go."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a prompt: an entry, or a problem.

    notice  what people are told of its words, if anything
    cpu_s  seconds of a processor that the motion took outside the networks
    """

    prompt: Prompt
    entry: Entry | None = None
    problem: str = ""
    notice: str = ""
    cpu_s: float = 0.0


def made_motions(
    maker: Maker, prompts: Sequence[Prompt], folder: Path, suffix: str
) -> Iterator[Outcome]:
    """Make and store every prompt; outcomes come as they are ready.

    The next pairs are denoised while the motions around the last ones are finished.
    """
    begun_s, outside_s = time.process_time(), 0.0

    def counted(finished: Future[list[Outcome]]) -> list[Outcome]:
        nonlocal outside_s
        outcomes = finished.result()
        outside_s += sum(outcome.cpu_s for outcome in outcomes)
        return outcomes

    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as part,
        ThreadPoolExecutor(1) as pool,
    ):
        under_way: list[Future[list[Outcome]]] = []
        for first in range(0, len(prompts), TOGETHER):
            begun = maker.begin(prompts[first : first + TOGETHER])
            under_way.append(pool.submit(_finished, maker, begun, Path(part), suffix))
            if len(under_way) > 1:
                yield from counted(under_way.pop(0))
        for finished in under_way:
            yield from counted(finished)
    used_s = time.process_time() - begun_s
    logger.info("%.1f s of processor time, %.1f s of it outside the networks", used_s, outside_s)


def _finished(
    maker: Maker, begun: Mapping[Prompt, Begun | ContraposeError], part: Path, suffix: str
) -> list[Outcome]:
    """What became of prompts, in their order."""
    started = time.thread_time()
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
