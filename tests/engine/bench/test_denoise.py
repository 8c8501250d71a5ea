"""`contrapose bench denoise` measures a real bundle and says what it left out."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from engine.bench.commands import add_commands
from engine.bundle import Bundle
from engine.errors import ConfigError
from trainer.export.full_size import quantise_full_size


def _bench(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["bench", "denoise", *map(str, arguments)])
    return int(args.run(args))


@pytest.mark.long
def test_compiled_and_bound_are_measured_in_one_run(
    parity_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--bundle", parity_bundle.path, "--steps", 4, "--repeats", 1, "--precision", "f32")
    assert _bench(*options, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["steps"], report["batch"]) == (4, 1)
    assert report["machine"]
    assert 0 < report["bound_ms"]["f32"] < report["compiled_ms"]["f32"]


@pytest.mark.long
def test_a_batch_is_measured_beside_one_window_and_beside_its_own_bound(
    parity_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "denoise.svg"
    options = ("--bundle", parity_bundle.path, "--steps", 4, "--repeats", 1, "--precision", "f32")
    _bench(*options, "--batch", 4, 1, "--json", "--plot", plot)
    assert all(f"f32, {kind}" in plot.read_text() for kind in ("compiled", "bound"))
    report = json.loads(capsys.readouterr().out)
    one, four = report["batches"]
    assert (one["batch"], four["batch"]) == (1, 4)
    assert one["compiled_ms"] == report["compiled_ms"]
    assert four["bound_ms"]["f32"] > one["bound_ms"]["f32"]
    for each in (one, four):
        assert 0 < each["percent_of_bound"]["f32"] < 100


@pytest.mark.long
def test_an_int8_bundle_is_measured_beside_the_one_it_came_from(
    parity_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    int8 = tmp_path / "int8.bundle"
    quantise_full_size(parity_bundle.path, int8)
    options = ("--steps", 1, "--repeats", 1, "--batch", 1)
    _bench("--bundle", parity_bundle.path, int8, *options, "--json")
    report = json.loads(capsys.readouterr().out)
    assert {"f32", "int8"} <= set(report["compiled_ms"])
    assert set(report["bound_ms"]) == set(report["compiled_ms"])
    with pytest.raises(ConfigError, match="these are no such two"):
        _bench("--bundle", parity_bundle.path, parity_bundle.path, *options)
    with pytest.raises(ConfigError, match="no bundle given runs in int8"):
        _bench("--bundle", parity_bundle.path, "--precision", "int8", *options)


@pytest.mark.long
def test_a_bundle_of_ones_own_has_no_eager_row_and_the_report_says_so(
    parity_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _bench("--bundle", parity_bundle.path, "--steps", 1, "--repeats", 1) == 0
    printed = capsys.readouterr().out
    assert "eager is left out" in printed
    assert "compiled" in printed
    assert "bound" in printed


@pytest.mark.parametrize("options", [("--steps", 0), ("--repeats", 0), ("--batch", 0)])
def test_nothing_to_measure_is_refused_at_once(
    parity_bundle: Bundle, options: tuple[str, int]
) -> None:
    with pytest.raises(ConfigError, match="is 0"):
        _bench("--bundle", parity_bundle.path, *options)
