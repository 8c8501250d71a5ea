"""A batch on a Ray cluster of this machine: two engines, of which one is killed.

`make test-ray` installs the extra `ray` and runs this; COUNT=200 makes it as many motions.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from engine.batch import BatchFolder, read_prompts
from engine.batch.cluster import EngineActor, made_on_cluster
from engine.batch.prompts import Defaults
from engine.bundle import STARTER, load_bundle

pytestmark = pytest.mark.slow
pytest.importorskip("ray.data", reason="ray is absent: make test-ray")
COUNT = int(os.environ.get("COUNT", "48"))
COMPUTE = {"backend": "openvino", "precision": "f32", "threads": 1, "body": None}


def engine_processes() -> list[int]:
    """Processes that Ray named after our actor."""
    listed = subprocess.run(
        ["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True
    ).stdout
    return [
        int(line.split()[0])
        for line in listed.splitlines()
        if "ray::" in line and EngineActor.__name__ in line
    ]


# Ray leaves sockets and files to be closed by its processes' ends.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_each_motion_is_there_once_though_an_engine_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("".join(f"two people shake hands {n}\n" for n in range(COUNT)))
    prompts, bad = read_prompts(path, Defaults(seconds=1.0))
    folder = BatchFolder(tmp_path / "out", {"bundle": "starter"})
    killed: list[int] = []
    for outcome in made_on_cluster(
        "local",
        prompts,
        engines=2,
        cpus=1,
        bundle=load_bundle(STARTER).path,
        compute=COMPUTE,
        making={"steps": None, "foot_lock": True},
        folder=folder.path,
        suffix=".npz",
    ):
        assert outcome.entry is not None, outcome.problem
        assert outcome.prompt.name not in folder.entries  # once
        folder.add(outcome.entry)
        if not killed:
            killed = engine_processes()[:1]
            assert killed, "Ray runs no engine"
            os.kill(killed[0], signal.SIGKILL)
    folder.close()
    names = sorted(item.name for item in folder.path.iterdir() if item.suffix == ".npz")
    assert bad == []
    assert names == [f"{n:06d}.npz" for n in range(COUNT)]
    lines = (folder.path / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in lines[1:]] == [prompt.name for prompt in prompts]
    assert all(folder.holds(prompt) for prompt in prompts)
