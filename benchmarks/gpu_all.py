"""Everything that a GPU has to show, in one command of at most eight minutes.

    python benchmarks/gpu_all.py --out DIR                       # on a machine with a GPU
    python benchmarks/gpu_all.py --out DIR --device cpu --quick  # that the stages run, anywhere

The checkout need not be installed; docs/gpu.md says what to bring. DIR gets report.json (of each
stage rc, seconds, figures, last lines), log.txt (all output), gpu.jsonl and profile.txt of gpu.py,
and train.jsonl of the training runs. Nothing that a stage does ends the others, and all files are
whole whenever the run is cut off.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))  # this file is run as it lies there, and nothing is installed

from benchmarks.bare import environment  # noqa: E402
from benchmarks.stages import (  # noqa: E402
    Figures,
    Report,
    Stage,
    python,
    run_stages,
    say_figures,
)

BUDGET_S = 460.0
QUICK_LIMIT_S = 240.0
PLAYERS, LOAD_SECONDS = (24, 48), 8
CLIPS, DRAW_WORKERS = 400, 8
TRAINING_MINUTES, UNCOMPILED_MINUTES = 0.5, 0.1
MODULES = (
    *("torch", "triton", "onnx", "onnxscript", "cuda.bindings.runtime", "tensorrt", "openvino"),
    *("tokenizers", "scipy", "numpy", "msgpack", "grpc", "grpc_health.v1", "google.rpc"),
    *("grpc_reflection.v1alpha", "google.protobuf", "contrapose.v1", "contrapose_client"),
    *("tensorboard", "pytest", "hypothesis"),
)


# ----------------------------------------------------------------------------- the stages
def stages(out: Path, work: Path, *, device: str, is_quick: bool) -> list[Stage]:
    """In the order of what is wanted most."""
    gpu = _gpu_benchmark(out, device, is_quick)

    def limit(seconds: float) -> float:
        """Of a GPU machine; what a busy laptop takes for the quick run is not to be judged."""
        return max(seconds, QUICK_LIMIT_S) if is_quick else seconds

    found = [
        Stage(name="probe", limit_s=limit(15), commands=[_inner("probe")]),
        Stage(
            name="cuda",
            limit_s=limit(20),
            commands=[_pytest("tests/engine/backends/test_cuda.py")],
            read=tests_of,
        ),
        Stage(
            name="laws",
            limit_s=limit(120),
            commands=[
                _pytest("tests/backends", "-k", "torch-cpu-f32 and (small or named)")
                if device == "cpu"
                else _pytest("tests/backends", "-k", "torch-cuda")
            ],
            read=tests_of,
        ),
        Stage(
            name="full",
            limit_s=limit(110),
            commands=[gpu("full-size", "torch", 100 if not is_quick else 190, "--profile")],
            read=lambda _: rows_of(out / "gpu.jsonl", "full-size"),
        ),
        Stage(
            name="starter",
            limit_s=limit(40),
            commands=[
                gpu("starter", "torch", 22, *_shapes(is_quick, "1x1")),
                *(
                    []
                    if is_quick
                    else [gpu("starter", "torch-unfused", 12, "--shapes", "1x4", "64x4")]
                ),
            ],
            read=lambda _: rows_of(out / "gpu.jsonl", "starter"),
        ),
        Stage(
            name="load",
            limit_s=limit(80),
            commands=[_load(1, 3)] if is_quick else [_load(n, LOAD_SECONDS) for n in PLAYERS],
            read=load_of,
        ),
        Stage(
            name="train",
            limit_s=limit(60),
            commands=_training(out, work, is_quick),
        ),
    ]
    if importlib.util.find_spec("tensorrt") is not None:
        shapes = ("--shapes", "1x50", "64x10", "--precisions", "auto")
        found.append(
            Stage(
                name="tensorrt",
                limit_s=150,
                commands=[gpu("full-size", "tensorrt", 140, *shapes)],
                read=lambda _: rows_of(out / "gpu.jsonl", "full-size"),
            )
        )
    return found


def _inner(name: str, *arguments: object) -> list[str]:
    """A command of this file's own."""
    return python(Path(__file__), "--inner", name, *map(str, arguments))


def _pytest(*arguments: str) -> list[str]:
    return python("-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=-q -rs", *arguments)


def _gpu_benchmark(out: Path, device: str, is_quick: bool) -> Callable[..., list[str]]:
    def command(network: str, backend: str, budget: float, *more: str) -> list[str]:
        given = ["--device", device, *(["--quick"] if is_quick else [])]
        given += ["--precisions", "f32"] if is_quick else []
        return python(
            REPOSITORY / "benchmarks/gpu.py",
            *("--out", out, "--networks", network, "--backends", backend, "--budget", budget),
            *given,
            *more,
        )

    return command


def _shapes(is_quick: bool, *shapes: str) -> list[str]:
    return ["--shapes", *shapes] if is_quick else []


def _load(players: int, seconds: int) -> list[str]:
    bench = ["-m", "engine.cli", "bench", "load", "--backend", "torch", "--json"]
    return python(*bench, "--sessions", players, "--seconds", seconds)


