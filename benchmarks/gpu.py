"""How fast a GPU samples windows, and how near that is to what the GPU can do at best.

    python benchmarks/gpu.py --out out              # everything, on the first GPU
    python benchmarks/gpu.py --device cpu --quick   # a minute on any machine: that the script runs

Correctness comes first: every backend's windows, of fresh random inputs, are compared with PyTorch
on the CPU in float32 (||out - reference|| / ||reference||), and one that is wrong is not timed.
Then CUDA events time whole calls (copy in, one launch, copy out) and, for PyTorch, the launch
alone. The bounds are measured in the same run: a device-to-device copy, bytes read plus bytes
written, and a large product of random matrices. A window is bound by
    max(FLOPs of its products / product rate, bytes of its weights at every step / copy rate)
Activations, attention and norms are left out of it, so nothing real reaches it.

Every check, row, bound and note is a line of `gpu.jsonl` and of the terminal as soon as it is
known, so that a run that is cut off has told all it knew. What fails is a note.

This script has never been run on a GPU: none was lent to the tasks that wrote it. The tests run it
on the CPU; that a CUDA graph is captured, and every figure for a GPU, is still to be seen.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import secrets
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
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

Shape = tuple[int, int]
"""Batch and steps."""
SHAPES: tuple[Shape, ...] = (
    (1, 50),
    (64, 10),
    (8, 10),
    (1, 4),
    (1, 10),
    (64, 4),
    (256, 10),
    (8, 4),
    (8, 50),
    (64, 50),
    (256, 4),
    (256, 50),
)
"""What is timed, the most wanted first."""
QUICK_SHAPES: tuple[Shape, ...] = ((1, 2), (2, 1), (1, 1), (2, 2))
MOST_IN_F32: Shape = (8, 10)
"""float32 is for checking: larger work would take minutes."""
PROFILED: tuple[Shape, ...] = ((1, 50), (64, 10))
QUICK_PROFILED: tuple[Shape, ...] = ((1, 2),)
TOLERANCE = {"f32": 1e-4, "bf16": 2e-2, "f16": 2e-2}
CHECKED: tuple[Shape, ...] = ((4, 4), (1, 4), (1, 50))
"""Compared with the reference. Larger batches must begin with the rows of the first of these."""
QUICK_CHECKED: tuple[Shape, ...] = ((4, 4), (1, 4))
INPUT_SETS = 4
"""Taken in turn, so that no call finds its inputs in a cache."""
ROW_SECONDS, LEAST_REPEATS = 2.0, 3
"""A row is repeated no longer than that, and no fewer times."""
LONGEST_KERNELS = 15
GOALS = {("full-size", 1, 50): 8.0, ("full-size", 64, 10): 1e3 * 64 / 1500}
"""Milliseconds wanted of an H200 in 16 bits, by network, batch and steps."""

Inputs = dict[str, Array | IntArray]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What the device does at best, in one precision."""

    precision: str
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
    """Whether windows are right, and what their first call told.

    compared  with what
    fused     "yes", "plain" where nothing compiles, or why not
    first_s   of the first call: compiling and capturing are in it
    nodes     kernels and copies of one launch; None where it cannot be told
    used_gb   memory of the device that is taken, by everything; None on a CPU
    """

    network: str
    backend: str
    precision: str
    batch: int
    steps: int
    compared: str
    relative_error: float
    is_right: bool
    fused: str
    first_s: float
    nodes: int | None
    used_gb: float | None


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


@dataclass(frozen=True, kw_only=True)
class Note:
    text: str


@dataclass(frozen=True, kw_only=True)
class Machine:
    name: str


Entry = Bounds | Check | Row | Note | Machine


