"""`contrapose bench window`: how long whole windows take, by steps, batch and precision.

Runs a bundle's graphs through the sampler, without a server. Knows no session.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.backends import open_backend
from engine.backends.open import BACKENDS
from engine.backends.protocol import PRECISIONS
from engine.bench.denoise import TOKENS, window_ms
from engine.bench.figures import rounded
from engine.bundle import STARTER, load_bundle
from engine.commands.full_size import full_size_bundle
from engine.errors import ConfigError, InputError
from engine.formats.plot import Plot, check_plot_path, write_plots

if TYPE_CHECKING:
    from engine.backends.roofline import RooflineProbe
    from engine.sampling.models import Models

SUMMARY = "time windows by steps, batch and precision"
HELP = """\
Times whole windows (the condition graph once, then one denoiser call per step) for every number of
steps, windows in a batch and precision, all of them in turn and again, and reports medians:

ms        for the whole batch
ms/window for each window of it
roofline  part of the bound that was reached, as in `bench denoise`; for OpenVINO
"""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row of the table; medians."""

    precision: str
    steps: int
    batch: int
    ms: float
    roofline: float | None
    """Part of the bound; None where there is none."""

    @property
    def ms_per_window(self) -> float:
        return self.ms / self.batch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--bundle", type=Path, metavar="DIR", help="default: the starter bundle")
    which.add_argument(
        "--full-size", action="store_true", help="the published architecture, random weights"
    )
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="(%(default)s)")
    parser.add_argument("--device", type=int, default=0, metavar="N", help="index of the GPU")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the backend")
    parser.add_argument(
        "--steps", type=_numbers, default=[4, 10], metavar="K[,K...]", help="(default: 4,10)"
    )
    parser.add_argument(
        "--batch", type=_numbers, default=[1, 4, 16], metavar="N[,N...]", help="(default: 1,4,16)"
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        action="append",
        help="(default: f32, and bf16 where there is hardware)",
    )
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="(%(default)s)")
    parser.add_argument("--plot", type=Path, metavar="SVG", help="ms per window over the batch")


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if min(numbers) < 1:
        raise ValueError
    return numbers


def run(args: argparse.Namespace) -> int:
    from engine.sampling.schedule import step_schedule

    if args.repeats < 1:
        raise ConfigError(f"repeats is {args.repeats}, must be at least 1", field="repeats")
    if max(args.batch) > 256:
        raise InputError.at("--batch", f"{max(args.batch)}, expected 1 to 256")
    for steps in args.steps:
        step_schedule(steps)  # a wrong step count is refused before minutes of work
    check_plot_path(args.plot)
    with _measurable(args) as (about, models, probes):
        cells = measure(models, probes, args.steps, args.batch, args.repeats)
    if args.json:
        rows = [{**asdict(cell), "ms_per_window": cell.ms_per_window} for cell in cells]
        print(json.dumps(rounded({**about, "repeats": args.repeats, "rows": rows}), indent=2))
    else:
        _print_table(about, cells)
    if args.plot is not None:
        write_plots(args.plot, [_plot(cells)])
    return 0


@contextmanager
def _measurable(
    args: argparse.Namespace,
) -> Iterator[tuple[dict[str, str], dict[str, Models], dict[tuple[str, int], RooflineProbe]]]:
    """What is measured in words, its models by precision, its probes by precision and batch."""
    from engine.sampling.models import load_models

    with ExitStack() as stack:
        path = args.bundle or STARTER
        if args.full_size:
            path = stack.enter_context(full_size_bundle())
        bundle = load_bundle(path)
        backends = {}
        for wanted in args.precision or ("f32", "auto"):
            backend = open_backend(
                args.backend,
                precision=wanted,
                cache_dir=None,
                threads=args.threads,
                device=args.device,
            )
            stack.callback(backend.close)
            backends[backend.precision] = backend
        models = {
            name: load_models(bundle, backend, buckets=tuple(sorted(args.batch)), is_lazy=True)
            for name, backend in backends.items()
        }
        probes = {}
        if backend.name == "openvino":
            from engine.backends.roofline import RooflineProbe, weight_shapes

            shapes = weight_shapes(bundle.file("animator/step.onnx"))
            probes = {
                (name, batch): RooflineProbe(shapes, batch * TOKENS, name)
                for name in models
                for batch in args.batch
            }
        animator = bundle.manifest.animator
        about = {
            "machine": backend.device,
            "backend": backend.name,
            "network": f"{bundle.manifest.name}: {animator.layers} layers, width {animator.width}",
        }
        yield about, models, probes


def measure(
    models: dict[str, Models],
    probes: dict[tuple[str, int], RooflineProbe],
    steps: list[int],
    batches: list[int],
    repeats: int,
) -> list[Cell]:
    """Medians of repeats in turn, so that a slow minute of the machine falls on all of them."""
    names = list(product(models, steps, batches))
    for name, count, batch in names:
        window_ms(models[name], count, batch)  # compiles
    times: dict[tuple[str, int, int], list[float]] = {key: [] for key in names}
    bounds: dict[tuple[str, int], list[float]] = {key: [] for key in probes}
    for _ in range(repeats):
        for key, probe in probes.items():
            bounds[key].append(probe.measure().bound_ms(probe.flops, probe.weight_bytes))
        for name, count, batch in names:
            times[name, count, batch].append(window_ms(models[name], count, batch))
    cells = []
    for name, count, batch in names:
        ms = float(np.median(times[name, count, batch]))
        bound = bounds.get((name, batch))
        roofline = None if bound is None else count * float(np.median(bound)) / ms
        cells.append(Cell(precision=name, steps=count, batch=batch, ms=ms, roofline=roofline))
    return cells


def _print_table(about: dict[str, str], cells: list[Cell]) -> None:
    for name, text in about.items():
        print(f"{name:9}{text}")
    print("precision  steps  batch        ms  ms/window  roofline")
    for cell in cells:
        part = "-" if cell.roofline is None else f"{100 * cell.roofline:.0f}%"
        print(
            f"{cell.precision:9} {cell.steps:6} {cell.batch:6} {cell.ms:9.2f} "
            f"{cell.ms_per_window:10.2f} {part:>9}"
        )


def _plot(cells: list[Cell]) -> Plot:
    names = dict.fromkeys((cell.precision, cell.steps) for cell in cells)
    return Plot(
        title="window",
        x_label="windows in a batch",
        y_label="ms per window",
        series={
            f"{precision}, {steps} steps": [
                (float(cell.batch), cell.ms_per_window)
                for cell in cells
                if (cell.precision, cell.steps) == (precision, steps)
            ]
            for precision, steps in names
        },
        is_line=True,
    )
