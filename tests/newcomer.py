"""A newcomer: runs README from top to bottom in a fresh clone, word for word, and watches.

    make test-readme

Knows fenced blocks, a terminal and Ctrl-C; nothing of Contrapose but what README says, and that a
program which goes on until it is told to stop says `Ctrl-C ends it` when it is ready. A block that
cannot be run anywhere has `<!-- not run: WHY -->` before it; a line that would take hours ends in
`# to try it: WORDS`, and is run with these words.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<why>[^\n]*?) -->\n+)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
BY_HAND = re.compile(r"make (test|test-[a-z]+|fuzz|chaos|soak)\b")
"""Commands that take minutes to hours, and are CI's or run by hand."""
TRIED = "to try it: "
READY = "Ctrl-C ends it"
TROUBLE = re.compile(r"Traceback \(most recent call last\)|Exception ignored in|^\w*Error:", re.M)
ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()].|[=>])")
ROWS, COLUMNS = 30, 100
LONGEST_S = 300.0
"""Of one command: what takes longer hangs."""
ENDING_S = 30.0
"""From Ctrl-C to the end of a program."""
ENDED = {0, 130, -signal.SIGINT}
"""Ends after Ctrl-C; `make` reports the signal whatever its program did with it."""


@dataclass(frozen=True, kw_only=True)
class Block:
    line: int
    language: str
    text: str
    why_not: str

    def commands(self) -> Iterator[str]:
        """As they are typed: continued lines joined, and what is said of a line left out."""
        for line in re.sub(r"\\\n\s*", "", self.text).splitlines():
            command, _, says = (part.strip() for part in line.partition(" #"))
            if says.startswith(TRIED):
                command += f" {says.removeprefix(TRIED)}"
            if command and not command.startswith("#"):
                yield command


def blocks_of(page: str) -> list[Block]:
    return [
        Block(
            line=page.count("\n", 0, found.start("text")),
            language=found["language"],
            text=found["text"],
            why_not=found["why"] or "",
        )
        for found in BLOCK.finditer(page)
    ]


class Terminal:
    """A program at a terminal of its own, as somebody looks at it."""

    def __init__(self, command: str, folder: Path, env: dict[str, str]) -> None:
        self.command, self.said, self.begun = command, "", time.monotonic()
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

        def take_terminal() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # what runs behind `&` hears no Ctrl-C
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        self._process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=folder,
            env=env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(theirs)
        self._fd = ours

    def read_until(self, phrase: str | None, seconds: float) -> bool:
        """Until it says a phrase, or ends: whether it goes on. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while phrase is None or phrase not in self.said:
            ready, _, _ = select.select([self._fd], [], [], max(end - time.monotonic(), 0))
            if not ready:
                raise TimeoutError
            try:
                part = os.read(self._fd, 1 << 16)
            except OSError:  # how Linux says that nobody holds the other end
                part = b""
            if not part:
                return False
            self.said += part.decode(errors="replace").replace("\r\n", "\n")
        return True

    def press_ctrl_c(self) -> None:
        os.write(self._fd, b"\x03")

    def code(self) -> int:
        return self._process.wait(ENDING_S)

    def close(self) -> None:
        """Nothing of it is left, also where it hangs."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._fd)

    @property
    def screen(self) -> list[str]:
        """The rows that are seen: lines broken at the edge, and what was written over gone."""
        rows: list[str] = []
        for line in ESCAPE.sub("", self.said).rstrip().split("\n"):
            seen = [part for part in line.split("\r") if part.strip()]
            last = seen[-1].rstrip() if seen else ""
            rows += [last[i : i + COLUMNS] for i in range(0, max(len(last), 1), COLUMNS)]
        return rows


