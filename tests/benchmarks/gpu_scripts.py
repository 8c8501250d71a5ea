"""`make test-gpu-scripts`: both scripts as on the GPU machine, on a processor. Minutes, so apart.

Python sees only what is installed there and what is carried; the list of what is carried is
resolved by pip from pyproject.toml, and so is its size.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from benchmarks.bare import MOST_MEGABYTES, carried_requirements, download, hidden_modules, hide
from benchmarks.gpu_starter import RECIPE, load_recipe
from benchmarks.stages import kill_family, python
from engine.bundle import load_bundle
from tests.conftest import REPOSITORY


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of that machine, as far as Python goes."""
    folder = tmp_path_factory.mktemp("hidden")
    hide(folder, carried_requirements())
    assert "openvino" in hidden_modules(carried_requirements())
    return {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}


def test_what_is_carried_is_small(tmp_path: Path) -> None:
    wheels = download(tmp_path)
    names = {wheel.name.partition("-")[0].lower() for wheel in wheels}
    assert {"grpcio", "protobuf", "grpcio_status", "googleapis_common_protos"} <= names
    assert not {"torch", "numpy", "openvino"} & names
    total = sum(wheel.stat().st_size for wheel in wheels) / 1e6
    print(f"{len(wheels)} wheels, {total:.1f} MB")
    assert total <= MOST_MEGABYTES


def test_every_stage_of_the_one_command_runs(bare: dict[str, str], tmp_path: Path) -> None:
    quick = ("--device", "cpu", "--quick", "--budget", 1500)  # a GPU's is for a quiet machine
    command = python("benchmarks/gpu_all.py", "--out", tmp_path, *quick)
    done = subprocess.run(command, cwd=REPOSITORY, env=bare, text=True, capture_output=True)
    print(done.stdout)
    stages = json.loads((tmp_path / "report.json").read_text())["stages"]
    assert [stage["rc"] for stage in stages] == [0] * len(stages), done.stdout + done.stderr
    assert [stage["stage"] for stage in stages] == [
        *("probe", "cuda", "laws", "full", "starter", "load", "train")
    ]
    assert done.returncode == 0
    by_name = {stage["stage"]: stage["figures"] for stage in stages}
    assert "openvino" in by_name["probe"]["missing"]
    assert by_name["laws"]["passed"] > 0
    assert by_name["full"]["wrong"] == []
    assert by_name["load"]
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["gpu.jsonl", "log.txt", "profile.txt", "report.json", "train.jsonl"]
    assert all(path.stat().st_size < 16e6 for path in tmp_path.iterdir())


def test_the_starter_is_trained_killed_resumed_and_served(
    bare: dict[str, str], tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    quick = ("--device", "cpu", "--quick")
    command = python("benchmarks/gpu_starter.py", "--out", first, "--budget", 1500, *quick)
    stages = [stage.name for stage in load_recipe(RECIPE, is_quick=True).stages]
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=bare, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="")
            if line.startswith(f"{stages[0]} "):  # the first stage is over, the second under way
                break
        kill_family(process.pid)
    assert process.returncode == -signal.SIGKILL
    assert (first / f"{stages[0]}.pt").exists()
    command = python(
        "benchmarks/gpu_starter.py",
        *("--out", second, "--resume", first, "--budget", 1500, *quick),
    )
    done = subprocess.run(command, cwd=REPOSITORY, env=bare, text=True, capture_output=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in second.iterdir()} == {
        "starter.json",
        *(f"{name}.pt" for name in stages),
    }
    bundle = tmp_path / "starter.bundle"
    made = python(
        *("-m", "trainer.starter", "-o", bundle),
        *("--animator", second / "student.pt", "--generator", second / "generator.pt"),
    )
    subprocess.run(made, cwd=REPOSITORY, check=True)
    assert load_bundle(bundle).manifest.animator.width == 16
    load = ["-m", "engine.cli", "bench", "load", "--sessions", 1, "--seconds", 2, "--json"]
    served = subprocess.run(
        python(*load, "--bundle", bundle),
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(served.stdout)["by_sessions"][0]["sessions"] == 1
