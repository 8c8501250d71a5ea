"""What may come of an input, and what it may cost: done, or refused in one line, within bounds."""

from __future__ import annotations

import resource
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from engine.errors import BackendError, ContraposeError
from engine.serving.statuses import Code, status_of

MOST_SECONDS, MOST_BYTES = 5.0, 1e9
"""Of a refused input: CPU time, and by how much the process has grown over it."""
ALLOWED = {Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION}
ENDED = {"IDLE_TIMEOUT", "TAKEN_OVER", "OVERLOADED"}
"""Reasons of sessions that ended for want of a message, which is no fault of a server."""
Target = Callable[[Random, Path], None]


@dataclass
class Found:
    """Of one target."""

    counts: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    grown: float = 0.0
    failures: list[str] = field(default_factory=list)
    """Seed and what happened, of inputs whose outcome is not allowed."""


def fuzzed(targets: Mapping[str, Target], seeds: range, *, is_wire: bool) -> dict[str, Found]:
    """Each target with each seed."""
    found = {name: Found() for name in targets}
    for name, target in targets.items():
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                _try(found[name], name, target, seed, Path(folder), is_wire)
    return found


def _try(found: Found, name: str, target: Target, seed: int, folder: Path, is_wire: bool) -> None:
    before, begun = _resident(), time.process_time()
    outcome, fault = "done", ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            target(Random(f"{name} {seed}"), folder)
    except ContraposeError as error:
        outcome, fault = "refused", _fault(error, is_wire)
    except Exception as error:
        outcome = "crashed"
        fault = f"{error!r} at {traceback.extract_tb(error.__traceback__)[-1]}"
    took, grown = time.process_time() - begun, _resident() - before
    found.counts[outcome] += 1
    found.slowest_s, found.grown = max(found.slowest_s, took), max(found.grown, grown)
    if not fault and (took > MOST_SECONDS or grown > MOST_BYTES):
        fault = f"{outcome} after {took:.1f} s, grown by {grown / 1e6:.0f} MB"
    if fault:
        found.failures.append(f"{name} {seed}: {fault}")


def _fault(error: ContraposeError, is_wire: bool) -> str:
    """What is wrong with a refusal; nothing if it may be so."""
    if len(str(error).splitlines()) != 1:
        return f"a refusal of several lines: {error}"
    if is_wire and error.reason not in ENDED and status_of(error).code not in ALLOWED:
        return f"ends with {status_of(error).code.name}: {error}"
    if isinstance(error, BackendError) and is_wire:
        return f"the server's fault: {error}"
    return ""


def _resident() -> float:
    """The most that the process ever took, in bytes."""
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def table(found: Mapping[str, Found]) -> str:
    lines = [f"{'target':16} {'inputs':>7} {'done':>7} {'refused':>8} {'slowest s':>10} {'MB':>6}"]
    for name, of_it in found.items():
        counts = of_it.counts
        lines.append(
            f"{name:16} {counts.total():7} {counts['done']:7} {counts['refused']:8} "
            f"{of_it.slowest_s:10.2f} {of_it.grown / 1e6:6.0f}"
        )
    return "\n".join(lines)
