"""A checkout on a machine that has no package index: what it must bring, and what it lacks there.

    python benchmarks/bare.py wheels DIR    # the wheels to carry, with their size (needs an index)

Knows packages and folders, and nothing of networks; needs the standard library alone.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
THERE = frozenset(
    {
        *("cuda-bindings", "hypothesis", "msgpack", "numpy", "onnx", "onnxscript", "pillow"),
        *("prometheus-client", "pytest", "scipy", "tensorboard", "tokenizers", "torch", "tqdm"),
        "triton",
    }
)
"""What the machine has of what we need, with all that these need in turn."""
NOT_NEEDED = frozenset({"av", "openvino", "libigl", "smplx"})
"""What is only used on processors, for films and for the licensed body."""
ALWAYS = frozenset({"grpcio", "protobuf"})
"""Carried though something needs them there: ours must be newer."""
EXTRAS = ("engine", "torch", "train")
MOST_MEGABYTES = 25.0
TARGET = (
    *("--python-version", "3.12", "--implementation", "cp", "--only-binary=:all:"),
    *(word for n in (34, 28, 17) for word in ("--platform", f"manylinux_2_{n}_x86_64")),
    *("--platform", "manylinux2014_x86_64"),
)
"""The machine, as pip is told."""


# ----------------------------------------------------------------------------- what is brought
def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None, requirement
    return normal(found[0])


def project() -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return found


def carried_requirements() -> list[str]:
    """What pyproject.toml asks for and the machine lacks."""
    about = project()
    extras = about["optional-dependencies"]
    assert isinstance(extras, dict)
    assert isinstance(about["dependencies"], list)
    asked = [*about["dependencies"], *(line for extra in EXTRAS for line in extras[extra])]
    left_out = (THERE | NOT_NEEDED | {"contrapose"}) - ALWAYS
    return [line for line in asked if name_of(line) not in left_out]


def carried_wheels() -> list[str]:
    """NAME==VERSION of every wheel to carry, as an index resolves them for the machine."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-"]
    target = ["--ignore-installed", "--target", tempfile.gettempdir(), *TARGET]
    done = subprocess.run(
        [*command, *target, *carried_requirements()], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"pip cannot tell what to carry:\n{done.stderr}")
    report = json.loads(done.stdout[done.stdout.index("{") :])
    found = {normal(item["metadata"]["name"]): item["metadata"] for item in report["install"]}
    there = THERE | set(closure(THERE))
    return [
        f"{name}=={about['version']}"
        for name, about in sorted(found.items())
        if name in ALWAYS or name not in there
    ]


def download(folder: Path) -> list[Path]:
    """The wheels to carry, in a folder of their own."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *TARGET]
    subprocess.run([*command, "-d", str(folder), *carried_wheels()], check=True)
    return sorted(folder.glob("*.whl"))


# ----------------------------------------------------------------------------- what is there
def closure(names: Iterable[str]) -> Iterator[str]:
    """Packages and what they need, as far as they are installed here."""
    queue, seen = list(names), set[str]()
    while queue:
        name = normal(queue.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        yield name
        queue += [name_of(line) for line in requirements if "extra ==" not in line]


def hidden_modules(carried: Iterable[str]) -> list[str]:
    """Modules that are installed here and would not be found there."""
    shown = {*closure(THERE), *closure(name_of(line) for line in carried), *ALWAYS}
    shown |= {"contrapose", "pip", "setuptools"}
    return sorted(
        module
        for module, packages in metadata.packages_distributions().items()
        if not shown & {normal(package) for package in packages}
    )


HIDING = """
import sys
from importlib.machinery import PathFinder

HIDDEN = frozenset({hidden!r})


class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        is_hidden = name.partition(".")[0] in HIDDEN
        return None if is_hidden else super().find_spec(name, path, target)


sys.meta_path[:] = [Hiding if each is PathFinder else each for each in sys.meta_path]
"""


def hide(folder: Path, carried: Iterable[str]) -> None:
    """Write what hides them from every Python that has the folder on its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(HIDING.format(hidden=hidden_modules(carried)))


# ----------------------------------------------------------------------------- what it lacks
def environment(folder: Path) -> dict[str, str]:
    """The environment for an uninstalled checkout, with what it lacks in a folder.

    The command line asks for the package's version and entry points, so the folder gets those.
    """
    about = project()
    information = folder / "site" / f"contrapose-{about['version']}.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: contrapose\nVersion: {about['version']}\n"
    )
    groups = about["entry-points"]
    assert isinstance(groups, dict)
    lines = [
        line
        for group, entries in groups.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
    ]
    (information / "entry_points.txt").write_text("\n".join(lines) + "\n")
    paths = [
        folder / "site",
        REPOSITORY,
        REPOSITORY / "proto" / "gen",
        REPOSITORY / "clients" / "python",
    ]
    given = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*map(str, paths), *([given] if given else [])]),
        "PYTHONUNBUFFERED": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["wheels"])
    parser.add_argument("folder", type=Path)
    args = parser.parse_args(arguments)
    wheels = download(args.folder)
    total = sum(wheel.stat().st_size for wheel in wheels) / 1e6
    for wheel in wheels:
        print(f"{wheel.stat().st_size / 1e6:6.2f} MB  {wheel.name}")
    print(f"{total:6.2f} MB  of at most {MOST_MEGABYTES:.0f}")
    return 0 if total <= MOST_MEGABYTES else 1


if __name__ == "__main__":
    sys.exit(main())
