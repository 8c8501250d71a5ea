"""Blender as a process of its own: what only it writes, it writes from our GLB.

Knows how Blender is found and called. It is never imported: Blender is under the GPL and bound to
one version of Python, and whoever has it has it on their own terms. There is no other maintained
writer of FBX that is free.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from engine.body.shape import Body
from engine.errors import InputError
from engine.formats.glb import write_glb
from engine.motion.motion import Motion

BLENDER_VARIABLE = "CONTRAPOSE_BLENDER"
"""Names a `blender`, or a Python that has `bpy`, where neither is found by itself."""
SCRIPT = Path(__file__).with_name("blender_script.py")


def write_fbx(path: Path, motion: Motion, body: Body) -> None:
    """Write all people of a motion as FBX. Raises InputError where there is no Blender."""
    command = blender_command(path)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "motion.glb"
        write_glb(source, motion, body)
        run_script(command, path, "fbx", source, path.resolve(), f"{motion.frame_rate:g}")


def blender_command(path: Path) -> list[str]:
    """The words before the script and its arguments; raises InputError that says how to get it."""
    named = os.environ.get(BLENDER_VARIABLE)
    if named is None and find_spec("bpy") is not None:
        return [sys.executable]
    found = shutil.which(named or "blender")
    if found is None:
        what = "no blender was found" if named is None else f"{BLENDER_VARIABLE} names no program"
        raise InputError(
            f"{path}: FBX goes through Blender, and {what}; install it from blender.org, or "
            f"pip install bpy into a Python of its own and name that Python in {BLENDER_VARIABLE}",
            field="output",
        )
    is_python = Path(found).name.startswith("python")
    options = ["--background", "--factory-startup", "--python-exit-code", "1", "--python"]
    return [found] if is_python else [found, *options]


def run_script(command: list[str], path: Path, *words: str | Path) -> None:
    """Let Blender run our script; raises InputError with the last line that it said if it fails."""
    arguments = [str(SCRIPT), *([] if len(command) == 1 else ["--"]), *map(str, words)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise InputError(f"{path}: Blender failed: {said}", field="output")