class Journal:
    """What was found so far: kept, shown, and a line of the file at once."""

    def __init__(self, path: Path | None = None) -> None:
        self.entries: list[Entry] = []
        self._path = path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def add(self, entry: Entry) -> None:
        if entry in self.entries:
            return
        self.entries.append(entry)
        print(line_of(entry), flush=True)
        if self._path is not None:
            line = json.dumps({"kind": type(entry).__name__.lower(), **asdict(entry)})
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def note(self, text: str) -> None:
        self.add(Note(text=text))

    @contextmanager
    def going_on(self, what: str) -> Iterator[None]:
        """What fails in the block is a note, and the run goes on."""
        try:
            yield
        except Exception as error:  # libraries of GPUs fail in many ways
            said = " ".join(str(error).split())
            self.note(f"{what} failed: {type(error).__name__}: {said[:300]}")


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
        tiny = NetworkConfig(width=64, heads=2, layers=1, ffn_width=128)
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
    times: list[float] = []
    ends_at = time.monotonic() + ROW_SECONDS
    while len(times) < repeats and (len(times) < LEAST_REPEATS or time.monotonic() < ends_at):
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
        precision=precision,
        gbytes_per_s=2 * source.numel() * source.element_size() / copy_ms / 1e6,
        tflops_per_s=2 * width**3 / product_ms / 1e9,
    )


# ----------------------------------------------------------------------------- kernels
def kernels_of(
    loop: Loop, inputs: Inputs, shape: Shape, device: torch.device
) -> dict[str, list[float]]:
    """Name -> microseconds of each kernel and copy of one launch; on a CPU of each operator."""
    if not isinstance(loop, TorchLoop):
        return {}
    captured = loop.replayed(*shape) if device.type == "cuda" else None
    activity = ProfilerActivity.CPU if captured is None else ProfilerActivity.CUDA
    found: dict[str, list[float]] = defaultdict(list)
    with profile(activities=[activity]) as traced:
        if captured is None:
            loop(inputs)
        else:
            captured.launch()
            captured.stream.synchronize()
    for event in traced.events() or ():
        found[event.name].append(event.time_range.elapsed_us())
    return found


def kind_of(kernel: str) -> str:
    """What a kernel does, by the names that libraries give."""
    kinds = {
        "attention": r"flash|fmha|attention|softmax",
        "products": r"gemm|cutlass|nvjet|xmma|wgmma|addmm|::mm|linear|matmul",
        "fused": r"^triton",
        "copies": r"memcpy|memset|copy",
    }
    return next((kind for kind, names in kinds.items() if re.search(names, kernel, re.I)), "other")


def profile_text(title: str, kernels: Mapping[str, Sequence[float]], steps: int) -> str:
    """The longest kernels, and what share each kind has."""
    total = sum(map(sum, kernels.values())) or 1.0
    count = sum(map(len, kernels.values()))
    by_kind: dict[str, float] = defaultdict(float)
    for name, times in kernels.items():
        by_kind[kind_of(name)] += sum(times)
    shares = sorted(by_kind.items(), key=lambda item: -item[1])
    longest = sorted(kernels.items(), key=lambda item: -sum(item[1]))[:LONGEST_KERNELS]
    return "\n".join(
        [
            f"{title}: {count} kernels and copies, {count / steps:.1f} a step, {total:.0f} us",
            "  " + ", ".join(f"{kind} {100 * us / total:.0f} %" for kind, us in shares),
            *(f"  {sum(us):9.0f} us {len(us):6} x  {name[:120]}" for name, us in longest),
            "",
        ]
    )


