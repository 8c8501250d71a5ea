"""The client's own wheel: small, and of the same files as the whole of Contrapose has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from contrapose_client import versions

from tests.conftest import REPOSITORY

BUILD = "import sys, build_backend; getattr(build_backend, sys.argv[1])(sys.argv[2])"


def built(kind: str, source: Path, out: Path) -> Path:
    subprocess.run(
        [sys.executable, "-c", BUILD, kind, str(out)],
        env={**os.environ, "PYTHONPATH": str(source)},
        cwd=source,
        check=True,
        capture_output=True,
    )
    (made,) = out.iterdir()
    return made


@pytest.mark.slow
def test_the_small_wheel_holds_the_client_and_the_messages_and_runs_alone(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "gen", "*.egg-info")
    for name in ("clients/python", "proto"):
        shutil.copytree(REPOSITORY / name, tmp_path / "source" / name, ignore=ignored)
    with tarfile.open(
        built("build_sdist", tmp_path / "source/clients/python", tmp_path / "sdist")
    ) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    wheel = built("build_wheel", unpacked, tmp_path / "wheel")
    assert wheel.stat().st_size < 200_000
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if "dist-info" not in name}
        archive.extractall(tmp_path / "site")
    client = REPOSITORY / "clients/python"
    expected = {
        path.relative_to(client).as_posix()
        for path in (client / "contrapose_client").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if name.startswith("contrapose_client/")} == expected
    assert {name.split("/")[0] for name in names} == {"contrapose", "contrapose_client"}
    done = subprocess.run(
        [sys.executable, "-c", "import contrapose_client as c; print(c.__file__)"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(str(tmp_path / "site")), done.stderr


def test_two_versions_at_once_are_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"contrapose": "0.2.0", "contrapose-client": "0.1.0"}
    monkeypatch.setattr(versions, "version", found.__getitem__)
    with pytest.raises(ImportError, match=r"contrapose 0\.2\.0 and contrapose-client 0\.1\.0 are"):
        versions.own_version()
