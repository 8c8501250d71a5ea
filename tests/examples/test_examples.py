"""The examples run, each at its smallest, against one server with the starter bundle."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from contrapose_client import People

from engine.bundle import STARTER
from tests.e2e.conftest import RunningServer, started_server

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((REPOSITORY / "examples").glob("*.py"))
TINY = REPOSITORY / "trainer/configs/tiny.toml"
MOST_LINES = 39


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with started_server(STARTER) as running:
        yield running


def said(script: str, folder: Path, *arguments: object) -> str:
    """What an example prints, run in `folder` as a user would, `contrapose` on the path."""
    command = [sys.executable, str(REPOSITORY / "examples" / script), *map(str, arguments)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_a_live_partner_is_kept_beside_its_player(server: RunningServer, tmp_path: Path) -> None:
    said("live_partner.py", tmp_path, "--server", server.address, "--seconds", 1)
    people, frames, _ = People.load(tmp_path / "live.npz").transl.shape
    assert people == 2
    assert 1 <= frames <= 10  # a slow machine shows its first frame later


def test_a_batch_has_a_file_for_each_prompt(server: RunningServer, tmp_path: Path) -> None:
    said("batch_of_prompts.py", tmp_path, "--server", server.address, "--count", 2)
    (tmp_path / "mine.txt").write_text("they hug\n")
    own = ["--prompts", "mine.txt", "-o", "own"]
    assert "they hug" in said("batch_of_prompts.py", tmp_path, "--server", server.address, *own)
    names = [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*.npz"))]
    assert names == ["motions/0000.npz", "motions/0001.npz", "own/0000.npz"]


def test_a_bvh_goes_in_and_one_a_person_comes_out(server: RunningServer, tmp_path: Path) -> None:
    recording = REPOSITORY / "tests/data/wave_mixamo.bvh"
    printed = said(
        "bvh_in_and_out.py", tmp_path, recording, "--server", server.address, "--seconds", 2
    )
    assert re.search(r"\d+ frames, \d+ late, seed \d", printed)
    for person in (0, 1):
        assert (tmp_path / f"duet_person{person}.bvh").read_text().startswith("HIERARCHY")


def test_own_trackers_are_answered(server: RunningServer, tmp_path: Path) -> None:
    printed = said("own_trackers.py", tmp_path, "--server", server.address, "--seconds", 1)
    assert 1 <= len(re.findall(r"partner at \[", printed)) <= 10


def test_the_touch_that_was_asked_for_is_told_ahead(server: RunningServer, tmp_path: Path) -> None:
    printed = said("touch_and_feel.py", tmp_path, "--server", server.address, "--seconds", 5)
    told = re.search(r"in (\d\.\d) s right_wrist on left_shoulder", printed)
    assert told is not None
    assert float(told[1]) > 0.3
    assert "contact of right_wrist and left_shoulder reached" in printed


def test_words_become_a_gif(server: RunningServer, tmp_path: Path) -> None:
    said("words_to_gif.py", tmp_path, "they hug", "--server", server.address, "--seconds", 0.3)
    assert (tmp_path / "shake.gif").read_bytes().startswith(b"GIF8")


@pytest.mark.long
def test_a_session_outlives_its_server(tmp_path: Path) -> None:
    printed = said("fail_over.py", tmp_path, "--seconds", 2)
    moved = re.search(r"from frame (\d+) to (\d+) (\d+\.\d) cm", printed)
    assert moved is not None
    assert int(moved[2]) > int(moved[1])
    assert float(moved[3]) < 5.0


@pytest.mark.long
def test_a_training_run_says_how_its_loss_fell(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    settings = ["--clips", 4, "--length", "steps=10", "--config", TINY, "-o", "run"]
    printed = said("train_two_minutes.py", tmp_path, *settings)
    assert re.search(r"loss \d\.\d{3} -> \d\.\d{3} in 10 steps", printed)
    assert (tmp_path / "run/animator/checkpoint.pt").is_file()


@pytest.mark.parametrize("page", ["README.md", "clients/python/contrapose_client/__init__.py"])
def test_the_first_script_that_a_page_shows_runs(
    page: str, server: RunningServer, tmp_path: Path
) -> None:
    shown = re.search(
        r"^ *from contrapose_client import connect, run.*?\(main\(\)\)$", *first_script_of(page)
    )
    assert shown is not None
    script = textwrap.dedent(shown[0]).replace("127.0.0.1:50051", server.address)
    (tmp_path / "script.py").write_text(script.replace("frames(20)", "frames(5)"))
    command = [sys.executable, "-W", "error", "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert 1 <= len(re.findall(r"^\d+ \[", done.stdout, re.MULTILINE)) <= 5


def test_the_script_that_waits_for_each_answer_runs(server: RunningServer, tmp_path: Path) -> None:
    text, flags = first_script_of("README.md")
    shown = re.search(r"^from contrapose_client import sync\n.*?print\(motion\)$", text, flags)
    assert shown is not None
    script = shown[0].replace("connect()", f"connect({server.address!r})")
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "People(2 people, 30 frames, 3 s)\n"
    assert (tmp_path / "shake.npz").is_file()


def first_script_of(page: str) -> tuple[str, re.RegexFlag]:
    return (REPOSITORY / page).read_text(), re.MULTILINE | re.DOTALL


def test_every_example_is_run_here() -> None:
    calls = [node for node in ast.walk(ast.parse(Path(__file__).read_text())) if is_run(node)]
    assert {call.args[0].value for call in calls} == {script.name for script in SCRIPTS}  # type: ignore[attr-defined]
    assert len(SCRIPTS) == 8


def is_run(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "said"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_an_example_is_short_and_opens_with_what_it_shows_and_how_to_run_it(script: Path) -> None:
    source = script.read_text()
    assert len(source.splitlines()) <= MOST_LINES
    summary, _, run = (ast.get_docstring(ast.parse(source)) or "").partition("\n\nRun it:\n")
    assert summary.endswith(".")
    assert f"python examples/{script.name} " in run


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_an_example_knows_the_client_and_the_commands_alone(script: Path) -> None:
    imported = re.findall(r"^(?:from|import) (\w+)", script.read_text(), re.MULTILINE)
    assert set(imported) & {"engine", "trainer", "contrapose"} == set()
