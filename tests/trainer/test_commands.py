"""`contrapose data ...` from the outside."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from engine.cli import main
from trainer.data.shards import load_clips


def test_synth_writes_as_many_clips_as_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "synth", "-o", str(tmp_path), "--count", "3", "--workers", "1"]) == 0
    clips = load_clips(tmp_path, verify=True)
    assert len(clips) == 3
    assert f"3 clips, {clips.lengths.sum()} frames" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["synth", "--count", "0"], "--count"),
        (["synth", "--workers", "0"], "--workers"),
        (["import", "interx", "nowhere", "--threshold-cm", "-1"], "--threshold-cm"),
        (["import", "interx", "nowhere", "--limit", "0"], "--limit"),
        (["import", "interx", "nowhere"], "nowhere"),
        (["import", "interx", "nowhere", "--body", "no.npz"], "no.npz"),
    ],
)
def test_a_wrong_argument_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], field: str
) -> None:
    assert main(["data", *arguments, "-o", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert field in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_a_cluster_without_ray_is_refused_with_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "pairs"
    root.mkdir()
    for who in ("P1", "P2"):
        (root / f"meet_{who}.npz").write_bytes(b"")
    arguments = ["data", "import", "amass-pair", str(root), "--ray", "-o", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "needs ray: pip install 'contrapose[ray]'" in capsys.readouterr().err


def test_listing_the_commands_imports_nothing_heavy() -> None:
    code = (
        "import sys; from engine.cli import build_parser; build_parser(); "
        "assert not {'torch', 'scipy', 'ray', 'tqdm'} & set(sys.modules), set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
