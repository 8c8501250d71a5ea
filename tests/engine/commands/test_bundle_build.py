"""`contrapose bundle build` leaves nothing to compile, and makes int8 bundles with the trainer."""

from __future__ import annotations

import argparse
import io
import os
from pathlib import Path

import pytest

from engine.backends import open_backend
from engine.bundle import Bundle, load_bundle
from engine.commands.bundle import add_commands
from engine.commands.bundle_build import build, show_bar
from engine.errors import ConfigError
from tests.trainer.synthetic import write_clips


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "contrapose"


def _contrapose(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["bundle", *map(str, arguments)])
    return int(args.run(args))


def test_what_was_built_is_not_compiled_again(
    parity_bundle: Bundle, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--buckets", 1, 4, "--precision", "f32", "--threads", 1)
    assert _contrapose("build", parity_bundle.path, *options) == 0
    printed = capsys.readouterr().out
    assert "5 graphs compiled" in printed  # two of the generator, and of the animator 1 + 2
    assert f"cache: {cache}" in printed
    assert "a later start takes" in printed
    blobs = {path: path.stat().st_ino for path in cache.iterdir()}
    assert len(blobs) == 5
    _contrapose("build", parity_bundle.path, *options)
    assert {path: path.stat().st_ino for path in cache.iterdir()} == blobs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_shows_parts_of_a_graph_too() -> None:
    terminal = Terminal()
    show_bar(terminal, 1.5, 3, "animator/step.onnx 8")
    assert terminal.getvalue().startswith(f"\r[{'#' * 15}{'.' * 15}] 1/3 animator/step.onnx 8")


def test_the_bar_grows_on_a_terminal_and_is_not_there_in_a_file(parity_bundle: Bundle) -> None:
    backend = open_backend("openvino", precision="f32", cache_dir=None, threads=1)
    terminal, file = Terminal(), io.StringIO()
    assert build(parity_bundle, backend, (1,), terminal) == 4
    build(parity_bundle, backend, (1,), file)
    counts = [line.split("] ")[1].split()[0] for line in terminal.getvalue().split("\r")[1:]]
    assert counts == ["0/4", "1/4", "2/4", "3/4", "4/4"]
    assert file.getvalue() == ""


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--precision", "int8"), "needs --calibrate"),
        (("--precision", "int8", "--calibrate", "clips"), "needs --out"),
        (("--out", "new.bundle"), "are for --precision int8"),
        (("--buckets", 0), "buckets holds 0"),
        (("--threads", 0), "threads is 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    parity_bundle: Bundle, options: tuple[object, ...], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        _contrapose("build", parity_bundle.path, *options)


@pytest.mark.long
def test_an_int8_bundle_is_made_compiled_and_shown(
    parity_bundle: Bundle, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips, out = write_clips(tmp_path / "clips", clips=16), tmp_path / "int8.bundle"
    options = ("--precision", "int8", "--buckets", 1)
    made = ("--calibrate", clips, "--out", out)
    assert _contrapose("build", parity_bundle.path, *options, *made) == 0
    assert load_bundle(out).manifest.animator.precision == "int8"
    printed = capsys.readouterr().out
    assert "animator int8" in printed
    assert "int8 is meant for processors with VNNI" in printed
    _contrapose("info", out)
    assert "int8 products" in capsys.readouterr().out
    assert len(os.listdir(cache)) == 4
    assert _contrapose("build", out, *options) == 0  # int8 already: compiled, nothing else
    assert len(os.listdir(cache)) == 4
