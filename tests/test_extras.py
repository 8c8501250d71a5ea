"""A base install says in one line which extra a command needs; here without installing anything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from engine.extras import EXTRA_OF
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

WAVE = REPOSITORY / "tests/data/wave.npz"
PROMPTS = REPOSITORY / "tests/data/people_sentences.txt"
COMMANDS = {
    "engine": (
        "serve --port 0",
        "serve --port 0 --engines 2",
        "view --no-open",
        "certs dev -o certs",
        f"convert {WAVE} -o wave.gif",
        f"convert {WAVE} -o wave.mp4",
        f"convert {WAVE} -o wave.png",
        "bundle build",
        "bench denoise",
        "bench window",
        "bench session",
        "bench warm",
        # those that start a server, which says it
        "demo --headless -o demo",
        f"react {WAVE} -o partner.npz",
        "animate --text wave -o pair.npz",
        "pose --text wave -o pair.npz",
        f"vmc --player {WAVE}",
        f"generate {PROMPTS} -o batch",
        "bench stream",
        "bench load",
        "data synth --count 1 -o shards",
    ),
    "ray": (f"generate {PROMPTS} -o batch --ray local",),
    "plot": (f"plot {WAVE} -o wave.png",),
    "usd": (f"convert {WAVE} -o wave.usd", f"convert {WAVE} -o wave.usdc"),
    "train": (
        f"train animator {REPOSITORY / 'trainer/configs/tiny.toml'} --out run",
        "eval no.bundle --data shards -o report.md",
        "ablate --data shards -o ablation",
        "import-ponimator --animator no.ckpt -o no.bundle",
    ),
}
BASE_INSTALL = f"import sys; sys.modules.update(dict.fromkeys({list(EXTRA_OF)}))\n"
"""For sitecustomize.py: what an extra brings cannot be imported, by child processes neither."""
PACKAGES = {"pxr": "usd-core"}
"""Of modules whose package has another name, where it is not installed."""
RUN_ALL = """
import contextlib, io, json, sys
from engine.cli import main
told = {}
for command in json.loads(sys.argv[1]):
    err, out = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(out):
        told[command] = main(command.split()), err.getvalue()
print(json.dumps(told))
"""


@pytest.mark.parametrize("extra", COMMANDS)
def test_a_command_names_the_extra_that_it_needs_in_one_line(extra: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BASE_INSTALL)
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, json.dumps(COMMANDS[extra])],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.getenv('PYTHONPATH', '')}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for command, (code, told) in json.loads(done.stdout).items():
        line = told.strip().splitlines()[-1]
        assert code == 2, command
        assert "Traceback" not in told, command
        assert line.startswith("contrapose: error: "), command
        assert line.endswith(f"pip install 'contrapose[{extra}]'"), f"{command}: {line}"


def test_every_package_of_an_extra_is_known_and_of_that_extra() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = {
        extra: {re.split(r"[\[><=~!]", each)[0] for each in requirements} - {"contrapose"}
        for extra, requirements in project["optional-dependencies"].items()
        if extra not in ("tensorrt", "dev")
    }
    extras["train"] |= extras.pop("torch")  # which train includes
    installed = packages_distributions()
    known: dict[str, set[str]] = {extra: set() for extra in extras}
    for module, extra in EXTRA_OF.items():
        known[extra].add(installed.get(module, [PACKAGES.get(module, module)])[0].lower())
    assert known == extras
