"""`contrapose bench trackers`: real people, told by a few devices, come back."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from engine.bench.commands import add_commands
from engine.commands.play import DEMO_PLAYER
from engine.errors import ConfigError


def _bench(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["bench", "trackers", *map(str, arguments)])
    return int(args.run(args))


@pytest.fixture(params=["ours", "recorded"])
def player(request: pytest.FixtureRequest) -> Path:
    if request.param == "ours":
        return DEMO_PLAYER
    folder = request.getfixturevalue("recordings_dir")
    assert isinstance(folder, Path)
    return folder / "100style_example.bvh"


def test_a_player_comes_back_better_from_more_trackers(
    player: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--seconds", 4, "--rate", 10, "--calibration", "exact", "--json")
    assert _bench(player, *options) == 0
    rows = {row["trackers"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert rows[6]["joints_cm"] < 3.5
    assert rows[6]["joints_cm"] < rows[4]["joints_cm"] < 20
    assert rows[3]["upper_cm"] < 8
    assert rows[6]["feet_cm"] < 2 < rows[4]["feet_cm"]


@pytest.mark.parametrize("options", [("--rate", 0), ("--seconds", 0)])
def test_nothing_to_measure_is_refused_at_once(options: tuple[str, int]) -> None:
    with pytest.raises(ConfigError, match="is 0"):
        _bench("none.bvh", *options)
