"""A source distribution holds what building a wheel needs, and a wheel all that there is to run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

SOURCES = ("engine", "trainer", "clients", "proto", "pyproject.toml", "MANIFEST.in", "README.md")
LEFT_OUT = ("__pycache__", "gen", "node_modules")
BUILD = "import sys, build_backend; getattr(build_backend, sys.argv[1])(sys.argv[2])"


def built(kind: str, source: Path, out: Path) -> Path:
    """What the build backend makes of a folder, with the setuptools that is here."""
    subprocess.run(
        [sys.executable, "-c", BUILD, kind, str(out)],
        env={**os.environ, "PYTHONPATH": str(source / "proto")},
        cwd=source,
        check=True,
        capture_output=True,
    )
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel of the source distribution of a clean copy of the checkout."""
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    source.mkdir()
    for name in (*SOURCES, "LICENSE"):
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
        else:
            shutil.copy(path, source / name)
    with tarfile.open(built("build_sdist", source, folder / "sdist")) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    with zipfile.ZipFile(built("build_wheel", unpacked, folder / "wheel")) as archive:
        yield archive


def test_a_wheel_holds_every_module_and_all_data(wheel: zipfile.ZipFile) -> None:
    found = {name for name in wheel.namelist() if "dist-info" not in name}
    client = REPOSITORY / "clients/python"
    expected = {
        path.relative_to(root).as_posix()
        for root, patterns in {
            REPOSITORY: ("engine/**/*", "trainer/**/*"),
            client: ("contrapose_client/**/*",),
        }.items()
        for pattern in patterns
        for path in root.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }
    stubs = {name for name in found if name.startswith("contrapose/")}
    assert found - stubs == expected
    assert {"contrapose/py.typed", "contrapose/v1/interaction_pb2_grpc.py"} <= stubs


def test_a_wheel_runs(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli", "bundle", "verify"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))
