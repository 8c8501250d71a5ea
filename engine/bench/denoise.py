"""`contrapose bench denoise`: one window, eager, compiled, and what the machine could do at best.

The eager row and the full-size network come from the trainer (`full_size.py`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import Array
from engine.backends.protocol import PRECISIONS, Precision
from engine.bench.figures import rounded
from engine.bundle import STARTER, Bundle, load_bundle
from engine.commands.full_size import QUANTISE, trainer_offers
from engine.errors import BackendError, ConfigError
from engine.formats.plot import Plot, check_plot_path, write_plots

if TYPE_CHECKING:
    from engine.backends.roofline import Roofline, RooflineProbe
    from engine.sampling.models import Models

INT8 = "int8"
BATCHES = (1, 16)
BUDGET_S = 75.0
"""No further repeat begins after this long, so that a busy machine also ends in some minutes."""
TOKENS = 60
"""Tokens of one window: two people, 30 frames."""
SUMMARY = "time windows: eager, compiled, and the bound"
HELP = """\
Times windows (the condition graph once, then one denoiser call per step):

eager     the trainer's network run by PyTorch, fp32, batch 1 (needs the train extra)
compiled  the bundle's graphs, per precision and batch, milliseconds for the whole batch
bound     per step max(weight bytes / memory bandwidth, products' FLOPs / matrix-multiply rate),
          both measured in this run with OpenVINO: the rate on the network's own matrix shapes, each
          timed alone with its weights in cache, the bandwidth on one row times 256 MB of weights.
          Attention, norms and the condition graph are left out, so nothing real reaches it.

Kinds are measured in turn, up to --repeats times, and medians are reported. A batch of B is timed
over steps / B steps and scaled, so that each kind takes as long. Without --bundle the network has
the published full size and random weights; its int8 form is quantised first, which takes a minute
(needs the quantise extra). int8 of a bundle: name the one that `contrapose bundle build` made too.
"""


@dataclass(frozen=True, kw_only=True)
class BatchTimes:
    """Medians of one batch size, by precision; milliseconds are those of all its windows."""

    batch: int
    compiled_ms: dict[str, float]
    bound_ms: dict[str, float]
    gflops_per_s: dict[str, float]

    @property
    def percent_of_bound(self) -> dict[str, float]:
        """How much of what the machine could do is reached."""
        return {name: 100 * self.bound_ms[name] / ms for name, ms in self.compiled_ms.items()}

    def as_json(self) -> dict[str, Any]:
        return {
            "batch": self.batch,
            "compiled_ms": self.compiled_ms,
            "compiled_ms_per_window": {n: ms / self.batch for n, ms in self.compiled_ms.items()},
            "bound_ms": self.bound_ms,
            "percent_of_bound": self.percent_of_bound,
            "matmul_gflops_per_s": self.gflops_per_s,
        }


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Medians in milliseconds for one window; empty where nothing was measured."""

    machine: str
    network: str
    steps: int
    repeats: int
    eager_ms: dict[str, float]
    batches: tuple[BatchTimes, ...]
    gbytes_per_s: dict[str, float]
    notes: tuple[str, ...]

    @property
    def ratio(self) -> dict[str, float]:
        """How many times faster than eager one window of the smallest batch is."""
        eager, first = self.eager_ms.get("f32"), self.batches[0]
        return {n: eager * first.batch / ms for n, ms in first.compiled_ms.items()} if eager else {}

    def as_json(self) -> dict[str, Any]:
        """The smallest batch stands at the top too, beside eager."""
        report: dict[str, Any] = {
            "machine": self.machine,
            "network": self.network,
            "steps": self.steps,
            "repeats": self.repeats,
            **self.batches[0].as_json(),
            "memory_gbytes_per_s": self.gbytes_per_s,
            "batches": [each.as_json() for each in self.batches],
            "notes": list(self.notes),
        }
        if self.eager_ms:
            report |= {"eager_ms": self.eager_ms, "ratio": self.ratio}
        return report


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """One precision of the network, and the probe of each batch size."""

    name: str
    models: Models
    probes: dict[int, RooflineProbe]


@dataclass(frozen=True, kw_only=True)
class _Network:
    """What is measured: bundles of one network, how it runs eagerly if it can, what to say."""

    bundles: tuple[Bundle, ...]
    eager: Callable[[int], float] | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        manifest = self.bundles[0].manifest
        return (
            f"{manifest.name}: {manifest.animator.layers} layers, width {manifest.animator.width}"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bundle", type=Path, nargs="+", help="measure this animator instead; with its int8 form"
    )
    parser.add_argument("--steps", type=int, default=50, metavar="K", help="(default: 50)")
    parser.add_argument(
        "--batch", type=int, nargs="+", default=BATCHES, metavar="B", help="(default: 1 16)"
    )
    parser.add_argument(
        "--precision", choices=(*PRECISIONS, INT8), help="(default: f32, auto and int8)"
    )
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="(default: 3)")
    parser.add_argument("--plot", type=Path, metavar="SVG", help="ms per window over the batch")


