"""A bar is seen at a terminal, once it took a while; elsewhere nothing is said."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from engine import progress
from engine.progress import counted, waiting


class Stream(io.StringIO):
    """Standard error that is a terminal or not, and tells when something is said."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal, self.spoke = is_terminal, threading.Event()

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        self.spoke.set()
        return super().write(text)


def at(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, delay: float = 0.0) -> Stream:
    stream = Stream(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "DELAY_S", delay)
    return stream


@pytest.mark.parametrize("terminal", [False, True])
def test_things_come_as_they_are(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    at(monkeypatch, terminal=terminal)
    assert list(counted("abc", "letters", 3, "of them")) == ["a", "b", "c"]


def test_at_a_terminal_it_says_how_many_have_come_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("tqdm")
    stream = at(monkeypatch, terminal=True)
    things = counted("abc", "drawing", 3, "frames")
    next(things)
    assert "drawing" in stream.getvalue()
    assert "0/3" in stream.getvalue()
    assert list(things) == ["b", "c"]
    assert stream.getvalue().rpartition("\r")[0].rpartition("\r")[2].strip() == ""


def test_elsewhere_and_for_what_is_over_soon_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for stream in (at(monkeypatch, terminal=False), at(monkeypatch, terminal=True, delay=60)):
        monkeypatch.setattr(sys, "stderr", stream)
        list(counted(range(9), "drawing", 9, "frames"))
        with waiting("starting a server"):
            pass
        assert stream.getvalue().strip() == ""


def test_what_has_no_known_end_counts_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    stream = at(monkeypatch, terminal=True)
    with waiting("starting a server"):
        assert stream.spoke.wait(60)
    assert "starting a server: 00:00" in stream.getvalue()


def test_without_tqdm_work_goes_on_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = at(monkeypatch, terminal=True)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert list(counted("ab", "letters", 2, "of them")) == ["a", "b"]
    assert stream.getvalue() == ""