def _training(out: Path, work: Path, is_quick: bool) -> list[list[str]]:
    """Clips, a run, and the same uncompiled."""
    shards, count = work / "shards", 12 if is_quick else CLIPS
    workers = min(os.cpu_count() or 1, 16)
    synth = python(
        *("-m", "engine.cli", "data", "synth", "-o", shards),
        *("--count", count, "--workers", workers),
    )
    if is_quick:
        config, ends = "tiny", ["steps=8", "log_every=2"]
    else:
        config = "starter-animator"
        ends = ["processes=1", f"draw_workers={DRAW_WORKERS}", "log_every=10", "text_encoder="]

    def run(name: str, *changes: str) -> list[list[str]]:
        sets = [word for change in (*ends, *changes) for word in ("--set", change)]
        return [
            python(
                *("-m", "trainer.training.train", "animator"),
                REPOSITORY / f"trainer/configs/{config}.toml",
                *("--out", work / name, "--set", f"data={shards}", *sets),
            ),
            _inner("steps", work / name / "log.jsonl", out / "train.jsonl", name),
        ]

    if is_quick:
        return [synth, *run("plain")]
    return [
        synth,
        *run("compiled", f"minutes={TRAINING_MINUTES}"),
        *run("uncompiled", f"minutes={UNCOMPILED_MINUTES}", "compile=false"),
    ]


# ----------------------------------------------------------------------------- their figures
def tests_of(output: str) -> Figures:
    """What pytest's last line says, such as {"passed": 9, "skipped": 1}."""
    lines = output.strip().splitlines()
    words = re.findall(r"(\d+) (passed|failed|skipped|errors?|deselected)", lines[-1])
    return {what: int(count) for count, what in words}


def rows_of(path: Path, network: str) -> Figures:
    """Milliseconds of each row, and what was not right or not fused."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    of_network = [line for line in lines if line.get("network") == network]
    checks = [line for line in of_network if line["kind"] == "check"]
    name = "{backend} {precision} {batch}x{steps}".format_map
    return {
        "call_ms": {name(r): round(r["call_ms"], 3) for r in of_network if r["kind"] == "row"},
        "launch_ms": {
            name(r): round(r["launch_ms"], 3)
            for r in of_network
            if r["kind"] == "row" and r["launch_ms"] is not None
        },
        "checks": len(checks),
        "wrong": [name(check) for check in checks if not check["is_right"]],
        "unfused": sorted({c["fused"] for c in checks} - {"yes", "plain"}),
        "nodes": {name(c): c["nodes"] for c in checks if c["nodes"] is not None},
        "notes": [line["text"] for line in lines if line["kind"] == "note"][-5:],
    }


def load_of(output: str) -> Figures:
    """By number of players, the figures that tell whether frames were late."""
    found: Figures = {}
    decoder = json.JSONDecoder()
    at = output.find("{")
    while at >= 0:
        try:
            value, at = decoder.raw_decode(output, at)
        except ValueError:
            at += 1
        else:
            for trial in value.get("by_sessions", []):
                found[str(trial["sessions"])] = trial
        at = output.find("{", at)
    return found


# ----------------------------------------------------------------------------- inner commands
def probe() -> int:
    """What machine this is, and which imports are missing."""
    import platform
    from importlib.metadata import distribution

    missing = [name for name in MODULES if not _imports(name)]
    figures: dict[str, Any] = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "missing": missing,
        "contrapose": str(distribution("contrapose").version),
    }
    if "torch" not in missing:
        import torch

        figures |= {"torch": torch.__version__, "cuda": torch.version.cuda}
        if torch.cuda.is_available():
            free, total = torch.cuda.mem_get_info(0)
            figures |= {
                "gpu": torch.cuda.get_device_name(0),
                "capability": list(torch.cuda.get_device_capability(0)),
                "free_gb": round(free / 1e9, 1),
                "total_gb": round(total / 1e9, 1),
                "driver": _driver(),
            }
    say_figures(**figures)
    return 0


def _imports(name: str) -> bool:
    try:
        importlib.import_module(name)
    except Exception:  # a library that is half there fails in many ways
        return False
    return True


def _driver() -> str:
    import subprocess

    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    command = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def steps(log: Path, kept: Path, name: str) -> int:
    """Steps a second after the first third of a run, and whether the loss fell."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    with kept.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({"run": name, **line}) + "\n" for line in lines)
    train = [line for line in lines if line["kind"] == "train"]
    first, warm, last = train[0], train[len(train) // 3], train[-1]
    passed = last["seconds"] - warm["seconds"]
    say_figures(
        **{
            name: {
                "steps": last["step"],
                "steps_per_s": round((last["step"] - warm["step"]) / passed, 1) if passed else None,
                "first_loss": first["total"],
                "last_loss": last["total"],
                "seconds_to_first_line": first["seconds"],
            }
        }
    )
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="gets at most 8 files")
    parser.add_argument("--budget", type=float, default=BUDGET_S, metavar="S", help="(%(default)s)")
    parser.add_argument("--only", nargs="+", metavar="STAGE", help="default: all")
    parser.add_argument("--device", default="cuda:0", metavar="cuda:N|cpu", help="(%(default)s)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: do the stages run?")
    parser.add_argument("--inner", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.inner:
        name, *rest = args.inner
        return probe() if name == "probe" else steps(Path(rest[0]), Path(rest[1]), rest[2])
    if args.out is None:
        parser.error("--out DIR is needed")
    out = args.out.resolve()
    for name in ("report.json", "log.txt", "gpu.jsonl", "profile.txt", "train.jsonl"):
        (out / name).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="contrapose-gpu-") as folder:
        work = Path(folder)
        # Plugins of packages that we know nothing of are not to decide what a test is.
        variables = environment(work) | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        if args.device == "cpu":
            variables["OMP_NUM_THREADS"] = "1"
        every = stages(out, work, device=args.device, is_quick=args.quick)
        names = [stage.name for stage in every]
        if unknown := sorted(set(args.only or ()) - set(names)):
            parser.error(f"--only {' '.join(unknown)}: the stages are {', '.join(names)}")
        wanted = [stage for stage in every if stage.name in (args.only or names)]
        os.chdir(REPOSITORY)
        is_well = run_stages(wanted, Report(out), budget_s=args.budget, environment=variables)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
