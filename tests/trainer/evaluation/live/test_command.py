"""`contrapose eval-live` as it is typed, with the starter's graphs, and through a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main

pytestmark = pytest.mark.slow


def tables(tmp_path: Path, *options: str) -> dict[str, Any]:
    """The report's content by title; `about` under its own name."""
    out = tmp_path / "live.json"
    groups = ["--groups", "withdraw", "--players", "1"]
    assert main(["eval-live", *groups, *options, "-o", str(out)]) == 0
    report = json.loads(out.read_text())
    found = {table["title"]: table["rows"] for table in report["tables"]}
    return {**found, "about": report["about"]}


def test_every_row_is_made_that_is_asked_for(tmp_path: Path) -> None:
    found = tables(tmp_path, "--no-layers", "--rows", "all", "--sheets", str(tmp_path / "pictures"))
    rows = ("partner", "without layers", "truth", "never moves", "hand held out")
    kinds = ("high_five", "open_arms", "right_hand")
    assert list(found["withdraw"]) == [f"{kind}, {row}" for kind in kinds for row in rows]
    assert found["about"]["played"] == "on a virtual clock"
    down = found["Goals"]["both hands down after the player's, s"]
    assert down["hand held out"]["mean"] > 3 > down["truth"]["mean"]
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 6


def test_the_same_people_are_played_through_a_server(tmp_path: Path) -> None:
    found = tables(tmp_path, "--wire")
    assert found["about"]["played"] == "through a server"
    for kind in ("right_hand", "high_five", "open_arms"):
        partner = found["withdraw"][f"{kind}, partner"]
        assert partner["late_frames"]["mean"] >= 0
        assert partner["seam_jerk_ratio"]["mean"] > 0
        assert partner["looks"]["mean"] > 0.5
        assert "late_frames" not in found["withdraw"][f"{kind}, truth"]