# ----------------------------------------------------------------------------- one backend
@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured of every backend and network.

    ends_at  by `time.monotonic`: nothing is begun later
    profile  where the longest kernels are written; None: nowhere
    """

    device: torch.device
    precisions: tuple[Precision, ...]
    shapes: tuple[Shape, ...]
    checked: tuple[Shape, ...]
    profiled: tuple[Shape, ...] = ()
    repeats: int
    is_quick: bool
    ends_at: float = float("inf")
    profile: Path | None = None

    def shapes_in(self, precision: str) -> list[Shape]:
        batch, steps = MOST_IN_F32
        is_all = precision != "f32" or self.is_quick
        return [s for s in self.shapes if is_all or (s[0] <= batch and s[1] <= steps)]


@dataclass
class Subject:
    """A network, and what is computed of it only once: inputs, references, work."""

    name: str
    bundle: Bundle
    seed: int = field(default_factory=lambda: secrets.randbits(32))

    def __post_init__(self) -> None:
        self._exact = cache(lambda: loop_of(TorchBackend(precision="f32"), self.bundle, (1, 4)))
        self.inputs = cache(self._inputs)
        self.reference = cache(self._reference)
        self.work = cache(lambda precision: work_of(self.bundle, precision))

    def _inputs(self, shape: Shape, which: int) -> Inputs:
        return random_inputs(self.bundle, *shape, self.seed + which)

    def _reference(self, shape: Shape, which: int) -> Array:
        return self._exact()(self.inputs(shape, which))


def measure(
    plan: Plan, kinds: Sequence[Kind], subjects: Sequence[Subject], journal: Journal
) -> None:
    """Check and time everything; what this machine lacks, and what fails, is noted."""
    bounds: dict[str, Bounds] = {}
    for precision, kind in itertools.product(plan.precisions, kinds):
        try:
            backend = kind.open(precision)
        except (BackendError, ConfigError) as error:
            journal.note(f"{kind.name} {precision} is left out: {error}")
            continue
        try:
            journal.add(Machine(name=backend.device))
            if backend.precision not in bounds:
                bounds[backend.precision] = measured_bounds(
                    plan.device, backend.precision, is_quick=plan.is_quick
                )
                journal.add(bounds[backend.precision])
            for subject in subjects:
                with journal.going_on(f"{kind.name} {backend.precision}: {subject.name}"):
                    measure_one(plan, kind, backend, subject, bounds[backend.precision], journal)
        finally:
            backend.close()


def measure_one(
    plan: Plan, kind: Kind, backend: Backend, subject: Subject, bounds: Bounds, journal: Journal
) -> None:
    """One backend and network: checks first, then what they found right is timed."""
    precision = backend.precision
    shapes = plan.shapes_in(precision)
    buckets = sorted({batch for batch, _ in (*shapes, *plan.checked)})
    loop = loop_of(backend, subject.bundle, buckets)
    wrong: set[int] = set()
    first_batch = plan.checked[0][0]
    large = [(batch, plan.checked[0][1]) for batch in buckets if batch > first_batch]
    for shape in (*plan.checked, *large):
        title = f"{kind.name} {precision}: check of {subject.name} {shape[0]}x{shape[1]}"
        if time.monotonic() > plan.ends_at:
            journal.note(f"{title} is left out: the budget is spent")
            wrong.add(shape[0])
            continue
        with journal.going_on(title):
            check = checked(plan, kind, backend, loop, subject, shape)
            journal.add(check)
            if not check.is_right:
                wrong |= {shape[0]} if shape in large else set(buckets)
    for shape in shapes:
        title = f"{kind.name} {precision}: {subject.name} {shape[0]}x{shape[1]}"
        if shape[0] in wrong or time.monotonic() > plan.ends_at:
            is_late = shape[0] not in wrong
            reason = "the budget is spent" if is_late else "it was not found right"
            journal.note(f"{title} is not timed: {reason}")
            continue
        with journal.going_on(title):
            row = timed_row(plan, kind, precision, loop, subject, shape, bounds)
            journal.add(row)
            if plan.profile is not None and shape in plan.profiled:
                kernels = kernels_of(loop, subject.inputs(shape, 0), shape, plan.device)
                with plan.profile.open("a", encoding="utf-8") as file:
                    file.write(profile_text(title, kernels, shape[1]))


def checked(
    plan: Plan, kind: Kind, backend: Backend, loop: Loop, subject: Subject, shape: Shape
) -> Check:
    """Compare with the reference, or a batch larger than the first with that of the first.

    The larger of two errors, so that an output that nobody writes shows in the second.
    """
    of_first = plan.checked[0]
    rows = of_first[0] if shape not in plan.checked else shape[0]
    errors = []
    started, first_s = time.perf_counter(), 0.0
    for which in range(2):
        inputs = subject.inputs(shape, which)
        if shape in plan.checked:
            expected = subject.reference(shape, which)
        else:
            expected = loop(first_rows(inputs, rows))
        started = time.perf_counter()
        found = loop(inputs)[:rows]
        first_s = first_s or time.perf_counter() - started
        errors.append(float(np.linalg.norm(found - expected) / np.linalg.norm(expected)))
    error = float(np.max(errors))
    nodes = None
    if plan.device.type == "cuda" and isinstance(loop, TorchLoop):
        kernels = kernels_of(loop, subject.inputs(shape, 0), shape, plan.device)
        nodes = sum(map(len, kernels.values()))
    return Check(
        network=subject.name,
        backend=kind.name,
        precision=backend.precision,
        batch=shape[0],
        steps=shape[1],
        compared="the reference" if shape in plan.checked else f"its own batch of {rows}",
        relative_error=error,
        is_right=error < TOLERANCE[backend.precision],
        fused=fused_text(backend),
        first_s=first_s,
        nodes=nodes,
        used_gb=used_gb(plan.device),
    )


def first_rows(inputs: Inputs, rows: int) -> Inputs:
    """The inputs of the first windows; the schedule is that of all."""
    schedule = ("timesteps", "abar_t", "abar_s")
    return {name: value if name in schedule else value[:rows] for name, value in inputs.items()}


def fused_text(backend: Backend) -> str:
    if not isinstance(backend, TorchBackend) or not backend.fuses:
        return "plain"
    return "; ".join(backend.unfused.values()) or "yes"


def used_gb(device: torch.device) -> float | None:
    if device.type == "cpu":
        return None
    free, total = torch.cuda.mem_get_info(device)
    return float(total - free) / 1e9


def timed_row(
    plan: Plan,
    kind: Kind,
    precision: str,
    loop: Loop,
    subject: Subject,
    shape: Shape,
    bounds: Bounds,
) -> Row:
    batch, steps = shape
    sets = itertools.cycle([subject.inputs(shape, which) for which in range(INPUT_SETS)])
    call_ms = median_ms(lambda: loop(next(sets)), plan.device, plan.repeats)
    launch_ms = None
    if isinstance(loop, TorchLoop) and plan.device.type == "cuda":
        captured = loop.replayed(batch, steps)
        with torch.cuda.stream(captured.stream):
            launch_ms = median_ms(captured.launch, plan.device, plan.repeats)
    bound_ms, by = subject.work(precision).bound_ms(batch, steps, bounds)
    return Row(
        network=subject.name,
        backend=kind.name,
        precision=precision,
        batch=batch,
        steps=steps,
        call_ms=call_ms,
        launch_ms=launch_ms,
        windows_per_s=1e3 * batch / call_ms,
        bound_ms=bound_ms,
        bound_by=by,
        percent_of_bound=100 * bound_ms / (call_ms if launch_ms is None else launch_ms),
        goal_ms=GOALS.get((subject.name, batch, steps)) if precision != "f32" else None,
    )


# ----------------------------------------------------------------------------- reporting
TITLES = (
    f"{'network':10}{'backend':15}{'':6}{'batch':>6}{'steps':>6}{'call ms':>10}{'launch':>10}"
    f"{'windows/s':>11}{'bound ms':>10} {'bound by':11}{'reached':>8}  goal"
)


def line_of(entry: Entry) -> str:
    if isinstance(entry, Machine):
        return f"machine  {entry.name}"
    if isinstance(entry, Note):
        return f"note     {entry.text}"
    if isinstance(entry, Bounds):
        return (
            f"bounds   {entry.precision}: copy {entry.gbytes_per_s:.0f} GB/s, "
            f"products {entry.tflops_per_s:.1f} TFLOP/s"
        )
    if isinstance(entry, Check):
        nodes = "" if entry.nodes is None else f", {entry.nodes} nodes"
        memory = "" if entry.used_gb is None else f", {entry.used_gb:.1f} GB in use"
        return (
            f"check    {entry.network}, {entry.backend} {entry.precision} "
            f"{entry.batch}x{entry.steps}: {entry.relative_error:.1e} from {entry.compared}, "
            f"{'right' if entry.is_right else 'WRONG: not timed'}; fused: {entry.fused}; "
            f"first call {entry.first_s:.1f} s{nodes}{memory}"
        )
    launch = "-" if entry.launch_ms is None else f"{entry.launch_ms:.2f}"
    return (
        f"{entry.network:10}{entry.backend:15}{entry.precision:6}{entry.batch:6}{entry.steps:6}"
        f"{entry.call_ms:10.2f}{launch:>10}{entry.windows_per_s:11.1f}{entry.bound_ms:10.3f} "
        f"{entry.bound_by:11}{entry.percent_of_bound:7.1f}%{_goal(entry)}"
    )


def _goal(row: Row) -> str:
    if row.goal_ms is None:
        return ""
    return f"  {row.goal_ms:.1f} ms {'met' if row.call_ms <= row.goal_ms else 'MISSED'}"


def print_table(journal: Journal) -> None:
    """All once more, sorted by what it is."""
    print()
    for kind in (Machine, Bounds, Check, Row, Note):
        found = [entry for entry in journal.entries if isinstance(entry, kind)]
        if found and kind is Row:
            print(TITLES)
        for entry in found:
            print(line_of(entry))


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
        help="auto: the fastest that the backend has; f32: a check, small batches (%(default)s)",
    )
    parser.add_argument(
        "--networks",
        nargs="+",
        choices=("full-size", "starter"),
        default=("full-size", "starter"),
    )
    parser.add_argument(
        "--shapes",
        nargs="+",
        type=_shape,
        metavar="BATCHxSTEPS",
        help=f"what is timed, in this order (default: {' '.join(f'{b}x{s}' for b, s in SHAPES)})",
    )
    parser.add_argument("--repeats", type=int, help="at most (default: 20, quick 2)")
    parser.add_argument("--budget", type=float, metavar="S", help="begin nothing after this")
    parser.add_argument("--out", type=Path, metavar="DIR", help="gpu.jsonl, profile.txt go there")
    parser.add_argument(
        "--profile", action="store_true", help="kernels of single launches, to profile.txt in --out"
    )
    return parser.parse_args(argv)


def _shape(text: str) -> Shape:
    batch, separator, steps = text.partition("x")
    if not (separator and batch.isdecimal() and steps.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 64x10")
    return int(batch), int(steps)


def main(argv: Sequence[str] | None = None) -> int:
    args = parsed(argv)
    if args.profile and not args.out:
        print("gpu.py: --profile needs --out DIR", file=sys.stderr)
        return 2
    if args.device != "cpu":
        if not torch.cuda.is_available():
            print("gpu.py: PyTorch finds no CUDA device; try --device cpu --quick", file=sys.stderr)
            return 2
        torch.cuda.set_device(args.device)
    plan = Plan(
        device=torch.device(args.device),
        precisions=tuple(args.precisions),
        shapes=tuple(args.shapes or (QUICK_SHAPES if args.quick else SHAPES)),
        checked=QUICK_CHECKED if args.quick else CHECKED,
        profiled=QUICK_PROFILED if args.quick else PROFILED,
        repeats=args.repeats or (2 if args.quick else 20),
        is_quick=args.quick,
        ends_at=time.monotonic() + (args.budget or float("inf")),
        profile=args.out / "profile.txt" if args.profile else None,
    )
    journal = Journal(args.out / "gpu.jsonl" if args.out else None)
    if args.device == "cpu":
        journal.note("a CPU ran this, to see that it works; no figure here is a GPU's")
    with networks(args.networks, is_quick=args.quick) as bundles:
        subjects = [Subject(name, bundle) for name, bundle in bundles.items()]
        measure(plan, kinds(args.device, args.backends), subjects, journal)
    print_table(journal)
    checks = [entry for entry in journal.entries if isinstance(entry, Check)]
    return 0 if checks and all(check.is_right for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
