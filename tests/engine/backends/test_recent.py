"""What is made on demand and kept."""

from __future__ import annotations

import pytest

from engine.backends.recent import Recent


def test_the_ones_used_last_are_kept_and_those_that_stay_do_not_count() -> None:
    gone: list[str] = []
    kept: Recent[str, str] = Recent(2, gone.append)
    kept.get("a", lambda: "A", stays=True)
    for key in ("b", "c", "b", "d"):
        assert kept.get(key, key.upper) == key.upper()
    assert gone == ["C"]
    assert [key in kept for key in "abcd"] == [True, True, False, True]
    kept.clear()
    assert sorted(gone) == ["A", "B", "C", "D"]


def test_nothing_is_kept_of_what_could_not_be_made() -> None:
    def fail() -> str:
        raise RuntimeError("no")

    kept: Recent[str, str] = Recent(2)
    for stays in (False, True):
        with pytest.raises(RuntimeError):
            kept.get("a", fail, stays=stays)
        assert "a" not in kept
    assert kept.get("a", lambda: "A") == "A"
