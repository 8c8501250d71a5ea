"""How fast a GPU samples windows, and how near that is to what the GPU can do at best.

    python benchmarks/gpu.py                        # everything, on the first GPU
    python benchmarks/gpu.py --device cpu --quick   # a minute on any machine: that the script runs

Correctness comes first: every backend's windows, of fresh random inputs, are compared with PyTorch
on the CPU in float32 (||out - reference|| / ||reference||), and one that is wrong is not timed.
Then CUDA events time whole calls (copy in, one launch, copy out) and, for PyTorch, the launch
alone. The bounds are measured in the same run: a device-to-device copy, bytes read plus bytes
written, and a large product of random matrices. A window is bound by
    max(FLOPs of its products / product rate, bytes of its weights at every step / copy rate)
Activations, attention and norms are left out of it, so nothing real reaches it.

This script has never been run on a GPU: none was lent to the task that wrote it. The tests run it
on the CPU; that a CUDA graph is captured, and every figure for a GPU, is still to be seen.
"""

from __future__ import annotations

import argparse
import itertools
import json
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.arrays import Array, IntArray
from engine.backends import Backend, Loop, Precision
from engine.backends.open import default_cache_dir
from engine.backends.protocol import PRECISIONS
from engine.backends.torch import TorchBackend, TorchLoop
from engine.backends.torch_graph import read_module
from engine.bundle import STARTER, Bundle, load_bundle
from engine.errors import BackendError, ConfigError
from engine.sampling.schedule import step_schedule
from trainer.export.full_size import export_full_size
from trainer.models.blocks import NetworkConfig

BATCHES, STEPS = (1, 8, 64, 256), (4, 10, 50)
QUICK_BATCHES, QUICK_STEPS = (1, 2), (1, 2)
TOLERANCE = {"f32": 1e-4, "bf16": 2e-2, "f16": 2e-2}
CHECKED_ROWS, CHECKED_STEPS = 4, 4
INPUT_SETS = 4
"""Taken in turn, so that no call finds its inputs in a cache."""
GOALS = {("full-size", 1, 50): 15.0, ("full-size", 64, 10): 1e3 * 64 / 1500}
"""Milliseconds that issue 5 allows on an H200, by network, batch and steps."""

