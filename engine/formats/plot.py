"""Plots: curves and points as SVG, for reports and benchmarks.

Knows numbers and names; not what they mean.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError

COLOURS = ("#8a8f98", "#1f6feb", "#d1571a", "#2da44e", "#a371f7", "#bf3989", "#9a6700")
WIDTH, HEIGHT, MARGIN = 520, 360, 44


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Points (x, y) of each named series, drawn apart or joined in their order."""

    title: str
    x_label: str
    y_label: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    is_line: bool


def svg(plot: Plot) -> str:
    """A picture of a plot, with a legend; points that are not finite are left out."""
    series = {
        name: [p for p in points if all(map(math.isfinite, p))]
        for name, points in plot.series.items()
    }
    xs, ys = ([p[i] for points in series.values() for p in points] for i in range(2))
    if not xs:
        return "<svg></svg>"
    (x0, x1), (y0, y1) = _bounds(xs), _bounds(ys)

    def place(point: tuple[float, float]) -> tuple[float, float]:
        across, up = (point[0] - x0) / (x1 - x0), (point[1] - y0) / (y1 - y0)
        return (
            round(MARGIN + across * (WIDTH - 2 * MARGIN), 1),
            round(HEIGHT - MARGIN - up * (HEIGHT - 2 * MARGIN), 1),
        )

    shapes = []
    for index, (name, points) in enumerate(series.items()):
        colour, y = COLOURS[index % len(COLOURS)], 14 + 14 * index
        places = [place(point) for point in points]
        if plot.is_line:
            path = " ".join(f"{x},{y}" for x, y in places)
            shapes.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
        shapes += [
            f'<circle cx="{x}" cy="{y}" r="2" fill="{colour}" fill-opacity=".6"/>'
            for x, y in places
        ]
        shapes.append(
            f'<circle cx="{WIDTH - 150}" cy="{y - 4}" r="4" fill="{colour}"/>'
            f'<text x="{WIDTH - 140}" y="{y}">{html.escape(name)}</text>'
        )
    low, right, left = HEIGHT - MARGIN, WIDTH - MARGIN, MARGIN
    axes = (
        f'<path d="M{left} {MARGIN}V{low}H{right}" fill="none" stroke="#d0d7de"/>'
        f'<text x="{left}" y="{low + 14}">{x0:.3g}</text>'
        f'<text x="{right}" y="{low + 14}" text-anchor="end">{x1:.3g}</text>'
        f'<text x="{left - 4}" y="{low}" text-anchor="end">{y0:.3g}</text>'
        f'<text x="{left - 4}" y="{MARGIN + 4}" text-anchor="end">{y1:.3g}</text>'
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{html.escape(plot.x_label)}</text>"
        f'<text x="{left}" y="{MARGIN - 8}">{html.escape(plot.y_label)}</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}">'
        f"{axes}{''.join(shapes)}</svg>"
    )


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def svg_page(plots: Sequence[Plot]) -> str:
    """All plots beside one another in one picture."""
    places = [
        f'<g transform="translate({WIDTH * i} 0)">{svg(plot)}</g>' for i, plot in enumerate(plots)
    ]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="11" '
        f'width="{WIDTH * len(places)}" height="{HEIGHT}">{"".join(places)}</svg>\n'
    )


def check_plot_path(path: Path | None) -> None:
    """Better refused before the measuring than after it. Raises InputError."""
    if path is not None and (path.suffix != ".svg" or not path.parent.is_dir()):
        raise InputError(
            f"{path}: no plot can be written there; name an .svg in a folder that exists",
            field="--plot",
        )


def write_plots(path: Path, plots: Sequence[Plot]) -> None:
    """Raises InputError where that cannot be written."""
    try:
        path.write_text(svg_page(plots), encoding="utf-8")
    except OSError as exc:
        raise InputError(f"{path}: cannot be written: {exc.strerror}", field="--plot") from exc
