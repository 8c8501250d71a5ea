"""`contrapose bench denoise`: one window, eager, compiled, and what the machine could do at best.

The eager row and the full-size network come from the trainer (`full_size.py`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import Array
from engine.backends.backend import PRECISIONS, Precision
from engine.bundle import STARTER, Bundle, load_bundle
from engine.commands.figures import rounded
from engine.commands.full_size import trainer_offers
from engine.errors import ConfigError

if TYPE_CHECKING:
    from engine.backends.roofline import Roofline, RooflineProbe
    from engine.sampler import Models

BUDGET_S = 75.0
"""No further repeat begins after this long, so that a busy machine also ends in some minutes."""
TOKENS = 60
"""Of one window: two people, 30 frames."""
HELP = """\
Times one window (the condition graph once, then one denoiser call per step) at batch 1:

eager     the trainer's network run by PyTorch, fp32 (needs the train extra)
compiled  the bundle's graphs, per precision
bound     per step max(weight bytes / memory bandwidth, products' FLOPs / matrix-multiply rate),
          both measured in this run with OpenVINO: the rate on the network's own matrix shapes, each
          timed alone with its weights in cache, the bandwidth on one row times 256 MB of weights.
          Attention, norms and the condition graph are left out, so nothing real reaches it.

Kinds are measured in turn, up to --repeats times, and medians are reported. Without --bundle the
network has the published full size and random weights.
"""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Medians in milliseconds for one window; empty where nothing was measured."""

    machine: str
    network: str
    steps: int
    repeats: int
    eager_ms: dict[str, float]
    compiled_ms: dict[str, float]
    bound_ms: dict[str, float]
    gflops_per_s: dict[str, float]
    gbytes_per_s: dict[str, float]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        eager = self.eager_ms.get("f32")
        report: dict[str, Any] = {
            "machine": self.machine,
            "network": self.network,
            "steps": self.steps,
            "batch": 1,
            "repeats": self.repeats,
            "eager_ms": self.eager_ms,
            "compiled_ms": self.compiled_ms,
            "bound_ms": self.bound_ms,
            "ratio": {name: eager / ms for name, ms in self.compiled_ms.items()} if eager else {},
            "matmul_gflops_per_s": self.gflops_per_s,
            "memory_gbytes_per_s": self.gbytes_per_s,
            "notes": list(self.notes),
        }
        if not self.eager_ms:
            del report["eager_ms"], report["ratio"]
        return report


def add_action(actions: argparse._SubParsersAction[Any]) -> None:
    parser = actions.add_parser(
        "denoise",
        help="time one window: eager, compiled, and the bound",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, help="measure this bundle's animator instead")
    parser.add_argument("--steps", type=int, default=50, metavar="K", help="(default: 50)")
    parser.add_argument(
        "--precision", choices=PRECISIONS, help="(default: f32, and bf16 where there is hardware)"
    )
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="(default: 3)")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.repeats < 1:
        raise ConfigError(f"repeats is {args.repeats}, must be at least 1", field="repeats")
    measurement = measure_denoise(
        args.bundle, steps=args.steps, precision=args.precision, repeats=args.repeats
    )
    if args.json:
        print(json.dumps(rounded(measurement.as_json()), indent=2))
    else:
        _print_table(measurement)
    return 0


# ----------------------------------------------------------------------------- measuring
def measure_denoise(
    path: Path | None, *, steps: int, precision: Precision | None, repeats: int
) -> Measurement:
    """Measure a bundle's animator, or with None the full-size one if the trainer can make it."""
    from engine.backends.openvino import OpenVinoBackend
    from engine.backends.roofline import RooflineProbe, weight_shapes
    from engine.sampler import load_models, step_schedule

    step_schedule(steps)  # a wrong step count is refused before minutes of work
    with _network(path) as (bundle, network, eager, notes):
        backends = {
            backend.precision: backend
            for wanted in _precisions(precision)
            for backend in [OpenVinoBackend(precision=wanted, cache_dir=None, threads=None)]
        }
        models = {
            name: load_models(bundle, backend, buckets=(1,), is_lazy=True)
            for name, backend in backends.items()
        }
        shapes = weight_shapes(bundle.file("animator/step.onnx"))
        probes = {name: RooflineProbe(shapes, TOKENS, name) for name in backends}
        machine = next(iter(backends.values())).device
        return _measure(machine, network, eager, models, probes, steps, repeats, notes)


