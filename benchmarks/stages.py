"""Stages of a run on a machine that is lent for minutes, and what is known of them at any time.

Each stage is one or more commands in process groups of their own, within one limit. Knows processes
and files, and no stage by name; needs the standard library alone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LAST_LINES = 20
MOST_LOG_BYTES = 1_000_000
"""Of a stage's output in the log of all: its end."""
FIGURES = "FIGURES "
"""Before a line of JSON that a command prints, for the report."""

Figures = dict[str, Any]
READ_NOTHING: Callable[[str], Figures] = lambda output: {}  # noqa: E731


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Some commands, run one after the other until one fails.

    limit_s  seconds of all together; what runs then is killed, with all that it started
    read     figures of the whole output, beside those that lines say
    """

    name: str
    limit_s: float
    commands: Sequence[Sequence[str]]
    read: Callable[[str], Figures] = field(default=READ_NOTHING)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """rc of the command that failed, or 0; "killed" and "left out" are no exit codes."""

    stage: str
    rc: int | str
    seconds: float
    figures: Figures
    last_lines: list[str]

    @property
    def is_well(self) -> bool:
        return self.rc == 0


class Report:
    """What became of each stage so far, in DIR/report.json; all output in DIR/log.txt."""

    def __init__(self, folder: Path) -> None:
        self.outcomes: list[Outcome] = []
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._write()

    def add(self, outcome: Outcome, output: str) -> None:
        self.outcomes.append(outcome)
        with (self._folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"===== {outcome.stage}\n{output[-MOST_LOG_BYTES:]}\n")
        self._write()
        print(
            f"{outcome.stage:10} rc {outcome.rc!s:9} {outcome.seconds:6.1f} s  "
            f"{json.dumps(outcome.figures)[:400]}",
            flush=True,
        )

    def _write(self) -> None:
        """Whole or not at all, so that whoever kills this finds a report."""
        partial = self._folder / "report.json.partial"
        stages = [asdict(outcome) for outcome in self.outcomes]
        partial.write_text(json.dumps({"stages": stages}, indent=1), encoding="utf-8")
        partial.replace(self._folder / "report.json")


def run_stages(
    stages: Sequence[Stage], report: Report, *, budget_s: float, environment: Mapping[str, str]
) -> bool:
    """Run them in turn, whatever becomes of any; returns whether all went well.

    budget_s  of all together; what would begin later is left out
    """
    ends_at = time.monotonic() + budget_s
    for stage in stages:
        left = ends_at - time.monotonic()
        if left <= 0:
            report.add(_left_out(stage, "the budget is spent"), "")
            continue
        report.add(*run_stage(stage, min(stage.limit_s, left), environment))
    return all(outcome.is_well for outcome in report.outcomes)


def _left_out(stage: Stage, why: str) -> Outcome:
    return Outcome(stage=stage.name, rc=f"left out: {why}", seconds=0.0, figures={}, last_lines=[])


def run_stage(stage: Stage, limit_s: float, environment: Mapping[str, str]) -> tuple[Outcome, str]:
    """What became of it, and its output."""
    started, output, rc = time.monotonic(), "", 0
    said: int | str = 0
    for command in stage.commands:
        rc, text = run_command(command, started + limit_s - time.monotonic(), environment)
        output += text
        if rc:
            said = "killed" if rc == -signal.SIGKILL else rc
            break
    try:
        figures = stage.read(output) | said_figures(output)
    except Exception as error:  # a stage that was cut off may have written anything
        figures = said_figures(output) | {"unread": f"{type(error).__name__}: {error}"}
    outcome = Outcome(
        stage=stage.name,
        rc=said,
        seconds=round(time.monotonic() - started, 1),
        figures=figures,
        last_lines=output.splitlines()[-LAST_LINES:],
    )
    return outcome, output


def run_command(
    command: Sequence[str], limit_s: float, environment: Mapping[str, str]
) -> tuple[int, str]:
    """Exit code and output of a command; killed at the limit, and in any case all it started."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source, os.fdopen(write, "wb") as sink:
        try:
            process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return 127, f"{command[0]}: {error}\n"
        sink.close()
        reader = _Reader(source)
        try:
            process.wait(max(limit_s, 0))
        except subprocess.TimeoutExpired:
            pass
        finally:
            kill_family(process.pid)
            process.wait()
        return process.returncode, reader.text()


class _Reader:
    """Reads a pipe to its end on a thread, so that a command never waits for room in it."""

    def __init__(self, source: Any) -> None:
        import threading

        self._parts: list[bytes] = []
        self._thread = threading.Thread(target=self._read, args=(source,), daemon=True)
        self._thread.start()

    def _read(self, source: Any) -> None:
        while part := source.read1(1 << 16):
            self._parts.append(part)

    def text(self) -> str:
        """All of it; a process that outlives its killing is not waited for."""
        self._thread.join(5)
        return b"".join(self._parts).decode("utf-8", "replace")


def kill_family(pid: int) -> None:
    """Kill a process group, and every descendant that left it."""
    family = [*descendants(pid)]
    for kill, target in ((os.killpg, pid), *((os.kill, each) for each in family)):
        try:
            kill(target, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def descendants(pid: int) -> list[int]:
    """Children and their children, by what /proc says now; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(after_name[1]), []).append(int(path.parent.name))
    found, queue = [], [pid]
    while queue:
        young = children.get(queue.pop(), [])
        found += young
        queue += young
    return found


def said_figures(output: str) -> Figures:
    """All that lines of figures say."""
    found: Figures = {}
    for line in output.splitlines():
        if line.startswith(FIGURES):
            found |= json.loads(line.removeprefix(FIGURES))
    return found


def say_figures(**figures: Any) -> None:
    """For a command: a line that `said_figures` reads."""
    print(FIGURES + json.dumps(figures), flush=True)


def python(*arguments: object) -> list[str]:
    return [sys.executable, *map(str, arguments)]