def run(args: argparse.Namespace) -> int:
    for field, least in (("repeats", args.repeats), ("batch", min(args.batch))):
        if least < 1:
            raise ConfigError(f"{field} is {least}, must be at least 1", field=field)
    check_plot_path(args.plot)
    measurement = measure_denoise(
        tuple(args.bundle or ()),
        steps=args.steps,
        precision=args.precision,
        repeats=args.repeats,
        batches=tuple(sorted(set(args.batch))),
    )
    if args.json:
        print(json.dumps(rounded(measurement.as_json()), indent=2))
    else:
        _print_table(measurement)
    if args.plot is not None:
        write_plots(args.plot, [_plot(measurement)])
    return 0


# ----------------------------------------------------------------------------- measuring
def measure_denoise(
    paths: Sequence[Path],
    *,
    steps: int,
    precision: str | None,
    repeats: int,
    batches: tuple[int, ...] = BATCHES,
) -> Measurement:
    """Measure bundles of one animator, or without any the full size if the trainer can make it.

    Raises ConfigError for bundles of different networks, or without the precision that is asked.
    """
    from engine.backends.openvino import OpenVinoBackend
    from engine.sampling.schedule import step_schedule

    step_schedule(steps)  # a wrong step count is refused before minutes of work
    with _network(paths, with_int8=precision in (None, INT8)) as network:
        kinds = [kind for bundle in network.bundles for kind in _kinds(bundle, precision, batches)]
        if not kinds:
            raise ConfigError(f"no bundle given runs in {precision}", field="precision")
        machine = OpenVinoBackend(precision="auto", cache_dir=None, threads=None).device
        return _measure(machine, network, kinds, batches, steps, repeats)


def _kinds(bundle: Bundle, wanted: str | None, batches: tuple[int, ...]) -> list[_Kind]:
    """The precisions that a bundle is measured in, each once."""
    from engine.backends.openvino import OpenVinoBackend
    from engine.backends.processor import multiplies_bytes_exactly
    from engine.backends.roofline import RooflineProbe, weight_shapes
    from engine.sampling.models import load_models

    is_int8 = bundle.manifest.animator.precision == INT8
    backends = {
        INT8 if is_int8 else backend.precision: backend
        for hint in _hints(is_int8, wanted)
        for backend in [OpenVinoBackend(precision=hint, cache_dir=None, threads=None)]
    }
    shapes = weight_shapes(bundle.file("animator/step.onnx"))

    def kind(name: str, backend: OpenVinoBackend) -> _Kind:
        products = INT8 if is_int8 and multiplies_bytes_exactly() else backend.precision
        return _Kind(
            name=name,
            models=load_models(bundle, backend, buckets=batches, is_lazy=True),
            probes={batch: RooflineProbe(shapes, TOKENS * batch, products) for batch in batches},
        )

    return [kind(name, backend) for name, backend in backends.items()]


def _hints(is_int8: bool, wanted: str | None) -> tuple[Precision, ...]:
    """What all but int8 products run in; without a wish f32 and "auto", which may be the same."""
    if is_int8:
        return ("auto",) if wanted in (None, INT8) else ()
    if wanted is None:
        return ("f32", "auto")
    return tuple(precision for precision in PRECISIONS if precision == wanted)


