"""Generates the Python stubs of the wire contract into proto/gen/ (never committed, never edited).

`python proto/generate.py`, or `generate()` from the build backend. Does nothing while the stubs are
newer than the protos, so it may be called on every build.
"""

from __future__ import annotations

import importlib.resources
import sys
from pathlib import Path

PROTO = Path(__file__).resolve().parent
OUT = PROTO / "gen"
PACKAGES = ("contrapose", "contrapose/v1")
STAMP = "contrapose/py.typed"
"""Written last; its age tells whether a complete generation has happened since the last change."""


def generate(out: Path = OUT) -> bool:
    """Bring the stubs under `out` up to date; whether anything had to be done."""
    sources = sorted((PROTO / "contrapose").rglob("*.proto"))
    stamp = out / STAMP
    newest = max(path.stat().st_mtime for path in [*sources, Path(__file__)])
    if stamp.is_file() and stamp.stat().st_mtime >= newest:
        return False
    out.mkdir(parents=True, exist_ok=True)
    _compile(sources, out)
    for package in PACKAGES:
        (out / package / "__init__.py").write_text(
            '"""Generated from proto/contrapose: do not edit."""\n'
        )
    stamp.write_text("")
    return True


def _compile(sources: list[Path], out: Path) -> None:
    from grpc_tools import protoc

    well_known = importlib.resources.files("grpc_tools") / "_proto"
    includes = [f"-I{PROTO}", f"-I{well_known}"]
    outputs = [f"--python_out={out}", f"--pyi_out={out}", f"--grpc_python_out={out}"]
    code = protoc.main(["protoc", *includes, *outputs, *map(str, sources)])
    if code != 0:
        raise RuntimeError(f"protoc failed with exit code {code}; its messages are above")


if __name__ == "__main__":
    print(f"{OUT}: {'generated' if generate() else 'up to date'}")
    sys.exit(0)
