"""`contrapose bench window` measures every combination it was asked for."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from engine.bench.commands import add_commands
from engine.bundle import Bundle
from engine.errors import ContraposeError


def _bench(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["bench", "window", *map(str, arguments)])
    return int(args.run(args))


@pytest.mark.long
def test_every_combination_has_a_row_and_a_place_in_the_plot(
    parity_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "window.svg"
    what = ("--bundle", parity_bundle.path, "--backend", "openvino", "--precision", "f32")
    grid = ("--steps", "1,8", "--batch", "1,4", "--repeats", 1)
    assert _bench(*what, *grid, "--json", "--plot", plot) == 0
    report = json.loads(capsys.readouterr().out)
    rows = {(row["steps"], row["batch"]): row for row in report["rows"]}
    assert set(rows) == {(1, 1), (1, 4), (8, 1), (8, 4)}
    for row in rows.values():
        assert row["ms_per_window"] == pytest.approx(row["ms"] / row["batch"], rel=0.01)
        assert 0 < row["roofline"] < 1
    assert all(plot.read_text().count(f">f32, {n} steps<") == 1 for n in (1, 8))


@pytest.mark.parametrize("options", [("--steps", 2000), ("--repeats", 0), ("--plot", "p.png")])
def test_nothing_to_measure_is_refused_at_once(
    parity_bundle: Bundle, options: tuple[str, object]
) -> None:
    with pytest.raises(ContraposeError):
        _bench("--bundle", parity_bundle.path, *options)
