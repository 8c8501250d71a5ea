"""What a run says: log.jsonl for programs, TensorBoard for curves, one line for people.

Knows numbers with names. Knows no network. A resumed run's log reads as if it had never stopped.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO

from torch.utils.tensorboard import SummaryWriter

LOG = "log.jsonl"
REDRAW_SECONDS = 0.5


class RunLog:
    """Opened where a run stands: what an earlier run logged after `step` is dropped."""

    def __init__(self, out: Path, step: int, done: float, stream: IO[str] | None = None) -> None:
        self._path = out / LOG
        self._stream = sys.stdout if stream is None else stream
        self._is_terminal = self._stream.isatty()
        self._opened = (step, done, time.monotonic())
        self._drawn = 0.0
        kept = [line for line in self._lines() if step and json.loads(line)["step"] <= step]
        self._path.write_text("".join(kept))
        self._curves = SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._curves.close()
        if self._is_terminal:
            self._stream.write("\n")

    def record(self, kind: str, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """One line of log.jsonl, and a point on each curve."""
        rounded = {name: float(f"{value:.5g}") for name, value in values.items()}
        line = {"kind": kind, "step": step, "seconds": round(seconds, 1), **rounded}
        with self._path.open("a") as log:
            log.write(json.dumps(line) + "\n")
        for name, value in rounded.items():
            self._curves.add_scalar(f"{kind}/{name}", value, step)

    def progress(self, step: int, done: float, loss: float, *, is_due: bool) -> None:
        """The line for people: rewritten in place on a terminal, else written when it is due."""
        now = time.monotonic()
        if not is_due and not (self._is_terminal and now - self._drawn > REDRAW_SECONDS):
            return
        first_step, first_done, opened = self._opened
        elapsed = now - opened
        left = timedelta(seconds=round(elapsed * (1 - done) / max(done - first_done, 1e-9)))
        line = (
            f"{100 * done:5.1f} %  step {step}  {(step - first_step) / elapsed:.2f} steps/s  "
            f"{left} left  loss {loss:.4g}"
        )
        self._stream.write(f"\r\x1b[K{line}" if self._is_terminal else f"{line}\n")
        self._stream.flush()
        self._drawn = now

    def _lines(self) -> list[str]:
        if not self._path.exists():
            return []
        # A killed run may have left half a line.
        return [line for line in self._path.read_text().splitlines(True) if line.endswith("}\n")]