def _measure(
    machine: str,
    network: _Network,
    kinds: list[_Kind],
    batches: tuple[int, ...],
    steps: int,
    repeats: int,
) -> Measurement:
    """Run every kind in turn, so that a slow minute of the machine falls on all of them."""
    cases = [(kind, batch) for kind in kinds for batch in batches]
    for kind, batch in cases:
        window_ms(kind.models, 1, batch)  # compiles
    eager_ms: list[float] = []
    compiled_ms: dict[tuple[str, int], list[float]] = {(k.name, b): [] for k, b in cases}
    rooflines: dict[tuple[str, int], list[Roofline]] = {(k.name, b): [] for k, b in cases}
    started, done = time.perf_counter(), 0
    while done < repeats and (done == 0 or time.perf_counter() - started < BUDGET_S):
        done += 1
        if network.eager is not None:
            eager_ms.append(network.eager(steps))
        for kind, batch in cases:
            timed_steps = max(1, steps // batch)
            took = window_ms(kind.models, timed_steps, batch)
            compiled_ms[kind.name, batch].append(took * steps / timed_steps)
            rooflines[kind.name, batch].append(kind.probes[batch].measure())

    def bound_ms(kind: _Kind, batch: int) -> list[float]:
        probe = kind.probes[batch]
        return [
            steps * r.bound_ms(probe.flops, probe.weight_bytes) for r in rooflines[kind.name, batch]
        ]

    def times(batch: int) -> BatchTimes:
        rates = {k.name: [r.flops_per_s / 1e9 for r in rooflines[k.name, batch]] for k in kinds}
        return BatchTimes(
            batch=batch,
            compiled_ms={kind.name: _median(compiled_ms[kind.name, batch]) for kind in kinds},
            bound_ms={kind.name: _median(bound_ms(kind, batch)) for kind in kinds},
            gflops_per_s={name: _median(values) for name, values in rates.items()},
        )

    reads = {k.name: [r.bytes_per_s / 1e9 for r in rooflines[k.name, batches[0]]] for k in kinds}
    return Measurement(
        machine=machine,
        network=network.name,
        steps=steps,
        repeats=done,
        eager_ms={"f32": _median(eager_ms)} if eager_ms else {},
        batches=tuple(times(batch) for batch in batches),
        gbytes_per_s={name: _median(values) for name, values in reads.items()},
        notes=network.notes,
    )


def _median(values: list[float]) -> float:
    return float(np.median(values))


def window_ms(models: Models, steps: int, batch: int = 1) -> float:
    """How long a batch of windows takes from noise to the end, in milliseconds."""
    from engine.sampling.sampler import draw_noise, sample_animator

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


@contextmanager
def _network(paths: Sequence[Path], *, with_int8: bool) -> Iterator[_Network]:
    if paths:
        note = "eager is left out: it is measured for the full-size network, without --bundle"
        yield _Network(bundles=_forms_of_one(paths), notes=(note,))
        return
    offers = trainer_offers()
    if offers is None:
        note = (
            "eager is left out and the starter bundle stands in for the full-size network: "
            "both need the train extra (pip install 'contrapose[train]')"
        )
        yield _Network(bundles=(load_bundle(STARTER),), notes=(note,))
        return
    with tempfile.TemporaryDirectory(prefix="contrapose-bench-") as folder:
        path, int8_path = Path(folder) / "full.bundle", Path(folder) / "int8.bundle"
        notes: tuple[str, ...] = ()
        offers["export_full_size"](path)
        bundles = [load_bundle(path)]
        quantiser = trainer_offers(QUANTISE) if with_int8 else None
        if quantiser is not None:
            try:
                quantiser["quantise_full_size"](path, int8_path)
                bundles.append(load_bundle(int8_path))
            except BackendError as error:
                notes = (f"int8 is left out: {error}",)
        yield _Network(bundles=tuple(bundles), eager=offers["eager_window_ms"], notes=notes)


def _forms_of_one(paths: Sequence[Path]) -> tuple[Bundle, ...]:
    """Bundles of one network, float or int8. Raises ConfigError if they are not."""
    bundles = tuple(load_bundle(path) for path in paths)
    sizes = {(b.manifest.animator.width, b.manifest.animator.layers) for b in bundles}
    forms = {b.manifest.animator.precision for b in bundles}
    if len(sizes) > 1 or len(forms) < len(bundles):
        raise ConfigError(
            "--bundle takes one bundle, and beside it its int8 form; these are no such two: "
            + ", ".join(map(str, paths)),
            field="bundle",
        )
    return bundles


# ----------------------------------------------------------------------------- reporting
def _print_table(measurement: Measurement) -> None:
    names = list(measurement.batches[0].compiled_ms)
    print(f"machine   {measurement.machine}")
    print(f"network   {measurement.network}")
    print(f"window    {measurement.steps} steps, medians of {measurement.repeats}")
    print(f"{'':18}" + "".join(f"{name:>12}" for name in names))
    _print_row("eager", measurement.eager_ms, names, "ms")
    for each in measurement.batches:
        rows = {
            "compiled": (each.compiled_ms, "ms"),
            "bound": (each.bound_ms, "ms"),
            "of the bound": (each.percent_of_bound, "%"),
            "products": (each.gflops_per_s, "GFLOP/s"),
        }
        for row, (values, unit) in rows.items():
            _print_row(f"{row:13}x{each.batch}", values, names, unit)
    _print_row("memory", measurement.gbytes_per_s, names, "GB/s")
    for name, ratio in measurement.ratio.items():
        print(f"compiled {name} is {ratio:.1f} times faster than eager f32")
    for note in measurement.notes:
        print(f"note: {note}")


def _print_row(title: str, values: dict[str, float], names: list[str], unit: str) -> None:
    if values:
        cells = (f"{values[name]:12.1f}" if name in values else f"{'-':>12}" for name in names)
        print(f"{title:18}" + "".join(cells) + f" {unit}")


def _plot(measurement: Measurement) -> Plot:
    """Compiled and bound of each precision over the batch, and eager where it was measured."""
    series = {
        f"{name}, {kind}": [(float(each.batch), times[name] / each.batch) for each, times in rows]
        for kind, rows in (
            ("compiled", [(each, each.compiled_ms) for each in measurement.batches]),
            ("bound", [(each, each.bound_ms) for each in measurement.batches]),
        )
        for name in measurement.batches[0].compiled_ms
    }
    series |= {f"{name}, eager": [(1.0, ms)] for name, ms in measurement.eager_ms.items()}
    return Plot(
        title="denoise",
        x_label="windows in a batch",
        y_label="ms per window",
        series=series,
        is_line=True,
    )
