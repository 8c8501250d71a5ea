"""`contrapose bench denoise` measures a real bundle and says what it left out."""

from __future__ import annotations

import argparse
import json

import pytest

from engine.bundle import Bundle
from engine.commands.bench import add_commands
from engine.errors import ConfigError


def _bench(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["bench", "denoise", *map(str, arguments)])
    return int(args.run(args))


def test_compiled_and_bound_are_measured_in_one_run(
    parity_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--bundle", parity_bundle.path, "--steps", 4, "--repeats", 1, "--precision", "f32")
    assert _bench(*options, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["steps"], report["batch"]) == (4, 1)
    assert report["machine"]
    assert 0 < report["bound_ms"]["f32"] < report["compiled_ms"]["f32"]


def test_a_bundle_of_ones_own_has_no_eager_row_and_the_report_says_so(
    parity_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _bench("--bundle", parity_bundle.path, "--steps", 1, "--repeats", 1) == 0
    printed = capsys.readouterr().out
    assert "eager is left out" in printed
    assert "compiled" in printed
    assert "bound" in printed


@pytest.mark.parametrize("options", [("--steps", 0), ("--repeats", 0)])
def test_nothing_to_measure_is_refused_at_once(
    parity_bundle: Bundle, options: tuple[str, int]
) -> None:
    with pytest.raises(ConfigError, match="is 0"):
        _bench("--bundle", parity_bundle.path, *options)
