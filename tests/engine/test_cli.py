"""What a mistyped command line is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli import main


def test_nothing_but_the_name_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "serve" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serv"], "invalid choice: 'serv'; did you mean serve?"),
        (["bundle", "inof"], "invalid choice: 'inof'; did you mean info?"),
        (["pose", "--txt", "hug", "-o", "a.npz"], "; did you mean --text?"),
        (["serve", "--zone-radus", "1"], "did you mean --zone-radius?"),
    ],
)
def test_a_mistyped_word_is_told_the_nearest(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_an_option_of_another_command_is_not_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["animate", "--no-guard", "-o", "a.npz"])
    said = capsys.readouterr().err
    assert "unrecognized arguments: --no-guard" in said
    assert "--no-layers" not in said


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("contrapose kin", ["kinds"]), ("contrapose pose --se", ["--seed", "--server"])],
)
def test_the_shell_is_offered_what_goes_on_as_typed(
    typed: str, offered: list[str], tmp_path: Path
) -> None:
    pytest.importorskip("argcomplete")
    out = tmp_path / "offered"
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(out),
        "_ARGCOMPLETE_IFS": "\n",
        "COMP_LINE": typed,
        "COMP_POINT": str(len(typed)),
    }
    command = [sys.executable, "-m", "engine.cli"]
    subprocess.run(command, env={**os.environ, **asked}, check=True, capture_output=True)
    words = [word.strip() for word in out.read_text().split("\n")]
    assert [word for word in words if not word.startswith("--server-")] == offered