Inputs = dict[str, Array | IntArray]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What the device does at best, in one precision."""

    gbytes_per_s: float
    tflops_per_s: float


@dataclass(frozen=True, kw_only=True)
class Work:
    """What windows of a network cost at least.

    flops, weight_bytes  of a denoiser call, for one row; of a condition graph, for one row and step
    """

    step_flops: float
    step_bytes: float
    condition_flops: float
    condition_bytes: float

    def bound_ms(self, batch: int, steps: int, bounds: Bounds) -> tuple[float, str]:
        """No run can be faster, and what it is bound by."""
        flops = batch * steps * (self.step_flops + self.condition_flops)
        read = steps * self.step_bytes + self.condition_bytes
        by = {
            "arithmetic": 1e-9 * flops / bounds.tflops_per_s,
            "memory": 1e-6 * read / bounds.gbytes_per_s,
        }
        longest = max(by, key=lambda name: by[name])
        return by[longest], longest


@dataclass(frozen=True, kw_only=True)
class Check:
    network: str
    backend: str
    precision: str
    relative_error: float
    is_right: bool


@dataclass(frozen=True, kw_only=True)
class Row:
    """Medians in milliseconds of one batch of windows."""

    network: str
    backend: str
    precision: str
    batch: int
    steps: int
    call_ms: float
    launch_ms: float | None
    """Without copies; None where it cannot be told apart."""
    windows_per_s: float
    bound_ms: float
    bound_by: str
    percent_of_bound: float
    goal_ms: float | None


# ----------------------------------------------------------------------------- what is measured
@dataclass(frozen=True)
class Kind:
    name: str
    open: Callable[[Precision], Backend]


def kinds(device: str, names: Sequence[str]) -> list[Kind]:
    gpu = None if device == "cpu" else int(device.removeprefix("cuda:"))

    def tensorrt(precision: Precision) -> Backend:
        from engine.backends.tensorrt import TensorRtBackend

        return TensorRtBackend(precision=precision, cache_dir=default_cache_dir(), device=gpu or 0)

    every = {
        "torch": lambda precision: TorchBackend(precision=precision, gpu=gpu),
        "torch-unfused": lambda precision: TorchBackend(
            precision=precision, gpu=gpu, compiler=None
        ),
        "tensorrt": tensorrt,
    }
    return [Kind(name, every[name]) for name in names]


@contextmanager
def networks(names: Sequence[str], *, is_quick: bool) -> Iterator[dict[str, Bundle]]:
    """The bundles; "full-size" has the published sizes, or tiny ones in a quick run."""
    with tempfile.TemporaryDirectory(prefix="contrapose-gpu-") as folder:
        tiny = NetworkConfig(width=64, heads=2, layers=2, ffn_width=128)
        makers = {
            "starter": lambda: load_bundle(STARTER),
            "full-size": lambda: export_full_size(
                Path(folder) / "full.bundle", config=tiny if is_quick else None
            ),
        }
        yield {name: makers[name]() for name in names}


def random_inputs(bundle: Bundle, batch: int, steps: int, seed: int) -> Inputs:
    """Windows of random numbers of the sizes that poses have, half of their frames known."""
    draw = np.random.default_rng(seed)

    def normal(*shape: int) -> Array:
        return draw.standard_normal((batch, *shape), dtype=np.float32)

    schedule, width = step_schedule(steps), bundle.manifest.animator.text_width
    inputs: Inputs = {
        "x_t": normal(2, 30, 135),
        "known": 0.5 * normal(2, 30, 135),
        "known_mask": (draw.random((batch, 2, 30, 1)) < 0.5).astype(np.float32),
        "anchor": 0.5 * normal(2, 135),
        "anchor_joints": 0.5 * normal(2, 22, 3),
        "timesteps": schedule.timesteps,
        "abar_t": schedule.abar_t,
        "abar_s": schedule.abar_s,
    }
    return inputs | ({"text": 0.05 * normal(width)} if width else {})


def loop_of(backend: Backend, bundle: Bundle, buckets: Sequence[int]) -> Loop:
    condition, step = (bundle.file(f"animator/{name}.onnx") for name in ("condition", "step"))
    loop = backend.load_loop(condition, step, buckets)
    if loop is None:
        raise ConfigError(f"{backend.name} samples no whole windows", field="backend")
    return loop


def work_of(bundle: Bundle, precision: str) -> Work:
    """Counted on the graphs themselves, with one row and one step."""
    dtype = torch.float32 if precision == "f32" else torch.bfloat16
    counted: dict[str, tuple[float, float]] = {}
    for name in ("condition", "step"):
        module, ports = read_module(bundle.file(f"animator/{name}.onnx"), dtype=dtype)
        inputs = {
            port.name: torch.zeros(
                [1 if size is None else size for size in port.shape],
                dtype=torch.int64 if port.dtype.kind == "i" else torch.float32,
            )
            for port in ports
        }
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module(**inputs)
        weights = [value for value in module.buffers() if value.dim() == 2]
        counted[name] = (
            float(counter.get_total_flops()),
            float(sum(value.numel() * value.element_size() for value in weights)),
        )
    (condition_flops, condition_bytes), (flops, read) = counted["condition"], counted["step"]
    return Work(
        step_flops=flops,
        step_bytes=read,
        condition_flops=condition_flops,
        condition_bytes=condition_bytes,
    )


# ----------------------------------------------------------------------------- time
def median_ms(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Of calls after two that warm up; on a GPU between two events of its current stream."""
    run()
    run()
    times = []
    for _ in range(repeats):
        if device.type == "cpu":
            started = time.perf_counter()
            run()
            times.append(1e3 * (time.perf_counter() - started))
            continue
        first = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        last = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        torch.cuda.synchronize(device)
        first.record()
        run()
        last.record()
        last.synchronize()
        times.append(first.elapsed_time(last))
    return statistics.median(times)


