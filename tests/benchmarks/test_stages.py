"""Stages that hang, fail or are cut off take nothing with them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.stages import (
    LAST_LINES,
    Report,
    Stage,
    python,
    run_command,
    run_stage,
    run_stages,
)
from tests.builders import is_running
from tests.conftest import REPOSITORY

SAYS = "from benchmarks.stages import say_figures; say_figures(windows=7)"
HANGS = """
import os, subprocess, sys, time
same = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
own = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"],
                       start_new_session=True)
print(os.getpid(), same.pid, own.pid, flush=True)
time.sleep(600)
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY)}


def stage(name: str, *programs: str, limit_s: float = 60.0) -> Stage:
    commands = [python("-S", "-c", program) for program in programs]
    return Stage(name=name, limit_s=limit_s, commands=commands)


def is_gone(pid: int) -> bool:
    """Killed; the kernel takes a moment."""
    ends = time.monotonic() + 30
    while is_running(pid) and time.monotonic() < ends:
        time.sleep(0.01)
    return not is_running(pid)


@pytest.mark.long
def test_a_stage_that_hangs_is_killed_with_all_its_children_and_one_that_raises_ends_no_other(
    tmp_path: Path,
) -> None:
    report = Report(tmp_path)
    planted = [
        stage("hangs", HANGS, limit_s=10.0),
        stage("raises", "raise RuntimeError('planted')", "print('never')"),
        stage("well", "print('line\\n' * 50)", SAYS),
    ]
    assert not run_stages(planted, report, budget_s=100.0, environment=ENVIRONMENT)
    told = json.loads((tmp_path / "report.json").read_text())["stages"]
    assert [(each["stage"], each["rc"]) for each in told] == [
        ("hangs", "killed"),
        ("raises", 1),
        ("well", 0),
    ]
    pids = [int(word) for word in told[0]["last_lines"][0].split()]
    assert len(pids) == 3
    assert all(is_gone(pid) for pid in pids)
    assert told[1]["last_lines"][-1] == "RuntimeError: planted"
    assert told[2]["figures"] == {"windows": 7}
    assert len(told[2]["last_lines"]) == LAST_LINES
    log = (tmp_path / "log.txt").read_text()
    assert "===== raises" in log
    assert "never" not in log


def test_children_that_a_stage_leaves_behind_are_ended_too() -> None:
    leaves = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid)"
    )
    rc, output = run_command(python("-S", "-c", leaves), 60.0, ENVIRONMENT)
    assert rc == 0
    assert is_gone(int(output))


def test_a_spent_budget_leaves_stages_out_and_says_so(tmp_path: Path) -> None:
    report = Report(tmp_path)
    run_stages([stage("late", "print(1)")], report, budget_s=0.0, environment=ENVIRONMENT)
    assert report.outcomes[0].rc == "left out: the budget is spent"


def test_figures_that_cannot_be_read_are_no_failure_of_the_stage() -> None:
    def fails(output: str) -> dict[str, object]:
        raise ValueError("no rows")

    broken = Stage(name="x", limit_s=60.0, commands=[python("-S", "-c", SAYS)], read=fails)
    outcome, _ = run_stage(broken, 60.0, ENVIRONMENT)
    assert outcome.rc == 0
    assert outcome.figures == {"windows": 7, "unread": "ValueError: no rows"}


def test_a_program_that_is_not_there_is_an_outcome() -> None:
    rc, output = run_command(["/nowhere/program"], 5.0, ENVIRONMENT)
    assert rc == 127
    assert "/nowhere/program" in output


CUT_OFF = """
import os, sys
from pathlib import Path
from benchmarks.stages import Report, Stage, python, run_stages
hangs = python("-S", "-c", "print('hangs', flush=True); import time; time.sleep(600)")
well = python("-S", "-c", "print('fine')")
stages = [Stage(name=n, limit_s=60, commands=[c]) for n, c in (("well", well), ("hangs", hangs))]
run_stages(stages, Report(Path(sys.argv[1])), budget_s=60, environment=dict(os.environ))
"""


def test_a_run_that_is_killed_leaves_a_whole_report_of_what_was(tmp_path: Path) -> None:
    command = python("-c", CUT_OFF, tmp_path)
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("well")
        process.send_signal(signal.SIGKILL)
    told = json.loads((tmp_path / "report.json").read_text())["stages"]
    assert [(each["stage"], each["rc"]) for each in told] == [("well", 0)]