def _measure(
    machine: str,
    network: str,
    eager: Callable[[int], float] | None,
    models: dict[str, Models],
    probes: dict[str, RooflineProbe],
    steps: int,
    repeats: int,
    notes: tuple[str, ...],
) -> Measurement:
    """Run every kind in turn, so that a slow minute of the machine falls on all of them."""
    for each in models.values():
        window_ms(each, 1)  # compiles
    eager_ms: list[float] = []
    compiled_ms: dict[str, list[float]] = {name: [] for name in models}
    rooflines: dict[str, list[Roofline]] = {name: [] for name in models}
    started, done = time.perf_counter(), 0
    while done < repeats and (done == 0 or time.perf_counter() - started < BUDGET_S):
        done += 1
        if eager is not None:
            eager_ms.append(eager(steps))
        for name in models:
            compiled_ms[name].append(window_ms(models[name], steps))
            rooflines[name].append(probes[name].measure())

    def medians(value: Callable[[str, Roofline], float]) -> dict[str, float]:
        return {n: float(np.median([value(n, r) for r in rooflines[n]])) for n in rooflines}

    return Measurement(
        machine=machine,
        network=network,
        steps=steps,
        repeats=done,
        eager_ms={"f32": float(np.median(eager_ms))} if eager_ms else {},
        compiled_ms={name: float(np.median(times)) for name, times in compiled_ms.items()},
        bound_ms=medians(lambda n, r: steps * r.bound_ms(probes[n].flops, probes[n].weight_bytes)),
        gflops_per_s=medians(lambda _, r: r.flops_per_s / 1e9),
        gbytes_per_s=medians(lambda _, r: r.bytes_per_s / 1e9),
        notes=notes,
    )


def window_ms(models: Models, steps: int, batch: int = 1) -> float:
    """How long a batch of windows takes from noise to the end, in milliseconds."""
    from engine.sampler import draw_noise, sample_animator

    window: Array = np.zeros((batch, 2, 30, 135), np.float32)
    noise = draw_noise(0, window.shape)
    started = time.perf_counter()
    sample_animator(
        models,
        noise=noise,
        known=window,
        known_mask=window[..., :1],
        anchor=window[:, :, 0],
        anchor_joints=np.zeros((batch, 2, 22, 3), np.float32),
        steps=steps,
    )
    return 1e3 * (time.perf_counter() - started)


def _precisions(wanted: Precision | None) -> tuple[Precision, ...]:
    """Without a wish: f32 and whatever "auto" is here, which may be the same."""
    return ("f32", "auto") if wanted is None else (wanted,)


@contextmanager
def _network(
    path: Path | None,
) -> Iterator[tuple[Bundle, str, Callable[[int], float] | None, tuple[str, ...]]]:
    """The bundle to measure, its description, how it runs eagerly if it can, and what to say."""
    if path is not None:
        note = "eager is left out: it is measured for the full-size network, without --bundle"
        bundle = load_bundle(path)
        yield bundle, _described(bundle), None, (note,)
        return
    offers = trainer_offers()
    if offers is None:
        bundle = load_bundle(STARTER)
        yield (
            bundle,
            _described(bundle),
            None,
            (
                "eager is left out and the starter bundle stands in for the full-size network: "
                "both need the train extra (pip install 'contrapose[train]')",
            ),
        )
        return
    with tempfile.TemporaryDirectory(prefix="contrapose-bench-") as folder:
        full_size = Path(folder) / "full.bundle"
        offers["export_full_size"](full_size)
        bundle = load_bundle(full_size)
        yield bundle, _described(bundle), offers["eager_window_ms"], ()


def _described(bundle: Bundle) -> str:
    animator = bundle.manifest.animator
    return f"{bundle.manifest.name}: {animator.layers} layers, width {animator.width}"


# ----------------------------------------------------------------------------- reporting
def _print_table(measurement: Measurement) -> None:
    rows = {
        "eager": (measurement.eager_ms, "ms"),
        "compiled": (measurement.compiled_ms, "ms"),
        "bound": (measurement.bound_ms, "ms"),
        "products": (measurement.gflops_per_s, "GFLOP/s"),
        "memory": (measurement.gbytes_per_s, "GB/s"),
    }
    names = list(measurement.compiled_ms)
    print(f"machine   {measurement.machine}")
    print(f"network   {measurement.network}")
    print(f"window    {measurement.steps} steps, batch 1, median of {measurement.repeats}")
    print(f"{'':10}" + "".join(f"{name:>12}" for name in names))
    for row, (values, unit) in rows.items():
        if values:
            cells = (f"{values[name]:12.1f}" if name in values else f"{'-':>12}" for name in names)
            print(f"{row:10}" + "".join(cells) + f" {unit}")
    for name, ratio in measurement.as_json().get("ratio", {}).items():
        print(f"compiled {name} is {ratio:.1f} times faster than eager f32")
    for note in measurement.notes:
        print(f"note: {note}")
