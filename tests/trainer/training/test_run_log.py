"""The log reads as if a run had never stopped; the line for people fits where it is written."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trainer.training.run_log import LOG, RunLog


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def steps(out: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (out / LOG).read_text().splitlines()]


def test_what_a_killed_run_logged_after_its_checkpoint_is_dropped(tmp_path: Path) -> None:
    with RunLog(tmp_path, 0, 0.0, io.StringIO()) as log:
        for step in (5, 10, 15):
            log.record("train", step, 1.0, {"total": 0.5})
    with (tmp_path / LOG).open("a") as file:
        file.write('{"kind": "train", "st')  # the kill came while a line was written
    with RunLog(tmp_path, 10, 0.1, io.StringIO()) as log:
        assert steps(tmp_path) == [5, 10]
        log.record("train", 15, 2.0, {"total": 0.4})
    assert steps(tmp_path) == [5, 10, 15]
    with RunLog(tmp_path, 0, 0.0, io.StringIO()):
        assert steps(tmp_path) == []


def test_every_value_is_a_curve_in_tensorboard(tmp_path: Path) -> None:
    with RunLog(tmp_path, 0, 0.0, io.StringIO()) as log:
        log.record("train", 5, 1.0, {"total": 0.5, "pose": 0.25})
        log.record("held_out", 5, 1.0, {"total": 0.75})
    curves = EventAccumulator(str(tmp_path / "tensorboard"))
    curves.Reload()
    assert sorted(curves.Tags()["scalars"]) == ["held_out/total", "train/pose", "train/total"]
    (point,) = curves.Scalars("train/total")
    assert (point.step, point.value) == (5, 0.5)


def test_a_file_gets_a_line_when_it_is_due_and_a_terminal_one_line_rewritten(
    tmp_path: Path,
) -> None:
    file, terminal = io.StringIO(), Terminal()
    for stream in (file, terminal):
        with RunLog(tmp_path, 0, 0.0, stream) as log:
            log.progress(1, 0.25, 0.125, is_due=False)
            log.progress(2, 0.50, 0.125, is_due=True)
    (line,) = file.getvalue().splitlines()
    assert re.fullmatch(r" 50\.0 %  step 2  [\d.]+ steps/s  \d:\d\d:\d\d left  loss 0\.125", line)
    assert terminal.getvalue().startswith("\r\x1b[K")
    assert terminal.getvalue().count("\n") == 1