def measured_bounds(device: torch.device, precision: str, *, is_quick: bool) -> Bounds:
    """A copy of a gigabyte, and a product of square matrices of random numbers."""
    numbers, width = (1 << 22, 512) if is_quick else (1 << 28, 8192)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[precision]
    source = torch.randn(numbers, device=device)
    target = torch.empty_like(source)
    copy_ms = median_ms(lambda: target.copy_(source), device, 10)
    left, right = (torch.randn(width, width, device=device).to(dtype) for _ in range(2))
    product_ms = median_ms(lambda: left @ right, device, 10)
    return Bounds(
        gbytes_per_s=2 * source.numel() * source.element_size() / copy_ms / 1e6,
        tflops_per_s=2 * width**3 / product_ms / 1e9,
    )


# ----------------------------------------------------------------------------- one backend
@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured of every backend and network."""

    device: torch.device
    precisions: tuple[Precision, ...]
    batches: tuple[int, ...]
    steps: tuple[int, ...]
    repeats: int
    is_quick: bool


def measure(plan: Plan, kinds: Sequence[Kind], bundles: Mapping[str, Bundle]) -> dict[str, Any]:
    """Check and time everything; what this machine lacks is noted."""
    report: dict[str, Any] = {"machine": "", "bounds": {}, "checks": [], "rows": [], "notes": []}
    for kind, precision in itertools.product(kinds, plan.precisions):
        try:
            backend = kind.open(precision)
        except (BackendError, ConfigError) as error:
            report["notes"].append(f"{kind.name} {precision} is left out: {error}")
            continue
        report["machine"], width = backend.device, backend.precision
        bounds = report["bounds"]
        if width not in bounds:
            bounds[width] = measured_bounds(plan.device, width, is_quick=plan.is_quick)
        for name, bundle in bundles.items():
            print(f"{kind.name} {width}: {name}", file=sys.stderr, flush=True)
            loop = loop_of(backend, bundle, sorted({*plan.batches, CHECKED_ROWS}))
            error_found = relative_error(loop, bundle)
            check = Check(
                network=name,
                backend=kind.name,
                precision=width,
                relative_error=error_found,
                is_right=error_found < TOLERANCE[width],
            )
            report["checks"].append(check)
            if check.is_right:
                report["rows"] += timed_rows(plan, check, loop, bundle, bounds[width])
        backend.close()
    return report


def relative_error(loop: Loop, bundle: Bundle) -> float:
    """||out - reference|| / ||reference|| of windows of fresh random inputs; NaN never passes.

    The larger of two, so that an output that nobody writes shows in the second.
    """
    reference = loop_of(TorchBackend(precision="f32"), bundle, (CHECKED_ROWS,))
    errors = []
    for _ in range(2):
        seed = secrets.randbits(32)
        inputs = random_inputs(bundle, CHECKED_ROWS, CHECKED_STEPS, seed)
        expected = reference(inputs)
        errors.append(float(np.linalg.norm(loop(inputs) - expected) / np.linalg.norm(expected)))
    return float(np.max(errors))


def timed_rows(
    plan: Plan, check: Check, loop: Loop, bundle: Bundle, bounds: Bounds
) -> Iterator[Row]:
    work = work_of(bundle, check.precision)
    for batch, steps in itertools.product(plan.batches, plan.steps):
        call_ms, launch_ms = timed(loop, bundle, plan, batch, steps)
        bound_ms, by = work.bound_ms(batch, steps, bounds)
        yield Row(
            network=check.network,
            backend=check.backend,
            precision=check.precision,
            batch=batch,
            steps=steps,
            call_ms=call_ms,
            launch_ms=launch_ms,
            windows_per_s=1e3 * batch / call_ms,
            bound_ms=bound_ms,
            bound_by=by,
            percent_of_bound=100 * bound_ms / (call_ms if launch_ms is None else launch_ms),
            goal_ms=GOALS.get((check.network, batch, steps)),
        )


def timed(
    loop: Loop, bundle: Bundle, plan: Plan, batch: int, steps: int
) -> tuple[float, float | None]:
    """Milliseconds of a whole call, and of its launch alone where that can be told."""
    sets = itertools.cycle(
        [random_inputs(bundle, batch, steps, seed) for seed in range(INPUT_SETS)]
    )
    call_ms = median_ms(lambda: loop(next(sets)), plan.device, plan.repeats)
    if not isinstance(loop, TorchLoop) or plan.device.type == "cpu":
        return call_ms, None
    captured = loop.replayed(batch, steps)
    with torch.cuda.stream(captured.stream):
        return call_ms, median_ms(captured.launch, plan.device, plan.repeats)


# ----------------------------------------------------------------------------- reporting
def print_table(report: Mapping[str, Any]) -> None:
    print(f"machine  {report['machine']}")
    for precision, bounds in report["bounds"].items():
        print(
            f"bounds   {precision}: copy {bounds.gbytes_per_s:.0f} GB/s, "
            f"products {bounds.tflops_per_s:.1f} TFLOP/s"
        )
    for check in report["checks"]:
        verdict = "right" if check.is_right else "WRONG: not timed"
        print(
            f"check    {check.network}, {check.backend} {check.precision}: "
            f"{check.relative_error:.1e} {verdict}"
        )
    print(
        f"{'network':10}{'backend':15}{'':6}{'batch':>6}{'steps':>6}{'call ms':>10}{'launch':>10}"
        f"{'windows/s':>11}{'bound ms':>10} {'bound by':11}{'reached':>8}  goal"
    )
    for row in report["rows"]:
        launch = "-" if row.launch_ms is None else f"{row.launch_ms:.2f}"
        print(
            f"{row.network:10}{row.backend:15}{row.precision:6}{row.batch:6}{row.steps:6}"
            f"{row.call_ms:10.2f}{launch:>10}{row.windows_per_s:11.1f}{row.bound_ms:10.3f} "
            f"{row.bound_by:11}{row.percent_of_bound:7.1f}%{_goal(row)}"
        )
    for note in report["notes"]:
        print(f"note: {note}")


def _goal(row: Row) -> str:
    if row.goal_ms is None:
        return ""
    return f"  {row.goal_ms:.1f} ms {'met' if row.call_ms <= row.goal_ms else 'MISSED'}"


def as_json(report: Mapping[str, Any]) -> str:
    return json.dumps(report, indent=2, default=asdict) + "\n"


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0", metavar="cuda:N|cpu", help="(%(default)s)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does the script run?")
    parser.add_argument(
        "--backends",
        nargs="+",
        choices=("torch", "torch-unfused", "tensorrt"),
        default=("torch", "torch-unfused", "tensorrt"),
    )
    parser.add_argument(
        "--precisions",
        nargs="+",
        choices=PRECISIONS,
        default=("auto", "f32"),
        help="auto: the fastest that the backend has (%(default)s)",
    )
    parser.add_argument(
        "--networks",
        nargs="+",
        choices=("full-size", "starter"),
        default=("full-size", "starter"),
    )
    parser.add_argument("--batches", nargs="+", type=int, help=f"(default: {BATCHES})")
    parser.add_argument("--steps", nargs="+", type=int, help=f"(default: {STEPS})")
    parser.add_argument("--repeats", type=int, help="(default: 20, quick 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here too")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parsed(argv)
    if args.device != "cpu":
        if not torch.cuda.is_available():
            print("gpu.py: PyTorch finds no CUDA device; try --device cpu --quick", file=sys.stderr)
            return 2
        torch.cuda.set_device(args.device)
    plan = Plan(
        device=torch.device(args.device),
        precisions=tuple(args.precisions),
        batches=tuple(args.batches or (QUICK_BATCHES if args.quick else BATCHES)),
        steps=tuple(args.steps or (QUICK_STEPS if args.quick else STEPS)),
        repeats=args.repeats or (2 if args.quick else 20),
        is_quick=args.quick,
    )
    with networks(args.networks, is_quick=args.quick) as bundles:
        report = measure(plan, kinds(args.device, args.backends), bundles)
    if args.device == "cpu":
        report["notes"].append("a CPU ran this, to see that it works; no figure here is a GPU's")
    print_table(report)
    if args.json:
        args.json.write_text(as_json(report), encoding="utf-8")
    return 0 if report["checks"] and all(check.is_right for check in report["checks"]) else 1


if __name__ == "__main__":
    sys.exit(main())
