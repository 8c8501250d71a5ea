"""The newcomer reads README as a person would, and sees what a terminal shows."""

from __future__ import annotations

import os
from pathlib import Path

from tests.newcomer import READY, Newcomer, Terminal, blocks_of

PAGE = """\
Text.

```
make demo     # sets up
long one \\
    --more                     # to try it: --quick
# a remark
```

<!-- not run: needs a GPU -->
```
serve --gpu
```

```python
print(1)
```
"""


def newcomer(folder: Path) -> Newcomer:
    (folder / "clone").mkdir()
    return Newcomer(clone=folder / "clone", env=dict(os.environ))


def test_lines_are_joined_and_tried_with_the_words_beside_them() -> None:
    first, gpu, script = blocks_of(PAGE)
    assert list(first.commands()) == ["make demo", "long one --more --quick"]
    assert (gpu.why_not, script.language) == ("needs a GPU", "python")


def test_what_takes_hours_in_the_readme_says_how_to_try_it() -> None:
    page = (Path(__file__).parent.parent / "README.md").read_text()
    commands = [command for block in blocks_of(page) for command in block.commands()]
    long = [command for command in commands if command.startswith("contrapose train ")]
    assert len(long) == 3
    assert all(command.endswith(" --quick") for command in long)


def test_a_terminal_shows_what_is_left_of_lines_that_are_written_over(tmp_path: Path) -> None:
    terminal = Terminal(r"printf '10 %%\r90 %%\r\033[Kdone\n'; seq 3", tmp_path, dict(os.environ))
    assert not terminal.read_until(None, 60)
    assert terminal.code() == 0
    assert terminal.screen == ["done", "1", "2", "3"]
    terminal.close()


def test_the_environment_of_a_command_is_that_of_the_next(tmp_path: Path) -> None:
    person = newcomer(tmp_path)
    for command in ("export MET=yes", 'test "$MET" = yes', "false"):
        person.run_command(command)
    assert person.problems == ["false: ended with code 1"]
    assert person.passed == 2


def test_what_goes_on_is_ended_by_ctrl_c_and_judged_by_its_code(tmp_path: Path) -> None:
    person = newcomer(tmp_path)
    for code in (0, 3):
        person.run_command(f"trap 'exit {code}' INT; echo {READY}; while :; do sleep 0.1; done")
        assert person.running is not None
        person.end_running()
    assert len(person.problems) == 1
    assert person.problems[0].endswith("ended with code 3 after Ctrl-C")


def test_a_traceback_and_a_page_of_text_are_problems(tmp_path: Path) -> None:
    person = newcomer(tmp_path)
    person.run_command("seq 99")
    person.run_command("echo 'Traceback (most recent call last):'")
    assert [problem.partition(": ")[2] for problem in person.problems] == [
        "fills 99 rows, more than a screen of 30",
        "shows how Python failed",
    ]
