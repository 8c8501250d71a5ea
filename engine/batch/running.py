"""Running: all prompts of a batch through one engine, several under way at a time.

Knows makers and folders; no file of prompts and no terminal.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from engine.batch.folder import Entry, stored
from engine.batch.making import Begun, Maker
from engine.batch.prompts import Prompt
from engine.errors import ContraposeError

logger = logging.getLogger(__name__)

TOGETHER = 8
"""Prompts whose pairs are denoised in one go, and motions that are finished at the same time."""


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

    def counted(outcome: Outcome) -> Outcome:
        nonlocal outside_s
        outside_s += outcome.cpu_s
        return outcome

    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as part,
        ThreadPoolExecutor(TOGETHER) as pool,
    ):
        under_way: set[Future[Outcome]] = set()
        for first in range(0, len(prompts), TOGETHER):
            begun = maker.begin(prompts[first : first + TOGETHER])
            under_way |= {
                pool.submit(_finished, maker, prompt, start, Path(part), suffix)
                for prompt, start in begun.items()
            }
            while len(under_way) > TOGETHER:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                yield from (counted(future.result()) for future in done)
        yield from (counted(future.result()) for future in wait(under_way).done)
    used_s = time.process_time() - begun_s
    logger.info("%.1f s of processor time, %.1f s of it outside the networks", used_s, outside_s)


def _finished(
    maker: Maker, prompt: Prompt, begun: Begun | ContraposeError, part: Path, suffix: str
) -> Outcome:
    started = time.thread_time()
    if isinstance(begun, ContraposeError):
        return Outcome(prompt=prompt, problem=str(begun))
    try:
        motion = maker.finish(begun)
        with maker.turn:
            entry = stored(part, prompt, motion, maker.loaded.body, suffix)
    except ContraposeError as error:
        return Outcome(prompt=prompt, problem=str(error))
    cpu_s = time.thread_time() - started
    return Outcome(prompt=prompt, entry=entry, notice=begun.notice, cpu_s=cpu_s)
