"""The starter's networks trained on a GPU, in one command of at most nine minutes.

    python benchmarks/gpu_starter.py --out DIR [--budget 520] [--resume DIR]
    python benchmarks/gpu_starter.py --out DIR --device cpu --quick    # that every stage runs

Makes clips with all cores, then trains the stages of trainer/configs/recipe-starter.toml one after
the other, each in its share of the time that is left. DIR gets one checkpoint for each stage, with
averaged weights in halves (`python -m trainer.starter` makes the bundle of them, on any machine), a
minute old at most whenever the run is cut off, and starter.json: what was trained, for how long,
the losses. With --resume the stages go on from such a folder: from its weights, in the part of
their time that is left; optimisers begin anew.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))  # this file is run as it lies there, and nothing is installed

from benchmarks.bare import environment  # noqa: E402
from benchmarks.stages import kill_family, python, run_command  # noqa: E402

RECIPE = REPOSITORY / "trainer/configs/recipe-starter.toml"
BUDGET_S = 520.0
LEFT_AT_END_S = 20.0
"""For the last checkpoints."""
SAVED_EVERY_S = 60.0
START_S = 25.0
"""What a run takes before its own clock begins, and after it has ended."""
GRACE_S = 15.0
"""After SIGTERM, in which a run writes its checkpoint."""
LOOK_EVERY_S = 1.0
LEAST_STAGE_S = START_S + 5.0


# ----------------------------------------------------------------------------- the recipe
@dataclass(frozen=True, kw_only=True)
class Training:
    """A stage of the recipe; {NAME} in `changes` stands for the checkpoint of another."""

    name: str
    objective: str
    config: Path
    share: float
    changes: tuple[str, ...]

    @property
    def needs(self) -> set[str]:
        """Stages whose checkpoints it needs."""
        return {name for change in self.changes for name in re.findall(r"\{(\w+)\}", change)}

    def command(self, out: Path, known: Mapping[str, Path], *more: str) -> list[str]:
        """known  checkpoints of stages; more  changes beside the recipe's"""
        changes = [*(change.format_map(known) for change in self.changes), *more]
        sets = [word for change in changes for word in ("--set", change)]
        module = ["-m", "trainer.training.train", self.objective]
        return python(*module, self.config, "--out", out, *sets)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    clips: int
    stages: tuple[Training, ...]


