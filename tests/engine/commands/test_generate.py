"""`contrapose generate` as people run it: two processes, a bad row, and somebody who stops it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.bundle import Bundle

CLI = [sys.executable, "-m", "engine.cli", "generate"]
GOES_ON = "and the same command goes on"


def command(bundle: Bundle, prompts: Path, folder: Path) -> list[str]:
    engine = ["--bundle", str(bundle.path), "--backend", "openvino", "--precision", "f32"]
    made = ["--steps", "2", "--seconds", "1", "--threads", "2"]
    return [*CLI, str(prompts), "-o", str(folder), *engine, *made]


def names_in_manifest(folder: Path) -> list[str]:
    """Of its whole lines: one may be under way."""
    lines = (folder / "manifest.jsonl").read_text().split("\n")[1:-1]
    return [json.loads(line)["name"] for line in lines]


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_bad_row_is_named_and_what_is_there_is_not_made_again(
    talking_bundle: Bundle, tmp_path: Path
) -> None:
    rows = [json.dumps({"text": f"they bow {n}"}) for n in range(60)]
    rows[7] = json.dumps({"text": "they bow", "seconds": "long"})
    prompts, folder = tmp_path / "prompts.jsonl", tmp_path / "out"
    prompts.write_text("\n".join(rows))
    line = command(talking_bundle, prompts, folder)
    first = subprocess.run(line, capture_output=True, text=True)
    assert first.returncode == 0
    assert first.stderr == f"{prompts}:8: seconds is 'long', expected a number; left out\n"
    assert first.stdout.startswith(f"{folder}: 59 motions made in ")
    assert first.stdout.endswith("0 were there, 1 rows left out\n")
    (folder / "000003.npz").unlink()
    again = subprocess.run(line, capture_output=True, text=True)
    assert again.stdout.startswith(f"{folder}: 1 motions made in ")
    assert again.stdout.endswith("58 were there, 1 rows left out\n")
    assert names_in_manifest(folder) == [f"{n:06d}" for n in range(60) if n != 7]


@pytest.fixture
def heard_signals() -> Iterator[None]:
    """Ctrl-C is heard below, also where a shell runs the tests in the background, deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard_signals")
@pytest.mark.skipif(sys.platform != "linux", reason="children are looked up in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_processes_with_one_line(
    talking_bundle: Bundle, tmp_path: Path, number: signal.Signals
) -> None:
    prompts, folder = tmp_path / "prompts.txt", tmp_path / "out"
    prompts.write_text("".join(f"they bow {n}\n" for n in range(5000)))
    with subprocess.Popen(
        command(talking_bundle, prompts, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            give_up = time.monotonic() + 120
            while not (folder / "manifest.jsonl").exists() or not names_in_manifest(folder):
                assert process.poll() is None
                assert time.monotonic() < give_up
                time.sleep(0.05)
            children = children_of(process.pid)
            os.killpg(process.pid, number)  # as a terminal does
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert len(children) >= 2
    assert process.returncode == 130
    names = names_in_manifest(folder)
    assert out == ""
    assert err == f"{folder}: stopped; it holds {len(names)} motions, {GOES_ON}\n"
    assert 0 < len(names) < 5000
    assert names == sorted(names)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    gone_by = time.monotonic() + 60  # the one that cleans up after the others is the last
    while any(is_running(pid) for pid in children):
        assert time.monotonic() < gone_by
        time.sleep(0.05)
