"""What an uninstalled checkout brings to a machine without an index, and finds there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.bare import (
    ALWAYS,
    NOT_NEEDED,
    THERE,
    carried_requirements,
    environment,
    hidden_modules,
    hide,
    name_of,
)
from tests.conftest import REPOSITORY


def test_what_is_carried_is_what_is_asked_for_less_what_is_there() -> None:
    names = [name_of(line) for line in carried_requirements()]
    assert len(names) == len(set(names))
    assert {"grpcio", "grpcio-health-checking", "grpcio-reflection", "protobuf"} <= set(names)
    assert not set(names) & ((THERE | NOT_NEEDED) - ALWAYS)


def test_a_checkout_that_is_not_installed_has_a_version_and_the_trainers_commands(
    tmp_path: Path,
) -> None:
    """Without any installed package of ours: -S leaves site-packages out."""
    program = (
        "from importlib.metadata import entry_points, version\n"
        "print(version('contrapose'), [e.value for e in entry_points(group='contrapose.commands')])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0.1.0 ['trainer.commands:add_commands']\n"
    paths = environment(tmp_path)["PYTHONPATH"].split(":")
    assert str(REPOSITORY / "proto/gen") in paths


def test_what_the_machine_lacks_is_hidden_and_the_rest_is_found(tmp_path: Path) -> None:
    hidden = hidden_modules(carried_requirements())
    assert {"openvino", "nncf", "ruff", "igl"} <= set(hidden)
    assert not {"torch", "numpy", "grpc", "pytest", "onnx", "google", "scipy"} & set(hidden)
    hide(tmp_path, carried_requirements())
    done = subprocess.run(
        [sys.executable, "-c", "import numpy, grpc; import openvino"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No module named 'openvino'" in done.stderr