def load_recipe(path: Path, *, is_quick: bool) -> Recipe:
    """The stages of a file; a quick run takes their `quick` changes too."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    stages = [
        Training(
            name=stage["name"],
            objective=stage["objective"],
            config=path.parent / stage["config"],
            share=float(stage["share"]),
            changes=(*stage["set"], *(stage["quick"] if is_quick else [])),
        )
        for stage in table["stage"]
    ]
    return Recipe(clips=table["quick_clips"] if is_quick else table["clips"], stages=tuple(stages))


def seconds_of(stages: Sequence[Training], spent: Mapping[str, float], left_s: float) -> float:
    """How long the first of these stages may take: its share of what is left.

    spent  seconds of earlier runs, which count as if they were of this one
    """
    whole = left_s + sum(spent.get(stage.name, 0.0) for stage in stages)
    total = sum(stage.share for stage in stages)
    return max(whole * stages[0].share / total - spent.get(stages[0].name, 0.0), 0.0)


# ----------------------------------------------------------------------------- what is kept
class Kept:
    """DIR: a checkpoint in halves for each stage, and what is known of all of them."""

    def __init__(self, folder: Path, earlier: Path | None) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.stages: dict[str, dict[str, Any]] = {}
        if earlier is not None:
            self.stages = json.loads((earlier / "starter.json").read_text())["stages"]
            for name in self.stages:
                if (earlier / f"{name}.pt").exists() and earlier.resolve() != folder.resolve():
                    shutil.copyfile(earlier / f"{name}.pt", folder / f"{name}.pt")
        self.spent = {name: float(stage.get("seconds", 0)) for name, stage in self.stages.items()}

    def path(self, name: str) -> Path:
        return self._folder / f"{name}.pt"

    def keep(self, name: str, run: Path, before_s: float) -> None:
        """What a run has saved last, in halves; nothing if it has saved nothing yet.

        before_s  seconds of earlier runs of this stage
        """
        import torch

        try:
            stored = torch.load(run / "checkpoint.pt", weights_only=True, map_location="cpu")
        except FileNotFoundError:
            return
        halves = {
            key: value.half() if value.is_floating_point() else value
            for key, value in stored["state_dict"].items()
        }
        partial = self._folder / f"{name}.pt.partial"
        torch.save({"state_dict": halves, "contrapose": stored["contrapose"]}, partial)
        partial.replace(self.path(name))
        training = stored["training"]
        self.stages[name] = {
            **self.stages.get(name, {}),
            "seconds": round(before_s + training["seconds"], 1),
            "steps": self.stages.get(name, {}).get("steps_before", 0) + training["step"],
            "losses": losses_of(run / "log.jsonl"),
        }
        self.write()

    def note(self, name: str, **values: Any) -> None:
        self.stages[name] = {**self.stages.get(name, {}), **values}
        self.write()

    def write(self) -> None:
        partial = self._folder / "starter.json.partial"
        partial.write_text(json.dumps({"stages": self.stages}, indent=1), encoding="utf-8")
        partial.replace(self._folder / "starter.json")


def losses_of(log: Path) -> dict[str, list[float]]:
    """The total loss at the first, middle and last line of each kind of line."""
    found: dict[str, list[float]] = {}
    with suppress(OSError):
        for line in map(json.loads, log.read_text().splitlines()):
            found.setdefault(line["kind"], []).append(line["total"])
    return {
        kind: [losses[0], losses[len(losses) // 2], losses[-1]] for kind, losses in found.items()
    }


# ----------------------------------------------------------------------------- training
def train(
    stage: Training,
    kept: Kept,
    run: Path,
    command: Sequence[str],
    limit_s: float,
    variables: Mapping[str, str],
) -> int:
    """Run a stage and keep what it saves, about every minute and at the end.

    limit_s  after so long it is told to stop, and saves first
    """
    before_s = kept.spent.get(stage.name, 0.0)
    kept.note(stage.name, steps_before=kept.stages.get(stage.name, {}).get("steps", 0))
    with (
        (run.parent / f"{stage.name}.log").open("ab") as log,
        gpu_use() as use,
        started(command, log, variables) as process,
    ):
        ends_at = time.monotonic() + limit_s
        saved = None
        while process.poll() is None:
            if time.monotonic() > ends_at:
                process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(GRACE_S)
                break
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_EVERY_S)
            checkpoint = run / "checkpoint.pt"
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns != saved:
                saved = checkpoint.stat().st_mtime_ns
                kept.keep(stage.name, run, before_s)
    kept.keep(stage.name, run, before_s)
    if process.returncode == 0 and stage.name in kept.stages:
        kept.note(stage.name, is_done=True)
    if busy := list(dropwhile(lambda percent: percent == 0, use)):  # from its first kernel on
        kept.note(stage.name, gpu_busy_percent=round(statistics.mean(busy), 1))
    return process.returncode


@contextmanager
def started(
    command: Sequence[str], log: Any, variables: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone, with all it started, when the block ends."""
    process = subprocess.Popen(
        command,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill_family(process.pid)
        process.wait()


@contextmanager
def gpu_use() -> Iterator[list[float]]:
    """Percent of the time that kernels ran, second by second; empty without nvidia-smi."""
    tool, found = shutil.which("nvidia-smi"), list[float]()
    if tool is None:
        yield found
        return
    query = [tool, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-l", "1"]
    with subprocess.Popen(query, stdout=subprocess.PIPE, text=True) as process:

        def read() -> None:
            for line in process.stdout or ():
                with suppress(ValueError):
                    found.append(float(line))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield found
        finally:
            process.terminate()
            reader.join(5)


# ----------------------------------------------------------------------------- the whole
def run(args: argparse.Namespace, work: Path) -> int:
    ends_at = time.monotonic() + args.budget
    recipe = load_recipe(args.recipe, is_quick=args.quick)
    variables = environment(work)
    if args.device == "cpu":
        variables |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    kept = Kept(args.out.resolve(), args.resume)
    shards = args.data or work / "shards"
    if args.data is None:
        count, cores = recipe.clips, os.cpu_count() or 1
        synth = ["-m", "engine.cli", "data", "synth", "-o", shards, "--count", count]
        rc, output = run_command(python(*synth, "--workers", cores), args.budget / 2, variables)
        print(output.strip().splitlines()[-1] if output.strip() else "", flush=True)
        if rc:
            print(f"gpu_starter.py: no clips: rc {rc}\n{output[-2000:]}", file=sys.stderr)
            return 1
    is_well = True
    always = [f"data={shards}", "processes=1", f"checkpoint_minutes={SAVED_EVERY_S / 60:g}"]
    known: dict[str, Path] = {}
    for index, stage in enumerate(recipe.stages):
        left = ends_at - time.monotonic() - LEFT_AT_END_S
        seconds = seconds_of(recipe.stages[index:], kept.spent, left)
        if kept.path(stage.name).exists():
            known[stage.name] = kept.path(stage.name)
        is_done = kept.stages.get(stage.name, {}).get("is_done", False)
        if is_done or seconds < (0 if args.quick else LEAST_STAGE_S):
            print(f"{stage.name:10} has had its time", flush=True)
            continue
        lacking = stage.needs - known.keys()
        if lacking:
            print(f"{stage.name:10} is left out: no checkpoint of {', '.join(sorted(lacking))}")
            is_well = False
            continue
        more = [*always]
        if not args.quick:  # which counts steps, so that it ends as it does anywhere
            more.append(f"minutes={(seconds - START_S) / 60:.4f}")
        if stage.name in known and stage.objective != "distill":  # a student begins as its teacher
            more.append(f"init={known[stage.name]}")
        folder = work / stage.name
        folder.mkdir()
        command = stage.command(folder, known, *more)
        rc = train(stage, kept, folder, command, left if args.quick else seconds, variables)
        about = kept.stages.get(stage.name, {})
        print(f"{stage.name:10} rc {rc}  {json.dumps(about)}", flush=True)
        if rc or not kept.path(stage.name).exists():
            is_well = False
            log = (work / f"{stage.name}.log").read_text(errors="replace")
            print("\n".join(log.splitlines()[-20:]), file=sys.stderr, flush=True)
        if kept.path(stage.name).exists():
            known[stage.name] = kept.path(stage.name)
    print_table(kept)
    return 0 if is_well else 1


def print_table(kept: Kept) -> None:
    titles = f"{'stage':12}{'seconds':>9}{'steps':>9}{'GPU busy':>10}"
    print(f"\n{titles}  total loss: first, middle, last")
    for name, stage in kept.stages.items():
        busy = stage.get("gpu_busy_percent")
        losses = "; ".join(
            f"{kind} {', '.join(f'{value:.4g}' for value in values)}"
            for kind, values in stage.get("losses", {}).items()
        )
        print(
            f"{name:12}{stage.get('seconds', 0):9.1f}{stage.get('steps', 0):9}"
            f"{'-' if busy is None else f'{busy:.0f} %':>10}  {losses}"
        )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--budget", type=float, default=BUDGET_S, metavar="S", help="(%(default)s)")
    parser.add_argument("--resume", type=Path, metavar="DIR", help="an earlier --out")
    parser.add_argument("--data", type=Path, metavar="SHARDS", help="take these clips, make none")
    parser.add_argument("--recipe", type=Path, default=RECIPE, metavar="FILE.toml")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="(%(default)s)")
    parser.add_argument("--quick", action="store_true", help="tiny networks: do the stages run?")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="contrapose-starter-") as folder:
        os.chdir(REPOSITORY)
        return run(args, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