@dataclass
class Newcomer:
    """Somebody in a folder with a clone, who types what README says.

    running   what goes on in another terminal, until Ctrl-C
    problems  all that went wrong
    """

    clone: Path
    env: dict[str, str]
    running: Terminal | None = None
    problems: list[str] = field(default_factory=list)
    passed: int = 0
    skipped: int = 0

    def follow(self, block: Block) -> None:
        if block.why_not:
            self.skip(f"block at line {block.line}", block.why_not)
        elif block.language == "python":
            self._run_script(block)
        else:
            for command in block.commands():
                if BY_HAND.match(command):
                    self.skip(command, "takes minutes to hours; CI's, or run by hand")
                else:
                    self.end_running()
                    self.run_command(command)

    def skip(self, what: str, why: str) -> None:
        self.skipped += 1
        print(f"skipped  {what}: {why}", flush=True)

    def run_command(self, command: str) -> None:
        """A command in a shell that hands its environment on to the next."""
        after = self.clone.parent / "environment"
        after.unlink(missing_ok=True)
        keep = f"{command}\ncode=$?; env -0 > {after}; exit $code"
        terminal = Terminal(keep, self.clone, self.env)
        terminal.command = command
        try:
            goes_on = terminal.read_until(READY, LONGEST_S)
        except TimeoutError:
            self._judge(terminal, f"is not over after {LONGEST_S:.0f} s")
            return
        if goes_on:
            self.running = terminal
            return
        code = terminal.code()
        self._judge(terminal, f"ended with code {code}" if code else "")
        if after.exists():
            kept = after.read_bytes().decode().rstrip("\0").split("\0")
            self.env = dict(entry.split("=", 1) for entry in kept)

    def _run_script(self, block: Block) -> None:
        """A snippet as a file, beside the server that a block before it has started; then once more
        through mypy, which sees the client as it is installed for a program of its own."""
        script = self.clone / f"readme_{block.line}.py"
        script.write_text(block.text)
        kept, self.running = self.running, None
        self.run_command(f".venv/bin/python -W error {script.name}")
        self.running = kept
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull]
        command += ["--python-executable", str(self.clone / "client/bin/python"), str(script)]
        with tempfile.TemporaryDirectory() as elsewhere:  # no configuration of ours
            done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True)
        print(f"mypy     {script.name}: {done.stdout.strip()}", flush=True)
        if done.returncode:
            self.problems.append(f"mypy --strict {script.name}: {done.stdout}{done.stderr}")

    def end_running(self) -> None:
        """Ctrl-C for what still goes on."""
        terminal, self.running = self.running, None
        if terminal is None:
            return
        terminal.press_ctrl_c()
        try:
            terminal.read_until(None, ENDING_S)
            code = terminal.code()
        except (TimeoutError, subprocess.TimeoutExpired):
            self._judge(terminal, f"is not over {ENDING_S:.0f} s after Ctrl-C")
            return
        of_make = terminal.command.startswith("make ")
        is_good = code in ENDED if of_make else code == 0
        self._judge(terminal, "" if is_good else f"ended with code {code} after Ctrl-C")

    def _judge(self, terminal: Terminal, problem: str) -> None:
        """Note what is wrong with what a command said and how it ended."""
        screen = terminal.screen
        found = [problem] if problem else []
        if TROUBLE.search(terminal.said):
            found.append("shows how Python failed")
        if len(screen) > ROWS:
            found.append(f"fills {len(screen)} rows, more than a screen of {ROWS}")
        terminal.close()
        self.passed += not found
        verdict = "FAILED " if found else "passed "
        seconds = time.monotonic() - terminal.begun
        print(f"{verdict}  {seconds:5.1f} s, {len(screen):2} rows  {terminal.command}", flush=True)
        if found:
            self.problems.append(f"{terminal.command}: {'; '.join(found)}")
            print("\n".join(f"         | {row}" for row in screen), flush=True)


def fresh_environment(home: Path) -> dict[str, str]:
    """Of somebody who has nothing of ours; only what pip has fetched before stays."""
    cache = subprocess.run(["pip", "cache", "dir"], capture_output=True, text=True).stdout.strip()
    ours = str(Path(sys.prefix) / "bin")
    gone = ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "DISPLAY", "CI")
    env = {name: value for name, value in os.environ.items() if name not in gone}
    folders = [folder for folder in env["PATH"].split(os.pathsep) if folder != ours]
    return env | {
        "PATH": os.pathsep.join(folders),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "PIP_CACHE_DIR": cache,
        "TERM": "xterm",
    }


def main() -> int:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="newcomer-") as name:
        clone = Path(name) / "contrapose"
        subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(clone)], check=True)
        newcomer = Newcomer(clone=clone, env=fresh_environment(Path(name) / "home"))
        try:
            for block in blocks_of((clone / "README.md").read_text()):
                newcomer.follow(block)
            newcomer.end_running()
        finally:
            if newcomer.running is not None:
                newcomer.running.close()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    print(f"{time.monotonic() - begun:.0f} s, {cpu:.0f} s of processor time; 300 s are allowed")
    for problem in newcomer.problems:
        print(f"  {problem}")
    failed = len(newcomer.problems)
    print(f"{newcomer.passed} passed, {failed} failed, {newcomer.skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
