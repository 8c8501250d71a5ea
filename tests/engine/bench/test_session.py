"""`contrapose bench session`: every part of a live session is measured, with and without a zone."""

from __future__ import annotations

import argparse
import json

import pytest

from engine.bench.commands import add_commands
from engine.bench.session import PARTS
from engine.errors import ConfigError


def _bench(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["bench", "session", *map(str, arguments)])
    return int(args.run(args))


def test_every_part_of_a_second_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert _bench("--noise", "--seconds", 2, "--rate", 20, "--json") == 0
    sessions = json.loads(capsys.readouterr().out)["sessions"]
    for figures in sessions.values():
        parts = figures["parts"]
        assert tuple(parts) == PARTS
        calls = {name: part["calls"] for name, part in parts.items()}
        assert (calls["read"], calls["feed"]) == (40, 40)
        assert calls["tick"] + calls["ask"] == 20
        assert calls["accept"] == calls["merge"] == calls["ask"]
        assert 5 <= calls["ask"] <= 7, "one in four frames, and one when an answer begins or ends"
        assert figures["ms_per_s"] == pytest.approx(sum(p["ms_per_s"] for p in parts.values()))


@pytest.mark.parametrize("options", [("--seconds", 0), ("--rate", 0)])
def test_nothing_to_measure_is_refused(options: tuple[str, int]) -> None:
    with pytest.raises(ConfigError, match="is 0"):
        _bench("--noise", *options)
